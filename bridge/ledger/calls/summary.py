"""What a list needs of one call, kept with its record: a row of a list then costs one field, not all events.

A summary holds what the events and observations make of a call. It counts as long as nothing newer was learnt
(its time is that of the call in `keys.CALLS`) and the rules read webhooks as they did. What a sync writes
(state, reason, conversation) is not in it, as the record has one field for each already.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zlib import crc32

from bridge.boundary import boundary
from bridge.domain.call import Call
from bridge.domain.rules.model import Rules
from bridge.ledger import keys, scripts
from bridge.ledger.calls.reading import read_all
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Family, Field, State
from bridge.ledger.ledger import Ledger
from bridge.ledger.stored import record_place

# Goes up whenever webhooks are read in another way, or summaries hold something else.
_VERSION = 1
_LONGEST_TEXT = 256
# So many records are read at once: one may hold a few MB of events.
AT_ONCE = 10
_CONVERSATION = Family.OUTPUT.field("conversation")
_Fields = Mapping[str, str | None]
_WRITTEN = (Field.STATE, Field.REASON, Field.SYNCED_AT, _CONVERSATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a call is in the order of last activity: when it was last heard of (ms), then its key."""

    score: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What events and observations make of a call."""

    uuid: str | None
    call_id: int | None
    ended: bool
    direction: str | None
    outcome: str
    # E.164 where there is one; None: withheld or not known.
    number: str | None
    customer_name: str | None
    agent_id: int | None
    agent_name: str | None
    started_at: datetime | None
    ended_at: datetime | None
    # The start; else the end; else when the bridge first heard of the call.
    when: datetime | None

    @classmethod
    def of(cls, record: Record, call: Call) -> Summary:
        """Once the events are past their time, the last summary made of them stays."""
        kept = record.fields.get(Field.ROW, "")
        if not record.events and not record.observations and kept.startswith(f'["{_VERSION}.'):
            mark, score, *_ = json.loads(kept)
            return cast(Summary, cls.read(kept, mark, score))
        return cls(
            uuid=str(call.uuid) if call.uuid else None,
            call_id=call.call_id,
            ended=call.ended,
            direction=call.direction.value if call.direction else None,
            outcome=call.outcome.value,
            number=(call.external.text[:_LONGEST_TEXT] or None) if call.external else None,
            customer_name=(call.contact_name or "")[:_LONGEST_TEXT] or None,
            agent_id=call.agent_id,
            agent_name=(call.agent_name or "")[:_LONGEST_TEXT] or None,
            started_at=call.started_at,
            ended_at=call.ended_at,
            when=call.started_at or call.ended_at or record.heard_at,
        )

    def text(self, mark: str, score: int) -> str:
        """As it is kept."""
        heard_at = None if self.started_at or self.ended_at else self.when
        times = [_micros(at) for at in (self.started_at, self.ended_at, heard_at)]
        row = [self.uuid, self.call_id, int(self.ended), self.direction, self.outcome, self.number]
        people = [self.customer_name, self.agent_id, self.agent_name]
        return json.dumps([mark, score, *row, *people, *times], ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def read(cls, text: str, mark: str, score: int) -> Summary | None:
        """A kept one; None if something newer was learnt, or it was made by other rules."""
        value: list[Any] = json.loads(text)
        if value[:2] != [mark, score]:
            return None
        started_at, ended_at, heard_at = (_at(micros) for micros in value[11:14])
        return cls(
            uuid=value[2],
            call_id=value[3],
            ended=bool(value[4]),
            direction=value[5],
            outcome=value[6],
            number=value[7],
            customer_name=value[8],
            agent_id=value[9],
            agent_name=value[10],
            started_at=started_at,
            ended_at=ended_at,
            when=started_at or ended_at or heard_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEntry:
    """A call for lists: its place, its summary, and what its last sync wrote."""

    place: Place
    # Its key and, where two records were joined, that of the other one.
    own_keys: tuple[str, ...]
    summary: Summary
    state: State | None
    reason: str | None
    synced_at: datetime | None
    conversation_id: str | None

    @classmethod
    def of(cls, record: Record, call: Call, *, score: int = 0) -> CallEntry:
        conversation = record.outputs.get("conversation")
        return cls(
            place=Place(score=score, key=record.key),
            own_keys=record.own_keys,
            summary=Summary.of(record, call),
            state=record.state,
            reason=record.reason or None,
            synced_at=record.synced_at,
            conversation_id=conversation.id if conversation else None,
        )


def summary_field(record: Record, call: Call, rules: Rules, *, read_after_ms: int) -> dict[str, str | None]:
    """The summary as a field of the record, to be kept with what else is written of it.

    Args:
        read_after_ms: a time by Redis' clock before the record was read. If something was learnt in that very
            millisecond there is no field: more may have come in it since.
    """
    if record.learnt_ms >= read_after_ms:
        return {}
    return {Field.ROW: Summary.of(record, call).text(reading_mark(rules), record.learnt_ms)}


def reading_mark(rules: Rules) -> str:
    """Differs where the same webhooks are read in another way."""
    how = repr((rules.region, sorted(rules.webhook_keys.items())))
    return f"{_VERSION}.{crc32(how.encode()):x}"


def read_entries(
    ledger: Ledger, rules: Rules, places: Sequence[Place], *, until: float | None = None
) -> list[CallEntry | None]:
    """Calls for a list, in two round trips; None for one that is gone.

    Summaries that are missing or out of date are made from the records, and kept.

    Args:
        until: a time (`time.monotonic`) at which no more of them are made; then the last calls are left out.
    """
    mark = reading_mark(rules)
    own = _fields(ledger, [place.key for place in places], (Field.ROW, Field.ID, *_WRITTEN))
    # What was written under the other part of a joined record stays there.
    parts = [
        f"id:{row[Field.ID]}"
        for place, row in zip(places, own, strict=True)
        if _is_joined(place, row) and not (row[Field.STATE] and row[_CONVERSATION])
    ]
    others = dict(zip(parts, _fields(ledger, parts, _WRITTEN), strict=True))
    found: list[CallEntry | None] = []
    for place, row in zip(places, own, strict=True):
        text = row[Field.ROW]
        summary = Summary.read(text, mark, place.score) if text else None
        found.append(None if summary is None else _entry(place, summary, row, others))
    missing = [at for at, one in enumerate(found) if one is None]
    for start in range(0, len(missing), AT_ONCE):
        if start and until is not None and time.monotonic() > until:
            return found[: missing[start]]
        some = missing[start : start + AT_ONCE]
        for at, one in zip(some, _made(ledger, rules, mark, [places[at] for at in some]), strict=True):
            found[at] = one
    return found


def _is_joined(place: Place, own: _Fields) -> bool:
    return place.key.startswith("uuid:") and own[Field.ID] is not None


def _entry(place: Place, summary: Summary, own: _Fields, others: Mapping[str, _Fields]) -> CallEntry:
    joined = _is_joined(place, own)
    other = others.get(f"id:{own[Field.ID]}", {}) if joined else {}
    state = own[Field.STATE] or other.get(Field.STATE)
    # A reason goes with its state, see `record_of`.
    reason = own[Field.REASON] or (None if own[Field.STATE] else other.get(Field.REASON))
    conversation = own[_CONVERSATION] or other.get(_CONVERSATION)
    return CallEntry(
        place=place,
        own_keys=(place.key, f"id:{own[Field.ID]}") if joined else (place.key,),
        summary=summary,
        state=next((one for one in State if one == state), None),
        reason=reason or None,
        synced_at=moment(own[Field.SYNCED_AT] or other.get(Field.SYNCED_AT) or None),
        conversation_id=json.loads(conversation)["id"] if conversation else None,
    )


def _made(ledger: Ledger, rules: Rules, mark: str, places: Sequence[Place]) -> list[CallEntry | None]:
    """From the records, which get their summaries now."""
    if not places:
        return []
    now_ms = ledger.now_ms()
    made: list[CallEntry | None] = []
    kept: list[str | int] = []
    for place, record in zip(places, read_all(ledger, [place.key for place in places]), strict=True):
        one = CallEntry.of(record, record.call(rules), score=place.score) if record.exists else None
        made.append(one)
        # Something may yet be learnt in the same millisecond, and would not show.
        if one is not None and place.score < now_ms:
            row = one.summary.text(mark, place.score)
            kept += [place.key, place.score, ledger.texts.text(record_place(place.key, Field.ROW), row)]
    if kept:
        with boundary("calls.keep_summaries"):
            script = ledger.redis.register_script(scripts.source("keep_summaries"))
            script(keys=[keys.CALLS], args=[Field.ROW, *kept])
    return made


@boundary("calls.summaries")
def _fields(ledger: Ledger, names: Sequence[str], fields: Sequence[str]) -> list[dict[str, str | None]]:
    if not names:
        return []
    pipe = ledger.redis.pipeline(transaction=False)
    for name in names:
        pipe.hmget(keys.record(name), list(fields))
    found = cast(list[list[str | None]], pipe.execute())
    return [
        ledger.texts.opened_fields(name, dict(zip(fields, values, strict=True)))
        for name, values in zip(names, found, strict=True)
    ]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def _at(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + micros * _MICROSECOND
