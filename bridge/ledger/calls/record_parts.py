"""The record of a call from what Redis holds of it: one part, or two where it came under both ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bridge.ledger.calls.packed import Part, unpacked
from bridge.ledger.calls.record import KeptEvent, Observation, Record, Written
from bridge.ledger.calls.record_fields import Family, Field

# In the hash of events, the answers to our questions have this in front of their names.
_OBSERVED = "obs:"


def parts_of(answer: Sequence[list[str]]) -> Iterator[Part]:
    """The parts of a record, from names and values in turn: fields and events of each; without the log."""
    for fields, events in zip(answer[::2], answer[1::2], strict=True):
        yield _pairs(fields), _pairs(events), []


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def record_of(key: str, parts: Sequence[Part]) -> Record:
    """A record from its parts; the leading one first."""
    fields: dict[str, str] = {}
    events: list[KeptEvent] = []
    observations: dict[str, Observation] = {}
    log: list[Mapping[str, Any]] = []
    for call, kept, lines in map(unpacked, parts):
        fields = _joined(fields, call)
        log += [json.loads(line) for line in lines]
        for name, text in kept.items():
            value = json.loads(text)
            if name.startswith(_OBSERVED):
                _keep_newest(observations, _observation(name.removeprefix(_OBSERVED), value))
            else:
                events.append(_event(name, value))
    uuid, call_id = _ids(key, fields)
    return Record(
        key=key,
        uuid=uuid,
        call_id=call_id,
        events=tuple(sorted(events, key=lambda e: (e.at, e.fingerprint))),
        observations=observations,
        outputs={name: _written(value) for name, value in _values(Family.OUTPUT, fields).items()},
        intents=_values(Family.INTENT, fields),
        changes=_values(Family.CHANGE, fields),
        fields=fields,
        log=tuple(sorted(log, key=lambda line: -line["at"])),
        learnt_ms=max((int(call.get(Field.LAST_AT, 0)) for call, _, _ in parts), default=0),
    )


def _joined(leading: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """The fields of two parts: those of the leading one, what only the other has, and counts added up.

    So outputs of the leading part count before the other's. A reason goes with its state: the leading
    part's state has none where none is there.
    """
    counts = {
        name: str(int(leading[name]) + int(other[name]))
        for name in leading.keys() & other.keys()
        if _is_count(name)
    }
    if Field.STATE in leading:
        other = {name: text for name, text in other.items() if name != Field.REASON}
    return {**other, **leading, **counts}


def _is_count(name: str) -> bool:
    """Whether a field counts events; `left_out:OUTPUT:FIELD` is a sentence."""
    return name.startswith(Family.LEFT_OUT) and name.count(":") == 1


def _keep_newest(observations: dict[str, Observation], seen: Observation) -> None:
    """Where both parts hold an answer, that to the later question counts."""
    before = observations.get(seen.name)
    if before is None or before.asked_at < seen.asked_at:
        observations[seen.name] = seen


def _observation(name: str, value: Mapping[str, Any]) -> Observation:
    return Observation(
        name=name,
        body=json.loads(value["body"]),
        asked_at=_time(value.get("asked_at", value["at"])),
        at=_time(value["at"]),
    )


def _event(fingerprint: str, value: Mapping[str, Any]) -> KeptEvent:
    return KeptEvent(
        fingerprint=fingerprint,
        trigger=value["trigger"],
        body=json.loads(value["body"]),
        at=_time(value["at"]),
        last_at=_time(value["last_at"]),
        times=int(value.get("times", 1)),
        signed=bool(value.get("signed")),
    )


def _written(value: Mapping[str, Any]) -> Written:
    return Written(
        id=value["id"],
        sent=value["sent"],
        created=value.get("created", False),
        shown=value.get("shown", {}),
    )


def _ids(key: str, fields: Mapping[str, str]) -> tuple[UUID | None, int | None]:
    """Both ids of the call: one is in its key, the other may be known from an event."""
    kind, _, own = key.partition(":")
    uuid = own if kind == "uuid" else fields.get(Field.UUID)
    number = own if kind == "id" else fields.get(Field.ID)
    return UUID(uuid) if uuid else None, int(number) if number else None


def _values(family: Family, fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in family.of(fields).items()}


def _time(ms: float | str) -> datetime:
    """Milliseconds since 1970 as a point in time."""
    return datetime.fromtimestamp(float(ms) / 1000, UTC)
