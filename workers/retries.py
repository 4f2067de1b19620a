"""When a job that failed is tried again, and what is kept of why."""

from __future__ import annotations

import random

from bridge.errors import BridgeError, Busy, KeyMissing, RateLimited
from bridge.jobs.leases import Leases
from bridge.ledger.faults import server_fault
from bridge.ledger.keys import split_job
from bridge.logs import get_logger

log = get_logger(__name__)

_MAX_BACKOFF_S = 300.0


def backoff_s(attempts: int) -> float:
    """1 to 2 s after the first failure, doubling to 5 minutes; jitter keeps jobs out of step."""
    return min(_MAX_BACKOFF_S, random.uniform(1, 2) * 2.0 ** min(attempts, 10))  # noqa: S311


def later_s(error: RateLimited | Busy | KeyMissing) -> float:
    """Until the turn of a job in which nothing failed."""
    wait_s = error.retry_after_s
    if isinstance(error, RateLimited) and error.booked:
        return wait_s
    # Not all at once, though.
    return wait_s + random.uniform(0, 0.1 + wait_s * 0.05)  # noqa: S311


def said_by(error: Exception) -> str:
    """Its words, such that Redis can keep them."""
    return str(error).encode("utf-8", "replace").decode()


def cause_of(error: Exception) -> str:
    return type(error).__name__ if isinstance(error, BridgeError) else "fault"


def broken(leases: Leases | None, name: str, token: str, error: Exception) -> str:
    """Redis did not let a run end, or begin."""
    fault = server_fault(error)
    if fault is not None and leases is not None:
        # Also of a claim: it may have been counted as a run.
        leases.had_no_end(name, token)
    log.warning(
        "Redis refuses writes, the job is due again when its lease ends",
        job=split_job(name)[0],
        error=type(error).__name__,
        why=fault.says if fault else "Redis refuses this job's data",
    )
    return "broken"
