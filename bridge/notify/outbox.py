"""Sends what is on its way: one process at a time, each message to each address, a few times at most."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pydantic import SecretStr

from bridge.ledger.faults import RedisError
from bridge.ledger.ledger import Ledger
from bridge.ledger.watch import Entry, WatchStore
from bridge.logs import get_logger
from bridge.notify.sending import LONGEST_S, name_of, send

log = get_logger(__name__)

# Waits after the first, second, … failure; then it is given up.
PAUSES_S = (10.0, 30.0, 120.0, 600.0)
_AT_ONCE = 20


class Send(Protocol):
    """See `bridge.notify.sending.send`."""

    def __call__(
        self,
        urls: Sequence[SecretStr],
        messages: Sequence[Mapping[str, str]],
        where: Sequence[tuple[int, int]],
        *,
        delivered: Callable[[int, int], None] = ...,
    ) -> dict[tuple[int, int], str]: ...


class Outbox:
    """One process's part in it.

    Args:
        send: see `bridge.notify.sending.send`.
    """

    def __init__(self, ledger: Ledger, urls: Sequence[SecretStr], *, send: Send = send) -> None:
        self._ledger, self._urls, self._send = ledger, urls, send
        self.store = WatchStore(ledger)
        # What is kept of an address: which of NOTIFY_URLS it is, also after these were changed.
        self._marks = {mark_of(url): number for number, url in enumerate(urls)}
        # Pairs of a message and an address, until the message is done with.
        self._delivered: set[tuple[str, int]] = set()

    def deliver(self) -> int:
        """Send what is due, if nobody else is at it; how many were delivered or given up."""
        if not self._urls or not self._due(self.store.messages()):
            return 0
        if not self.store.outbox_turn(for_s=LONGEST_S):
            return 0
        try:
            return self._deliver()
        finally:
            self.store.end_outbox_turn()

    def _deliver(self) -> int:
        due = self._due(self.store.messages())
        names = list(due)
        where = [(names.index(name), url) for name in names for url in self._left(name, due[name])]

        def delivered(message: int, url: int) -> None:
            # At once: whoever goes on after a crash does not repeat it. Here too, as Redis may be away.
            name = names[message]
            self._delivered.add((name, url))
            left = [mark for mark, number in self._marks.items() if number in self._left(name, due[name])]
            with contextlib.suppress(RedisError, OSError):
                self.store.keep_message(name, {**due[name], "left": left})

        messages = [due[name]["message"] for name in names]
        results = self._send(self._urls, messages, where, delivered=delivered) if where else {}
        done = 0
        for name in names:
            mine = [(number, url) for number, url in where if names[number] == name]
            failed = [url for number, url in mine if results[number, url]]
            entry = self._after(due[name], failed, [results[names.index(name), url] for url in failed])
            self.store.keep_message(name, entry)
            if entry is None:
                done += 1
                self._delivered = {one for one in self._delivered if one[0] != name}
        return done

    def _due(self, messages: Mapping[str, Entry]) -> dict[str, Entry]:
        now = self._ledger.now_ms() / 1000
        due = [(name, entry) for name, entry in messages.items() if entry.get("due", 0) <= now]
        return dict(due[:_AT_ONCE])

    def _left(self, name: str, entry: Entry) -> list[int]:
        """Numbers of the addresses that do not have it yet."""
        marks = self._marks if entry["left"] is None else entry["left"]
        numbers = [self._marks[mark] for mark in marks if mark in self._marks]
        return [number for number in numbers if (name, number) not in self._delivered]

    def _after(self, entry: Entry, failed: Sequence[int], why: Sequence[str]) -> dict[str, Any] | None:
        """What is left to do of a message; None: it was delivered everywhere, or is given up."""
        if not failed:
            return None
        tries = entry["tries"] + 1
        gives_up = tries > len(PAUSES_S)
        for number, text in zip(failed, why, strict=True):
            log.warning(
                "notification given up" if gives_up else "notification not delivered, will be retried",
                address=name_of(number, self._urls[number]),
                why=text,
                tries=tries,
            )
        if gives_up:
            return None
        left = [mark for mark, number in self._marks.items() if number in failed]
        due = self._ledger.now_ms() / 1000 + PAUSES_S[tries - 1]
        return {**entry, "tries": tries, "left": left, "due": due}


def mark_of(url: SecretStr) -> str:
    """Tells an address from others without being one."""
    return hashlib.sha256(url.get_secret_value().encode()).hexdigest()[:16]
