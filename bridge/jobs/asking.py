"""When to ask CloudTalk about a call, and how long to wait for the answer before writing without it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.domain.call import Call, newest_hint
from bridge.domain.events import Event
from bridge.domain.plan import Patience
from bridge.domain.recording import Recording, Sound
from bridge.domain.rules import Rules
from bridge.ledger.record import Record

# A call that was never told to have ended is asked about after this.
NEVER_ENDED = timedelta(hours=2)
# Of a call known by its recording, or by its uuid only, more is usually told within seconds (recordings
# were announced from 12 s before to 11 s after the end): waiting a little saves the request.
MORE_TO_COME = timedelta(seconds=5)
# How long a note waits for details; CloudTalk usually answers within the first second of it.
WRITE_WITHOUT_AFTER = timedelta(seconds=20)
# After these nothing more is to be waited for.
_TELLS_ALL = frozenset({"call-ended", "listed"})
# How long CloudTalk may say "not there (yet)" before we write what we have, and go on asking slowly.
GIVE_UP_AFTER = timedelta(seconds=12)
ASK_SLOWLY_FOR = timedelta(hours=24)
# How long a note waits for a recording that was announced.
NOTE_WAITS = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What to ask, and when: `job` is due at `at`; `patience` says how far waiting has come."""

    patience: Patience
    job: str | None = None
    at: datetime | None = None
    # When the patience changes by itself.
    until: datetime | None = None


def asking(record: Record, call: Call, rules: Rules, now: datetime) -> Asking:
    """Whether the call needs a question to CloudTalk, by what is on record."""
    events = record.read_events(rules)
    if not call.wants_detail or not events:
        return Asking(patience=Patience.FRESH)
    if _gone(record, events):
        return Asking(patience=Patience.GONE)
    newest = max((e.received_at for e in events if e.received_at), default=now)
    oldest = min((e.at for e in record.events), default=call.started_at or now)
    job = "detail" if call.call_id is not None else "identify"
    if record.contested and call.call_id is not None:
        # Whose number it is decides what goes where: asked at once, and the note waits a while for it.
        until = newest + WRITE_WITHOUT_AFTER
        fresh = now < until
        patience = Patience.FRESH if fresh else Patience.LATE
        return Asking(patience=patience, job=job, at=now, until=until if fresh else None)
    if not call.ended:
        return Asking(patience=Patience.FRESH, job=job, at=oldest + NEVER_ENDED)
    told_to_the_end = any(e.trigger in _TELLS_ALL for e in events) and call.call_id is not None
    until = newest + WRITE_WITHOUT_AFTER
    return Asking(
        patience=Patience.FRESH if now < until else Patience.LATE,
        job=job,
        at=now if told_to_the_end else newest + MORE_TO_COME,
        until=until if now < until else None,
    )


def _gone(record: Record, events: list[Event]) -> bool:
    """CloudTalk said that it does not know the call, after the last thing it told us about it."""
    gone = record.observations.get("detail_gone")
    return gone is not None and gone.at > newest_hint(events)


def usual_wait_ms(record: Record, call: Call, usual_s: float, now: datetime) -> int:
    """How long to wait before asking: as long as nine of ten recordings took since they were announced."""
    since = record.recording_announced_at or call.ended_at or now
    return max(0, int((usual_s - (now - since).total_seconds()) * 1000))


def note_waits_until(record: Record, recording: Recording) -> datetime | None:
    """Until when the note waits for a recording that was announced; None when it does not."""
    if recording.sound is not Sound.COMING or "rec:asks" in record.fields:
        return None
    newest = max((event.last_at for event in record.events), default=None)
    return newest + NOTE_WAITS if newest is not None else None
