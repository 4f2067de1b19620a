"""Take one job, run it, end it: done, again at a time, or parked. Errors are typed by which."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bridge.clients.pace import Pace, keeping
from bridge.errors import (
    BridgeError,
    Busy,
    Disconnected,
    LeaseLost,
    Permanent,
    RateLimited,
    Transient,
    Unauthorized,
)
from bridge.jobs.connection import check_connection
from bridge.jobs.deps import Deps, JobResult
from bridge.jobs.detail import ask_detail, identify
from bridge.jobs.leases import Leases, clock
from bridge.jobs.recording import fetch_recording
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.faults import RedisError, server_fault
from bridge.ledger.ledger import Claim, Ledger
from bridge.ledger.queue.connections import CONNECTION_CHECK
from bridge.logs import get_logger
from bridge.sync.job import sync

log = get_logger(__name__)

KINDS: Mapping[str, Callable[[Claim, Deps], JobResult]] = MappingProxyType(
    {
        "sync": sync,
        "detail": ask_detail,
        "identify": identify,
        "recording": fetch_recording,
        CONNECTION_CHECK: check_connection,
    }
)
_MAX_BACKOFF_S = 300.0
# A fault of our own does not mend itself, but may hang on data that is still changing.
_MOST_FAULTS = 5
_MOST_REFUSALS = 4
# Of one run: more than the slowest service may take for all its requests. A recording has its own.
_LIMIT_S, _LIMITS_S = 600.0, {"recording": 960.0}


def limit_s(kind: str) -> float:
    """Seconds after which no request of a run waits any longer."""
    return _LIMITS_S.get(kind, _LIMIT_S)


class Runner:
    """Runs jobs in this process; one for all threads."""

    def __init__(
        self,
        deps: Deps,
        leases: Leases,
        kinds: Mapping[str, Callable[[Claim, Deps], JobResult]] = KINDS,
        *,
        limit_s: Callable[[str], float] = limit_s,
    ) -> None:
        self.limit_s = limit_s
        self._deps = deps
        self._leases = leases
        self._kinds = kinds

    def run(self, kind: str, key: str) -> str:
        """One job, if it is still due and nobody has it. Never raises; answers how it ended.

        `gone`: nothing to do. `done`, `again`, `failed`, `later`, `paused`, `parked`: see the ledger.
        `lost`: the lease was lost. `broken`: Redis is away; the job is due when its lease ends.
        """
        ledger = self._deps.ledger
        try:
            since = clock()
            claim = ledger.claim(kind, key)
            if claim is None:
                return "gone"
            spending = BudgetRequester(lane=claim.lane, name=claim.name, kind=claim.kind)
            with (
                self._leases.holding(claim, since=since),
                acting_as(spending),
                keeping(Pace(total_s=self.limit_s(kind))),
            ):
                end = self._run(claim)
            ledger.count(f"job:{kind}:{end}")
            log.info(
                "job ended",
                job=kind,
                call=key,
                outcome=end,
                attempt=claim.attempts + 1,
                ms=round((clock() - since) * 1000),
            )
            return end
        except RedisError as error:
            fault = server_fault(error)
            log.warning(
                "Redis refuses writes, the job is due again when its lease ends",
                job=kind,
                error=type(error).__name__,
                why=fault.says if fault else "Redis refuses this job's data",
            )
            return "broken"

    def _run(self, claim: Claim) -> str:
        ledger = self._deps.ledger
        handler = self._kinds.get(claim.kind)
        if handler is None:
            ledger.park(
                claim, cause="unknown", error=f"this version does not know jobs of the kind {claim.kind}"
            )
            return "parked"
        try:
            end = handler(claim, self._deps)
        except LeaseLost:
            log.warning("lease lost, another worker has the job", job=claim.kind, key=claim.key)
            return "lost"
        except (RateLimited, Busy) as error:
            # Nothing failed: the job's turn comes later.
            wait_s = error.retry_after_s
            if not (isinstance(error, RateLimited) and error.booked):
                # Not all at once, though.
                wait_s += random.uniform(0, 0.1 + wait_s * 0.05)  # noqa: S311
            ledger.reschedule(
                claim, in_ms=round(wait_s * 1000), cause=_cause(error), error=_said(error), failed=False
            )
            return "later"
        except Disconnected as error:
            # Nothing failed here either; a person has to reconnect it, however long that takes.
            self._deps.connections.pause(claim, error)
            return "paused"
        except Transient as error:
            return self._again(ledger, claim, error)
        except Unauthorized as error:
            return self._refused(ledger, claim, error)
        except Permanent as error:
            return self._park(ledger, claim, error)
        except Exception as error:
            if isinstance(error, RedisError) and server_fault(error) is not None:
                raise
            # A fault of ours, or a value of this call that Redis cannot read.
            log.exception("bug in a job", job=claim.kind, key=claim.key)
            if claim.attempts + 1 >= _MOST_FAULTS:
                ledger.park(claim, cause="fault", error=f"{type(error).__name__}: {_said(error)}")
                return "parked"
            return self._again(ledger, claim, error)
        ledger.complete(claim, again_in_ms=end.again_in_ms, note=end.log)
        return "done" if end.again_in_ms is None else "again"

    def _refused(self, ledger: Ledger, claim: Claim, error: Unauthorized) -> str:
        """Our key is taken, and this was refused: for all jobs alike, or for this one's object alone."""
        if not error.operation:
            return self._park(ledger, claim, error)
        connections = self._deps.connections
        closed = connections.refuses_all(claim, error)
        if closed is not None:
            log.warning("operation refused, its jobs wait", scope=closed.service)
            connections.mark_down(closed.service, closed)
            connections.pause(claim, closed)
            return "paused"
        # Tried a few times, as others may show meanwhile that it is not about this one.
        return (
            self._again(ledger, claim, error)
            if claim.attempts + 1 < _MOST_REFUSALS
            else self._park(ledger, claim, error)
        )

    def _park(self, ledger: Ledger, claim: Claim, error: BridgeError) -> str:
        log.warning("job parked", job=claim.kind, key=claim.key, cause=_cause(error))
        ledger.park(claim, cause=_cause(error), error=_said(error))
        return "parked"

    def _again(self, ledger: Ledger, claim: Claim, error: Exception) -> str:
        wait_s = backoff_s(claim.attempts)
        log.info(
            "job failed, will be retried",
            job=claim.kind,
            key=claim.key,
            cause=_cause(error),
            attempt=claim.attempts + 1,
            in_s=round(wait_s, 1),
        )
        end = ledger.reschedule(
            claim, in_ms=int(wait_s * 1000), cause=_cause(error), error=_said(error), failed=True
        )
        return "parked" if end == "parked" else "failed"


def backoff_s(attempts: int) -> float:
    """1 to 2 s after the first failure, doubling to 5 minutes; jitter keeps jobs out of step."""
    return min(_MAX_BACKOFF_S, random.uniform(1, 2) * 2.0 ** min(attempts, 10))  # noqa: S311


def _said(error: Exception) -> str:
    """Its words, such that Redis can keep them."""
    return str(error).encode("utf-8", "replace").decode()


def _cause(error: Exception) -> str:
    return type(error).__name__ if isinstance(error, BridgeError) else "fault"
