"""Bring a whole span of calls into Kustomer: look, say what it takes, learn, wait until all are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from bridge.clients.cloudtalk import LARGEST_PAGE, CallPage
from bridge.deps import Deps
from bridge.domain.owners import requests_for
from bridge.domain.rules.model import Rules
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.ledger.budgets.budget import Share
from bridge.ledger.calls.call_status import CallState, CallStatus, call_statuses
from bridge.reconcile.compare import Comparison, Span, ask_page, compare, learn, read_list, resume_stalled
from bridge.sync.owners import AGENTS_FOR_S, UNKNOWN_FOR_S

# Between two looks; a look at many calls is not cheap for Redis.
_LOOK_EVERY_S, _AND_FOR_EACH_S = 0.5, 0.001
# Requests for a call that Kustomer does not have: look for its conversation under both of its keys, and for
# its customer; make both, and the note. With a recording: look in the note, register, read the note again,
# name it there. CloudTalk is asked for detail and recording.
_WRITE, _ATTACH = 6, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What it takes at most, before it begins."""

    cloudtalk: int
    kustomer: int
    seconds: float

    @classmethod
    def of(cls, found: Comparison, rules: Rules, *, cloudtalk: Share, kustomer: Share) -> Estimate:
        wanted = [*found.missing.values(), *found.over.values()]
        chosen = [(call, rules.for_call(call.as_call()) if rules.rules else rules) for call in wanted]
        calls, recorded = len(wanted), sum(1 for call, mine in chosen if call.recorded and mine.record)
        asks, writes = calls + recorded, calls * _WRITE + recorded * _ATTACH
        seconds = max(cloudtalk.seconds_for(asks), kustomer.seconds_for(writes))
        if any(mine.assign != "none" or mine.team for _, mine in chosen):
            # The agents' e-mails, the users and the teams, as often as what is kept of them runs out.
            asks += 1 + int(seconds / AGENTS_FOR_S)
            writes += 2 * (1 + int(seconds / UNKNOWN_FOR_S))
            each = [requests_for(call.as_call(), mine) for call, mine in chosen]
            asks, writes = asks + sum(a for a, _ in each), writes + sum(w for _, w in each)
            seconds = max(cloudtalk.seconds_for(asks), kustomer.seconds_for(writes))
        return cls(cloudtalk=asks, kustomer=writes, seconds=seconds)


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far the calls of a span have come."""

    total: int
    ended: dict[int, CallStatus] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.total - len(self.ended)

    def counted(self) -> Counter[CallState]:
        return Counter(one.stands for one in self.ended.values())

    def those(self, stands: CallState) -> Iterator[CallStatus]:
        return (one for one in self.ended.values() if one.stands is stands)


class Backfill:
    """One span. Nothing it does has to be finished: run again, it goes on where it was.

    Args:
        limit: calls on a page, for tests with few calls.
    """

    def __init__(
        self,
        deps: Deps,
        span: Span,
        patience: BudgetWaiter,
        *,
        limit: int = LARGEST_PAGE,
    ) -> None:
        self._deps, self._span, self._limit = deps, span, limit
        self._patience = patience

    def look(self, now: datetime) -> Comparison:
        """Read the whole list, compare it with the ledger, change nothing."""
        found = Comparison()
        for calls in read_list(self._ask, self._span):
            found.add(compare(self._deps.ledger, self._deps.rules, calls, self._span, now))
        return found

    def begin(self, found: Comparison) -> Iterator[int]:
        """Put what is missing on record, and help on what waits; tells each number learnt."""
        resume_stalled(self._deps.ledger, found)
        yield from learn(self._deps.ledger, found.missing.values())

    def wait(self, numbers: Iterable[int], tell: Callable[[Progress], None]) -> Progress:
        """Until each of these calls is written, or will not be for a reason that is known.

        One that waits while no job is left that would help it on ends as what it is: WAITING.
        """
        left = list(numbers)
        progress = Progress(total=len(left))
        alone: set[int] = set()
        while True:
            found = call_statuses(self._deps.ledger, left)
            # A job may have ended since its call's state was read: that there is none counts when seen twice.
            before, alone = alone, {number for number, one in found.items() if not one.planned}
            for number, standing in found.items():
                if standing.stands is not CallState.WAITING or number in before & alone:
                    progress.ended[number] = standing
            left = [number for number in left if number not in progress.ended]
            tell(progress)
            if not left:
                return progress
            self._patience.pause(_LOOK_EVERY_S + _AND_FOR_EACH_S * len(left))

    def _ask(self, span: Span, number: int) -> CallPage:
        return self._patience.ask(lambda: ask_page(self._deps, span, number, limit=self._limit))
