"""Names with phone numbers in them, given the form that ENCRYPTION_KEYS wants: hidden, or as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from redis.client import Pipeline

from bridge.boundary import boundary
from bridge.encryption.texts import Place
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.ledger.stored import StoredTexts

_AT_ONCE = 500
_CACHED = "messages-of:"


def renamed_number(texts: StoredTexts, name: str) -> str:
    """A number as it is to stand in a name, from how it stands there."""
    return texts.number(texts.shown("number", name))


def rename_all(ledger: Ledger) -> int:
    """Give all names with numbers their form; how many had another one.

    What is found under both names is put together. What is cached for a day under a number goes.
    """
    done = 0
    for start in (keys.caller(""), keys.messages_waiting(""), keys.messages_lately("")):
        for name in _names(ledger, start):
            done += _rename(ledger, start, name)
    for name in _names(ledger, keys.cached(_CACHED)):
        done += _rename_cached(ledger, name)
    for name in _names(ledger, keys.customer_of("")):
        number = name.removeprefix(keys.customer_of(""))
        if renamed_number(ledger.texts, number) != number:
            with boundary("renaming.drop"):
                done += int(ledger.redis.delete(name))
    return done + _rename_choices(ledger)


def _names(ledger: Ledger, start: str) -> Iterator[str]:
    with boundary("renaming.names"):
        found = [cast(str, name) for name in ledger.redis.scan_iter(f"{start}*", count=_AT_ONCE)]
    return iter(found)


@boundary("renaming.rename")
def _rename(ledger: Ledger, start: str, name: str) -> int:
    number = name.removeprefix(start)
    wanted = renamed_number(ledger.texts, number)
    if wanted == number:
        return 0
    target = f"{start}{wanted}"
    is_hash = start == keys.caller("")

    def work(pipe: Pipeline) -> None:
        ttl_ms = pipe.pttl(name)
        entries = cast(dict[str, str], pipe.hgetall(name)) if is_hash else {}
        pipe.multi()
        if is_hash:
            for key, text in entries.items():
                pipe.hsetnx(target, key, _entry(ledger.texts, text))
        else:
            pipe.zunionstore(target, [target, name], aggregate="MAX")
        if ttl_ms > 0:
            pipe.pexpire(target, ttl_ms)
        pipe.delete(name)

    ledger.redis.transaction(work, name, target)
    return 1


def _entry(texts: StoredTexts, text: str) -> str:
    """An entry of the index of callers, with the agent's name in its form (`bridge.ledger.calls.missed`)."""
    told: dict[str, Any] = json.loads(text)
    if agent := told.get("a"):
        told["a"] = texts.name("agent", texts.shown("agent", agent))
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


@boundary("renaming.cached")
def _rename_cached(ledger: Ledger, name: str) -> int:
    old = name.removeprefix(keys.cached(""))
    number = old.removeprefix(_CACHED)
    new = f"{_CACHED}{renamed_number(ledger.texts, number)}"
    if new == old:
        return 0

    def work(pipe: Pipeline) -> None:
        ttl_ms, text = pipe.pttl(name), cast(str | None, pipe.get(name))
        pipe.multi()
        if text is not None:
            plain = ledger.texts.opened(Place("cache", old), text)
            pipe.set(
                keys.cached(new),
                ledger.texts.text(Place("cache", new), plain),
                px=ttl_ms if ttl_ms > 0 else None,
                nx=True,
            )
        pipe.delete(name)

    ledger.redis.transaction(work, name)
    return 1


def _rename_choices(ledger: Ledger) -> int:
    """Customers that people chose for numbers."""
    done, cursor = 0, 0
    while True:
        with boundary("renaming.choices"):
            cursor, found = ledger.redis.hscan(keys.ASSIGNED, cursor, count=_AT_ONCE)
        for number in cast(dict[str, str], found):
            wanted = renamed_number(ledger.texts, number)
            if wanted != number:
                _rename_choice(ledger, number, wanted)
                done += 1
        if cursor == 0:
            return done


@boundary("renaming.choice")
def _rename_choice(ledger: Ledger, number: str, wanted: str) -> None:
    def work(pipe: Pipeline) -> None:
        chosen = cast(str | None, pipe.hget(keys.ASSIGNED, number))
        at_ms = pipe.zscore(keys.ASSIGNED_AT, number)
        pipe.multi()
        if chosen is not None:
            # A later choice stands under the wanted name already.
            pipe.hsetnx(keys.ASSIGNED, wanted, chosen)
            pipe.zadd(keys.ASSIGNED_AT, {wanted: at_ms or 0}, gt=True)
        pipe.hdel(keys.ASSIGNED, number)
        pipe.zrem(keys.ASSIGNED_AT, number)

    ledger.redis.transaction(work, keys.ASSIGNED, keys.ASSIGNED_AT)
