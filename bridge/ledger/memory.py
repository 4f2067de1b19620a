"""What is remembered beside the calls, to save requests and to wait no longer than needed. It may be lost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import redis

from bridge.boundary import boundary
from bridge.ledger import keys

_PHONE_CACHE_S = 24 * 3600
_NEWEST_S = 600
# Upper ends of the slots in which the delay of recordings is counted, in seconds.
DELAY_EDGES_S = (3, 6, 12, 25, 50, 100, 200, 400, 800, 1600, 3200)


class Memory:
    """Shared by all processes; `client` must decode replies."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    @boundary("memory.customer_of")
    def customer_of(self, phone: str) -> tuple[str, bool] | None:
        """The Kustomer customer last found for a number, and whether it has a name; kept for a day."""
        text = cast(str | None, self._redis.get(f"{keys.TAG}:customer:{phone}"))
        if text is None:
            return None
        customer_id, _, named = text.partition("|")
        return customer_id, named == "named"

    @boundary("memory.remember_customer")
    def remember_customer(self, phone: str, customer_id: str | None, *, named: bool = False) -> None:
        key = f"{keys.TAG}:customer:{phone}"
        if customer_id is None:
            self._redis.delete(key)
        else:
            self._redis.set(key, f"{customer_id}|{'named' if named else ''}", ex=_PHONE_CACHE_S)

    @boundary("memory.cached")
    def cached(self, name: str) -> Any | None:
        text = cast(str | None, self._redis.get(f"{keys.TAG}:cache:{name}"))
        return None if text is None else json.loads(text)

    @boundary("memory.cache")
    def cache(self, name: str, value: Any, *, for_s: int) -> None:
        self._redis.set(f"{keys.TAG}:cache:{name}", json.dumps(value), ex=for_s)

    # CloudTalk's newest calls: one list for all calls that wait to be found in it (`bridge.jobs.looking`).

    @boundary("memory.newest_read_at")
    def newest_read_at(self) -> int:
        """When CloudTalk was asked for the list, ms since 1970; 0 where there is none."""
        return int(cast(str | None, self._redis.hget(keys.NEWEST, "asked_at")) or 0)

    @boundary("memory.newest_has")
    def newest_has(self, call_id: int | None) -> bool:
        return bool(self._redis.hexists(keys.NEWEST, f"id:{call_id}"))

    @boundary("memory.newest_of")
    def newest_of(self, digest: str) -> list[list[object]]:
        """What was kept of the calls with a number, given as its digest."""
        text = cast(str | None, self._redis.hget(keys.NEWEST, f"of:{digest}"))
        return cast(list[list[object]], json.loads(text or "[]"))

    @boundary("memory.keep_newest")
    def keep_newest(
        self, asked_at: int, call_ids: Iterable[int], of: Mapping[str, list[list[object]]]
    ) -> None:
        """Keep a new list instead of the last one; `of`: digest of a number -> its calls."""
        fields: dict[Any, Any] = {"asked_at": str(asked_at), **{f"id:{call_id}": "1" for call_id in call_ids}}
        fields |= {f"of:{digest}": json.dumps(calls) for digest, calls in of.items()}
        pipe = self._redis.pipeline()
        pipe.delete(keys.NEWEST)
        pipe.hset(keys.NEWEST, mapping=fields)
        pipe.expire(keys.NEWEST, _NEWEST_S)
        pipe.execute()

    @boundary("memory.keep_delay")
    def keep_delay(self, seconds: float) -> None:
        """One more recording that was there this long after it was announced."""
        slot = next((edge for edge in DELAY_EDGES_S if seconds <= edge), DELAY_EDGES_S[-1])
        self._redis.hincrby(f"{keys.TAG}:delays", str(slot), 1)

    @boundary("memory.delays")
    def usual_delay_s(self) -> float:
        """When nine of ten past recordings were there; 0 until enough are known."""
        found = cast(dict[str, str], self._redis.hgetall(f"{keys.TAG}:delays"))
        total = sum(int(value) for value in found.values())
        if total < 20:
            return 0.0
        seen = 0
        for edge in DELAY_EDGES_S:
            seen += int(found.get(str(edge), "0"))
            if seen >= 0.9 * total:
                # The first slot is "at once".
                return 0.0 if edge == DELAY_EDGES_S[0] else float(edge)
        return 0.0
