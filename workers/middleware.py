"""Claim, lease and end of a job, around its actor: done, again at a time, or parked. Errors say which."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware, SkipMessage
from structlog.contextvars import bound_contextvars

from bridge import tracing
from bridge.clients.pace import Pace, keeping
from bridge.deps import Deps, JobResult
from bridge.errors import (
    BridgeError,
    Busy,
    Disconnected,
    KeyMissing,
    LeaseLost,
    NotThereYet,
    Permanent,
    RateLimited,
    SeveralCustomers,
    Transient,
    Unauthorized,
)
from bridge.jobs.leases import Leases, clock
from bridge.ledger import keys
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.faults import RedisError, server_fault
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.jobs import new_token
from bridge.ledger.queue.kinds import KINDS
from bridge.ledger.sharing import Run as Sharing
from bridge.ledger.sharing import flush, sharing
from bridge.logs import get_logger
from workers.retries import backoff_s, broken, cause_of, later_s, said_by
from workers.time_limit import GRACE_S, Hangs, in_time

log = get_logger(__name__)

# How a run may end that did nothing wrong. dramatiq's integrations report no error for these.
EXPECTED = (RateLimited, Busy, KeyMissing, Disconnected, NotThereYet, LeaseLost)
# Outcomes after which the job is tried again because of an error.
_TRIED_AGAIN = ("failed", "later", "paused", "left")
# A fault of our own does not mend itself, but may hang on data that is still changing.
_MOST_FAULTS = 5
_MOST_REFUSALS = 4


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


_current: ContextVar[Run] = ContextVar("run")


def run(job: Callable[[Claim, Deps], JobResult]) -> None:
    """Run the job of the message that this thread processes; what an actor does.

    Raises:
        LookupError: the message was not claimed.
    """
    run = _current.get(None)
    if run is None:
        raise LookupError("a job runs only after it is claimed; send its actor a message")
    run.do(job)


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
        run.stack.callback(_current.reset, _current.set(run))
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
        run = _current.get(None)
        if run is None:
            return None
        if exception is not None and not isinstance(exception, Exception):
            return _cut_off(run)
        if exception is None and message.failed:
            exception = Permanent("another middleware of dramatiq refused it")
        claim = run.claim
        try:
            with run.stack:
                outcome = self._outcome(run, exception)
            if exception is not None or outcome == "lost":
                _count(run, outcome)
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

    def _outcome(self, run: Run, error: Exception | None) -> str:
        """End the job in the ledger, with what still waits to be sent there."""
        if run.requester is not None:
            run.requester.end()
        try:
            outcome = self._end(run, error)
            flush()
        except LeaseLost:
            # Told by a command that went with the one that was to end the job.
            return _ended(run, "lost", "failed" if error else run.result.outcome)
        return outcome

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Where another middleware skipped it after it was claimed, it is due again when its lease ends."""
        if (run := _current.get(None)) is not None:
            run.stack.close()

    def _end(self, run: Run, error: Exception | None) -> str:
        run.retry_cause = cause_of(error) if error is not None else ""
        if error is not None and _ends_for_good(run, error):
            return _drop(run, error)
        match error:
            case None:
                return _complete(run)
            case LeaseLost(__cause__=RedisError() as cause):
                # Redis did not say whose the job is; nobody may have taken it.
                raise cause
            case LeaseLost():
                return _lost(run.claim)
            case RateLimited() | Busy() | KeyMissing():
                return _later(run, error)
            case Disconnected():
                # Nothing failed here either; a person has to reconnect it, however long that takes.
                run.deps.connections.pause(run.claim, error)
                return "paused"
            case _:
                return self._failed(run, error)

    def _failed(self, run: Run, error: Exception) -> str:
        match error:
            case Hangs():
                return self._leave(run, error)
            case Transient():
                return _again(run, error)
            case Unauthorized() if error.operation:
                return _refused(run, error)
            case Permanent():
                return _park(run, error)
            case RedisError() if server_fault(error) is not None:
                raise error
            case _:
                return _fault(run, error)

    def _leave(self, run: Run, error: Hangs) -> str:
        claim = run.claim
        log.error(
            "job hangs; its thread is abandoned and the job will be retried", job=claim.kind, call=claim.key
        )
        if run.leases.give_up(claim.name) is not None:
            wait_ms = int(backoff_s(claim.attempts) * 1000)
            run.deps.ledger.reschedule(claim, in_ms=wait_ms, cause="TimeLimit", error=str(error), failed=True)
        return "left"


def _cut_off(run: Run) -> None:
    """The thread was asked to end: as after a kill, the job is due again when its lease ends."""
    run.leases.had_no_end(run.claim.name, run.claim.token)
    if run.shared is not None:
        run.shared.take()
    run.stack.close()


def _count(run: Run, outcome: str) -> None:
    names = [f"job:{run.claim.kind}:{outcome}"]
    if outcome in _TRIED_AGAIN:
        names.append(f"retry:{run.retry_cause}")
    run.deps.ledger.count(*names, wait=_waited(run))


def _waited(run: Run) -> tuple[Lane, float] | None:
    return None if run.due_for_ms is None else (run.claim.lane, run.due_for_ms / 1000)


def _complete(run: Run) -> str:
    claim, result = run.claim, run.result
    end = run.deps.ledger.complete(
        claim,
        again_in_ms=result.again_in_ms,
        note=result.log,
        fields=result.fields,
        counters=(f"job:{claim.kind}:{result.outcome}", *result.counters),
        wait=_waited(run),
    )
    return _ended(run, end, result.outcome)


def _ended(run: Run, end: str, outcome: str) -> str:
    """How it ended, by the answer of `Ledger.complete`, or of a command that was sent with it."""
    # By commands whose reply was lost, and which were therefore sent again, it was ended already.
    return _lost(run.claim) if end == "lost" and not run.leases.was_ended_here(run.claim) else outcome


def _lost(claim: Claim) -> str:
    log.warning("lease lost, another worker has the job", job=claim.kind, key=claim.key)
    return "lost"


def _fault(run: Run, error: Exception) -> str:
    """A fault of ours, or a value of this call that Redis cannot read."""
    claim = run.claim
    log.error("fault in a job", job=claim.kind, key=claim.key, exc_info=error)
    if claim.attempts + 1 >= _MOST_FAULTS:
        run.deps.ledger.park(claim, cause="fault", error=f"{type(error).__name__}: {said_by(error)}")
        return "parked"
    return _again(run, error)


def _later(run: Run, error: RateLimited | Busy | KeyMissing) -> str:
    """Nothing failed: the job's turn comes later."""
    run.deps.ledger.reschedule(
        run.claim,
        in_ms=round(later_s(error) * 1000),
        cause=cause_of(error),
        error=said_by(error),
        failed=False,
    )
    return "later"


def _ends_for_good(run: Run, error: Exception) -> bool:
    """Whether a job that nobody is to look at later ends with this; its own retries are behind it."""
    if KINDS[run.claim.kind].parks or isinstance(error, LeaseLost | RateLimited | Busy | KeyMissing | Hangs):
        return False
    return not (isinstance(error, RedisError) and server_fault(error) is not None)


def _drop(run: Run, error: Exception) -> str:
    claim = run.claim
    is_fault = not isinstance(error, BridgeError)
    log.log(
        logging.ERROR if is_fault else logging.WARNING,
        "job dropped",
        job=claim.kind,
        key=claim.key,
        cause=run.retry_cause,
        exc_info=error if is_fault else None,
    )
    said = said_by(error) if not is_fault else type(error).__name__
    end = run.deps.ledger.complete(claim, note=f"{claim.kind} given up: {said}")
    return _ended(run, end, "dropped")


def _refused(run: Run, error: Unauthorized) -> str:
    """Our key is taken, and this was refused: for all jobs alike, or for this one's object alone."""
    connections = run.deps.connections
    closed = connections.refuses_all(run.claim, error)
    if closed is not None:
        log.warning("operation refused, its jobs wait", scope=closed.service)
        connections.mark_down(closed.service, closed)
        connections.pause(run.claim, closed)
        return "paused"
    # Tried a few times, as others may show meanwhile that it is not about this one.
    return _again(run, error) if run.claim.attempts + 1 < _MOST_REFUSALS else _park(run, error)


def _park(run: Run, error: BridgeError) -> str:
    claim = run.claim
    log.warning("job parked", job=claim.kind, key=claim.key, cause=cause_of(error))
    chosen_since = isinstance(error, SeveralCustomers)
    end = run.deps.ledger.park(claim, cause=cause_of(error), error=said_by(error), unless_learnt=chosen_since)
    return "again" if end == "again" else "parked"


def _again(run: Run, error: Exception) -> str:
    claim, wait_s = run.claim, backoff_s(run.claim.attempts)
    log.info(
        "job failed, will be retried",
        job=claim.kind,
        key=claim.key,
        cause=cause_of(error),
        attempt=claim.attempts + 1,
        in_s=round(wait_s, 1),
    )
    end = run.deps.ledger.reschedule(
        claim, in_ms=int(wait_s * 1000), cause=cause_of(error), error=said_by(error), failed=True
    )
    return "parked" if end == "parked" else "failed"
