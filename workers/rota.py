"""When each of many accounts is looked after next, spread over time. No Redis, no clock."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Rota:
    """Times are seconds of one clock that only goes on."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._times: list[tuple[float, str]] = []
        self._under_way: set[str] = set()

    def serve(self, accounts: Iterable[str], *, now: float, within_s: float) -> None:
        """Look after these, and no others; new ones first within this time, not all at once."""
        wanted = dict.fromkeys(accounts)
        for name in [name for name in self._at if name not in wanted]:
            del self._at[name]
        new = [name for name in wanted if name not in self._at]
        for place, name in enumerate(new):
            self._plan(name, now + within_s * place / len(new))

    def due(self, most: int, *, now: float) -> list[str]:
        """Whose time has come, at most so many. Each is under way from now on, until it has `ended`."""
        found: list[str] = []
        while self._times and self._times[0][0] <= now and len(found) < most:
            at, name = heapq.heappop(self._times)
            if self._at.get(name) == at and name not in self._under_way:
                self._under_way.add(name)
                found.append(name)
        return found

    def ended(self, name: str, *, next_at: float) -> None:
        self._under_way.discard(name)
        if name in self._at:
            self._plan(name, next_at)

    def hurry(self, name: str, *, at: float) -> None:
        """Look after it by then; one that is under way, or planned for sooner, stays as it is."""
        if name not in self._under_way and self._at.get(name, at) > at:
            self._plan(name, at)

    def wait_s(self, *, now: float) -> float:
        """Until somebody's time may have come."""
        return max(0.0, self._times[0][0] - now) if self._times else 1.0

    def _plan(self, name: str, at: float) -> None:
        self._at[name] = at
        heapq.heappush(self._times, (at, name))
