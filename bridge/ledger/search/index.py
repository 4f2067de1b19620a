"""Keeps the search index: in small steps, by whoever comes by, and for the most part by the clock.

Webhooks do not touch the index. The ledger lists calls by when they were last heard of (`keys.CALLS`), so
what is not in the index yet is a stretch of that list: what came after `hi`, and, after an upgrade, what is
not newer than `lo`. A search reads these stretches call by call, and the index between them. If a call is
heard of again it gets a new entry; the old one is then known to be out of date by the call's newer time.

The newest calls stay out (`NEWEST_LEFT`), as most calls are complete before they get their only entry. What
a sync writes of a call (its state, its conversation) changes its entry in place: `keep.lua` and `drop.lua`
count such calls in `find:changed`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from redis.client import Pipeline

from bridge.boundary import boundary
from bridge.domain.rules.model import Rules
from bridge.ledger import keys, scripts
from bridge.ledger.calls.summary import CallEntry, Place, read_entries, reading_mark
from bridge.ledger.ledger import Ledger
from bridge.ledger.search import entries
from bridge.ledger.search.hidden import hidden_column, hidden_text, wipe_erased

# So many calls make a chunk; a search for something common reads one.
CHUNK = 4096
# So many of the newest calls are read call by call, with each search.
NEWEST_LEFT = 200
# A clock that is set back by less goes unnoticed, and does not matter.
_SETTLED_MS = 1000
_AT_ONCE = 250
_CHANGES_AT_ONCE = 200
_CHUNK_COLUMNS = (*entries.COLUMNS, "a", "r")


class CallIndex:
    """Several processes may keep it at the same time: a step that another one took first changes nothing."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Rules,
        *,
        newest_left: int = NEWEST_LEFT,
        settled_ms: int = _SETTLED_MS,
        chunk: int = CHUNK,
    ) -> None:
        """Args:
        newest_left: so many of the newest calls stay out.
        settled_ms: so do calls heard of later than this.
        chunk: how many calls make a chunk.
        """
        self.ledger, self._rules = ledger, rules
        self._newest_left, self._settled_ms, self._chunk = newest_left, settled_ms, chunk
        self._append = ledger.redis.register_script(scripts.source("append_calls"))
        self._update = ledger.redis.register_script(scripts.source("update_calls"))

    @property
    def _mark(self) -> str:
        """Not to be mixed with entries that were read by other rules, or are encrypted in another way."""
        key = self.ledger.texts.keyring.first
        own = f"{entries.FORMAT}:{reading_mark(self._rules)}"
        return own if key is None else f"{own}:{key.id}"

    def keep(self, *, within_s: float) -> bool:
        """What the clock does: begin anew under new rules, drop what is past its time, go on.

        Returns:
            Whether all calls are in it that are to be.
        """
        ends = time.monotonic() + within_s
        state = self._state()
        if state.get("mark") != self._mark:
            self._begin(old=state)
        wipe_erased(self.ledger)
        self._drop_chunks_before(self.ledger.now_ms() - self.ledger.keep_for.outputs_s * 1000)
        return self.catch_up(until=ends, older=True)

    def catch_up(self, *, until: float, older: bool = False) -> bool:
        """Take steps until then (`time.monotonic`), at least one; whether nothing is left to do.

        Args:
            older: also what is older than all that is in the index.
        """
        while True:
            state = self._state()
            if state.get("mark") != self._mark:
                # Another version or other rules: the clock's to settle.
                return False
            more = self._take_newer(int(state["hi"])) or self._take_changes()
            if not more and older:
                more = self._take_older(int(state["lo"]))
            if not more:
                return older or int(state["lo"]) == 0
            if time.monotonic() > until:
                return False

    @boundary("search.state")
    def _state(self) -> Mapping[str, str]:
        return cast(dict[str, str], self.ledger.redis.hgetall(keys.FIND))

    @boundary("search.begin")
    def _begin(self, *, old: Mapping[str, str]) -> None:
        """An empty index, between what is newer and what is older than now."""
        chunks = cast(list[str], self.ledger.redis.zrange(keys.find("chunks"), 0, -1))
        at = self.ledger.now_ms() - 1
        pipe = self.ledger.redis.pipeline()
        pipe.delete(
            keys.FIND, *(keys.find(one) for one in ("chunks", "info", "agents", "reasons", "changed", "wipe"))
        )
        for chunk in chunks:
            pipe.delete(*_columns_of(chunk))
        # Not the names of chunks that a reader may still be at.
        began: dict[Any, Any] = {"mark": self._mark, "hi": at, "lo": at, "from": at}
        pipe.hset(keys.FIND, mapping={**began, "chunks": old.get("chunks", "0")})
        pipe.execute()

    def _take_newer(self, hi: int) -> bool:
        """One step towards now; whether one was taken."""
        now_ms = self.ledger.now_ms()
        if now_ms < hi:
            self._go_back(now_ms)
            return True
        top = now_ms - self._settled_ms
        with boundary("search.newer"):
            client = self.ledger.redis
            at = self._newest_left
            left = cast(list[tuple[str, float]], client.zrevrange(keys.CALLS, at, at, True))
            top = min(top, int(left[0][1])) if left else 0
            places = _whole(client.zrangebyscore(keys.CALLS, f"({hi}", top, 0, _AT_ONCE, withscores=True))
            if isinstance(places, int):
                places = _whole(client.zrangebyscore(keys.CALLS, places, places, withscores=True), True)
        assert isinstance(places, list)  # noqa: S101
        return bool(places) and self._add("hi", hi, places[-1].score, places)

    def _take_older(self, lo: int) -> bool:
        if lo == 0:
            return False
        with boundary("search.older"):
            client = self.ledger.redis
            places = _whole(client.zrevrangebyscore(keys.CALLS, lo, "-inf", 0, _AT_ONCE, withscores=True))
            if isinstance(places, int):
                places = _whole(client.zrevrangebyscore(keys.CALLS, places, places, withscores=True), True)
        assert isinstance(places, list)  # noqa: S101
        to = places[-1].score - 1 if places else 0
        return self._add("lo", lo, to, places)

    def _add(self, side: str, was: int, to: int, places: Sequence[Place]) -> bool:
        found = [one for one in read_entries(self.ledger, self._rules, places) if one is not None]
        when = [entries.when_of(one) for one in found]
        span = (min(when, default=0), max(when, default=0))
        newest = max((one.place.score for one in found), default=0)
        columns = [
            hidden_column(self.ledger.texts, name, column)
            for name, column in zip(entries.COLUMNS, entries.columns_of(found), strict=True)
        ]
        hidden = partial(hidden_text, self.ledger.texts)
        texts = [
            text
            for one in found
            for text in (
                hidden("agents", entries.agent_text(one)),
                hidden("reasons", entries.reason_text(one)),
            )
        ]
        limits = (self._chunk, entries.MOST_TEXTS, entries.BUCKETS)
        with boundary("search.append"):
            done = self._append(
                keys=[keys.FIND], args=[side, was, to, *limits, len(found), newest, *span, *columns, *texts]
            )
        # Else another process took this step; the next is from where it came to.
        return bool(done) or bool(places)

    def _take_changes(self) -> bool:
        """Bring entries up to date of calls that were synced since; whether there may be more."""
        with boundary("search.changes"):
            client = self.ledger.redis
            counts = cast(
                list[str], client.hrandfield(keys.find("changed"), _CHANGES_AT_ONCE, withvalues=True)
            )
        changed = dict(zip(counts[::2], counts[1::2], strict=True))
        if not changed:
            return False
        with boundary("search.changes"):
            scores = client.zmscore(keys.CALLS, list(changed))
        places = [Place(score=int(at or 0), key=key) for key, at in zip(changed, scores, strict=True)]
        arguments: list[Any] = []
        for place, one in zip(places, read_entries(self.ledger, self._rules, places), strict=True):
            *columns, reason = _updated(place, one)
            reason = hidden_text(self.ledger.texts, "reasons", str(reason))
            arguments += [place.key, changed[place.key], *columns, reason]
        with boundary("search.update"):
            done = self._update(
                keys=[keys.FIND, keys.CALLS], args=[entries.MOST_TEXTS, entries.BUCKETS, *arguments]
            )
        return bool(done) and len(changed) == _CHANGES_AT_ONCE

    def _go_back(self, now_ms: int) -> None:
        """Redis' clock was set back: what was put in since that time is taken out, and put in anew."""

        def work(pipe: Pipeline) -> None:
            state = cast(dict[str, str], pipe.hgetall(keys.FIND))
            chunks = cast(list[tuple[str, float]], pipe.zrange(keys.find("chunks"), 0, -1, withscores=True))
            newer = [(name, int(score)) for name, score in chunks if name.startswith("hi")]
            gone = [name for name, score in newer if score >= now_ms or name == state.get("open:hi")]
            hi = max((score for name, score in newer if name not in gone), default=int(state["from"]))
            pipe.multi()
            for name in gone:
                pipe.delete(*_columns_of(name))
                pipe.zrem(keys.find("chunks"), name)
                pipe.hdel(keys.find("info"), name)
            pipe.hdel(keys.FIND, "open:hi")
            if hi >= now_ms:
                # It was set back to before the index was begun.
                pipe.hset(keys.FIND, "mark", "")
            else:
                pipe.hset(keys.FIND, "hi", hi)

        with boundary("search.go_back"):
            self.ledger.redis.transaction(work, keys.FIND)

    @boundary("search.drop_chunks")
    def _drop_chunks_before(self, oldest_ms: int) -> None:
        client = self.ledger.redis
        old = cast(list[str], client.zrangebyscore(keys.find("chunks"), "-inf", oldest_ms))
        pipe = client.pipeline()
        for chunk in old:
            pipe.delete(*_columns_of(chunk))
            pipe.zrem(keys.find("chunks"), chunk)
            pipe.hdel(keys.find("info"), chunk)
        pipe.execute()


def _columns_of(chunk: str) -> list[str]:
    return [keys.find(f"{chunk}:{column}") for column in _CHUNK_COLUMNS]


def _updated(place: Place, one: CallEntry | None) -> list[bytes | str]:
    if one is None:
        return [b"", b"", b"", ""]
    conversation = entries.conversation_bytes(one.conversation_id)
    return [entries.key_bytes(place.key), entries.facts_byte(one), conversation, entries.reason_text(one)]


def _whole(found: Any, is_all: bool = False) -> list[Place] | int:
    """Without the calls of the last millisecond, if there may be more of them than were read.

    Returns:
        If nothing is left then: that millisecond.
    """
    places = [Place(score=int(score), key=key) for key, score in found]
    if is_all or len(places) < _AT_ONCE:
        return places
    last = places[-1].score
    return [place for place in places if place.score != last] or last
