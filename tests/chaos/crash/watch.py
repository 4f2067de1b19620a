"""Sees all that this process sends or writes to its journal, and kills the process where it is told.

Lies below the bridge: under redis-py's connections and under the HTTP client's sockets, so nothing that is
sent can pass it by. Only for a process of its own (`crash/server.py`): what it puts in place stays.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpcore2._backends.sync as http_sockets
import redis.asyncio.connection as async_redis
import redis.connection as sync_redis

from bridge.boundary import current
from bridge.clients.direct import Connection
from bridge.journal.files import JournalFile
from bridge.ledger.gathered import Gathered
from bridge.ledger.pipelined import Link

# Nothing of it sent; of several commands in one write the first half sent and carried out; all of it sent and
# the answer waiting unread; the answer read.
Moment = Literal["before", "amid", "at", "after"]
UNNAMED = "(no name)"
# What of a file of the journal changes what is on the disk.
JOURNAL_METHODS = ("create", "adopt", "append", "drop")
_REPLY_WITHIN_S = 10.0
_OURS = re.compile(r"/(bridge|workers)/")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Point:
    """The `nth` time (from 1) that a process is at a boundary, and how far it got there."""

    name: str
    nth: int
    moment: Moment

    @property
    def names(self) -> list[str]:
        """Of each boundary: commands that go out together have all their names."""
        return self.name.split("+")

    def __str__(self) -> str:
        return f"{self.moment} {self.name} #{self.nth}"


class Exchange:
    """One request on its way and the answer to it."""

    def __init__(self, watch: Watch, name: str, nth: int) -> None:
        self._watch, self._name, self._nth = watch, name, nth
        self._pass("before")

    @property
    def is_of_several(self) -> bool:
        """Whether several commands go out together (`bridge.ledger.sharing`)."""
        return "+" in self._name

    def dies(self, moment: Moment) -> bool:
        return self._watch.target == Point(name=self._name, nth=self._nth, moment=moment)

    def half_sent(self, reply_of: Any) -> None:
        if self.dies("amid"):
            select.select([reply_of], [], [], _REPLY_WITHIN_S)
        self._pass("amid")

    def sent(self, reply_of: Any = None) -> None:
        """Args: reply_of: a socket; before dying, wait until the other side has done its part."""
        if self.dies("at") and reply_of is not None:
            select.select([reply_of], [], [], _REPLY_WITHIN_S)
        self._pass("at")

    def read(self) -> None:
        self._pass("after")

    def _pass(self, moment: Moment) -> None:
        self._watch.write(f"{moment} {self._nth} {self._name}")
        if self.dies(moment):
            os.kill(os.getpid(), signal.SIGKILL)


class Watch:
    """What passed, a line each, in `trace`: a file, so that it outlives the process."""

    def __init__(self, trace: Path, target: Point | None) -> None:
        self.target = target
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._aside = threading.local()

    def write(self, line: str) -> None:
        os.write(self._trace, f"{line}\n".encode())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What the test itself sends from here is not the bridge's."""
        self._aside.on = True
        try:
            yield
        finally:
            self._aside.on = False

    def begin(self, name: str | None = None) -> Exchange | None:
        """Something is about to be sent; None where the test does it."""
        if getattr(self._aside, "on", False):
            return None
        name = name or current()
        if name is None:
            ours = [f for f in traceback.extract_stack() if _OURS.search(f.filename)]
            name = f"{UNNAMED} {ours[-1].filename}:{ours[-1].lineno}" if ours else UNNAMED
        with self._lock:
            self._seen[name] += 1
            nth = self._seen[name]
        return Exchange(self, name, nth)

    def install(self) -> None:
        _watch_redis(self)
        _watch_async_redis(self)
        _watch_pipelined_redis(self)
        _watch_http(self)
        _watch_journal(self)


# The state of a connection is kept on it. A connection's greeting is redis-py's own and no boundary: it is
# sent inside the `send_packed_command` or `connect` of the first request.


def _watch_redis(watch: Watch) -> None:
    kind: Any = sync_redis.AbstractConnection
    send, read, greet = kind.send_packed_command, kind.read_response, kind.on_connect_check_health

    def watched_greet(self: Any, *args: Any, **more: Any) -> None:
        self.greeting = True
        try:
            greet(self, *args, **more)
        finally:
            self.greeting = False

    def watched_send(self: Any, command: Any, check_health: bool = True) -> None:
        if getattr(self, "greeting", False):
            send(self, command, check_health)
            return
        self.exchange = exchange = watch.begin()
        together = _commands(b"".join(command)) if exchange is not None and exchange.is_of_several else []
        if exchange is not None and together[1:]:
            if exchange.dies("amid"):
                send(self, together[: len(together) // 2], check_health)
            exchange.half_sent(self._sock)
        send(self, command, check_health)
        if exchange is not None:
            exchange.sent(self._sock)

    def watched_read(self: Any, *args: Any, **more: Any) -> Any:
        exchange = None if getattr(self, "greeting", False) else getattr(self, "exchange", None)
        try:
            return read(self, *args, **more)
        finally:
            if exchange is not None:
                self.exchange = None
                exchange.read()

    kind.send_packed_command, kind.read_response = watched_send, watched_read
    kind.on_connect_check_health = watched_greet


def _commands(data: bytes) -> list[bytes]:
    """The commands in one write, as they are written: `*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n`."""
    found, at = [], 0
    while at < len(data):
        start, ends = at, data.index(b"\r\n", at)
        words, at = int(data[at + 1 : ends]), ends + 2
        for _ in range(words):
            ends = data.index(b"\r\n", at)
            at = ends + 2 + int(data[at + 1 : ends]) + 2
        found.append(data[start:at])
    return found


def _watch_async_redis(watch: Watch) -> None:
    kind: Any = async_redis.AbstractConnection
    send, read, greet = kind.send_packed_command, kind.read_response, kind.on_connect_check_health

    async def watched_greet(self: Any, *args: Any, **more: Any) -> None:
        self.greeting = True
        try:
            await greet(self, *args, **more)
        finally:
            self.greeting = False

    async def watched_send(self: Any, command: Any, check_health: bool = True) -> None:
        if getattr(self, "greeting", False):
            await send(self, command, check_health)
            return
        self.exchange = exchange = watch.begin()
        await send(self, command, check_health)
        if exchange is not None:
            # The event loop sends by itself and keeps what comes; nobody has taken it yet.
            while exchange.dies("at") and not await self._parser.can_read():  # noqa: ASYNC110
                await asyncio.sleep(0)
            exchange.sent()

    async def watched_read(self: Any, *args: Any, **more: Any) -> Any:
        exchange = None if getattr(self, "greeting", False) else getattr(self, "exchange", None)
        try:
            return await read(self, *args, **more)
        finally:
            if exchange is not None:
                self.exchange = None
                exchange.read()

    kind.send_packed_command, kind.read_response = watched_send, watched_read
    kind.on_connect_check_health = watched_greet


def _watch_pipelined_redis(watch: Watch) -> None:
    """Of several commands in one write each has an exchange of its own; answers come in their order.

    So has each event of those that one command keeps.
    """
    kind: Any = Link
    send, together, receive, take = kind.send, kind.send_together, kind.data_received, kind.take

    def begun(self: Any, ask: Callable[..., None], *what: Any) -> None:
        exchange = watch.begin()
        ask(self, *what)
        self.__dict__.setdefault("exchanges", deque()).append([exchange, False])

    def watched_send(self: Any, *what: Any) -> None:
        begun(self, send, *what)

    def watched_together(self: Any, *what: Any) -> None:
        begun(self, together, *what)

    def watched_receive(self: Any, data: bytes) -> None:
        for one in self.exchanges:
            exchange, is_sent = one
            if exchange is not None and not is_sent:
                one[1] = True
                exchange.sent()
        receive(self, data)

    def watched_take(self: Any, reply: Any) -> None:
        asked = self._waiting[0]
        take(self, reply)
        for _ in range(len(asked) if isinstance(asked, Gathered) else 1):
            exchange, _ = self.exchanges.popleft()
            if exchange is not None:
                exchange.read()

    kind.send, kind.send_together = watched_send, watched_together
    kind.data_received, kind.take = watched_receive, watched_take


def _watch_http(watch: Watch) -> None:
    """The bridge's own connections, and those that proxies of the environment need."""
    for kind in (Connection, http_sockets.SyncStream):
        _watch_connections(watch, kind)


def _watch_connections(watch: Watch, kind: Any) -> None:
    """Of one request several pieces may be written (head, body), and several read."""
    read, write = kind.read, kind.write

    def watched_write(self: Any, buffer: bytes, timeout: float | None = None) -> None:
        if getattr(self, "exchange", None) is None:
            self.exchange = watch.begin()
        write(self, buffer, timeout)

    def watched_read(self: Any, max_bytes: int, timeout: float | None = None) -> bytes:
        exchange: Exchange | None = getattr(self, "exchange", None)
        if exchange is None:
            return bytes(read(self, max_bytes, timeout))
        exchange.sent(self._sock)
        try:
            return bytes(read(self, max_bytes, timeout))
        finally:
            self.exchange = None
            exchange.read()

    kind.read, kind.write = watched_read, watched_write


def _watch_journal(watch: Watch) -> None:
    """`at` an append: when half of it is in the file. One thread writes all of a process's journal."""
    system: Any = os
    appending: list[Exchange] = []
    write = system.pwrite

    def watched_write(file: int, data: bytes, place: int) -> int:
        if not appending:
            return int(write(file, data, place))
        # Less than asked for is what a system may write at any time.
        written = int(write(file, data[: len(data) // 2], place))
        appending.pop().sent()
        return written

    def watched(method: str) -> Any:
        real = getattr(JournalFile, method)

        def call(*args: Any, **more: Any) -> Any:
            exchange = watch.begin(f"journal.{method}")
            if exchange is not None and method == "append":
                appending.append(exchange)
            answer = real(*args, **more)
            if exchange is not None:
                exchange.read()
            return answer

        return staticmethod(call) if method in ("create", "adopt") else call

    system.pwrite = watched_write
    for method in JOURNAL_METHODS:
        setattr(JournalFile, method, watched(method))


class WatchedStorage:
    """The storage for recordings, each of its methods a boundary; `at` a write: when half of it is there."""

    def __init__(self, real: Any, watch: Watch) -> None:
        self._real, self._watch = real, watch

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            exchange = self._watch.begin(f"storage.{method}")
            if exchange is not None and method == "write":
                args = (args[0], _half_way(exchange, args[1]), *args[2:])
            try:
                return getattr(self._real, method)(*args, **more)
            finally:
                if exchange is not None:
                    exchange.read()

        return call


def _half_way(exchange: Exchange, chunks: Any) -> Iterator[bytes]:
    for n, chunk in enumerate(chunks):
        yield chunk
        if n == 0:
            exchange.sent()
