"""Services that count requests, and time, both in the test's hands. Nothing here sleeps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal, NamedTuple, Protocol

import httpx2
import redis

from bridge.ledger.connect import connect

_CLOCK = "{callbridge}:clock-of-the-test"
_THEIR_CLOCK = "redis.call('TIME')"
# Microseconds in Redis, as its own TIME tells them.
_OUR_CLOCK = (
    f"(function() local us = redis.call('GET', '{_CLOCK}') or 0 "
    "return {string.format('%.0f', math.floor(us / 1e6)), string.format('%.0f', us % 1e6)} end)()"
)
START_S = 1_800_000_000.0


class TestClock:
    """What the scripts take for the time, on a Redis of the test."""

    __test__ = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = connect(url)
        self.now = START_S
        self.set(START_S)

    def set(self, seconds: float) -> None:
        self.now = seconds
        self._client.set(_CLOCK, f"{seconds * 1e6:.0f}")

    def client(self) -> redis.Redis:
        """A connection of its own, as another process has; its scripts read this clock."""
        client = connect(self._url)
        register = client.register_script

        def with_our_clock(script: str | bytes) -> Any:
            assert isinstance(script, str)
            return register(script.replace(_THEIR_CLOCK, _OUR_CLOCK))

        client.register_script = with_our_clock  # type: ignore[method-assign, assignment]
        client.time = lambda **_: (int(self.now), int(self.now % 1 * 1e6))  # type: ignore[method-assign]
        return client


class State(NamedTuple):
    """How a service's budget stands; `resets_at` in its own clock's seconds."""

    limit: int
    remaining: int
    resets_at: float


class Upstream(Protocol):
    """A service's way to count; times are seconds."""

    refused: int

    def ask(self, now: float) -> bool: ...

    def state(self, now: float) -> State: ...


# Where a service says how its budget stands: in each reply, in a 429 only, by a 429's `Retry-After`, nowhere.
Tells = Literal["always", "refusals", "retry-after", "nothing"]


def answer(
    upstream: Upstream, now: float, *, taken: bool, tells: Tells = "always", ahead_s: float = 0
) -> httpx2.Response:
    """What the service answers, with CloudTalk's headers; their times are whole seconds of its own clock.

    Args:
        ahead_s: how much its limiter's clock is ahead of the one it tells.
    """
    headers = {"date": formatdate(int(now), usegmt=True)}
    limit, remaining, resets_at = upstream.state(now)
    if tells == "always" or (tells == "refusals" and not taken):
        headers |= {
            "X-CloudTalkAPI-Limit": str(limit),
            "X-CloudTalkAPI-Remaining": str(remaining),
            "X-CloudTalkAPI-ResetTime": str(math.ceil(resets_at + ahead_s)),
        }
    if tells == "retry-after" and not taken:
        headers["Retry-After"] = str(math.ceil(resets_at - now))
    return httpx2.Response(200 if taken else 429, headers=headers)


@dataclass
class FixedWindow:
    """Anew with each window, from the first request on."""

    limit: int
    window_s: float = 60
    refused: int = 0
    opened_at: float = -math.inf
    taken: int = 0

    def ask(self, now: float) -> bool:
        if now >= self.opened_at + self.window_s:
            self.opened_at, self.taken = now, 0
        if self.taken >= self.limit:
            self.refused += 1
            return False
        self.taken += 1
        return True

    def state(self, now: float) -> State:
        return State(self.limit, self.limit - self.taken, self.opened_at + self.window_s)


@dataclass
class SlidingLog:
    """The requests of the last window count."""

    limit: int
    window_s: float = 60
    refused: int = 0
    log: deque[float] = field(default_factory=deque)

    def ask(self, now: float) -> bool:
        self._forget(now)
        if len(self.log) >= self.limit:
            self.refused += 1
            return False
        self.log.append(now)
        return True

    def state(self, now: float) -> State:
        self._forget(now)
        return State(
            self.limit, self.limit - len(self.log), (self.log[0] if self.log else now) + self.window_s
        )

    def _forget(self, now: float) -> None:
        while self.log and self.log[0] <= now - self.window_s:
            self.log.popleft()


@dataclass
class TokenBucket:
    """`limit` tokens at most, and as many come back in a window, evenly."""

    limit: int
    window_s: float = 60
    refused: int = 0
    tokens: float | None = None
    at: float = 0

    def ask(self, now: float) -> bool:
        self._fill(now)
        assert self.tokens is not None
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        return True

    def state(self, now: float) -> State:
        self._fill(now)
        assert self.tokens is not None
        return State(self.limit, int(self.tokens), now + max(1 - self.tokens, 1) * self.window_s / self.limit)

    def _fill(self, now: float) -> None:
        rate = self.limit / self.window_s
        tokens = self.limit if self.tokens is None else self.tokens + (now - self.at) * rate
        self.tokens, self.at = min(self.limit, tokens), now


MODELS: tuple[Callable[..., Upstream], ...] = (FixedWindow, SlidingLog, TokenBucket)
