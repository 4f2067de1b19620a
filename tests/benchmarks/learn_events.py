"""Makes the commands of `learn.py` with the code of whatever checkout is on PYTHONPATH; writes a pickle.

    learn_events.py ROUND EVENTS AT_ONCE

Each event alone; in a storm, so many by one command, as a web process sends them. A checkout that does not do
that makes none of these.

Imports nothing of the tests, as another checkout's may be others.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from bridge.domain.webhook.events import Event
from bridge.ledger import keys, scripts
from bridge.ledger.calls import learning
from bridge.ledger.calls.learning import Retention, learn_event

IN_A_STORM = ", in a storm"
_NOTES = "x" * 250


Command = tuple[Any, ...]
Event_ = tuple[str, dict[str, Any]]


def shapes(number: int, events: int, at_once: int) -> dict[str, list[Command]]:
    made = {}
    if hasattr(learning, "together"):
        made = {
            f"{shape}{IN_A_STORM}": _in_a_storm(told, at_once)
            for shape, told in _shapes(range((2 * number + 1) * events, (2 * number + 2) * events))
        }
    calls = range(2 * number * events, (2 * number + 1) * events)
    return {**{shape: [_command(*one) for one in told] for shape, told in _shapes(calls)}, **made}


def _shapes(calls: Iterable[int]) -> list[tuple[str, list[Event_]]]:
    ended = [("call-ended", both_ids(call)) for call in calls]
    return [
        ("new call, both ids", ended),
        ("further event of it", [("recording-uploaded", both_ids(call)) for call in calls]),
        ("repeat of an event", ended),
        ("new call, number alone", [("call-ended", number_alone(call)) for call in calls]),
        ("further event of that", [("recording-uploaded", number_alone(call)) for call in calls]),
    ]


def both_ids(call: int) -> dict[str, Any]:
    return {
        "call_uuid": str(UUID(int=(4 << 76) | (8 << 60) | (call + 1) << 80)),
        "call_id": str(1_000_000_000 + call),
        "external_number": "+15550100123",
        "notes": _NOTES,
    }


def number_alone(call: int) -> dict[str, Any]:
    return {"call_id": str(2_000_000_000 + call), "external_number": "+15550100123", "notes": _NOTES}


def _event(trigger: str, body: dict[str, Any]) -> Event:
    return Event(
        trigger=trigger,
        fingerprint=hashlib.md5(f"{trigger} {body}".encode(), usedforsecurity=False).hexdigest(),
        uuid=UUID(body["call_uuid"]) if "call_uuid" in body else None,
        call_id=int(body["call_id"]),
    )


def _command(trigger: str, body: dict[str, Any]) -> Command:
    names, arguments = learn_event(_event(trigger, body), body, Retention())
    return ("EVALSHA", scripts.sha("learn"), len(names), *names, *arguments)


class _Nobody:
    """Who would wait for an answer."""

    def done(self) -> bool:
        return True

    def set_result(self, result: Any) -> None: ...

    def set_exception(self, exception: Exception) -> None: ...


def _in_a_storm(told: list[Event_], at_once: int) -> list[Command]:
    from bridge.ledger.gathered import Gathered

    def one(some: list[Event_]) -> Command:
        gathered = Gathered(scripts.sha("learn"), keys.record(""))
        for trigger, body in some:
            _, common, own = learning.event_parts(_event(trigger, body), body, Retention())
            gathered.add(common, own, _Nobody())
        return gathered.command()

    return [one(told[first : first + at_once]) for first in range(0, len(told), at_once)]


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    sys.stdout.buffer.write(pickle.dumps((scripts.source("learn"), shapes(*given))))
