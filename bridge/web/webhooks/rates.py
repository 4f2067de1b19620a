"""How many webhooks one sender may deliver of one trigger: over it the answer is 429."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rates:
    """A bucket for each sender and trigger, full at first, that fills again over a minute.

    Kept in this process, which costs nothing and needs no Redis: each web process counts for itself, so that
    with several of them up to as many times the rate gets through.

    Args:
        per_minute: 0 for any number.
        clock: seconds, of any origin.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        # Both names come from short lists of ours, so there are few of these.
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    @property
    def is_on(self) -> bool:
        return self._per_minute > 0

    def wait_s(self, sender: str, trigger: str) -> float:
        """Count one delivery: 0 where it may go on, else in how many seconds another may come."""
        if not self._per_minute:
            return 0.0
        now = self._clock()
        left, at = self._buckets.get((sender, trigger), (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
        goes_on = left >= 1
        self._buckets[sender, trigger] = (left - 1 if goes_on else left, now)
        return 0.0 if goes_on else (1 - left) * 60 / self._per_minute
