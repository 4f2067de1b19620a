"""No job holds a thread for ever.

A job has a time limit (`Runner`), which shortens every wait for a service: its last request then ends as one
whose reply was lost. What hangs all the same (a disk, a storage) does so in a thread that is left behind. Its
lease is given up first, so that it can write nothing any more, in Redis or at a service, if it ever goes on.
The job is due again after a backoff. dramatiq's own TimeLimit raises an exception anywhere in the thread,
also between a request and the record of it or with a lock held, and not while it is stuck in the system.
"""

from __future__ import annotations

import threading

from bridge.jobs.leases import Leases
from bridge.jobs.runner import Runner, backoff_s
from bridge.ledger import keys
from bridge.ledger.faults import RedisError
from bridge.ledger.ledger import Ledger
from bridge.logs import get_logger

log = get_logger(__name__)

# After the limit, for what ends by itself.
GRACE_S = 60.0
# So many threads that hang are no accident: then jobs wait for them, and `status` shows all threads busy.
MOST_LEFT = 64


class TimeLimit:
    """Runs jobs, and comes back from each in time."""

    def __init__(self, runner: Runner, leases: Leases, ledger: Ledger, *, grace_s: float = GRACE_S) -> None:
        self._runner, self._leases, self._ledger, self._grace_s = runner, leases, ledger, grace_s
        self._left = threading.BoundedSemaphore(MOST_LEFT)

    def run(self, kind: str, key: str) -> str:
        """How it ended, see `Runner.run`; `left` where its thread hangs."""
        ended, is_left, lock = threading.Event(), threading.Event(), threading.Lock()
        ends: list[str] = []

        def work() -> None:
            try:
                ends.append(self._runner.run(kind, key))
            finally:
                with lock:
                    ended.set()
                    if is_left.is_set():
                        self._left.release()

        threading.Thread(target=work, name=f"job {kind}", daemon=True).start()
        if not ended.wait(self._runner.limit_s(kind) + self._grace_s):
            if self._left.acquire(blocking=False):
                with lock:
                    is_left.set()
                    if ended.is_set():
                        self._left.release()
                        return ends[0] if ends else "broken"
                self._leave(kind, key)
                return "left"
            log.error("too many jobs hang: waiting for one to end", job=kind, call=key)
            ended.wait()
        return ends[0] if ends else "broken"

    def _leave(self, kind: str, key: str) -> None:
        log.error("job hangs, its thread is left behind and the job tried again", job=kind, call=key)
        claim = self._leases.give_up(keys.job(kind, key))
        if claim is None:
            return
        try:
            self._ledger.reschedule(
                claim,
                in_ms=int(backoff_s(claim.attempts) * 1000),
                cause="TimeLimit",
                error=f"it did not end within {self._runner.limit_s(kind) + self._grace_s:.0f} s and hangs: "
                "a disk, the storage for recordings, or Redis",
                failed=True,
            )
        except RedisError:
            # Due again when its lease ends, which nobody renews.
            log.warning("redis is away, the job is due again when its lease ends", job=kind)
