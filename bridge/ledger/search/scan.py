"""Reads the search index: where calls are that may be meant, most recent activity first."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis.client import NEVER_DECODE, Pipeline

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.summary import Place
from bridge.ledger.ledger import Ledger
from bridge.ledger.search import entries
from bridge.ledger.search.entries import KEY_BYTES, Facts, bucket_table, facts_table
from bridge.ledger.search.hidden import shown_column, shown_text

# Behind every key of a call: not a call, but how far a search has come.
AFTER_ALL_KEYS = "~"
# So many chunks are read at once, more with each step: what is common is found in the first.
_GROUPS = (1, 4, 16, 64)
_AT_ONCE, _MOST_AT_ONCE = 100, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to look for. Between its filters stands "and"; between what `q` may mean, "or"."""

    facts: frozenset[Facts] | None = None
    # Part of the agent's name, or the whole id.
    agent: str = ""
    since_s: int = 0
    until_s: int | None = None
    # What `q` may mean; if all are empty, everything.
    digits: Sequence[str] = ()
    name: str = ""
    uuid_prefix: str = ""
    conversation_id: str = ""

    @property
    def has_q(self) -> bool:
        return bool(self.digits or self.name or self.uuid_prefix or self.conversation_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The index has the calls last heard of after `lo`, up to `hi` (ms)."""

    hi: int = 0
    lo: int = 0


@boundary("search.bounds")
def read_bounds(ledger: Ledger) -> Bounds:
    """Nothing is in it for us, if another version keeps it in another form."""
    mark, hi, lo = cast(list[str | None], ledger.redis.hmget(keys.FIND, ["mark", "hi", "lo"]))
    if not (mark or "").startswith(f"{entries.FORMAT}:"):
        return Bounds()
    return Bounds(hi=int(hi or 0), lo=int(lo or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    name: str
    newest: int
    # Of its calls, s since 1970.
    earliest: int
    latest: int


def scan(ledger: Ledger, wanted: Wanted, bounds: Bounds, after: Place | None) -> Iterator[Place]:
    """Where calls are that may be meant, after a place in the order; some have `AFTER_ALL_KEYS` for a key."""
    looking = _Looking(ledger, wanted)
    chunks = _chunks(ledger, after)
    at, step = 0, 0
    while at < len(chunks):
        group = chunks[at : at + _GROUPS[min(step, len(_GROUPS) - 1)]]
        at, step = at + len(group), step + 1
        yield from looking.places(group, bounds, after)
        if at < len(chunks):
            yield Place(score=min(chunks[at].newest, bounds.hi), key=AFTER_ALL_KEYS)


@boundary("search.chunks")
def _chunks(ledger: Ledger, after: Place | None) -> list[_Chunk]:
    """Newest first, without those that are before that place as a whole."""
    pipe = ledger.redis.pipeline(transaction=False)
    pipe.zrevrange(keys.find("chunks"), 0, -1, withscores=True)
    pipe.hgetall(keys.find("info"))
    found, info = cast(tuple[list[tuple[str, float]], dict[str, str]], pipe.execute())
    chunks = []
    for name, newest in found:
        _, earliest, latest = (info.get(name) or f"0 0 {2**32}").split()
        chunks.append(_Chunk(name=name, newest=int(newest), earliest=int(earliest), latest=int(latest)))
    if after is not None:
        first = sum(chunk.newest >= after.score for chunk in chunks) - 1
        chunks = chunks[max(first, 0) :]
    return chunks


@dataclass(slots=True)
class _Looking:
    """One search in progress."""

    ledger: Ledger
    wanted: Wanted
    _tables: dict[str, bytes] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _columns: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        wanted = self.wanted
        is_wanted = wanted.facts.__contains__ if wanted.facts is not None else lambda _: True
        self._tables["f"] = facts_table(is_wanted)
        if wanted.agent:
            agents = _dictionary(self.ledger, "agents")
            self._tables["agent"] = bucket_table(
                number for text, number in agents if _is_agent(wanted.agent, text)
            )
        if wanted.name:
            reason_text = entries.without_digits(wanted.name)
            for column, kind in (("a", "agents"), ("r", "reasons")):
                texts = _dictionary(self.ledger, kind)
                self._tables[column] = bucket_table(
                    number
                    for text, number in texts
                    if (reason_text if column == "r" else wanted.name) in text
                )
        needs = {
            "f": True,
            "a": wanted.agent or wanted.name,
            "r": wanted.name,
            "d": wanted.digits,
            "n": wanted.name,
            "k": wanted.uuid_prefix,
            "c": wanted.conversation_id,
        }
        self._columns = [column for column, needed in needs.items() if needed]

    def places(self, group: Sequence[_Chunk], bounds: Bounds, after: Place | None) -> Iterator[Place]:
        hits = [
            (chunk, n)
            for chunk, columns in self._read(group)
            for n in _ordered(chunk, self._hits(chunk, columns))
        ]
        at, size = 0, _AT_ONCE
        while at < len(hits):
            some = hits[at : at + size]
            at += size
            found = [
                place
                for (chunk, _), place in zip(some, _placed(self.ledger, some), strict=True)
                if place is not None
                and bounds.lo < place.score <= min(chunk.newest, bounds.hi)
                and (after is None or (place.score, place.key) < (after.score, after.key))
                and place.key not in self._seen
            ]
            self._seen.update(place.key for place in found)
            yield from found
            # Before the place to go on from, or out of date: passed over faster and faster.
            size = _AT_ONCE if found else min(2 * size, _MOST_AT_ONCE)

    @boundary("search.columns")
    def _read(self, group: Sequence[_Chunk]) -> list[tuple[_Chunk, Mapping[str, bytes]]]:
        wanted = self.wanted
        group = [chunk for chunk in group if _overlaps(chunk, wanted)]
        pipe = self.ledger.redis.pipeline(transaction=False)
        names = [(chunk, column) for chunk in group for column in self._columns_of(chunk)]
        for chunk, column in names:
            _ask_raw(pipe, "GET", keys.find(f"{chunk.name}:{column}"))
        columns: dict[str, dict[str, bytes]] = {chunk.name: {} for chunk in group}
        for (chunk, column), text in zip(names, pipe.execute(), strict=True):
            columns[chunk.name][column] = shown_column(self.ledger.texts, column, text or b"")
        return [(chunk, columns[chunk.name]) for chunk in group]

    def _columns_of(self, chunk: _Chunk) -> list[str]:
        wanted = self.wanted
        whole = wanted.since_s <= chunk.earliest and (wanted.until_s is None or chunk.latest < wanted.until_s)
        return [*self._columns, *([] if whole else ["w"])]

    def _hits(self, chunk: _Chunk, columns: Mapping[str, bytes]) -> list[int]:
        """Which calls of a chunk may be meant."""
        size = len(columns["f"])
        masks = [columns["f"].translate(self._tables["f"])]
        if "w" in columns:
            masks.append(_within(columns["w"], self.wanted))
        if "agent" in self._tables:
            masks.append(columns["a"].translate(self._tables["agent"]))
        if self.wanted.has_q:
            masks.append(self._meant(columns, size))
        mask = masks[0] if len(masks) == 1 else _all_of(masks, size)
        return [n for n, is_hit in enumerate(mask) if is_hit] if 1 in mask else []

    def _meant(self, columns: Mapping[str, bytes], size: int) -> bytes:
        wanted = self.wanted
        hits = bytearray(size)
        found: list[Iterable[int]] = [_lines_with(columns["d"], digits.encode()) for digits in wanted.digits]
        if wanted.name:
            found.append(_lines_with(columns["n"], wanted.name.encode()))
        if wanted.uuid_prefix:
            found.append(_uuids_with(columns["k"], wanted.uuid_prefix))
        if wanted.conversation_id:
            found.append(_places_of(columns["c"], entries.conversation_bytes(wanted.conversation_id)))
        for numbers in found:
            for n in numbers:
                if n < size:
                    hits[n] = 1
        if not wanted.name:
            return bytes(hits)
        either = [bytes(hits), *(columns[column].translate(self._tables[column]) for column in ("a", "r"))]
        return _any_of(either, size)


def _ask_raw(pipe: Pipeline, *command: str | int) -> None:
    """The reply is bytes; the client decodes others."""
    pipe.execute_command(*command, **{NEVER_DECODE: True})  # type: ignore[no-untyped-call]


def _is_agent(wanted: str, text: str) -> bool:
    """Args: text: as `entries.agent_text` makes it."""
    agent_id, _, name = text.partition(" ")
    return wanted == agent_id or wanted in name


@boundary("search.dictionary")
def _dictionary(ledger: Ledger, kind: str) -> list[tuple[str, int]]:
    found = cast(dict[str, str], ledger.redis.hgetall(keys.find(kind)))
    return [(shown_text(ledger.texts, kind, text), int(number)) for text, number in found.items()]


def _overlaps(chunk: _Chunk, wanted: Wanted) -> bool:
    return chunk.latest >= wanted.since_s and (wanted.until_s is None or chunk.earliest < wanted.until_s)


def _ordered(chunk: _Chunk, numbers: list[int]) -> list[int]:
    """Newest first: newer calls are appended in the order of their activity, older ones against it."""
    return numbers[::-1] if chunk.name.startswith("hi") else numbers


def _placed(ledger: Ledger, hits: Sequence[tuple[_Chunk, int]]) -> list[Place | None]:
    """Where these calls are in the order by now; None: out of date, or erased."""
    with boundary("search.keys"):
        pipe = ledger.redis.pipeline(transaction=False)
        for chunk, n in hits:
            _ask_raw(pipe, "GETRANGE", keys.find(f"{chunk.name}:k"), n * KEY_BYTES, (n + 1) * KEY_BYTES - 1)
        raw = cast(list[bytes], pipe.execute())
    names = [entries.key_of(one) if one.strip(b"\0") and len(one) == KEY_BYTES else "" for one in raw]
    if not names:
        return []
    with boundary("search.places"):
        scores = ledger.redis.zmscore(keys.CALLS, names)
    return [
        Place(score=int(score), key=name) if score is not None else None
        for name, score in zip(names, scores, strict=True)
    ]


def _lines_with(column: bytes, text: bytes) -> Iterator[int]:
    """The numbers of the lines in which a text is."""
    n = passed = 0
    at = column.find(text)
    while at >= 0:
        n += column.count(b"\n", passed, at)
        passed = at
        yield n
        line_end = column.find(b"\n", at)
        at = column.find(text, line_end) if line_end >= 0 else -1


def _places_of(column: bytes, value: bytes, *, every: int = 0) -> Iterator[int]:
    """Where a value begins an entry of a column of fixed width."""
    width = every or len(value)
    at = column.find(value)
    while at >= 0:
        if at % width == 0:
            yield at // width
        at = column.find(value, at + 1)


def _uuids_with(column: bytes, prefix: str) -> Iterator[int]:
    """Args: prefix: hexadecimal digits; an odd last one is left to the check of what was found."""
    even = prefix[: len(prefix) // 2 * 2]
    return _places_of(column, bytes.fromhex(even), every=KEY_BYTES)


def _within(column: bytes, wanted: Wanted) -> bytes:
    times: Any = array("I", column[: len(column) // 4 * 4])
    if sys.byteorder == "big":
        times.byteswap()
    until = wanted.until_s if wanted.until_s is not None else 2**32
    return bytes([wanted.since_s <= at < until for at in times])


def _all_of(masks: Sequence[bytes], size: int) -> bytes:
    bits = -1
    for mask in masks:
        bits &= int.from_bytes(mask[:size], "little")
    return bits.to_bytes(size, "little")


def _any_of(masks: Sequence[bytes], size: int) -> bytes:
    bits = 0
    for mask in masks:
        bits |= int.from_bytes(mask[:size], "little")
    return bits.to_bytes(size, "little")
