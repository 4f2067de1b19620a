"""When to ask CloudTalk about a call, and how long to wait for the answer before writing without it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.domain import insight_choices
from bridge.domain.call import Call, newest_hint
from bridge.domain.insights import NO_ADDON, moment_of
from bridge.domain.outcome import Stage
from bridge.domain.policy import DetailWait
from bridge.domain.recording import Recording, RecordingState, may_record
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import STAGE_OF, Event
from bridge.ledger.calls.record import Record

# Of a call whose end no webhook reported, CloudTalk is asked after this.
NEVER_ENDED = timedelta(hours=2)
# Of a call known by its recording, or by its uuid only, more webhooks usually come within seconds (recordings
# were announced from 12 s before to 11 s after the end): a short wait saves the request.
MORE_TO_COME = timedelta(seconds=5)
# How long a note waits for details; CloudTalk usually answers within the first second of it.
WRITE_WITHOUT_AFTER = timedelta(seconds=20)
# After these no other webhook is needed.
_TELLS_ALL = frozenset({"call-ended", "listed"})
# How long a note waits for a recording that was announced.
NOTE_WAITS = timedelta(seconds=15)
# With `write = "complete"`: how long after its end a call waits for a recording that it may have.
COMPLETE_WITHIN = timedelta(seconds=30)

# When CloudTalk's AI is asked about a call of which no event says that its insights are ready.
ASK_INSIGHTS_AFTER = timedelta(seconds=60)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What to ask, and when: `job` is due at `at`; `patience` says how far waiting has come."""

    patience: DetailWait
    job: str | None = None
    at: datetime | None = None
    # When the patience changes by itself.
    until: datetime | None = None


def asking(record: Record, call: Call, rules: Rules, now: datetime) -> Asking:
    """Whether the call needs a question to CloudTalk, by what is on record."""
    events = record.read_events(rules)
    if not call.wants_detail or not events:
        return Asking(patience=DetailWait.FRESH)
    if _gone(record, events):
        return Asking(patience=DetailWait.GONE)
    job = "detail" if call.call_id is not None else "identify"
    # Whose number it is decides what goes where: that is asked at once.
    contested = record.contested and call.call_id is not None
    if not call.ended and not contested:
        return Asking(patience=DetailWait.FRESH, job=job, at=_first_heard(record, call, now) + NEVER_ENDED)
    last = _last_received(events) or now
    until = last + WRITE_WITHOUT_AFTER
    at_once = contested or _has_all_webhooks(call, events)
    at = now if at_once else last + MORE_TO_COME
    if now < until:
        return Asking(patience=DetailWait.FRESH, job=job, at=at, until=until)
    return Asking(patience=DetailWait.LATE, job=job, at=at)


def _first_heard(record: Record, call: Call, now: datetime) -> datetime:
    return min((e.at for e in record.events), default=call.started_at or now)


def _last_received(events: list[Event]) -> datetime | None:
    return max((e.received_at for e in events if e.received_at), default=None)


def _has_all_webhooks(call: Call, events: list[Event]) -> bool:
    return call.call_id is not None and any(e.trigger in _TELLS_ALL for e in events)


def _gone(record: Record, events: list[Event]) -> bool:
    """CloudTalk said that it does not know the call, after the last thing it said about it."""
    gone = record.observations.get("detail_gone")
    return gone is not None and gone.at > newest_hint(events)


def usual_wait_ms(record: Record, call: Call, usual_s: float, now: datetime) -> int:
    """How long to wait before asking: as long as nine of ten recordings took since they were announced."""
    since = record.recording_announced_at or call.ended_at or now
    return max(0, int((usual_s - (now - since).total_seconds()) * 1000))


def note_waits_until(record: Record, recording: Recording) -> datetime | None:
    """Until when the note waits for a recording that was announced; None when it does not."""
    if recording.sound is not RecordingState.COMING or record.recording_asks is not None:
        return None
    newest = max((event.last_at for event in record.events), default=None)
    return newest + NOTE_WAITS if newest is not None else None


def complete_by(record: Record, call: Call, recording: Recording, rules: Rules) -> datetime | None:
    """With `write = "complete"`: until when a call waits for its recording; None: it waits for none.

    Webhooks say that there is a recording, never that there is none; only call detail says that. So any call
    with talk time may have one, and so may one whose talk time is not known.

    Args:
        rules: the choices for this call.
    """
    if rules.write != "complete" or record.is_written:
        return None
    may_come = recording.sound is RecordingState.NONE and call.recorded is None and call.talk_seconds != 0
    if recording.sound is not RecordingState.COMING and not (may_come and may_record(call, rules)):
        return None
    ended_at = _ended_at(record, call)
    return None if ended_at is None else ended_at + COMPLETE_WITHIN


def _ended_at(record: Record, call: Call) -> datetime | None:
    """When it had ended at the latest: whatever CloudTalk's clock says, when a webhook said so."""
    heard = (event.at for event in record.events if STAGE_OF.get(event.trigger) is Stage.ENDED)
    return min((at for at in (call.ended_at, *heard) if at is not None), default=None)


def insights_due(record: Record, call: Call, rules: Rules) -> dict[str, datetime]:
    """Which insights are still to be asked of CloudTalk, and when each is due.

    Args:
        rules: the choices for this call.
    """
    names = insight_choices.pending(call, rules)
    if not names or call.call_id is None:
        return {}
    asked = record.asked_insights
    announced = record.insights_announced
    tried, answers = asked.get("tried", {}), asked.get("answers", {})
    return {
        name: _ask_at(tried.get(name), _first_ask_at(record, call, announced.get(name)), announced.get(name))
        for name in names
        if name not in answers
    }


def _first_ask_at(record: Record, call: Call, announced_at: datetime | None) -> datetime:
    usual = (_ended_at(record, call) or _LONG_AGO) + ASK_INSIGHTS_AFTER
    return usual if announced_at is None else min(usual, announced_at)


def _ask_at(tried: Mapping[str, Any] | None, first_at: datetime, announced_at: datetime | None) -> datetime:
    if tried is None:
        return first_at
    again_at = moment_of(tried["again_at"])
    if announced_at is None or tried.get("waits") or announced_at <= moment_of(tried["asked_at"]):
        return again_at
    return min(announced_at, again_at)


def lacks_add_on(record: Record) -> bool:
    """Whether CloudTalk's AI refused to say anything of this call for want of the add-on."""
    waits = any(one.get("waits") for one in record.asked_insights.get("tried", {}).values())
    return waits or NO_ADDON in record.insights.gone.values()
