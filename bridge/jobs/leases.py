"""The leases of the jobs that this process is working on, renewed by one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import LeaseLost
from bridge.ledger.faults import RedisError, why
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.jobs import Claim
from bridge.logs import get_logger

log = get_logger(__name__)


class Leases:
    """Keeps leases alive while jobs run, and says when one is too old to send anything under it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lease_s = ledger.lease_ms / 1000
        # Claim -> when it was last renewed, by a clock that does not stop while the process is stopped.
        self._held: dict[str, tuple[Claim, float]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._renew_for_ever, name="leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    @contextmanager
    def holding(self, claim: Claim, *, since: float) -> Iterator[None]:
        """Args: since: `clock()` before the claim was asked for; the lease is at least that young."""
        with self._lock:
            self._held[claim.token] = (claim, since)
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(claim.token, None)

    def held(self) -> list[Claim]:
        with self._lock:
            return [claim for claim, _ in self._held.values()]

    def give_up(self, name: str) -> Claim | None:
        """Let go of a job whose run hangs; nothing can be sent under its lease from now on."""
        with self._lock:
            found = next((claim for claim, _ in self._held.values() if claim.name == name), None)
            if found is not None:
                del self._held[found.token]
            return found

    def sure(self, claim: Claim) -> None:
        """Check, just before something is sent, that the lease cannot have run out.

        A process that was stopped or starved wakes up believing what it knew before.

        Raises:
            LeaseLost: it was not renewed for so long that somebody else may hold the job.
        """
        with self._lock:
            held = self._held.get(claim.token)
        if held is None or clock() - held[1] > self._lease_s * 0.8:
            raise LeaseLost(f"{claim.name}: the lease was not renewed in time")

    def renew(self) -> None:
        """Renew all, once."""
        before = clock()
        claims = self.held()
        lost = set(self._ledger.renew(claims))
        with self._lock:
            for claim in claims:
                if claim.name in lost:
                    self._held.pop(claim.token, None)
                elif claim.token in self._held:
                    self._held[claim.token] = (claim, before)

    def _renew_for_ever(self) -> None:
        while not self._stop.wait(self._lease_s / 4):
            try:
                self.renew()
            except RedisError as error:
                log.warning("leases not renewed", why=why(error))


def clock() -> float:
    """Seconds that also pass while the process is stopped, and asleep where the system counts that."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
