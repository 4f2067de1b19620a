"""What the watch for problems keeps in Redis: what it saw last, what it notified, and messages on their way.

Several processes watch. One acts at a time, and what it does counts only if nobody else did meanwhile.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import redis

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger

# Messages that nobody takes: the oldest go.
_MOST_MESSAGES = 100

# What the watch saw last: counters, and since when something has been so.
Sample = Mapping[str, Any]
# Name of a problem -> what was notified.
Told = Mapping[str, Mapping[str, Any]]
# One message: where it still has to go, how often that was tried, and when it is tried next.
Entry = Mapping[str, Any]


def _read(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        # Of another version: begin anew.
        return {}
    return found if isinstance(found, dict) else {}


@boundary("watch.read")
def read_watch(ledger: Ledger) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What was seen last, and what was notified."""
    sample, problems = cast(list[str | None], ledger.redis.mget([keys.WATCH, keys.PROBLEMS]))
    return _read(sample), _read(problems)


class WatchStore:
    """One process's hand in it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._redis, self._name = ledger, ledger.redis, secrets.token_hex(8)

    def turn(self, *, for_s: float) -> bool:
        """Whether nobody looked within that time; then it is ours to look."""
        return self._ledger.take_turn(keys.WATCH_TURN, self._name, for_ms=round(for_s * 1000))

    def update(self, change: Callable[[Sample, Told], tuple[Sample, Told, Iterable[Entry]]]) -> bool:
        """Replace what was seen and notified, and queue messages, all at once.

        Returns:
            False where somebody else did so meanwhile; then nothing is kept.
        """
        with boundary("watch.update"), self._redis.pipeline() as pipe:
            pipe.watch(keys.WATCH, keys.PROBLEMS)  # type: ignore[no-untyped-call]
            sample, problems = cast(list[str | None], pipe.mget([keys.WATCH, keys.PROBLEMS]))
            sample_now, told_now, messages = change(_read(sample), _read(problems))
            pipe.multi()
            pipe.set(keys.WATCH, json.dumps(sample_now))
            pipe.set(keys.PROBLEMS, json.dumps(told_now))
            for entry in messages:
                pipe.hset(keys.OUTBOX, secrets.token_hex(8), json.dumps(entry))
            try:
                pipe.execute()
            except redis.WatchError:
                return False
        return True

    # -- messages on their way

    def outbox_turn(self, *, for_s: float) -> bool:
        """Whether nobody else sends; then it is ours, and still ours if we could not end it."""
        for_ms = round(for_s * 1000)
        if self._ledger.take_turn(keys.OUTBOX_TURN, self._name, for_ms=for_ms):
            return True
        with boundary("watch.outbox_turn"):
            if self._redis.get(keys.OUTBOX_TURN) != self._name:
                return False
            self._redis.pexpire(keys.OUTBOX_TURN, for_ms)
        return True

    def end_outbox_turn(self) -> None:
        """Let others send at once, if the turn is still ours."""
        self._ledger.end_turn(keys.OUTBOX_TURN, self._name)

    @boundary("watch.messages")
    def messages(self) -> dict[str, Entry]:
        """All that are on their way, by id; the oldest of too many are given up."""
        found = {
            name: _read(text) for name, text in cast(dict[str, str], self._redis.hgetall(keys.OUTBOX)).items()
        }
        in_order = sorted(found, key=lambda name: found[name].get("at", 0))
        if surplus := in_order[:-_MOST_MESSAGES]:
            self._redis.hdel(keys.OUTBOX, *surplus)
        return {name: found[name] for name in in_order[-_MOST_MESSAGES:]}

    @boundary("watch.keep_message")
    def keep_message(self, name: str, entry: Entry | None) -> None:
        """How far one has come; None: it is done with."""
        if entry is None:
            self._redis.hdel(keys.OUTBOX, name)
        else:
            self._redis.hset(keys.OUTBOX, name, json.dumps(entry))
