"""Compare CloudTalk's list of calls with the ledger, and record what no webhook reported.

The zone of the list's filter is not documented, so it is asked for more than is wanted and looked through
here. Pages shift while calls arrive: an item may come twice, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from uuid import UUID

from bridge.clients.cloudtalk import LARGEST_PAGE, CallPage
from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.call_list_item import ListedCall
from bridge.domain.phone import Kind
from bridge.domain.policy import kept_out
from bridge.domain.recording import RecordingState, may_record
from bridge.domain.rules.model import Rules
from bridge.ledger.calls.call_status import CallState, CallStatus, call_statuses, known_by_uuid_only
from bridge.ledger.calls.record_fields import State
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger

# Clocks of the world are 12 h behind UTC to 14 h before it.
_BEHIND, _BEFORE = timedelta(hours=12), timedelta(hours=14)
# Deeper pages of a list without a cursor are slow, and shift more. A part of a day or two stays as it is.
DEEPEST_PAGE, SHORTEST_PART = 20, timedelta(days=2)
# A webhook and the list tell one call's start alike, save for fractions of a second.
_SAME_START = timedelta(seconds=3)
# A call known by uuid only is looked for among those that were reported this long after they began.
_TOLD_WITHIN = timedelta(days=1)
# Recordings are announced within minutes of the end; how late at worst is not documented.
_SOUND_TOLD_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Calls that started at `since` or later, and before `until`."""

    since: datetime
    until: datetime

    def holds(self, call: ListedCall) -> bool:
        # One that does not tell its start was listed by the filter, and is looked at rather than left out.
        return call.started_at is None or self.since <= call.started_at < self.until

    def halves(self) -> tuple[Span, Span]:
        middle = self.since + (self.until - self.since) / 2
        return replace(self, until=middle), replace(self, since=middle)


def ask_page(deps: Deps, span: Span, number: int, *, limit: int = LARGEST_PAGE) -> CallPage:
    """One page of the list that surely has the calls of this span among its own."""
    return deps.cloudtalk.calls.between(
        number,
        since=span.since - _BEHIND,
        until=span.until + _BEFORE,
        region=deps.rules.region,
        limit=limit,
    )


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What became of the list's calls when they were compared with the ledger; each call once."""

    # Not on record, settled, and to be written by the rules.
    missing: dict[int, ListedCall] = field(default_factory=dict)
    # On record, by number; those that wait, are parked or were skipped among them.
    known: dict[int, CallStatus] = field(default_factory=dict)
    # Of these: over for a while, and neither written nor explained.
    unfinished: dict[int, CallStatus] = field(default_factory=dict)
    # What the list says of the unfinished.
    over: dict[int, ListedCall] = field(default_factory=dict)
    # Written, and on record under the uuid alone: from a webhook without a number.
    new_uuids: dict[int, UUID] = field(default_factory=dict)
    # Going on, or ended moments ago: the webhooks come first.
    early: dict[int, ListedCall] = field(default_factory=dict)
    kept_out: dict[int, str] = field(default_factory=dict)
    # Written, and with a recording that nothing but the list tells of; of `known`.
    silent: dict[int, ListedCall] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        return sum(
            len(part) for part in (self.missing, self.known, self.new_uuids, self.early, self.kept_out)
        )

    @property
    def parked(self) -> list[CallStatus]:
        """Given up before, for a person to look at."""
        return [one for one in self.known.values() if one.stands is CallState.PARKED]

    @property
    def dropped(self) -> list[CallStatus]:
        """Not to be written, as a person decided."""
        return [one for one in self.known.values() if one.stands is CallState.DROPPED]

    @property
    def waiting(self) -> list[int]:
        """Calls whose end no webhook reported, learnt at an earlier look and not in Kustomer yet."""
        return [
            number
            for number, one in self.known.items()
            if one.listed and one.stands in (CallState.WAITING, CallState.PARKED)
        ]

    def add(self, other: Comparison) -> None:
        for part in fields(self):
            getattr(self, part.name).update(getattr(other, part.name))


def compare(
    ledger: Ledger, rules: Rules, calls: Iterable[ListedCall], span: Span, now: datetime
) -> Comparison:
    """Which of the listed calls of a span the ledger has, and which it should have."""
    wanted = {call.call_id: call for call in calls if span.holds(call)}
    found = Comparison()
    for number, standing in call_statuses(ledger, list(wanted)).items():
        call = wanted[number]
        if standing.stands is not CallState.UNKNOWN:
            found.known[number] = standing
            if standing.stands is CallState.WAITING and call.settled(now):
                found.unfinished[number] = standing
                found.over[number] = call
            elif _is_silent(ledger, rules, call, standing, now):
                found.silent[number] = call
        elif reason := kept_out(call.as_call(), rules):
            found.kept_out[number] = reason
        elif not call.settled(now):
            found.early[number] = call
        else:
            found.missing[number] = call
    if found.missing:
        for number, uuid in _told_by_uuid(ledger, rules, found.missing.values(), span):
            found.new_uuids[number] = uuid
            del found.missing[number]
    return found


def _is_silent(ledger: Ledger, rules: Rules, listed: ListedCall, standing: CallStatus, now: datetime) -> bool:
    """Whether it has a recording of which the ledger, long after, knows nothing."""
    if not listed.recorded or standing.stands is not CallState.WRITTEN or standing.recording_known:
        return False
    if not listed.settled(now - _SOUND_TOLD_WITHIN):
        return False
    record = ledger.read(standing.key)
    call = record.call(rules)
    return (
        may_record(call, record.rules_for(call, rules))
        and record.recording(rules, call).sound is RecordingState.NONE
    )


def _told_by_uuid(
    ledger: Ledger, rules: Rules, calls: Iterable[ListedCall], span: Span
) -> Iterator[tuple[int, UUID]]:
    """Numbers of calls that are on record under their uuid alone and written, as far as can be known.

    The list has no uuid. What is not recognised here is asked for (call detail), which joins the two; it
    costs a request, and no call is written twice.
    """
    unmatched = list(calls)
    since, until = span.since - _TOLD_WITHIN, span.until + _TOLD_WITHIN
    for key in known_by_uuid_only(ledger, since=since, until=until):
        record = ledger.read(key)
        if record.state in (None, State.WAITING):
            # Its number would help it on.
            continue
        call = record.call(rules)
        same = next((listed for listed in unmatched if _same(listed, call)), None)
        if same is not None and call.uuid is not None:
            unmatched.remove(same)
            yield same.call_id, call.uuid


def _same(listed: ListedCall, call: Call) -> bool:
    if listed.started_at is None or call.started_at is None or call.external is None:
        return False
    return (
        abs(listed.started_at - call.started_at) <= _SAME_START
        and call.external.kind is Kind.E164
        and listed.external == call.external
        and listed.direction in (None, call.direction)
    )


def learn(ledger: Ledger, calls: Iterable[ListedCall]) -> Iterator[int]:
    """Put calls on record as the list tells them: their sync asks for detail, looks, and writes.

    To a call with webhooks it adds what they left out: its end, so that it is written, or that it
    has a recording, which is then fetched.
    """
    for call in calls:
        ledger.record_observation(
            "listed",
            call.body,
            uuid=None,
            call_id=call.call_id,
            asked_at_ms=ledger.now_ms(),
            lane=Lane.BACKFILL,
        )
        yield call.call_id


def resume_stalled(ledger: Ledger, found: Comparison) -> None:
    """Learn the end of calls that wait for it, perhaps for a webhook that never comes, and ask about them."""
    for number, one in found.unfinished.items():
        listed = found.over[number]
        # Learnt once: each time would have their notes wait anew for what detail says.
        if listed.ended_at is not None and not one.end_listed:
            list(learn(ledger, [listed]))
        ledger.schedule("detail", one.key, in_ms=0, lane=Lane.BACKFILL)


def read_list(ask: Callable[[Span, int], CallPage], span: Span) -> Iterator[list[ListedCall]]:
    """The list's pages that have a span's calls among their own.

    One request for each page, unless there are very many: then the span is asked for in halves.

    Args:
        ask: asks for one page (`ask_page`).
    """
    page = ask(span, 1)
    if page.pages > DEEPEST_PAGE and span.until - span.since > SHORTEST_PART:
        for half in span.halves():
            yield from read_list(ask, half)
        return
    yield page.calls
    number = 1
    while number < page.pages:
        number += 1
        page = ask(span, number)
        yield page.calls
