"""Where many calls stand, known by their numbers: two round trips for each thousand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import cast
from uuid import UUID

from bridge.boundary import boundary
from bridge.domain.webhook.values import read_time
from bridge.ledger import keys
from bridge.ledger.calls.opening import opened_events
from bridge.ledger.calls.record_fields import Family, Field, State
from bridge.ledger.calls.tombstones import forgotten_at, tombstone
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import kinds

_AT_ONCE = 1000
_CONVERSATION = Family.OUTPUT.field("conversation")
_FIELDS = (Field.FORGOTTEN, Field.STATE, Field.REASON, _CONVERSATION)
_LISTED = ("obs:listed", Field.PACKED)
_SOUND = ("obs:recording", "obs:recording_gone")


class CallState(Enum):
    UNKNOWN = auto()  # no record under this number
    WAITING = auto()  # on record, and not written yet
    WRITTEN = auto()
    SKIPPED = auto()  # kept out by the rules, or by what CloudTalk says; the reason is known
    DROPPED = auto()  # not written, as a person decided
    PARKED = auto()
    FORGOTTEN = auto()  # on request


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStatus:
    """One call: where it stands, and why."""

    call_id: int
    stands: CallState = CallState.UNKNOWN
    uuid: UUID | None = None
    reason: str = ""
    conversation_id: str | None = None
    # Known from CloudTalk's list: no webhook reported it, or none its end.
    listed: bool = False
    # And the list says when it ended.
    end_listed: bool = False
    # A job is planned or running that may help it on.
    planned: bool = False
    # Its recording is still to be fetched.
    recording_due: bool = False
    # What became of its recording is on record, or is being found out; False also where it has none.
    recording_known: bool = False

    @property
    def key(self) -> str:
        return keys.call_key(uuid=self.uuid, call_id=self.call_id)


@boundary("census.call_statuses")
def call_statuses(ledger: Ledger, call_ids: Sequence[int]) -> dict[int, CallStatus]:
    """Where each of these calls stands."""
    found: dict[int, CallStatus] = {}
    for start in range(0, len(call_ids), _AT_ONCE):
        some = call_ids[start : start + _AT_ONCE]
        pipe = ledger.redis.pipeline(transaction=False)
        for number in some:
            pipe.hmget(keys.record(f"id:{number}"), [Field.FIRST_AT, Field.UUID, *_FIELDS])
            pipe.hmget(keys.events(f"id:{number}"), list(_LISTED))
        answers = pipe.execute()
        parts = [
            _Part(
                call_id=number,
                first_at=values[0],
                uuid=values[1],
                fields=ledger.texts.opened_fields(
                    f"id:{number}", dict(zip(_FIELDS, values[2:], strict=True))
                ),
                listed=_listed_of(ledger, f"id:{number}", listed),
            )
            for number, values, listed in zip(some, answers[::2], answers[1::2], strict=True)
        ]
        for part, leading, jobs in zip(parts, _leading(ledger, parts), _jobs(ledger, parts), strict=True):
            found[part.call_id] = part.standing(leading, jobs)
    unknown = [number for number, one in found.items() if one.stands is CallState.UNKNOWN]
    marks = forgotten_at(ledger.redis, [f"id:{number}" for number in unknown])
    for number, at in zip(unknown, marks, strict=True):
        if at is not None:
            found[number] = CallStatus(
                call_id=number, stands=CallState.FORGOTTEN, reason=tombstone(at)[Field.REASON]
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is kept under a call's number."""

    call_id: int
    first_at: str | None
    uuid: str | None
    fields: Mapping[str, str | None]
    # The observation, as it is kept.
    listed: str | None

    @property
    def keys(self) -> list[str]:
        own = [f"id:{self.call_id}"]
        return [f"uuid:{self.uuid}", *own] if self.uuid else own

    def standing(self, leading: Mapping[str, str | None], jobs: _Jobs) -> CallStatus:
        def field_of(name: str) -> str:
            return leading.get(name) or self.fields[name] or ""

        known = self.first_at or self.uuid or field_of(Field.FORGOTTEN)
        stands = CallState.WAITING if known else CallState.UNKNOWN
        # A reason goes with its state, see `record_of`.
        reason = (leading.get(Field.REASON) if leading.get(Field.STATE) else field_of(Field.REASON)) or ""
        if field_of(Field.FORGOTTEN):
            stands = CallState.FORGOTTEN
        elif jobs.parked is not None:
            stands, reason = CallState.PARKED, jobs.parked
        elif field_of(Field.STATE) == State.DROPPED:
            # Unless something was learnt since.
            stands = CallState.WAITING if jobs.writing else CallState.DROPPED
        elif field_of(Field.STATE) in (State.SYNCED, State.SKIPPED):
            stands = CallState.WRITTEN if field_of(Field.STATE) == State.SYNCED else CallState.SKIPPED
        conversation = field_of(_CONVERSATION)
        return CallStatus(
            call_id=self.call_id,
            stands=stands,
            uuid=UUID(self.uuid) if self.uuid else None,
            reason=reason,
            conversation_id=json.loads(conversation)["id"] if conversation else None,
            listed=self.listed is not None,
            end_listed=_tells_end(self.listed),
            planned=jobs.writing or jobs.recording_due,
            recording_due=jobs.recording_due,
            recording_known=jobs.recording_known,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jobs:
    # Why the job that would write it was given up; None where none was.
    parked: str | None
    # One that would is planned or running.
    writing: bool
    recording_due: bool
    recording_known: bool


@boundary("census.call_statuses")
def _leading(ledger: Ledger, parts: Sequence[_Part]) -> list[Mapping[str, str | None]]:
    """The same fields of the part under the uuid, where there is one."""
    pipe = ledger.redis.pipeline(transaction=False)
    for part in parts:
        if part.uuid:
            pipe.hmget(keys.record(f"uuid:{part.uuid}"), list(_FIELDS))
    answers = iter(pipe.execute())
    return [
        ledger.texts.opened_fields(f"uuid:{part.uuid}", dict(zip(_FIELDS, next(answers), strict=True)))
        if part.uuid
        else {}
        for part in parts
    ]


@boundary("census.call_statuses")
def _jobs(ledger: Ledger, parts: Sequence[_Part]) -> list[_Jobs]:
    pipe = ledger.redis.pipeline(transaction=False)
    for part in parts:
        writing = [keys.job(kind, key) for key in part.keys for kind in kinds.WRITING]
        fetching = [keys.job(kinds.RECORDING.name, key) for key in part.keys]
        pipe.zmscore(keys.PARKED, [*writing, *fetching])
        pipe.hmget(keys.JOBS, [*writing, *fetching])
        # Kept under the leading part.
        pipe.hmget(keys.events(part.keys[0]), list(_SOUND))
    answers = pipe.execute()
    found = []
    for part, scores, texts, sounds in zip(parts, answers[::3], answers[1::3], answers[2::3], strict=True):
        writing_jobs = len(part.keys) * len(kinds.WRITING)
        causes = [
            json.loads(text or "{}").get("error") or ""
            for score, text in zip(scores[:writing_jobs], texts[:writing_jobs], strict=True)
            if score is not None
        ]
        there = [text is not None and score is None for score, text in zip(scores, texts, strict=True)]
        found.append(
            _Jobs(
                parked=causes[0] if causes else None,
                writing=any(there[:writing_jobs]),
                recording_due=any(there[writing_jobs:]),
                recording_known=any(text is not None for text in (*texts[writing_jobs:], *sounds)),
            )
        )
    return found


def _listed_of(ledger: Ledger, part: str, answer: Sequence[str | None]) -> str | None:
    kept = {name: text for name, text in zip(_LISTED, answer, strict=True) if text is not None}
    return opened_events(ledger.texts, part, kept).get("obs:listed")


def _tells_end(listed: str | None) -> bool:
    """Whether the list said that the call has ended, when it was learnt from."""
    if listed is None:
        return False
    body = json.loads(json.loads(listed)["body"])
    return read_time(body.get("ended_at")) is not None


@boundary("census.known_by_uuid_only")
def known_by_uuid_only(ledger: Ledger, *, since: datetime, until: datetime) -> list[str]:
    """Keys of calls whose number is unknown, last active between two times."""
    low, high = since.timestamp() * 1000, until.timestamp() * 1000
    found = cast(list[str], ledger.redis.zrangebyscore(keys.CALLS, low, high))
    by_uuid = [key for key in found if key.startswith("uuid:")]
    alone: list[str] = []
    for start in range(0, len(by_uuid), _AT_ONCE):
        some = by_uuid[start : start + _AT_ONCE]
        pipe = ledger.redis.pipeline(transaction=False)
        for key in some:
            pipe.hexists(keys.record(key), "id")
        alone += [key for key, joined in zip(some, pipe.execute(), strict=True) if not joined]
    return alone
