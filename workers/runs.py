"""One run of a claimed job, from its claim to its end, and which of them this thread is at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from bridge.deps import Deps, JobResult
from bridge.jobs.leases import Leases
from bridge.ledger.budgets.requesters import BudgetRequester
from bridge.ledger.queue.claims import Claim
from bridge.ledger.sharing import Run as Sharing
from workers.time_limit import in_time


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a claimed job. Its `result` says what comes next, once it ended well."""

    claim: Claim
    deps: Deps
    leases: Leases
    since: float
    limit_s: float
    grace_s: float
    account: str = ""
    # For how long the job was due before it was handed out; None where that is not known.
    due_for_ms: int | None = None
    result: JobResult = field(default_factory=JobResult)
    # Why it is tried again later.
    retry_cause: str = ""
    # What waits for its next command to Redis.
    shared: Sharing | None = None
    requester: BudgetRequester | None = None
    # What has to be left again, whatever the end.
    stack: ExitStack = field(default_factory=ExitStack)

    def do(self, job: Callable[[Claim, Deps], JobResult]) -> None:
        """Run it, in a thread that can be left behind."""
        self.result = in_time(partial(job, self.claim, self.deps), within_s=self.limit_s + self.grace_s)


current_run: ContextVar[Run] = ContextVar("run")


def run(job: Callable[[Claim, Deps], JobResult]) -> None:
    """Run the job of the message that this thread processes; what an actor does.

    Raises:
        LookupError: the message was not claimed.
    """
    run = current_run.get(None)
    if run is None:
        raise LookupError("a job runs only after it is claimed; send its actor a message")
    run.do(job)
