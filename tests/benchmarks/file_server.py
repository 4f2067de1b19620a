"""A server of recordings and of uploads that costs next to nothing, in a process of its own.

    python -m tests.benchmarks.file_server PORT

GET of a path with /NUMBER.json answers with a WAV (8 kHz, mono, 16 bit) of NUMBER % 1000 MB; POST and PUT
read what is sent, with a length or in chunks, and answer 204. One request at a time on a connection.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

from tests.audio.given import chunk, fmt, speech

_NUMBER = re.compile(rb"/(\d+)\.json")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END_OF_CHUNKS = b"0\r\n\r\n"
# Bytes of a WAV without sound.
_EMPTY = 44
_PIECE = speech(8.0).tobytes()


def head_of(size: int) -> bytes:
    """The first bytes of a WAV that has `size` in all."""
    riff = b"RIFF" + (size - 8).to_bytes(4, "little") + b"WAVE" + chunk(b"fmt ", fmt())
    return riff + b"data" + (size - _EMPTY).to_bytes(4, "little")


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._head = b""
        self._left: int | None = None
        self._last = b""
        self._may_send = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._may_send.set()

    def pause_writing(self) -> None:
        self._may_send.clear()

    def resume_writing(self) -> None:
        self._may_send.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sending is not None:
            self._sending.cancel()

    def data_received(self, data: bytes) -> None:
        if self._left is not None:
            self._take(data)
            return
        self._head += data
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        self._head = b""
        if head.startswith(b"GET"):
            found = _NUMBER.search(head)
            size = int(found[1]) % 1000 * 1_000_000 if found else 0
            self._sending = asyncio.get_running_loop().create_task(self._send(max(size, _EMPTY)))
            return
        if b"100-continue" in head:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = _LENGTH.search(head)
        # Of chunks, until the last.
        self._left = int(length[1]) if length else -1
        self._take(body)

    def _take(self, data: bytes) -> None:
        assert self._left is not None
        if self._left < 0:
            self._last = (self._last + data)[-len(_END_OF_CHUNKS) :]
            is_whole = self._last == _END_OF_CHUNKS
        else:
            self._left -= len(data)
            is_whole = self._left <= 0
        if is_whole:
            self._left, self._last = None, b""
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def _send(self, size: int) -> None:
        head = head_of(size)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: audio/x-wav\r\nContent-Length: %d\r\n\r\n" % size + head
        )
        left = size - len(head)
        while left > 0:
            await self._may_send.wait()
            piece = _PIECE[:left]
            self._transport.write(piece)
            left -= len(piece)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
