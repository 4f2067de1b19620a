"""Claim, lease and end of a job, around its actor: done, again at a time, or parked. Errors say which."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware, SkipMessage
from structlog.contextvars import bound_contextvars

from bridge import tracing
from bridge.clients.pace import Pace, keeping
from bridge.deps import Deps
from bridge.errors import (
    Busy,
    Disconnected,
    KeyMissing,
    LeaseLost,
    NotThereYet,
    Permanent,
    RateLimited,
)
from bridge.jobs.leases import Leases, clock
from bridge.ledger import keys
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.faults import RedisError
from bridge.ledger.queue.jobs import new_token
from bridge.ledger.queue.kinds import KINDS
from bridge.ledger.sharing import sharing
from bridge.logs import get_logger
from workers.endings import count, cut_off, end_in_ledger
from workers.retries import broken
from workers.runs import Run, current_run
from workers.time_limit import GRACE_S

log = get_logger(__name__)

# How a run may end that did nothing wrong. dramatiq's integrations report no error for these.
EXPECTED = (RateLimited, Busy, KeyMissing, Disconnected, NotThereYet, LeaseLost)


class Claims(Middleware):
    """Claims a job before it runs, and ends it in the ledger afterwards, as dramatiq's own Retries would.

    A message whose job is not due any more, or is held by somebody else, is skipped. How a run ended is the
    message's option `outcome`:

    - `done`, `again`, `failed`, `later`, `paused`, `parked`: see the ledger.
    - `dropped`: given up with a line on the record, as it is useless later.
    - `lost`: the lease was lost.
    - `left`: it hangs, in a thread that was left behind.
    - `broken`: Redis is away; the job is due when its lease ends.
    """

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._of: Callable[[str], tuple[Deps, Leases]] | None = None

    @property
    def actor_options(self) -> set[str]:
        return {"throws", "time_limit"}

    def use(self, deps: Deps, leases: Leases) -> None:
        """What jobs work with from now on."""
        self.use_of(lambda account: (deps, leases))

    def use_of(self, of: Callable[[str], tuple[Deps, Leases]]) -> None:
        """The same by a job's account; raises LookupError where this process runs none of its jobs."""
        self._of = of
        # How a job ended is logged here, once; a message that is skipped is nothing to worry about.
        logging.getLogger("dramatiq.worker.WorkerThread").setLevel(logging.CRITICAL)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        if self._of is None:
            raise SkipMessage("this process runs no jobs")
        kind, since = message.actor_name, clock()
        limit_s = broker.get_actor(kind).options["time_limit"] / 1000
        token = new_token()
        account = message.options.get("account", "")
        leases: Leases | None = None
        try:
            deps, leases = self._of(account)
            claim = deps.ledger.claim(kind, message.args[0], token=token)
        except LookupError as error:
            raise SkipMessage(str(error)) from error
        except RedisError as error:
            message.options["outcome"] = broken(leases, keys.job(kind, message.args[0]), token, error)
            raise SkipMessage("Redis refuses writes") from error
        if claim is None:
            message.options["outcome"] = "gone"
            raise SkipMessage("no longer due, or claimed by another worker")
        run = Run(
            claim=claim,
            deps=deps.current(),
            leases=leases,
            account=account,
            since=since,
            limit_s=limit_s,
            grace_s=self._grace_s,
            due_for_ms=message.options.get("due_for_ms"),
        )
        run.shared = run.stack.enter_context(sharing())
        run.stack.enter_context(leases.holding(claim, since=since))
        run.requester = BudgetRequester(lane=claim.lane, name=claim.name, kind=claim.kind)
        run.stack.enter_context(acting_as(run.requester))
        run.stack.enter_context(keeping(Pace(total_s=limit_s)))
        run.stack.callback(current_run.reset, current_run.set(run))
        self._describe(run)

    def _describe(self, run: Run) -> None:
        """Whose run it is, in each line of the log and each span."""
        claim = run.claim
        whose = "call" if KINDS[claim.kind].of_call else "key"
        attempt = claim.attempts + 1
        context = {whose: claim.key, "job": claim.kind, "attempt": attempt}
        context |= {"account": run.account} if run.account else {}
        run.stack.enter_context(bound_contextvars(**context))
        log.info("job started")
        if tracing.is_on():
            run.stack.enter_context(tracing.of_call(claim.key if whose == "call" else ""))
            named: tracing.Attributes = {"callbridge.job": claim.kind, "callbridge.attempt": attempt}
            span = tracing.span(f"job {claim.kind}", kind="consumer", parent=claim.trace, attributes=named)
            run.stack.enter_context(span)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        run = current_run.get(None)
        if run is None:
            return None
        if exception is not None and not isinstance(exception, Exception):
            return cut_off(run)
        if exception is None and message.failed:
            exception = Permanent("another middleware of dramatiq refused it")
        claim = run.claim
        try:
            with run.stack:
                outcome = end_in_ledger(run, exception)
            if exception is not None or outcome == "lost":
                count(run, outcome)
            log.info(
                "job ended",
                job=claim.kind,
                call=claim.key,
                outcome=outcome,
                attempt=claim.attempts + 1,
                ms=round((clock() - run.since) * 1000),
            )
        except RedisError as error:
            outcome = broken(run.leases, claim.name, claim.token, error)
        if outcome == "lost":
            run.leases.had_no_end(claim.name, claim.token)
        message.options["outcome"] = outcome
        return None

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Where another middleware skipped it after it was claimed, it is due again when its lease ends."""
        if (run := current_run.get(None)) is not None:
            run.stack.close()
