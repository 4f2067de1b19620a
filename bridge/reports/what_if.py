"""What other rules would make of past calls, from records alone. No service is asked, nothing is written.

Each call is read and folded once, and judged twice: by the rules in force as they judge it today (`was`), and
by the others (`would`). What Kustomer holds is not compared: people may have changed it since.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.domain.call import Call
from bridge.domain.insight_choices import pending
from bridge.domain.policy import CustomerDraft, DetailWait, Wait, policy
from bridge.domain.rules.model import Rules
from bridge.domain.rules.when import Caller
from bridge.domain.voice import direction_of
from bridge.ledger.budgets.budget import Share
from bridge.ledger.calls.by_activity import active_since, summary_rows
from bridge.ledger.calls.reading import read_all
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import State
from bridge.ledger.calls.summary import AT_ONCE, Summary, reading_mark
from bridge.ledger.ledger import Ledger
from bridge.reports.choice_differences import (
    CONVERSATION,
    NOTE,
    OWNER,
    RECORDING,
    WRITTEN,
    Case,
    cannot_tell,
    changes,
    conversation_of,
    not_written_for_customer,
    same_choices,
)
from bridge.sync.asking import asking

_PLACES_AT_ONCE = 200
# A call is heard of after it began; clocks may differ by so much.
_CLOCKS_DIFFER_S = 3600
# Requests to Kustomer, see "What a call costs" in deploy/budgets.md: a new call is its customer's look-up,
# the conversation and the note, and the customer where there was none. What is there already is read and
# updated; a recording that is attached is registered, and its note read and updated.
_WRITE, _CREATE_CUSTOMER, _UPDATE, _ATTACH = 3, 1, 2, 1
# A voice message beside the note; the conversation that an incoming one opens again is read and put back.
_MESSAGE, _REOPENED = 1, 2
# Users and teams are listed once an hour, CloudTalk's agents as well.
_LIST_OWNERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Requests to each service."""

    kustomer: int = 0
    cloudtalk: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call that the two rules judge differently.

    Args:
        was, would: the choices that differ, by their bare names, and `written` with `why` where that does.
        kinds: what they are about.
        stays: names of choices that a sync changes no more, as the call is in Kustomer.
        moves: whether a sync would change anything.
    """

    key: str
    call_id: int | None
    uuid: str | None
    started_at: datetime | None
    was: Mapping[str, Any]
    would: Mapping[str, Any]
    kinds: frozenset[str]
    stays: tuple[str, ...] = ()
    moves: bool = True
    cost: Cost = field(default_factory=Cost)

    def line(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "call_id": self.call_id,
            "uuid": self.uuid,
            "was": dict(self.was),
            "would": dict(self.would),
        }


@dataclass(slots=True, kw_only=True)
class WhatIf:
    """One comparison: iterate to make it; its counts are those of the calls that were looked at so far.

    Args:
        since, until: by the start of the call; by its end, or its first webhook, where none is known.
        ends: a time (`time.monotonic`) at which no more is read; `is_cut` then says so.
        most: so many calls are looked at, no more.
    """

    ledger: Ledger
    was: Rules
    would: Rules
    since: datetime
    until: datetime
    now: datetime
    ends: float | None = None
    most: int | None = None
    calls: int = 0
    differing: int = 0
    # Calls that differ, by kind; and those by choice whose difference no sync changes any more.
    kinds: Counter[str] = field(default_factory=Counter)
    stays: Counter[str] = field(default_factory=Counter)
    # Calls about which the records do not tell what the rules want to know.
    cannot_tell: Counter[str] = field(default_factory=Counter)
    kustomer: int = 0
    cloudtalk: int = 0
    is_cut: bool = False
    _lists_owners: bool = False

    @property
    def requests(self) -> int:
        return self.kustomer + self.cloudtalk

    def minutes(self, shares: Mapping[str, Share]) -> float:
        """How long these requests take if all of the bridge's share is free for them; never too short."""
        seconds = (
            shares["kustomer"].seconds_for(self.kustomer),
            shares["cloudtalk"].seconds_for(self.cloudtalk),
        )
        return math.ceil(max(seconds) / 6) / 10

    def summary(self, shares: Mapping[str, Share]) -> dict[str, Any]:
        """All but the calls, for programs."""
        return {
            "calls": self.calls,
            "requests": self.requests,
            "minutes": self.minutes(shares),
            "requests_by_service": {"kustomer": self.kustomer, "cloudtalk": self.cloudtalk},
            "kinds": dict(self.kinds),
            "not_moved": dict(self.stays),
            "cannot_tell": dict(self.cannot_tell),
            "complete": not self.is_cut,
        }

    def __iter__(self) -> Iterator[Difference]:
        reads_alike = _reads_alike(self.was, self.would)
        for record in self._records():
            call = record.call(self.was)
            if not self._began_within(record, call):
                continue
            if self._is_over():
                return
            self.calls += 1
            if record.state is State.DROPPED:
                # A person decided.
                continue
            if not record.events and not record.observations:
                self.cannot_tell["expired"] += 1
                continue
            other = call if reads_alike else record.call(self.would)
            found = self._compare(record, call, other)
            if found is not None:
                self._count(found)
                yield found

    def _is_over(self) -> bool:
        late = self.ends is not None and time.monotonic() > self.ends
        if late or (self.most is not None and self.calls >= self.most):
            self.is_cut = True
        return self.is_cut

    def _began_within(self, record: Record, call: Call) -> bool:
        at = call.started_at or call.ended_at or record.heard_at
        return at is not None and self.since <= at < self.until

    def _records(self) -> Iterator[Record]:
        """Those that may have begun in the time, the one last heard of longest ago first.

        A call that is heard of meanwhile moves to the end, and is not counted twice.
        """
        seen: set[int] = set()
        low, skip = f"{(self.since.timestamp() - _CLOCKS_DIFFER_S) * 1000:.0f}", 0
        while True:
            places = active_since(self.ledger, low, skip=skip, count=_PLACES_AT_ONCE)
            if not places:
                return
            # Those with the score of the last are gone on with by their number.
            last = f"{places[-1][1]:.0f}"
            same = sum(f"{score:.0f}" == last for _, score in places)
            low, skip = last, same + (skip if last == low else 0)
            fresh = [name for name, _ in places if hash(name) not in seen]
            seen.update(hash(name) for name in fresh)
            likely = self._likely(fresh)
            for start in range(0, len(likely), AT_ONCE):
                for record in read_all(self.ledger, likely[start : start + AT_ONCE]):
                    if record.exists and not record.forgotten:
                        yield record

    def _likely(self, names: Sequence[str]) -> Sequence[str]:
        """Without those that began after the time, by what lists keep of them: their events are not read."""
        if self.until >= self.now:
            return names
        rows = summary_rows(self.ledger, names)
        mark = reading_mark(self.was)
        return [name for name, row in zip(names, rows, strict=True) if not self._is_later(mark, *row)]

    def _is_later(self, mark: str, text: str | None, score: str | None) -> bool:
        summary = Summary.read(text, mark, int(score)) if text and score else None
        return summary is not None and summary.when is not None and summary.when >= self.until

    def _compare(self, record: Record, call: Call, other: Call) -> Difference | None:
        caller = caller_of(record)
        was, would = self.was.for_call(call, caller), self.would.for_call(other, caller)
        self._count_untold(record, caller, was, would)
        if call is other and same_choices(was, would):
            return None
        case = _case(record, other, caller)
        patience = asking(record, call, self.was, self.now).patience
        before = _judge(call, was, case, patience)
        if call is not other:
            patience = asking(record, other, self.would, self.now).patience
        after = _judge(other, would, case, patience)
        if before is None or after is None:
            # It still waits for a webhook or an answer.
            return None
        if before or after:
            return _written_differently(record, case, would, before, after)
        found = changes(case, was, would)
        if found is None:
            return None
        return _difference(
            record,
            other,
            was=found.was,
            would=found.would,
            kinds=found.kinds,
            stays=found.stays,
            moves=bool(found.moved),
            cost=_cost_of_update(case, found.moved, would),
        )

    def _count_untold(self, record: Record, caller: Caller | None, was: Rules, would: Rules) -> None:
        if cannot_tell(was, would) or (
            caller is None and (would.asks_caller or was.unknown != would.unknown)
        ):
            self.cannot_tell["customer"] += 1
        if would.asks_path and "detail" not in record.observations:
            self.cannot_tell["path"] += 1

    def _count(self, found: Difference) -> None:
        self.differing += 1
        self.kinds.update(found.kinds)
        self.stays.update(found.stays)
        if not found.moves:
            return
        self.kustomer += found.cost.kustomer
        self.cloudtalk += found.cost.cloudtalk
        if OWNER in found.kinds and not self._lists_owners:
            self._lists_owners = True
            self.kustomer += _LIST_OWNERS
            self.cloudtalk += 1


def caller_of(record: Record) -> Caller | None:
    """Whether Kustomer had the customer before the call; None: nobody has looked."""
    customer = record.outputs.get("customer")
    if record.caller is not None or customer is None:
        return record.caller
    return "unknown" if customer.created else "known"


def _reads_alike(one: Rules, other: Rules) -> bool:
    """Whether both make the same call of the same webhooks."""
    return (
        one.region == other.region
        and one.webhook_keys == other.webhook_keys
        and one.asks_path == other.asks_path
    )


def _judge(call: Call, rules: Rules, case: Case, patience: DetailWait) -> str | None:
    """Why the call is not written; empty where it is; None while it waits."""
    verdict = policy(call, rules, patience)
    if isinstance(verdict, CustomerDraft):
        return not_written_for_customer(case, rules)
    return None if isinstance(verdict, Wait) else verdict.reason


def _case(record: Record, call: Call, caller: Caller | None) -> Case:
    return Case(
        call=call,
        caller=caller,
        candidates=len(record.candidates),
        assigned=record.assigned is not None,
        in_kustomer="conversation" in record.outputs,
        stored="recording" in record.observations,
    )


def _written_differently(
    record: Record, case: Case, would: Rules, before: str, after: str
) -> Difference | None:
    """Args: before, after: why it is not written by either, empty where it is."""
    if before and after:
        # Another reason for the same.
        return None
    is_written = not after
    then: dict[str, Any] = {"written": is_written}
    then |= conversation_of(case.call, would) if is_written else {"why": after}
    stays = () if is_written or not case.in_kustomer else (WRITTEN,)
    return _difference(
        record,
        case.call,
        was={"written": False, "why": before} if before else {"written": True},
        would=then,
        kinds=frozenset({WRITTEN}),
        stays=stays,
        moves=not stays,
        cost=_cost_of_write(case, would) if is_written else Cost(),
    )


def _difference(record: Record, call: Call, **told: Any) -> Difference:
    return Difference(
        key=record.key,
        call_id=call.call_id,
        uuid=str(call.uuid) if call.uuid else None,
        started_at=call.started_at,
        **told,
    )


def _cost_of_write(case: Case, rules: Rules) -> Cost:
    if case.in_kustomer:
        return Cost(kustomer=2 * _UPDATE)
    attached = bool(case.call.recorded) and rules.record and rules.attach != "never"
    return Cost(
        kustomer=_WRITE
        + _CREATE_CUSTOMER * (case.caller != "known")
        + _ATTACH * attached
        + _MESSAGE * (len(rules.written_as) - 1)
        + _UPDATE * len(rules.written_as) * bool(_asked(case, rules))
        + _reopened(case, rules),
        cloudtalk=int(bool(case.call.recorded) and rules.record and not case.stored) + _asked(case, rules),
    )


def _asked(case: Case, rules: Rules) -> int:
    """How many requests it takes to ask CloudTalk's AI about the call."""
    return len(pending(case.call, rules)) if case.call.call_id is not None else 0


def _reopened(case: Case, rules: Rules) -> int:
    opens = "voice" in rules.written_as and direction_of(case.call) == "in"
    return _REOPENED * (opens and rules.status[case.call.outcome] != "open")


def _cost_of_update(case: Case, moved: frozenset[str], rules: Rules) -> Cost:
    if not moved:
        return Cost()
    if not case.in_kustomer:
        return _cost_of_write(case, rules)
    note = NOTE in moved or RECORDING in moved
    fetched = RECORDING in moved and not case.stored and rules.record
    return Cost(
        kustomer=_UPDATE * bool(moved & {CONVERSATION, OWNER})
        + (_UPDATE * len(rules.written_as) + _reopened(case, rules)) * note
        + _ATTACH * (RECORDING in moved),
        cloudtalk=int(fetched) + _asked(case, rules) * (NOTE in moved),
    )
