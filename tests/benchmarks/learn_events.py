"""Makes the commands of `learn.py` with the code of whatever checkout is on PYTHONPATH; writes a pickle.

    learn_events.py ROUND EVENTS

Imports nothing of the tests, as another checkout's may be others.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from typing import Any
from uuid import UUID

from bridge.domain.webhook.events import Event
from bridge.ledger import scripts
from bridge.ledger.calls.learning import Retention, learn_event

_NOTES = "x" * 250


def shapes(number: int, events: int) -> dict[str, list[tuple[Any, ...]]]:
    calls = range(number * events, (number + 1) * events)
    ended = [_command("call-ended", both_ids(call)) for call in calls]
    return {
        "new call, both ids": ended,
        "further event of it": [_command("recording-uploaded", both_ids(call)) for call in calls],
        "repeat of an event": ended,
        "new call, number alone": [_command("call-ended", number_alone(call)) for call in calls],
        "further event of that": [_command("recording-uploaded", number_alone(call)) for call in calls],
    }


def both_ids(call: int) -> dict[str, Any]:
    return {
        "call_uuid": str(UUID(int=(4 << 76) | (8 << 60) | (call + 1) << 80)),
        "call_id": str(1_000_000_000 + call),
        "external_number": "+15550100123",
        "notes": _NOTES,
    }


def number_alone(call: int) -> dict[str, Any]:
    return {"call_id": str(2_000_000_000 + call), "external_number": "+15550100123", "notes": _NOTES}


def _command(trigger: str, body: dict[str, Any]) -> tuple[Any, ...]:
    event = Event(
        trigger=trigger,
        fingerprint=hashlib.md5(f"{trigger} {body}".encode(), usedforsecurity=False).hexdigest(),
        uuid=UUID(body["call_uuid"]) if "call_uuid" in body else None,
        call_id=int(body["call_id"]),
    )
    names, arguments = learn_event(event, body, Retention())
    return ("EVALSHA", scripts.sha("learn"), len(names), *names, *arguments)


if __name__ == "__main__":
    sys.stdout.buffer.write(
        pickle.dumps((scripts.source("learn"), shapes(int(sys.argv[1]), int(sys.argv[2]))))
    )
