"""TCP between the bridge and what it talks to, over which replies get lost, late and cut."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often something happens to a request or the reply to it; all of them together well below 1."""

    drop: float = 0.0  # the request never arrives
    lose: float = 0.0  # it arrives and is done, and no reply comes
    cut: float = 0.0  # half of the reply comes
    delay: float = 0.0  # the reply comes later, by up to `longest_delay_s`
    hang: float = 0.0  # nothing comes for `hang_s`, then the connection breaks
    longest_delay_s: float = 0.3
    hang_s: float = 6.0


REQUESTS, REPLIES = ("drop",), ("lose", "cut", "hang", "delay")
CALM = Chances()
ROUGH = Chances(drop=0.002, lose=0.008, cut=0.004, delay=0.01, hang=0.0002)


class Row:
    """Says of each in a row whether it is struck: one of every so many, at a place that is drawn.

    So that something happens on a wire with few replies too, whatever the seed; drawn for each alone, one
    seed in two hundred lost none of 420.
    """

    def __init__(self, chance: random.Random, share: float) -> None:
        self._chance, self._every = chance, round(1 / share) if share else 0
        self._left = self._at = 0

    def next(self) -> bool:
        if not self._every:
            return False
        if not self._left:
            self._left, self._at = self._every, self._chance.randrange(self._every)
        self._left -= 1
        return self._left == self._at


class Wire:
    """Listens on a port of its own and hands on to one server.

    Attributes:
        counts: in rough weather only: `requests`, `replies`, and what was done to them by the names in
            `Chances`.
    """

    def __init__(self, name: str, connect: Connect, *, seed: int) -> None:
        self.name = name
        self.connect = connect
        self.chance = random.Random(f"{seed} {name}")
        self.counts: Counter[str] = Counter()
        self.port = 0
        self.weather(CALM)

    def weather(self, chances: Chances) -> None:
        """From now on."""
        self._rows = {name: Row(self.chance, getattr(chances, name)) for name in (*REQUESTS, *REPLIES)}
        # What is to happen; two at once happen one after the other.
        self._struck: Counter[str] = Counter()
        self.chances = chances

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Near(self), "127.0.0.1", 0, backlog=256)
        self.port = server.sockets[0].getsockname()[1]

    def fate(self, of: str) -> str:
        """What happens to this request or reply."""
        if self.chances is CALM:
            return "pass"
        self.counts[of] += 1
        names = REQUESTS if of == "requests" else REPLIES
        for name in names:
            self._struck[name] += self._rows[name].next()
        for name in names:
            if self._struck[name]:
                self._struck[name] -= 1
                self.counts[name] += 1
                return name
        return "pass"


class _Near(asyncio.Protocol):
    """The bridge's end of a connection."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        # Something was asked and no part of the reply has come.
        self.asked = False
        self.far: asyncio.Transport | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._dialling = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        try:
            transport, _ = await self.wire.connect(lambda: _Far(self))
        except OSError:
            self.transport.abort()
            return
        self.far = transport
        for data in self.early:
            transport.write(data)

    def data_received(self, data: bytes) -> None:
        if not self.asked:
            self.asked = True
            if self.wire.fate("requests") == "drop":
                self.break_off()
                return
        if self.far is None:
            self.early.append(data)
        else:
            self.far.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._dialling.cancel()
        if self.far is not None:
            self.far.abort()

    def break_off(self) -> None:
        self.transport.abort()
        if self.far is not None:
            self.far.abort()


class _Far(asyncio.Protocol):
    """The server's end of a connection."""

    def __init__(self, near: _Near) -> None:
        self.near = near
        # What came after a reply that is being delayed keeps its place behind it.
        self.waiting: list[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        near, wire = self.near, self.near.wire
        if self.waiting is not None:
            self.waiting.append(data)
            return
        if near.asked:
            near.asked = False
            fate = wire.fate("replies")
            loop = asyncio.get_running_loop()
            if fate == "lose":
                near.break_off()
                return
            if fate == "cut":
                near.transport.write(data[: len(data) // 2])
                near.transport.close()
                return
            if fate in ("hang", "delay"):
                self.waiting = [data]
                if fate == "hang":
                    loop.call_later(wire.chances.hang_s, near.break_off)
                else:
                    loop.call_later(wire.chance.uniform(0, wire.chances.longest_delay_s), self._go_on)
                return
        near.transport.write(data)

    def _go_on(self) -> None:
        waiting, self.waiting = self.waiting or [], None
        self.near.transport.write(b"".join(waiting))

    def connection_lost(self, error: Exception | None) -> None:
        # What was written to the other end is still sent.
        self.near.transport.close()


class Wires:
    """Context manager: several wires, in one thread.

    Args:
        to: name -> how to reach the server.
    """

    def __init__(self, to: dict[str, Connect], *, seed: int) -> None:
        self.by_name = {name: Wire(name, connect, seed=seed) for name, connect in to.items()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires", daemon=True)

    def __enter__(self) -> Wires:
        self._thread.start()
        for wire in self.by_name.values():
            asyncio.run_coroutine_threadsafe(wire.open(), self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __getitem__(self, name: str) -> Wire:
        return self.by_name[name]

    def weather(self, chances: Chances) -> None:
        """From now on, on all of them."""
        for wire in self.by_name.values():
            wire.weather(chances)


def unix(path: Callable[[], str]) -> Connect:
    def connect(protocol: Callable[[], asyncio.Protocol]) -> Any:
        return asyncio.get_running_loop().create_unix_connection(protocol, path())

    return connect


def tcp(port: int) -> Connect:
    def connect(protocol: Callable[[], asyncio.Protocol]) -> Any:
        return asyncio.get_running_loop().create_connection(protocol, "127.0.0.1", port)

    return connect
