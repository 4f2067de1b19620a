"""Stored recordings as answers: asked for in threads, handed on piece by piece."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.domain.recording import Stored
from bridge.errors import BridgeError, Unavailable
from bridge.storage.contract import Storage

log = logging.getLogger(__name__)

T = TypeVar("T")

# A bucket's library is loaded, and a connection made, with the first question.
_WITHIN_S = 5.0
_AT_ONCE = 16


class Sounds:
    """The recordings' storage, opened when it is first asked, and threads in which it may block."""

    def __init__(self, opening: Callable[[], Storage]) -> None:
        self._opening = opening
        self._storage: Storage | None = None
        self._lock = threading.Lock()
        # Each holds a piece of a recording in memory.
        self._threads = anyio.CapacityLimiter(_AT_ONCE)

    async def is_there(self, file: Stored) -> bool:
        """Raises BridgeError when the storage cannot tell."""
        return await self._ask(lambda: self._opened().size(file.name) is not None)

    async def open(self, file: Stored, start: int, end: int) -> Pieces:
        """The bytes from `start` up to, without, `end`; the first of them are there already.

        Raises:
            Missing: there is no such file any more.
            BridgeError: the storage is in trouble.
        """

        def work() -> Pieces:
            pieces = self._opened().open(file.name, start=start, end=end)
            first = next(pieces, b"") if start < end else b""
            if start < end and not first:
                _close(pieces)
                raise Unavailable(f"{file.name} in the storage is shorter than when it was stored")
            return Pieces(first, pieces, self._threads, length=end - start)

        return await self._ask(work)

    async def _ask(self, work: Callable[[], T]) -> T:
        try:
            with anyio.fail_after(_WITHIN_S):
                return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)
        except (OSError, TimeoutError, ValueError) as error:
            raise Unavailable("The storage does not answer") from error

    def _opened(self) -> Storage:
        with self._lock:
            if self._storage is None:
                self._storage = self._opening()
            return self._storage


class Pieces:
    """What is left of a file that was opened."""

    def __init__(
        self, first: bytes, rest: Iterator[bytes], threads: anyio.CapacityLimiter, *, length: int
    ) -> None:
        self.length = length
        self._first, self._rest, self._threads = first, rest, threads

    async def next(self) -> bytes:
        """Empty when there is no more."""
        if self._first:
            first, self._first = self._first, b""
            return first
        return await anyio.to_thread.run_sync(lambda: next(self._rest, b""), limiter=self._threads)

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: _close(self._rest), limiter=self._threads)


def _close(pieces: Iterator[bytes]) -> None:
    if isinstance(pieces, Generator):
        pieces.close()


class SoundAnswer(Response):
    """An answer as long as its pieces; ends when nobody listens any more."""

    def __init__(self, pieces: Pieces, *, status_code: int, headers: Mapping[str, str]) -> None:
        super().__init__(status_code=status_code, headers={**headers, "Content-Length": str(pieces.length)})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with anyio.create_task_group() as tasks:

                async def stop_when_gone() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    tasks.cancel_scope.cancel()

                tasks.start_soon(stop_when_gone)
                await self._hand_on(send)
                tasks.cancel_scope.cancel()
        finally:
            await self._pieces.close()

    async def _hand_on(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        left = self._pieces.length
        try:
            while piece := await self._pieces.next():
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except BridgeError as error:
            log.warning(
                "reading a recording from the storage broke off", extra={"error": type(error).__name__}
            )
        if not left:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        # Else it is too late for another status: the server ends the connection short of what was
        # announced, and a player asks for the rest.
