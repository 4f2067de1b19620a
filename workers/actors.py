"""The one actor: take a job, run it, and let the ledger say what comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import dramatiq

from workers.time_limit import TimeLimit

QUEUE = "jobs"


def declare(broker: dramatiq.Broker, jobs: TimeLimit) -> Callable[[str, str], Any]:
    """Declare the actor on a broker; what comes back sends a message to it."""

    # The ledger retries, delays and recovers, and a job's lease ends by itself: dramatiq is to do
    # none of that. A lost or repeated message costs nothing, as the claim decides.
    @dramatiq.actor(broker=broker, queue_name=QUEUE, actor_name="run_job")
    def run_job(kind: str, key: str) -> None:
        jobs.run(kind, key)

    return cast(Callable[[str, str], Any], run_job.send)
