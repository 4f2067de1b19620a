"""The calls that an event without ids may speak of, kept at hand from look to look."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime
from itertools import islice
from typing import cast

from bridge.boundary import boundary
from bridge.domain.call import Call
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event
from bridge.domain.webhook.matching import fits
from bridge.ledger import keys
from bridge.ledger.calls.reading import read_all
from bridge.ledger.ledger import Ledger

_MOST_CALLS = 5_000
_AT_ONCE = 250
# Read once more at the next look: Redis' clock may have been set back by up to the time between two looks.
_OVERLAP_MS = 300_000


class RecentCallIndex:
    """Calls that were heard of since some time: all of them, once `look` says so.

    The ledger lists calls by when they were last heard of, and a call moves to the end of that list whenever
    something is learnt of it. So what was once read holds, and a look reads only what came since the one
    before, however many calls there are. (An index by number, kept as webhooks come, would be faster to read;
    each webhook would pay for it, and joins of calls and `forget` would have to mind it.)
    """

    def __init__(self, ledger: Ledger, rules: Rules, *, most: int = _MOST_CALLS) -> None:
        """Args: most: how many calls one look reads."""
        self._ledger, self.rules, self._most = ledger, rules, most
        # How many of the held events were looked at, of those that there are.
        self.start = 0
        # When each was last heard of, ms since 1970, and what of it says whether an event fits.
        self._calls: dict[str, tuple[float, Call]] = {}
        self._of_number: dict[Phone, list[str]] = {}
        # All that was last heard of between these two is read.
        self._since_ms = self._until_ms = 0.0
        self._looked_ms = 0
        self._looked_at = time.monotonic()

    def look(self, since_ms: float) -> bool:
        """Take in the calls heard of since then; whether those were all, or the next look has to go on."""
        now_ms, gap_ms = self._ledger.now_ms(), (time.monotonic() - self._looked_at) * 1000
        goes_on = self._since_ms <= since_ms <= self._until_ms and self._looked_ms <= now_ms
        if not goes_on or gap_ms > _OVERLAP_MS:
            self._calls, self._until_ms = {}, since_ms
        self._since_ms, self._looked_ms, self._looked_at = since_ms, now_ms, time.monotonic()
        with boundary("nearby.calls"):
            found = cast(
                list[tuple[str, float]],
                self._ledger.redis.zrangebyscore(
                    keys.CALLS, self._until_ms, "+inf", start=0, num=self._most, withscores=True
                ),
            )
        for start in range(0, len(found), _AT_ONCE):
            self._take_in(found[start : start + _AT_ONCE])
        self._calls = {key: kept for key, kept in self._calls.items() if kept[0] >= since_ms}
        is_all = len(found) < self._most
        self._until_ms = max(since_ms, min(now_ms if is_all else found[-1][1], now_ms - _OVERLAP_MS))
        self._of_number = defaultdict(list)
        for key, (_, call) in self._calls.items():
            self._of_number[cast(Phone, call.external)].append(key)
        return is_all

    def fitting(self, event: Event, came_at: datetime, *, most: int) -> list[str]:
        """The calls known at the last look that the event may speak of: `most`, and one more if there are."""
        if event.external is None:
            return []
        keys_of = self._of_number.get(event.external, [])
        fitting = (key for key in keys_of if fits(event, came_at, self._calls[key][1]))
        return list(islice(fitting, most + 1))

    def _take_in(self, found: list[tuple[str, float]]) -> None:
        for (key, heard_ms), record in zip(
            found, read_all(self._ledger, [key for key, _ in found]), strict=True
        ):
            call = record.call(self.rules)
            self._calls.pop(key, None)
            if call.external is not None and call.external.kind is Kind.E164:
                # No more than `fits` asks for: there may be many.
                self._calls[key] = (
                    heard_ms,
                    Call(
                        external=call.external,
                        agent_id=call.agent_id,
                        started_at=call.started_at,
                        ended_at=call.ended_at,
                        talk_seconds=call.talk_seconds,
                    ),
                )
