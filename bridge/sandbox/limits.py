"""Rate limits with a fixed window, as the services describe theirs."""

from __future__ import annotations

import math
from collections.abc import Callable


class Window:
    """So many requests from the first one on until the window closes; then anew.

    Args:
        now: unix seconds.
    """

    def __init__(self, limit: int, window_s: float, now: Callable[[], float]) -> None:
        self.limit = limit
        self.window_s = window_s
        self._now = now
        self._opened_at = -math.inf
        self._taken = 0

    def take(self) -> bool:
        """Count one request. False: the budget is spent, and it was not counted."""
        self._roll()
        if self._taken >= self.limit:
            return False
        self._taken += 1
        return True

    @property
    def remaining(self) -> int:
        self._roll()
        return max(0, self.limit - self._taken)

    @property
    def resets_at(self) -> int:
        """Unix seconds, rounded up: nobody who waits until then comes too early."""
        self._roll()
        return math.ceil(self._opened_at + self.window_s)

    def forget(self) -> None:
        self._opened_at = -math.inf

    def _roll(self) -> None:
        now = self._now()
        if now >= self._opened_at + self.window_s:
            self._opened_at = now
            self._taken = 0
