"""How long something may take in all, however slowly the other side goes about it.

A time limit for each read is no limit: a reply that brings one byte every ten seconds keeps to it for ever. A
`Pace` is looked at before every wait for the network (`bridge.clients.network`) and makes that wait shorter.
Paces nest: a request of a job has its own, and the job's, and ends with whichever is over first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[Pace | None] = ContextVar("pace", default=None)


class Pace:
    """
    Args:
        total_s: from now to the end of everything; None: no such limit.
        grace_s, bytes_per_s: what comes, or goes, has to come at this rate. What is early counts for at most
            `grace_s`, so that a fast beginning is no licence to drip afterwards.
    """

    def __init__(
        self, *, total_s: float | None = None, grace_s: float | None = None, bytes_per_s: float = 0
    ) -> None:
        self.began_at = time.monotonic()
        self._ends_at = None if total_s is None else self.began_at + total_s
        self._grace_s, self._bytes_per_s = grace_s, bytes_per_s
        self._slow_at = None if grace_s is None else self.began_at + grace_s
        self._above = _current.get()
        self.bytes = 0

    def remaining_s(self) -> float | None:
        """Seconds until the first limit, 0 when one is over; None where there is none."""
        ends = [at for at in (self._ends_at, self._slow_at) if at is not None]
        mine = max(0.0, min(ends) - time.monotonic()) if ends else None
        above = self._above.remaining_s() if self._above else None
        return min((each for each in (mine, above) if each is not None), default=None)

    @property
    def is_over(self) -> bool:
        return self.remaining_s() == 0

    @property
    def taken_s(self) -> float:
        return time.monotonic() - self.began_at

    def moved(self, count: int) -> None:
        """So many bytes came or went."""
        self.bytes += count
        if self._slow_at is not None and self._grace_s is not None and self._bytes_per_s:
            latest = time.monotonic() + self._grace_s
            self._slow_at = min(self._slow_at + count / self._bytes_per_s, latest)


@contextmanager
def keeping(pace: Pace) -> Iterator[Pace]:
    """Whatever this thread waits for inside is waited for within this pace."""
    token = _current.set(pace)
    try:
        yield pace
    finally:
        _current.reset(token)


def current() -> Pace | None:
    return _current.get()


def within(timeout_s: float | None) -> float | None:
    """A time limit, made shorter by the pace that counts here; 0 when that is over."""
    pace = _current.get()
    left = pace.remaining_s() if pace else None
    return min((each for each in (timeout_s, left) if each is not None), default=None)
