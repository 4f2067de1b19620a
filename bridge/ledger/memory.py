"""What is remembered beside the calls, to save requests and to wait no longer than needed. It may be lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import redis
from redis.client import Pipeline

from bridge.boundary import boundary
from bridge.encryption.texts import Place
from bridge.ledger import keys
from bridge.ledger.sharing import flush, later
from bridge.ledger.stored import StoredTexts

_PHONE_CACHE_S = 24 * 3600
_NEWEST_S = 600
# How long a process goes by the usual delay that it has read.
_DELAY_KEPT_S = 60
# The class is missing, or the key lacks the role.
KlassRefusal: TypeAlias = Literal["missing", "role"]
# Longer than until the next try; no longer, as the rules may want no custom objects any more.
_KLASS_REFUSED_S = 9000
# Upper ends of the slots in which the delay of recordings is counted, in seconds.
DELAY_EDGES_S = (3, 6, 12, 25, 50, 100, 200, 400, 800, 1600, 3200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The customer of a number.

    Args:
        chosen: by a person, over every rule.
        named: it has a name that is not to be replaced.
        placeholder: the name that the bridge wrote for want of one.
    """

    id: str
    chosen: bool = False
    named: bool = False
    placeholder: str = ""


class Memory:
    """Shared by all processes; `client` must decode replies."""

    def __init__(self, client: redis.Redis, texts: StoredTexts) -> None:
        self._redis, self._texts = client, texts
        # Until when it is taken for granted, by this process's clock, and what it is, in seconds.
        self._usual_delay = (0.0, 0.0)

    @boundary("memory.customer_of")
    def customer_of(self, phone: str) -> Remembered | None:
        """Kustomer's customer of a number: the one that a person chose, else the last found, for a day."""
        name = self._texts.number(phone)
        pipe = self._redis.pipeline(transaction=False)
        pipe.hget(keys.ASSIGNED, name)
        pipe.get(keys.customer_of(name))
        chosen, text = cast(list[str | None], pipe.execute())
        if chosen is not None:
            return Remembered(id=chosen, chosen=True)
        if text is None:
            return None
        customer_id, _, rest = self._texts.opened(Place("customer", name), text).partition("|")
        named, _, placeholder = rest.partition("|")
        return Remembered(id=customer_id, named=named == "named", placeholder=placeholder)

    @boundary("memory.remember_customer")
    def remember_customer(
        self, phone: str, customer_id: str | None, *, named: bool = False, placeholder: str = ""
    ) -> None:
        """
        Args:
            named: it has a name that is not to be replaced.
            placeholder: the name that the bridge wrote for want of one.
        """
        name = self._texts.number(phone)
        key = keys.customer_of(name)
        if customer_id is None:
            later(self._redis, ("DEL", key))
        else:
            rest = "named" if named else f"|{placeholder}" if placeholder else ""
            text = self._texts.text(Place("customer", name), f"{customer_id}|{rest}")
            later(self._redis, ("SET", key, text, "EX", _PHONE_CACHE_S))

    @boundary("memory.keep_choice")
    def keep_choice(self, phone: str, chosen: str, *, now_ms: int, instead: str | None = None) -> None:
        """A person's choice was used, so that it is kept on; or its customer is another by now, or none.

        Args:
            chosen: the customer as it was found; where a person chose anew meanwhile, nothing is changed.
            instead: the customer that it was merged into; empty: it is gone.
        """

        name = self._texts.number(phone)

        def work(pipe: Pipeline) -> None:
            is_so = pipe.hget(keys.ASSIGNED, name) == chosen
            pipe.multi()
            if is_so and instead == "":
                pipe.hdel(keys.ASSIGNED, name)
                pipe.zrem(keys.ASSIGNED_AT, name)
            elif is_so:
                pipe.hset(keys.ASSIGNED, name, instead or chosen)
                pipe.zadd(keys.ASSIGNED_AT, {name: now_ms})

        self._redis.transaction(work, keys.ASSIGNED)

    @boundary("memory.cached")
    def cached(self, name: str) -> Any | None:
        return self.opened_cache(name, cast(str | None, self._redis.get(keys.cached(name))))

    def opened_cache(self, name: str, text: str | None) -> Any | None:
        """What is cached under a name, from the text in Redis."""
        return None if text is None else json.loads(self._texts.opened(Place("cache", name), text))

    def cached_soon(self, name: str) -> Callable[[], Any | None]:
        """As `cached`, asked with the next command of this run; gives the value when called."""
        found: list[str | None] = []
        with boundary("memory.cached"):
            later(self._redis, ("GET", keys.cached(name)), found.append)

        def value() -> Any | None:
            if not found:
                flush()
            return self.opened_cache(name, found[0])

        return value

    @boundary("memory.cache")
    def cache(self, name: str, value: Any, *, for_s: int) -> None:
        text = self._texts.text(Place("cache", name), json.dumps(value))
        self._redis.set(keys.cached(name), text, ex=for_s)

    @boundary("memory.search_refused")
    def search_refused(self, refused: bool) -> None:
        """Whether Kustomer refused the key a search last; for those who tell people of problems."""
        if refused:
            self._redis.set(keys.SEARCH_REFUSED, "1", ex=_PHONE_CACHE_S)
        else:
            self._redis.delete(keys.SEARCH_REFUSED)

    @boundary("memory.add_on")
    def add_on(self) -> Mapping[str, Any]:
        """What is known of the account's add-on for AI: `there`, or `missing_until_ms`; empty: nothing."""
        text = cast(str | None, self._redis.get(keys.ADD_ON))
        return {} if text is None else cast(dict[str, Any], json.loads(text))

    @boundary("memory.keep_add_on")
    def keep_add_on(self, known: Mapping[str, Any], *, for_s: int) -> None:
        self._redis.set(keys.ADD_ON, json.dumps(dict(known)), ex=for_s)

    @boundary("memory.klass_refused")
    def klass_refused(self, klass: str, why: KlassRefusal | None) -> None:
        """Why Kustomer refused custom objects of a class last; for those who tell people of problems.

        Args:
            why: None: it took one.
        """
        if why is not None:
            self._redis.set(keys.KLASS_REFUSED, f"{klass} {why}", ex=_KLASS_REFUSED_S)
        else:
            self._redis.delete(keys.KLASS_REFUSED)

    # CloudTalk's newest calls: one list for all calls that wait to be found in it (`bridge.jobs.looking`).

    @boundary("memory.newest_read_at")
    def newest_read_at(self) -> int:
        """When CloudTalk was asked for the list, ms since 1970; 0 where there is none."""
        return int(cast(str | None, self._redis.hget(keys.NEWEST, "asked_at")) or 0)

    @boundary("memory.newest_has")
    def newest_has(self, call_id: int | None) -> bool:
        return bool(self._redis.hexists(keys.NEWEST, f"id:{call_id}"))

    @boundary("memory.newest_since")
    def newest_since(self) -> int:
        """When the oldest of them began, ms since 1970, where there were more than the list has; else 0."""
        return int(cast(str | None, self._redis.hget(keys.NEWEST, "since")) or 0)

    @boundary("memory.newest_of")
    def newest_of(self, digest: str) -> list[list[object]]:
        """What was kept of the calls with a number, given as its digest."""
        name = self._texts.name("newest", digest)
        text = cast(str | None, self._redis.hget(keys.NEWEST, f"of:{name}"))
        return cast(list[list[object]], json.loads(self._texts.opened(Place("newest", name), text) or "[]"))

    @boundary("memory.keep_newest")
    def keep_newest(
        self, asked_at: int, since: int, call_ids: Iterable[int], of: Mapping[str, list[list[object]]]
    ) -> None:
        """Keep a new list instead of the last one.

        Args:
            since: see `newest_since`.
            of: digest of a number -> its calls.
        """
        fields: dict[Any, Any] = {"asked_at": str(asked_at), "since": str(since)}
        fields |= {f"id:{call_id}": "1" for call_id in call_ids}
        for digest, calls in of.items():
            name = self._texts.name("newest", digest)
            fields[f"of:{name}"] = self._texts.text(Place("newest", name), json.dumps(calls))
        pipe = self._redis.pipeline()
        pipe.delete(keys.NEWEST)
        pipe.hset(keys.NEWEST, mapping=fields)
        pipe.expire(keys.NEWEST, _NEWEST_S)
        pipe.execute()

    @boundary("memory.keep_delay")
    def keep_delay(self, seconds: float) -> None:
        """One more recording that was there this long after it was announced."""
        slot = next((edge for edge in DELAY_EDGES_S if seconds <= edge), DELAY_EDGES_S[-1])
        later(self._redis, ("HINCRBY", f"{keys.TAG}:delays", str(slot), 1))
        self._usual_delay = (0.0, 0.0)

    def usual_delay_s(self) -> float:
        """When nine of ten past recordings were there; 0 until enough are known. Asked once in a while."""
        until, delay_s = self._usual_delay
        if time.monotonic() >= until:
            delay_s = self._asked_delay_s()
            self._usual_delay = (time.monotonic() + _DELAY_KEPT_S, delay_s)
        return delay_s

    @boundary("memory.delays")
    def _asked_delay_s(self) -> float:
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
