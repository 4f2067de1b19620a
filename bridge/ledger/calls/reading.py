"""Many records at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from bridge.boundary import boundary
from bridge.domain.outputs import TEXTS
from bridge.ledger import keys
from bridge.ledger.calls.opening import opened_lines
from bridge.ledger.calls.packed import Part
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.record_parts import record_of
from bridge.ledger.ledger import Ledger


def read_all(ledger: Ledger, names: Sequence[str]) -> list[Record]:
    """What `Ledger.read` gives, without logs, in two round trips for all of them.

    Args:
        names: keys of calls as `keys.CALLS` has them.
    """
    own = _parts(ledger, names)
    others = {
        name: f"id:{number}"
        for name, (fields, _, _) in own.items()
        if name.startswith("uuid:") and (number := fields.get(Field.ID))
    }
    other_parts = _parts(ledger, list(others.values()))
    return [
        record_of(name, [own[name], *([other_parts[others[name]]] if name in others else [])])
        for name in names
    ]


@boundary("ledger.have_observation")
def have_observation(ledger: Ledger, name: str, parts: Sequence[str]) -> list[bool]:
    """Of each part of a record whether it has this observation, in one round trip."""
    pipe = ledger.redis.pipeline(transaction=False)
    for part in parts:
        pipe.hexists(keys.events(part), f"obs:{name}")
    return [bool(there) for there in pipe.execute()]


@boundary("ledger.noted_at")
def noted_at(ledger: Ledger, names: Sequence[str]) -> list[datetime | None]:
    """When the note or message of each of these calls was first known to be there, in one round trip."""
    pipe = ledger.redis.pipeline(transaction=False)
    for name in names:
        pipe.lrange(keys.log(name), 0, -1)
        pipe.hget(keys.record(name), Field.PACKED)
    answers = pipe.execute()
    return [
        _first_note([*lines, *opened_lines(ledger.texts, name, packed)])
        for name, lines, packed in zip(names, answers[::2], answers[1::2], strict=True)
    ]


_TOLD = frozenset(f"{name} {done}" for name in TEXTS for done in ("created", "found"))


def _first_note(newest_first: Sequence[str]) -> datetime | None:
    for text in reversed(newest_first):
        line = json.loads(text)
        if line["what"] in _TOLD:
            return moment(line["at"])
    return None


@boundary("ledger.read_all")
def _parts(ledger: Ledger, names: Sequence[str]) -> dict[str, Part]:
    if not names:
        return {}
    pipe = ledger.redis.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.record(name))
        pipe.hgetall(keys.events(name))
    found: list[Mapping[str, str]] = pipe.execute()
    parts: list[Part] = [(found[2 * i], found[2 * i + 1], []) for i in range(len(names))]
    return {name: ledger.opened_part(name, part) for name, part in zip(names, parts, strict=True)}
