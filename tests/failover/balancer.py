"""What stands before several web processes in a cluster: a proxy that reuses connections, or plain TCP.

Neither repeats a request, as no proxy repeats a POST: what one process refuses, the sender sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

Kind = Literal["http", "tcp"]
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"


class Balancer:
    """Context manager: listens on `port`, and sends each request to one of its targets in turn.

    Args:
        kind: `http`: an ingress, which keeps connections to the targets open and uses them for requests of
            anybody. `tcp`: a service's address, which stays with one target as long as a connection lasts,
            also if that is no target any more.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._targets: list[int] = []
        self._turns = itertools.count()
        self._idle: defaultdict[int, list[_Connection]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Balancer:
        self._thread.start()
        self._server = self._do(self._listen).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set_targets(self, ports: list[int]) -> None:
        """From now on new requests (`tcp`: new connections) go to these alone."""
        self._targets = list(ports)

    def _do(self, what: Callable[[], object]) -> Future[asyncio.Server]:
        return asyncio.run_coroutine_threadsafe(what(), self._loop)  # type: ignore[arg-type]

    async def _listen(self) -> asyncio.Server:
        serve = self._proxy if self._kind == "http" else self._pipe
        return await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)

    async def _close(self) -> None:
        self._server.close()
        tasks = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connections in self._idle.values():
            for _, writer in connections:
                writer.close()

    def _target(self) -> int:
        targets = self._targets
        return targets[next(self._turns) % len(targets)]

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, away = await asyncio.open_connection("127.0.0.1", self._target())
            await asyncio.gather(_copy(reader, away), _copy(there, writer))
        writer.close()

    async def _proxy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                request, _ = await _message(reader)
                writer.write(await self._forward(request))
                await writer.drain()
        writer.close()

    async def _forward(self, request: bytes) -> bytes:
        port = self._target()
        try:
            connection = self._reused(port) or await asyncio.open_connection("127.0.0.1", port)
            there, away = connection
            away.write(request)
            answer, ends = await _message(there)
        except (OSError, EOFError):
            return _BAD_GATEWAY
        if ends:
            away.close()
        else:
            self._idle[port].append(connection)
        return answer

    def _reused(self, port: int) -> _Connection | None:
        """An idle connection of this target that it has not closed, as far as is known by now."""
        while self._idle[port]:
            there, away = self._idle[port].pop()
            if not there.at_eof() and not away.is_closing():
                return there, away
            away.close()
        return None


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """A request or an answer with its body, and whether its connection ends with it."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    names = {name.strip().lower(): value.strip() for name, _, value in lines}
    body = await reader.readexactly(int(names.get(b"content-length", b"0")))
    return head + body, names.get(b"connection", b"").lower() == b"close"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
