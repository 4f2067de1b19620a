"""Many calls on record, made fast: as the ledger keeps them, without their syncs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bridge.domain.webhook.events import Event
from bridge.ledger import keys, scripts
from bridge.ledger.calls.learning import learn_event, status_and_key
from bridge.ledger.calls.record_fields import Field, State
from bridge.ledger.ledger import Ledger

_AT_ONCE = 500
FIRST_ID = 1_000_400_000
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def body_of(number: int, **other: Any) -> dict[str, Any]:
    """An answered call, its third missed, its fifth outgoing; one begins every 20 seconds before noon."""
    started = NOON - timedelta(seconds=20 * number)
    missed = number % 3 == 0
    return {
        "call_id": str(FIRST_ID + number),
        "call_uuid": str(uuid_of(number)),
        "external_number": f"+155501{number % 10_000:05d}"[:12],
        "internal_number": f"+1555020{number % 4:04d}",
        "direction": "outgoing" if number % 5 == 0 else "incoming",
        "agent_id": str(400_100 + number % 7),
        "agent_first_name": "Bo",
        "agent_last_name": "Example",
        "contact_name": f"Ada Example {number}",
        "talking_time": "0" if missed else "65",
        "started_at": started.isoformat(),
        "ended_at": (started + timedelta(seconds=90)).isoformat(),
        **other,
    }


def uuid_of(number: int) -> UUID:
    return UUID(int=(0x5B0C << 112) + number)


def key_of(number: int) -> str:
    return f"uuid:{uuid_of(number)}"


def put_on_record(
    ledger: Ledger,
    bodies: Iterable[dict[str, Any]],
    *,
    known: bool = True,
    triggers: Sequence[str] = ("call-ended",),
) -> None:
    """Each body is the webhook of a call that was synced; it came when the call ended.

    Args:
        known: Kustomer had the customers before.
        triggers: the same body comes with each.
    """
    ledger.redis.script_load(scripts.source("learn"))
    bodies = list(bodies)
    for start in range(0, len(bodies), _AT_ONCE):
        some = bodies[start : start + _AT_ONCE]
        for trigger in triggers:
            names = _learn(ledger, trigger, some)
        _sync(ledger, names, some, known=known)


def _learn(ledger: Ledger, trigger: str, bodies: list[dict[str, Any]]) -> list[str]:
    """The keys of the calls."""
    pipe = ledger.redis.pipeline(transaction=False)
    for body in bodies:
        # Only what the ledger looks at; records read the bodies anew.
        uuid = UUID(body["call_uuid"])
        mark = f"{uuid.int + len(trigger):032x}"
        event = Event(trigger=trigger, fingerprint=mark, uuid=uuid, call_id=int(body["call_id"]))
        names, arguments = learn_event(event, body, ledger.keep_for)
        pipe.evalsha(scripts.sha("learn"), len(names), *names, *arguments)
    told = zip(pipe.execute(), bodies, strict=True)
    return [status_and_key(answer, f"uuid:{body['call_uuid']}")[1] for (answer,), body in told]


def _sync(ledger: Ledger, told: list[str], bodies: list[dict[str, Any]], *, known: bool) -> None:
    pipe = ledger.redis.pipeline(transaction=False)
    for key, body in zip(told, bodies, strict=True):
        fields: dict[Any, Any] = {Field.STATE: State.SYNCED, Field.REASON: "", Field.SYNCED_AT: 1}
        for name in ("customer", "conversation", "note"):
            created = name != "customer" or not known
            fields[f"out:{name}"] = json.dumps({"id": "0" * 24, "sent": {}, "created": created})
        pipe.hset(keys.record(key), mapping=fields)
        heard_at = datetime.fromisoformat(body["ended_at"])
        pipe.zadd(keys.CALLS, {key: int(heard_at.timestamp() * 1000)})
        pipe.hdel(keys.JOBS, f"sync|{key}")
        for name in keys.QUEUE_KEYS[:12]:
            pipe.zrem(name, f"sync|{key}")
    pipe.execute()
