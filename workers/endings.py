"""How a run ends in the ledger, by its error: done, again at a time, paused, parked or given up."""

from __future__ import annotations

import logging

from bridge.errors import (
    BridgeError,
    Busy,
    Disconnected,
    KeyMissing,
    LeaseLost,
    Permanent,
    RateLimited,
    SeveralCustomers,
    Transient,
    Unauthorized,
)
from bridge.ledger.faults import RedisError, server_fault
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.kinds import KINDS
from bridge.ledger.sharing import flush
from bridge.logs import get_logger
from workers.retries import backoff_s, cause_of, later_s, said_by
from workers.runs import Run
from workers.time_limit import Hangs

log = get_logger(__name__)

# Outcomes after which the job is tried again because of an error.
_TRIED_AGAIN = ("failed", "later", "paused", "left")
# A fault of our own does not mend itself, but may hang on data that is still changing.
_MOST_FAULTS = 5
_MOST_REFUSALS = 4


def end_in_ledger(run: Run, error: Exception | None) -> str:
    """End the job in the ledger, with what still waits to be sent there."""
    if run.requester is not None:
        run.requester.end()
    try:
        outcome = _end(run, error)
        flush()
    except LeaseLost:
        # Told by a command that went with the one that was to end the job.
        return _ended(run, "lost", "failed" if error else run.result.outcome)
    return outcome


def _end(run: Run, error: Exception | None) -> str:
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
            return _failed(run, error)


def _failed(run: Run, error: Exception) -> str:
    match error:
        case Hangs():
            return _leave(run, error)
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


def _leave(run: Run, error: Hangs) -> str:
    claim = run.claim
    log.error(
        "job hangs; its thread is abandoned and the job will be retried", job=claim.kind, call=claim.key
    )
    if run.leases.give_up(claim.name) is not None:
        wait_ms = int(backoff_s(claim.attempts) * 1000)
        run.deps.ledger.reschedule(claim, in_ms=wait_ms, cause="TimeLimit", error=str(error), failed=True)
    return "left"


def cut_off(run: Run) -> None:
    """The thread was asked to end: as after a kill, the job is due again when its lease ends."""
    run.leases.had_no_end(run.claim.name, run.claim.token)
    if run.shared is not None:
        run.shared.take()
    run.stack.close()


def count(run: Run, outcome: str) -> None:
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
