"""Whose jobs are looked at next: the fair turns of many accounts in one worker process. No Redis, no clock.

Accounts that have something to do take turns, one job each, whatever they have waiting. None has all threads:
a quarter of them, at least one where there are two, stays free for the others, so that an account whose
service hangs does not hold up the rest.

Times are seconds of one clock that only goes on.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping

_NEVER = math.inf


class Turns:
    """
    Args:
        threads: how many jobs the process runs at once.
        look_every_s: an account that nothing was heard of is looked at this often.
    """

    def __init__(self, *, threads: int, look_every_s: float) -> None:
        self._look_every_s = look_every_s
        self.threads = threads
        # Those with something due, in the order of their turns.
        self._due: OrderedDict[str, None] = OrderedDict()
        # When each of the others is expected to have something, and when it is to be looked at.
        self._due_at: dict[str, float] = {}
        self._look_at: dict[str, float] = {}
        self._times: list[tuple[float, str]] = []
        self._running: Counter[str] = Counter()

    @property
    def most_of_one(self) -> int:
        """How many threads one account may have."""
        return max(1, self.threads - max(1, self.threads // 4))

    @property
    def accounts(self) -> frozenset[str]:
        return frozenset(self._due_at)

    def serve(self, accounts: Iterable[str], *, now: float) -> None:
        """Have these take turns, and no others. New ones are looked at soon, not all at once."""
        wanted = list(accounts)
        for name in self.accounts.difference(wanted):
            del self._due_at[name], self._look_at[name]
            self._due.pop(name, None)
        new = [name for name in wanted if name not in self._due_at]
        for place, name in enumerate(new):
            self._due_at[name] = _NEVER
            self._plan_look(name, now + self._look_every_s * place / len(new))

    def heard(self, account: str, *, in_s: float, now: float) -> None:
        """Something of this account is due in so many seconds."""
        if account not in self._due_at:
            return
        if in_s <= 0:
            self._due[account] = None
        elif now + in_s < self._due_at[account]:
            self._due_at[account] = now + in_s
            heapq.heappush(self._times, (now + in_s, account))

    def looked(self, account: str, *, next_in_s: float | None, now: float) -> None:
        """This account was looked at: its next job is due in so many seconds; None: it has none."""
        if account not in self._due_at:
            return
        self._plan_look(account, now + self._look_every_s)
        self._due_at[account] = _NEVER
        if next_in_s is not None:
            self.heard(account, in_s=next_in_s, now=now)

    def pick(self, room: int, *, now: float) -> Mapping[str, int]:
        """Who may take how many jobs for so many free threads: one each in turn, then again if there is room.

        Whoever is picked goes behind the others, and has no further turn until it is `looked` at or heard of.
        """
        self._move_due(now)
        picked: Counter[str] = Counter()
        while room > 0:
            able = [name for name in self._due if self._running[name] + picked[name] < self.most_of_one]
            for name in able[:room]:
                picked[name] += 1
            room -= min(room, len(able))
            if not able:
                break
        for name in picked:
            del self._due[name]
        return picked

    def to_look_at(self, most: int, *, now: float) -> list[str]:
        """Those of which nothing was heard for so long that they are to be looked at."""
        found: list[str] = []
        self._move_due(now)
        while self._times and self._times[0][0] <= now and len(found) < most:
            at, name = heapq.heappop(self._times)
            if self._look_at.get(name) == at:
                found.append(name)
                # Should the look fail, it is made again then.
                self._plan_look(name, now + self._look_every_s)
        return found

    def look_at_all(self, *, now: float) -> None:
        """Something may not have been heard: look at each of them now."""
        for name in self._look_at:
            self._plan_look(name, now)

    def taken(self, account: str, jobs: int = 1) -> None:
        self._running[account] += jobs

    def ended(self, account: str, jobs: int = 1) -> None:
        """So many of its jobs have left their threads. What they left to be done is looked at."""
        self._running[account] -= jobs
        if self._running[account] <= 0:
            del self._running[account]
        if account in self._due_at:
            self._due[account] = None

    def wait_s(self, *, now: float) -> float:
        """Until there is something to look at; 0: now."""
        self._move_due(now)
        if any(self._running[name] < self.most_of_one for name in self._due):
            return 0.0
        return max(0.0, self._times[0][0] - now) if self._times else _NEVER

    def _plan_look(self, name: str, at: float) -> None:
        self._look_at[name] = at
        heapq.heappush(self._times, (at, name))

    def _move_due(self, now: float) -> None:
        """Those whose time has come. A time that was replaced since is dropped; one for a look stays."""
        looks: list[tuple[float, str]] = []
        while self._times and self._times[0][0] <= now:
            at, name = heapq.heappop(self._times)
            if self._due_at.get(name) == at:
                self._due_at[name] = _NEVER
                self._due[name] = None
            elif self._look_at.get(name) == at:
                looks.append((at, name))
        for one in looks:
            heapq.heappush(self._times, one)
