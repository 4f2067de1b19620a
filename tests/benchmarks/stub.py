"""Answers as Kustomer does to whoever asks for the first time, each answer after a while.

    python -m tests.benchmarks.stub PORT DELAY_S

Nobody is known, and everything is created. A request costs it about 20 us, so it is not what is measured.
Ten times a second it prints how many requests it has answered.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

_HEAD = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EMPTY = b'{"data":[],"links":{},"meta":{}}'
_NONE = b'{"errors":[{"status":404,"title":"not found"}]}'


class Stub(asyncio.Protocol):
    """One connection."""

    answered = 0

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._received = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one that writes, without saying so by its class.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(received, 0, end)
        if length is not None and len(received) < end + 4 + int(length[1]):
            return
        self._received = b""
        head = _HEAD.match(received)
        assert head is not None, received[:200]
        self._loop.call_later(self._delay_s, self._transport.write, _answer(head[1], head[2]))


def _answer(method: bytes, target: bytes) -> bytes:
    Stub.answered += 1
    last = target.partition(b"?")[0].rpartition(b"/")[2]
    if method == b"GET" or last == b"search":
        is_list = last in (b"search", b"conversations", b"notes", b"messages", b"users", b"customers")
        status, body = (b"200 OK", _EMPTY) if is_list else (b"404 Not Found", _NONE)
    else:
        status = b"201 Created"
        body = b'{"data":{"type":"%s","id":"%024x","attributes":{},"relationships":{}},"meta":{}}' % (
            last.removesuffix(b"s"),
            Stub.answered,
        )
    return (
        b"HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n"
        b"X-RateLimit-Limit: 1000000\r\nX-RateLimit-Remaining: 999999\r\nConnection: keep-alive\r\n\r\n%s"
        % (status, len(body), body)
    )


async def _serve(port: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Stub(delay_s), "127.0.0.1", port, backlog=1024)
    while True:
        print(Stub.answered, flush=True)  # noqa: T201
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
