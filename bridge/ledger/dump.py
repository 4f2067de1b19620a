"""The ledger as lines of JSON, and back: for backups, on any server and version, without DUMP.

    {"key": "call:uuid:…", "type": "hash", "ttl_ms": 123, "part": 0, "items": [["id", "42"], …]}

`key` is without the ledger's tag. A large key takes several lines, `part` by part. A text that is no UTF-8
stands as `{"b64": …}`. What is rebuilt, or is of no use to another server, is left out (`_LEFT_OUT`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import redis

from bridge.errors import WrongUse
from bridge.ledger import keys
from bridge.ledger.calls.opening import BYTES_AS
from bridge.ledger.calls.record_fields import Field, State
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.schema import begin_restore, end_restore

# Items of a line, keys asked for at once, and from how many items on a key is read in parts.
_ITEMS, _KEYS, _LARGE = 500, 200, 20_000
# Records read at one instant, of six keys each.
_RECORDS = 30
# Between Redis' clock and CloudTalk's.
_CLOCKS_DIFFER_MS = 300_000
# Budgets, beats, locks and turns end by themselves; the search index is built anew; sessions sign in anew.
_LEFT_OUT = (
    "schema", "processes", "beat", "wake", "swept", "find", "watch:turn", "outbox:turn", "synthetic:turn",
    "reconcile:lock", "recordings:tidied",
)  # fmt: skip
_LEFT_OUT_FAMILIES = ("budget:", "session:", "lock:", "find:")
_START = f"{keys.TAG}:"


@dataclass(slots=True, kw_only=True)
class Dumped:
    """What a dump has seen so far."""

    keys: int = 0
    calls: int = 0


def dump_lines(plain: redis.Redis, seen: Dumped) -> Iterator[bytes]:
    """The ledger, line by line, while others work with it.

    The queue is read first, at one instant; each key of at most 20,000 items is read at one instant as well.
    So a record may be newer than the queue's picture of it: `restore_lines` makes up for that. Records that
    changed meanwhile are read again at the end, each at one instant: of a new record SCAN may name some keys
    and not others, and a call without its number would be taken for another one.

    Args:
        plain: a client that does not decode.
    """
    names = [name.encode() for name in QUEUE_KEYS]
    seconds, micros = plain.time()
    yield from _lines_of(plain, names, seen, together=True)
    queue, cursor = set(names), 0
    while True:
        cursor, found = plain.scan(cursor, match=f"{_START}*", count=_KEYS)
        kept = {name for name in cast(list[bytes], found) if _is_kept(name)}
        yield from _lines_of(plain, sorted(kept - queue), seen)
        if cursor == 0:
            break
    for listed_in in (keys.CALLS, keys.MESSAGES):
        yield from _changed_since(plain, listed_in, int(seconds) * 1000 + int(micros) // 1000)


def _changed_since(plain: redis.Redis, listed_in: str, since_ms: int) -> Iterator[bytes]:
    """Records that changed since, once more and whole, and their places in this list."""
    found = cast(list[tuple[bytes, float]], plain.zrangebyscore(listed_in, since_ms, "+inf", withscores=True))
    # The numbers of a backup are of what SCAN named.
    seen = Dumped()
    for at in range(0, len(found), _RECORDS):
        part = found[at : at + _RECORDS]
        own = [name.decode() for name, _ in part]
        ids = _asked(plain, [("HGET", keys.record(key), Field.ID.value) for key in own])
        own += [f"id:{number.decode()}" for number in ids if number is not None]
        names = [of(key).encode() for key in own for of in (keys.record, keys.events, keys.log)]
        yield from _lines_of(plain, names, seen, together=True)
        places = [[_text(name), score] for name, score in part]
        # Added to those that are there, as it is no first part.
        yield _line({**_head(listed_in.encode(), "zset", -1), "part": 1, "items": places})


def _is_kept(name: bytes) -> bool:
    own = name.decode("utf-8", "replace").removeprefix(_START)
    return own not in _LEFT_OUT and not own.startswith(_LEFT_OUT_FAMILIES)


_SIZES: Mapping[str, str] = {"hash": "HLEN", "list": "LLEN", "zset": "ZCARD", "set": "SCARD"}
_WHOLE: Mapping[str, tuple[str, ...]] = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "list": ("LRANGE", "0", "-1"),
    "zset": ("ZRANGE", "0", "-1", "WITHSCORES"),
    "set": ("SMEMBERS",),
}


def _lines_of(
    plain: redis.Redis, names: list[bytes], seen: Dumped, *, together: bool = False
) -> Iterator[bytes]:
    if not names:
        return
    kinds = [kind.decode() for kind in _asked(plain, [("TYPE", name) for name in names])]
    there = [(name, kind) for name, kind in zip(names, kinds, strict=True) if kind in _WHOLE]
    sizes = _asked(
        plain, [(_SIZES[kind], name) if kind in _SIZES else ("EXISTS", name) for name, kind in there]
    )
    whole = [pair for pair, size in zip(there, sizes, strict=True) if together or size <= _LARGE]
    questions: list[tuple[Any, ...]] = []
    for name, kind in whole:
        command, *rest = _WHOLE[kind]
        questions += [(command, name, *rest), ("PTTL", name)]
    answers = _asked(plain, questions, at_once=True)
    for (name, kind), value, ttl_ms in zip(whole, answers[::2], answers[1::2], strict=True):
        # Gone since its type was asked.
        if value not in (None, [], {}, set()):
            yield from _as_lines(name, kind, ttl_ms, _items(kind, value), seen)
    for name, kind in set(there) - set(whole):
        ttl_ms = plain.pttl(name)
        yield from _as_lines(name, kind, ttl_ms, _in_parts(plain, name, kind), seen)


def _asked(plain: redis.Redis, questions: list[tuple[Any, ...]], *, at_once: bool = False) -> list[Any]:
    pipe = plain.pipeline(transaction=at_once)
    for words in questions:
        pipe.execute_command(*words)  # type: ignore[no-untyped-call]
    return pipe.execute() if questions else []


def _items(kind: str, value: Any) -> Iterable[Any]:
    if kind == "string":
        return [value]
    if kind == "hash":
        return cast(Iterable[Any], value.items())
    return cast(Iterable[Any], value)


def _in_parts(plain: redis.Redis, name: bytes, kind: str) -> Iterator[Any]:
    """Of a key that changes meanwhile: whatever was there all the time, and some of what was not."""
    if kind == "hash":
        yield from plain.hscan_iter(name, count=_ITEMS)
    elif kind == "zset":
        yield from plain.zscan_iter(name, count=_ITEMS)
    elif kind == "set":
        yield from plain.sscan_iter(name, count=_ITEMS)
    else:
        start = 0
        while part := cast(list[bytes], plain.lrange(name, start, start + _ITEMS - 1)):
            yield from part
            start += len(part)


def _as_lines(name: bytes, kind: str, ttl_ms: int, items: Iterable[Any], seen: Dumped) -> Iterator[bytes]:
    head = _head(name, kind, ttl_ms)
    seen.keys += 1
    seen.calls += str(head["key"]).startswith("call:uuid:")
    part: list[Any] = []
    number = 0
    for item in items:
        if kind == "hash":
            part.append([_text(one) for one in item])
        elif kind == "zset":
            part.append([_text(item[0]), float(item[1])])
        else:
            part.append(_text(item))
        if len(part) == _ITEMS:
            yield _line({**head, "part": number, "items": part})
            number, part = number + 1, []
    if part:
        yield _line({**head, "part": number, "items": part})


def _head(name: bytes, kind: str, ttl_ms: int) -> dict[str, Any]:
    key = name.decode().removeprefix(_START)
    return {"key": key, "type": kind, "ttl_ms": ttl_ms if ttl_ms > 0 else None}


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def text_of(value: Any) -> str:
    """One of a line's items as a client reads it that decodes."""
    return _bytes(value).decode("utf-8", BYTES_AS)


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else str(value).encode()


# -- and back


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """
    Attributes:
        keys: how many were written.
        calls: how many records of calls are there.
        scheduled: calls that are synced anew, as the backup does not say whether they were written.
    """

    keys: int
    calls: int
    scheduled: int


def is_empty(plain: redis.Redis) -> bool:
    """Whether the ledger holds nothing, but what processes leave that have just started."""
    mere = {keys.META.encode(), keys.SERVERS.encode()}
    names = plain.scan_iter(match=f"{_START}*", count=1000)
    return not any(_is_kept(name) and name not in mere for name in names)


def restore_lines(
    ledger: Ledger, plain: redis.Redis, lines: Iterable[bytes], *, schema: int, replace: bool
) -> Restored:
    """Make the ledger what the lines say, with no process at work on it.

    What came after the backup may have been written to Kustomer by whoever worked then. So this ledger
    remembers nothing from before now, as one that was lost (`bridge.ledger.calls.horizon`): what ended before
    is searched at Kustomer before it is written, and each record looks once whether its outputs are there.

    Until it ends, nothing else starts on this ledger; done again, it begins anew.

    Raises:
        WrongUse: a line is not one of a backup.
    """
    client = ledger.redis
    begin_restore(client)
    written: set[str] = set()
    if replace:
        remove_all(plain)
    pipe = plain.pipeline(transaction=False)
    for line in lines:
        written.add(put_line(pipe, line))
        if len(pipe) >= _KEYS:
            pipe.execute()
    pipe.execute()
    client.hset(keys.META, "born_at", ledger.now_ms() + _CLOCKS_DIFFER_MS)
    scheduled = _schedule_what_is_open(ledger)
    end_restore(client, schema)
    calls = sum(name.startswith("call:uuid:") for name in written)
    return Restored(keys=len(written), calls=calls, scheduled=scheduled)


def remove_all(plain: redis.Redis) -> int:
    """Remove all that this ledger holds but its version; how many keys.

    Args:
        plain: a client that does not decode.
    """
    count = 0
    schema = keys.SCHEMA.encode()
    names: list[bytes] = []
    for name in plain.scan_iter(match=f"{_START}*", count=1000):
        if name != schema:
            names.append(name)
        if len(names) == 1000:
            count += plain.unlink(*names)
            names = []
    return count + (plain.unlink(*names) if names else 0)


_ADD: Mapping[str, Callable[[Any, str, list[Any]], Any]] = {
    "string": lambda pipe, name, items: pipe.set(name, _bytes(items[0])),
    "hash": lambda pipe, name, items: pipe.hset(
        name, mapping={_bytes(field): _bytes(value) for field, value in items}
    ),
    "list": lambda pipe, name, items: pipe.rpush(name, *map(_bytes, items)),
    "zset": lambda pipe, name, items: pipe.zadd(name, {_bytes(one): score for one, score in items}),
    "set": lambda pipe, name, items: pipe.sadd(name, *map(_bytes, items)),
}


def put_line(pipe: Any, line: bytes, *, verify: bool = True) -> str:
    """Have a line's items set; its key.

    Args:
        verify: what the record of a call says of Kustomer may be out of date.
    """
    try:
        entry = json.loads(line)
        own, kind, items, ttl_ms = entry["key"], entry["type"], entry["items"], entry["ttl_ms"]
        name = f"{_START}{own}"
        if entry["part"] == 0:
            # What is there is of a restore that was cut off, or of the same key, which SCAN named twice.
            pipe.delete(name)
        _ADD[kind](pipe, name, items)
        if verify and own.startswith("call:") and not _is_second_name(own, items):
            pipe.hset(name, Field.VERIFY.value, "1")
        if ttl_ms is not None:
            pipe.pexpire(name, int(ttl_ms))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise WrongUse("A line of this backup is not as callbridge writes them; take another file") from error
    return str(own)


def _is_second_name(own: str, items: list[Any]) -> bool:
    """The part of a call's record under its number, where the other one is under its uuid."""
    return own.startswith("call:id:") and any(field == Field.UUID for field, _ in items)


def _schedule_what_is_open(ledger: Ledger) -> int:
    """Have calls synced that have no job and are not known to be done: the queue was read before them."""
    client, count = ledger.redis, 0
    jobs = {str(name) for name in client.hkeys(keys.JOBS)}
    waiting = cast(list[str], client.zrange(keys.CALLS, 0, -1))
    for at in range(0, len(waiting), _KEYS):
        part = waiting[at : at + _KEYS]
        pipe = client.pipeline(transaction=False)
        for key in part:
            pipe.hget(keys.record(key), Field.STATE)
        for key, state in zip(part, pipe.execute(), strict=True):
            if keys.job("sync", key) not in jobs and state in (None, State.WAITING):
                ledger.schedule("sync", key, in_ms=0, lane=Lane.BACKFILL)
                count += 1
    return count
