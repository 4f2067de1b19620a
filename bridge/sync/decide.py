"""What a sync does with a call, from what is on record. Pure: no Redis, no service, no clock.

What the record shows                                          What the sync decides
-----------------------------------------------------------    ---------------------------------------------
The call has not ended                                         wait; after 2 hours ask CloudTalk
Ended, but the webhooks left something out                     ask CloudTalk; wait up to 20 s for the answer
The same, 20 s later                                           write what is known, keep asking
CloudTalk does not know the call                               write what the webhooks said
Internal call, withheld or short number, and no rule for it    skip, with the reason
A rule says not to write it                                    skip, naming the rule
A recording was announced and is not there yet                 fetch it; wait up to 15 s for it
The same, or one may come, and the rules say `complete`        wait up to 30 s from the call's end
Written, and changed less than 3 s ago                         wait until 3 s pass without a change, at most
                                                               15 s after the first; then ask, and write once
Ended before this ledger's first record                        look in Kustomer before writing
The same, and Redis came back without its last moments         wait for one lease, then look, then write
Anything else that has ended                                   write
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge.domain.call import Call
from bridge.domain.insight_choices import lacks_file
from bridge.domain.policy import DetailWait, Skip, Wait, policy
from bridge.domain.recording import Recording, RecordingState
from bridge.domain.rules.model import Rules
from bridge.ledger.calls.horizon import LedgerHorizon
from bridge.ledger.calls.record import Record
from bridge.sync.asking import COMPLETE_WITHIN, Asking, asking, complete_by, insights_due, note_waits_until
from bridge.sync.settling import QUIET, settles_at

_ON_ITS_WAY = "the recording is pending"
_COMPLETE = f"waits for the recording, at most {COMPLETE_WITHIN.seconds} s after the call's end"
_MAY_GO_ON = "it is still being changed: the changes are written together"
_REDIS_RESTARTED = "Redis restarted; waiting for requests still in flight to finish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Nothing to write now. `until`: when to look again; None: when something new is recorded.

    Args:
        changing: what is written is being changed.
    """

    reason: str
    until: datetime | None = None
    changing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """Nothing to write at all, by the rules. `until`: when the rules may judge it differently."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Make Kustomer match the plan. `until`: when CloudTalk's answer is given up, which changes the note."""

    patience: DetailWait
    recording: Recording
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do with one call.

    Args:
        question: the job that asks CloudTalk, and when; None where nothing is left to ask.
        withdrawn: a job planned by an earlier sync, whose question the webhooks have answered since.
        fetch_recording: a recording was announced, and nobody has asked for it yet.
        ask_insights: when CloudTalk's AI is to be asked about it; None where nothing is left to ask.
        rules: the choices for this call.
        wants_caller: the choices depend on whether Kustomer has the customer. Look, then decide again.
    """

    then: Later | Never | Write
    rules: Rules
    question: tuple[str, datetime] | None = None
    withdrawn: str | None = None
    fetch_recording: bool = False
    ask_insights: datetime | None = None
    wants_caller: bool = False


def decide(record: Record, call: Call, rules: Rules, now: datetime, *, quiet: timedelta = QUIET) -> Decision:
    """Args:
    rules: of the file; the choices for this call are made here.
    quiet: how long no further change must come before the changes of a written call are written.
    """
    decision = _decide(record, call, rules, now)
    until = settles_at(record, now, quiet)
    if until is None or isinstance(decision.then, Never):
        return decision
    # What CloudTalk would say now may be different in a second.
    return replace(
        decision,
        then=Later(reason=_MAY_GO_ON, until=until, changing=True),
        question=None,
        withdrawn=None,
        wants_caller=False,
    )


def _decide(record: Record, call: Call, rules: Rules, now: datetime) -> Decision:
    ask = asking(record, call, rules, now)
    rules = record.rules_for(call, rules)
    verdict = policy(call, rules, ask.patience)
    recording = record.recording(rules, call)
    fetch = False
    insights_at: datetime | None = None
    then: Later | Never | Write
    if isinstance(verdict, Wait):
        then = Later(reason=verdict.reason, until=ask.until)
    elif isinstance(verdict, Skip):
        stays = "; what was written before stays" if "conversation" in record.outputs else ""
        then = Never(reason=f"{verdict.reason}{stays}", until=ask.until)
    else:
        fetch = _is_to_be_fetched(record, call, recording)
        insights_at = _ask_insights_at(record, call, rules, now)
        # It usually arrives within a second or two, and one write of the note then says both.
        then = _awaited(record, call, recording, rules, now) or Write(
            patience=ask.patience, recording=recording, until=ask.until
        )
    return Decision(
        then=then,
        rules=rules,
        wants_caller=record.caller is None and not isinstance(then, Later) and rules.caller_matters(call),
        question=(ask.job, ask.at) if ask.job and ask.at else None,
        withdrawn=_withdrawn(record, call, ask),
        fetch_recording=fetch,
        ask_insights=insights_at,
    )


def _awaited(record: Record, call: Call, recording: Recording, rules: Rules, now: datetime) -> Later | None:
    """The wait for a recording; None where there is none, or no longer."""
    coming_until = note_waits_until(record, recording)
    if coming_until is not None and now < coming_until:
        return Later(reason=_ON_ITS_WAY, until=coming_until)
    complete_until = complete_by(record, call, recording, rules)
    if complete_until is not None and now < complete_until:
        return Later(reason=_COMPLETE, until=complete_until)
    return None


def _withdrawn(record: Record, call: Call, ask: Asking) -> str | None:
    planned = record.asking
    if not planned:
        return None
    # The webhooks have answered it since, or gave the number, by which another job asks.
    answered = planned != ask.job if ask.job else not call.wants_detail
    return planned if answered else None


def _is_to_be_fetched(record: Record, call: Call, recording: Recording) -> bool:
    return (
        recording.sound is RecordingState.COMING
        and call.call_id is not None
        and record.recording_asks is None
    )


def _ask_insights_at(record: Record, call: Call, rules: Rules, now: datetime) -> datetime | None:
    if lacks_file(call, rules):
        return now
    return min(insights_due(record, call, rules).values(), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Whether a ledger that was lost may have written this call.

    Args:
        before_us: the call is older than this ledger's records.
        search_first: so look in Kustomer before writing anything.
        wait: Redis may have forgotten the lease of a worker that is about to write it: let that one finish.
    """

    before_us: bool
    search_first: bool
    wait: Later | None = None


def look_back(
    record: Record, call: Call, reach: LedgerHorizon, now: datetime, written_as: Collection[str] = ("note",)
) -> Horizon:
    """Args: written_as: the outputs that tell of the call; see `Rules.written_as`."""
    ended_at = call.ended_at or call.started_at
    before_us = ended_at is None or ended_at < reach.since
    is_whole = all(name in record.outputs for name in written_as)
    rests = reach.rests_until if before_us and not is_whole else None
    return Horizon(
        before_us=before_us,
        # A ledger that lost its last moments may have received the webhook.
        search_first=before_us or record.listed,
        wait=Later(reason=_REDIS_RESTARTED, until=rests) if rests and now < rests else None,
    )
