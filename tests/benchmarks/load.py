"""Sends webhooks to a web process as fast as it answers: the load of all benchmarks here.

A protocol on uvloop: asyncio's streams cost the sender more than a fast web process spends on a webhook, so
that it would be the sender who is measured.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from typing import cast

import uvloop

from tests.chaos.house import TOKEN

PATH = "/webhooks/cloudtalk/call-ended"
_LONGEST_WAIT_S = 20.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def webhook(number: int, *, path: str = PATH, token: str = TOKEN) -> bytes:
    """The request that says that call `number` ended: about 500 bytes, 350 of them body."""
    body = b'{"event": "call_ended", "call_id": "%d", "notes": "%s"}' % (number, b"x" * 300)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(port: int, seconds: float, senders: int, *, first: int, path: str = PATH) -> list[float]:
    """Seconds that each webhook took, each of a call of its own; they have the numbers from `first` on.

    Args:
        senders: connections; each sends its next webhook once it has the answer.
    Raises:
        AssertionError: one was not accepted.
        TimeoutError: one had no answer.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_load(port, seconds, senders, iter(range(first, sys.maxsize)), path))


async def _load(port: int, seconds: float, senders: int, numbers: Iterator[int], path: str) -> list[float]:
    loop = asyncio.get_running_loop()
    ends = time.perf_counter() + seconds
    took: list[float] = []
    all_of_them = [_Sender(loop.create_future(), ends, numbers, took, path) for _ in range(senders)]
    async with asyncio.timeout(seconds + _LONGEST_WAIT_S):
        for sender in all_of_them:
            await loop.create_connection(lambda sender=sender: sender, "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.gather(*(sender.done for sender in all_of_them))
    return took


class _Sender(asyncio.Protocol):
    """One connection."""

    def __init__(
        self, done: asyncio.Future[None], ends: float, numbers: Iterator[int], took: list[float], path: str
    ) -> None:
        self.done = done
        self._ends, self._numbers, self._took, self._path = ends, numbers, took, path
        self._received = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one that writes, without saying so by its class.
        self._transport = cast(asyncio.WriteTransport, transport)
        self._send()

    def _send(self) -> None:
        request = webhook(next(self._numbers), path=self._path)
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(received, 0, end)
        if length is not None and len(received) < end + 4 + int(length[1]):
            return
        now = time.perf_counter()
        if length is None or not received.startswith(b"HTTP/1.1 202"):
            self._fail(received)
            return
        self._received = b""
        self._took.append(now - self._began)
        if now < self._ends:
            self._send()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(b"the connection was closed")

    def _fail(self, what: bytes) -> None:
        if not self.done.done():
            self.done.set_exception(AssertionError(what[:1000]))
            self._transport.close()
