"""Worker processes that share a budget, on a clock of the test: real scripts, real ledger, no sleeping."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from bridge.clients.replies import closed_for_s, told_by
from bridge.errors import RateLimited
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.keys import Lane, split_job
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from tests.ledger.upstream import Tells, TestClock, Upstream, answer

LEASE_MS = 600_000  # nobody renews here


@dataclass
class Sent:
    at: float
    lane: Lane
    job: str
    refused: bool


@dataclass
class Process:
    """One worker process: its own connection, ledger and budget."""

    ledger: Ledger
    budget: Budget
    threads: int
    running: int = 0


@dataclass
class Simulation:
    """Jobs of `requests` requests each, run by a few processes against one service.

    Args:
        tells, ahead_s: what the service says of its budget and its clock (`upstream.answer`).
        keeps_progress: whether a run goes on where the one before was refused, or begins anew.
    """

    clock: TestClock
    upstream: Upstream
    share: int
    window_s: float = 60
    processes: int = 2
    threads: int = 8
    seed: int = 1
    tells: Tells = "always"
    ahead_s: float = 0
    latency_s: tuple[float, float] = (0.05, 0.3)
    wakes_within_s: float = 0.02
    keeps_progress: bool = True
    sent: list[Sent] = field(default_factory=list)
    # What others sent: when, and whether it was taken.
    theirs: list[tuple[float, bool]] = field(default_factory=list)
    runs: int = 0
    done: dict[str, float] = field(default_factory=dict)
    scheduled: dict[str, float] = field(default_factory=dict)
    check: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._number = itertools.count()
        self._wants: dict[str, int] = {}
        self._running: dict[str, Callable[[], None]] = {}
        self.start = self.clock.now
        self.all = [self._process() for _ in range(self.processes)]

    def _process(self) -> Process:
        client = self.clock.client()
        budget = Budget(
            client,
            service="cloudtalk",
            share=self.share,
            window_s=self.window_s,
            clock=lambda: self.clock.now,
        )
        return Process(ledger=Ledger(client, lease_ms=LEASE_MS), budget=budget, threads=self.threads)

    @property
    def now(self) -> float:
        return self.clock.now

    def at(self, seconds: float, do: Callable[[], object]) -> None:
        """Have something happen so long after the start."""
        self._push(self.start + seconds, do)

    def add(self, lane: Lane, *, requests: int = 1) -> str:
        """A job that is due now; its name."""
        key = f"id:{next(self._number) + 1}"
        kind = "sync" if lane is Lane.LIVE else "detail"
        self.all[0].ledger.schedule(kind, key, in_ms=0, lane=lane)
        name = f"{kind}|{key}"
        self._wants[name], self.scheduled[name] = requests, self.now
        return name

    def others_send(self, per_window: float, until: float = float("inf")) -> None:
        """Somebody else spends from the same budget, at random."""

        dice = random.Random(self.seed)

        def ask() -> None:
            if self.now > self.start:
                self.theirs.append((self.now, self.upstream.ask(self.now)))
            after = dice.expovariate(per_window / self.window_s)
            if self.now + after < self.start + until and not self.is_done:
                self._push(self.now + after, ask)

        self._push(self.now, ask)

    def run(self, until: float | None = None) -> Simulation:
        """Let time pass, so long from the start or until nothing is left to do."""
        end = self.start + until if until is not None else float("inf")
        while True:
            soonest = self._dispatch()
            if self._events:
                soonest = min(soonest, self._events[0][0])
            if soonest > end or soonest == float("inf"):
                if until is not None:
                    self.clock.set(end)
                for end_turn in self._running.values():
                    end_turn()
                return self
            self.clock.set(max(self.now, soonest))
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
                if self.check is not None:
                    self.check()

    def _push(self, at: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._events, (at, next(self._number), do))

    def _dispatch(self) -> float:
        """Fetch what is due; when it is worth looking again."""
        soonest = float("inf")
        free = [process for process in self.all if process.running < process.threads]
        self._dice.shuffle(free)
        for process in free:
            wait_ms, names = process.ledger.dispatch(process.threads - process.running)
            for name in names:
                process.running += 1
                self._push(
                    self.now + self._dice.uniform(0, self.wakes_within_s), self._starter(process, name)
                )
            if wait_ms >= 0 and process.running < process.threads:
                soonest = self.now + max(wait_ms, 1) / 1000
        return soonest

    def _starter(self, process: Process, name: str) -> Callable[[], None]:
        def start() -> None:
            claim = process.ledger.claim(*split_job(name))
            if claim is None:
                process.running -= 1
                return
            self.runs += 1
            context, stack = contextvars.copy_context(), ExitStack()
            turn = BudgetRequester(lane=claim.lane, name=claim.name, kind=claim.kind)
            context.run(stack.enter_context, acting_as(turn))
            steps = self._steps(process, claim)
            self._running[claim.token] = lambda: context.run(stack.close)

            def go_on() -> None:
                pause = context.run(next, steps, None)
                if pause is None:
                    self._running.pop(claim.token)()
                    process.running -= 1
                else:
                    self._push(self.now + pause, go_on)

            go_on()

        return start

    def _steps(self, process: Process, claim: Claim) -> Iterator[float]:
        """One run of a job: yields for how long it waits for each reply."""
        left = self._wants[claim.name]
        while left:
            try:
                slot = process.budget.take()
            except RateLimited as error:
                self._later(process, claim, error)
                return
            taken = self.upstream.ask(self.now)
            self.sent.append(Sent(at=self.now, lane=claim.lane, job=claim.name, refused=not taken))
            # What it tells was so when it counted the request.
            response = answer(self.upstream, self.now, taken=taken, tells=self.tells, ahead_s=self.ahead_s)
            yield self._dice.uniform(*self.latency_s)
            # As bridge/clients/http.py has it.
            closed_s = closed_for_s(response, self.window_s)
            process.budget.replied(
                slot,
                operation="x",
                status=str(response.status_code),
                closed_for_s=closed_s,
                rate_limits=told_by(response) if taken else None,
            )
            if not taken:
                self._later(process, claim, RateLimited("429", retry_after_s=closed_s))
                return
            left -= 1
            if self.keeps_progress:
                self._wants[claim.name] = left
        process.ledger.complete(claim)
        self.done[claim.name] = self.now

    def _later(self, process: Process, claim: Claim, error: RateLimited) -> None:
        in_ms = round(error.retry_after_s * 1000)
        process.ledger.reschedule(claim, in_ms=in_ms, cause="RateLimited", error="", failed=False)

    # -- what it showed

    @property
    def is_done(self) -> bool:
        """Whether all jobs that were added are done; not before there are any."""
        return len(self.done) == len(self._wants) > 0

    @property
    def refused(self) -> int:
        """How many of our own requests got a 429."""
        return sum(one.refused for one in self.sent)

    def used(self, since: float = 0, until: float | None = None) -> float:
        """Requests sent in that span, as part of what the share allowed there."""
        end = (self.sent[-1].at - self.start) if until is None else until
        number = sum(since <= one.at - self.start < end for one in self.sent)
        return number / (self.share * (end - since) / self.window_s)

    def waited(self, job: str) -> float:
        """Seconds until a job could send its first request."""
        return next(one.at for one in self.sent if one.job == job) - self.scheduled[job]
