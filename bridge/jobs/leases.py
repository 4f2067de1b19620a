"""The leases of the jobs that this process is working on, renewed by one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import LeaseLost
from bridge.ledger.faults import RedisError, why
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from bridge.logs import get_logger

log = get_logger(__name__)

# Shares of a lease. Most jobs end before their first renewal; it is looked this often which are due for one.
_RENEWED_AT = 3 / 16
_LOOKED_AT_EVERY = 1 / 16
# After a renewal that failed.
_TRIED_AGAIN_AFTER = 1 / 40
# Nothing is sent under an older lease before Redis was asked. The rest is for what was sent to arrive.
_SURE_FOR = 1 / 2
# A process that is stopped while Redis answers finds its lease old again, and asks once more.
_MOST_ASKED = 3
# More than a process has threads.
_MOST_HANDED_BACK = 1_000


class Leases:
    """Keeps leases alive while jobs run, and says when one is too old to send anything under it.

    Args:
        ledger: best one with a connection of its own and short time-outs, so that renewals wait for nothing.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._lease_s = ledger.lease_ms / 1000
        # Claim -> when it was last renewed, by a clock that does not stop while the process is stopped.
        self._held: dict[str, tuple[Claim, float]] = {}
        # Tokens of claims that nobody could have taken yet when Redis said that they are not held.
        self._ended_here: set[str] = set()
        # Name and token of runs that had no end in Redis, though this process lives.
        self._without_end: dict[tuple[str, str], None] = {}
        self._lock = threading.Lock()
        self._keeper = LeaseKeeper(lease_s=self._lease_s)
        self._keeper.keep(self)

    def start(self) -> None:
        """Renew them from now on, in a thread of their own. Those of many accounts share a `LeaseKeeper`."""
        self._keeper.start()

    def stop(self) -> None:
        self._keeper.stop()

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
                self._ended_here.discard(claim.token)

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

    def had_no_end(self, name: str, token: str) -> None:
        """Have Redis told, once it answers, that this run of a job did not kill its worker."""
        with self._lock:
            if len(self._without_end) < _MOST_HANDED_BACK:
                self._without_end[name, token] = None

    @property
    def is_needed(self) -> bool:
        """Whether a lease is held, or a run is still to be handed back."""
        with self._lock:
            return bool(self._held or self._without_end)

    def hand_back(self) -> None:
        """Tell Redis of all runs that had no end."""
        with self._lock:
            runs = [*self._without_end]
        if runs:
            self.ledger.hand_back(runs)
            with self._lock:
                for run in runs:
                    self._without_end.pop(run, None)

    def sure(self, claim: Claim) -> None:
        """Check, just before something is sent, that the lease cannot have run out.

        A process that was stopped or starved wakes up believing what it knew before. So where the lease is
        not young, Redis is asked: it renews the lease, even one that ran out, if nobody took the job or one
        of its locks since.

        Raises:
            LeaseLost: somebody else has the job, or Redis did not answer.
        """
        for _ in range(_MOST_ASKED):
            if self.is_young(claim):
                return
            try:
                self._renew([claim] if self._age_s(claim) is not None else [])
            except RedisError as error:
                raise LeaseLost(
                    f"{claim.name}: the lease could not be renewed in time: {why(error)}"
                ) from error
        if not self.is_young(claim):
            raise LeaseLost(f"{claim.name}: the lease was not renewed in time")

    def is_young(self, claim: Claim) -> bool:
        """Whether the lease cannot have run out, by the time of this process."""
        age_s = self._age_s(claim)
        return age_s is not None and age_s <= self._lease_s * _SURE_FOR

    def was_ended_here(self, claim: Claim) -> bool:
        """Whether a claim that Redis no longer knows was ended by this run, and not taken by another worker.

        A command that ends a job is sent again when its reply gets lost, and then finds it ended.
        """
        with self._lock:
            is_known = claim.token in self._ended_here
        return is_known or self.is_young(claim)

    def renew(self, *, older_than_s: float = 0.0) -> None:
        """Renew once all that are at least this old."""
        oldest = clock() - older_than_s
        with self._lock:
            claims = [claim for claim, renewed_at in self._held.values() if renewed_at <= oldest]
        self._renew(claims)

    def _age_s(self, claim: Claim) -> float | None:
        with self._lock:
            held = self._held.get(claim.token)
        return None if held is None else clock() - held[1]

    def _renew(self, claims: list[Claim]) -> None:
        if not claims:
            return
        before = clock()
        lost = set(self.ledger.renew(claims))
        with self._lock:
            for claim in claims:
                if claim.name in lost:
                    held = self._held.pop(claim.token, None)
                    if held is not None and clock() - held[1] < self._lease_s:
                        self._ended_here.add(claim.token)
                elif (held := self._held.get(claim.token)) is not None:
                    self._held[claim.token] = (claim, max(held[1], before))


class LeaseKeeper:
    """The thread that renews the leases of this process, those of all its accounts in turn."""

    def __init__(self, *, lease_s: float) -> None:
        self._lease_s = lease_s
        self._kept: list[Leases] = []
        # Of accounts that were idle, or have new settings: kept for as long as any of them is held.
        self._leaving: list[Leases] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def keep(self, leases: Leases) -> None:
        """Renew these too, from now on."""
        with self._lock:
            self._kept.append(leases)

    def let_go(self, leases: Leases) -> None:
        """Renew these only until none of them is held any more."""
        with self._lock:
            self._leaving.append(leases)

    def kept(self) -> list[Leases]:
        with self._lock:
            ended = [one for one in self._leaving if not one.is_needed]
            if ended:
                self._leaving = [one for one in self._leaving if one not in ended]
                self._kept = [one for one in self._kept if one not in ended]
            return list(self._kept)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._renew_for_ever, name="leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _renew_for_ever(self) -> None:
        failing, pause_s = False, self._lease_s * _LOOKED_AT_EVERY
        while not self._stop.wait(pause_s):
            errors = [error for one in self.kept() if (error := self._renew(one)) is not None]
            if errors and not failing:
                log.warning("leases not renewed", why=why(errors[0]))
            failing = bool(errors)
            pause_s = self._lease_s * (_TRIED_AGAIN_AFTER if failing else _LOOKED_AT_EVERY)

    def _renew(self, leases: Leases) -> Exception | None:
        try:
            leases.renew(older_than_s=self._lease_s * _RENEWED_AT)
            leases.hand_back()
        except RedisError as error:
            return error
        return None


def clock() -> float:
    """Seconds that also pass while the process is stopped, and asleep where the system counts that."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
