"""What the comparison with CloudTalk's list keeps: how far a round has come, how many calls are missing."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger

# Longer than a page takes; a holder that dies keeps others waiting for no longer.
_LOCK_MS = 60_000


class RoundStore:
    """The round's state, which any process may go on with; a lock lets one act at a time."""

    def __init__(self, ledger: Ledger) -> None:
        self._redis, self._token = ledger.redis, ""

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Whether the lock is ours inside."""
        self._token = secrets.token_hex(8)
        with boundary("rounds.lock"):
            ours = bool(self._redis.set(keys.ROUND_LOCK, self._token, nx=True, px=_LOCK_MS))
        try:
            yield ours
        finally:
            if ours:
                with boundary("rounds.unlock"):
                    if self._redis.get(keys.ROUND_LOCK) == self._token:
                        self._redis.delete(keys.ROUND_LOCK)

    @boundary("rounds.last")
    def last(self) -> Mapping[str, Any] | None:
        text = cast(str | None, self._redis.get(keys.ROUND))
        try:
            return cast(Mapping[str, Any] | None, json.loads(text or "null"))
        except ValueError:
            # Of another version: begin anew.
            return None

    @boundary("rounds.keep")
    def keep(self, state: Mapping[str, Any]) -> None:
        """Keep it, unless another process has the lock by now."""
        if self._redis.get(keys.ROUND_LOCK) == self._token:
            self._redis.set(keys.ROUND, json.dumps(state))

    @boundary("erasing.round")
    def forget(self, call_ids: Iterable[int]) -> None:
        """Begin the comparison anew, where the round under way has found one of these calls."""
        text = cast(str | None, self._redis.get(keys.ROUND))
        if text is not None and set(json.loads(text).get("missing", ())) & set(call_ids):
            self._redis.delete(keys.ROUND)


@boundary("comparison.calls_missing")
def calls_missing(ledger: Ledger) -> int | None:
    """What the last reconciliation or audit found to be missing; None before the first."""
    text = cast(str | None, ledger.redis.hget(keys.META, "calls_missing"))
    return int(text) if text is not None else None


@boundary("comparison.keep_calls_missing")
def keep_calls_missing(ledger: Ledger, number: int) -> None:
    """For the metric and `/api/queue`: what the last look over a whole span found missing."""
    ledger.redis.hset(keys.META, "calls_missing", str(number))


@boundary("comparison.unannounced_at")
def unannounced_at(ledger: Ledger) -> float | None:
    """When the newest call ended that came by CloudTalk's list alone, seconds since 1970; None: none did."""
    text = cast(str | None, ledger.redis.hget(keys.META, "unannounced_at"))
    return float(text) if text is not None else None


@boundary("comparison.keep_unannounced")
def keep_unannounced(ledger: Ledger, ended_at: float) -> None:
    """Keep it if it is newer, so that webhooks that stopped can be told from a quiet day."""
    before = cast(str | None, ledger.redis.hget(keys.META, "unannounced_at"))
    if before is not None and float(before) >= ended_at:
        return
    ledger.redis.hset(keys.META, "unannounced_at", str(ended_at))
