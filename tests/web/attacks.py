"""What a stranger without a token may do to the web process: each attack as a function, by name.

    python -m tests.web.attacks NAME PORT SECONDS CONNECTIONS

runs one, on so many connections at a time, and prints what it was answered as JSON: how often each status
came, and how often a connection was closed, reset, or still open when the time was over.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import resource
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

PIECE = 64 * 1024
POST = b"POST /webhooks/cloudtalk/call-ended HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
# Looks like a signed webhook, whose body has to be read before anything is known.
SIGNED = POST + b"svix-id: msg_1\r\nsvix-timestamp: 1\r\nsvix-signature: v1,AAAA\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
PAGE = b"GET /static/player.js HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSED = POST + b"Content-Length: 2\r\n\r\n{}"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(189))

Pieces = AsyncIterator[bytes]
Way = Callable[["Attacker"], Awaitable[None]]


class Attacker:
    """One stranger with one connection at a time, who comes again when it is closed."""

    def __init__(self, port: int, ends: float, seen: Counter[str], addresses: Iterable[str]) -> None:
        self.port, self.ends, self.seen = port, ends, seen
        self._addresses = itertools.cycle(addresses)

    @property
    def left_s(self) -> float:
        return self.ends - time.monotonic()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[socket.socket]:
        one = socket.socket()
        one.setblocking(False)
        one.bind((next(self._addresses), 0))
        try:
            await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", self.port))
            yield one
        finally:
            one.close()

    async def send(self, *pieces: bytes, then: bytes = b"", reads: bool = True, every_s: float = 0) -> None:
        """Send pieces, then one over and over until the other side ends it or the time is over."""
        async with self.connected() as one:
            listening = asyncio.ensure_future(self.listen(one)) if reads else None
            loop = asyncio.get_running_loop()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(max(self.left_s, 0)):
                    for piece in pieces:
                        await loop.sock_sendall(one, piece)
                    while then and not (listening and listening.done()):
                        await loop.sock_sendall(one, then)
                        await asyncio.sleep(every_s)
                    if listening:
                        await asyncio.shield(listening)
                    else:
                        await asyncio.sleep(self.left_s)
            if listening is None:
                self.seen["not read"] += 1
            elif not listening.done():
                listening.cancel()
                self.seen["open at the end"] += 1

    async def listen(self, one: socket.socket) -> None:
        """Read to the end, and count what was answered."""
        loop = asyncio.get_running_loop()
        tail = b""
        try:
            while got := await loop.sock_recv(one, PIECE):
                text = tail + got
                for part in text.split(b"HTTP/1.1 ")[1:]:
                    if len(part) >= 3:
                        self.seen[part[:3].decode()] += 1
                tail = text[-11:] if b"HTTP/1.1 " in text[-11:] else text[-8:]
            self.seen["closed"] += 1
        except ConnectionError:
            self.seen["reset"] += 1


def sends(*pieces: bytes, then: bytes = b"", reads: bool = True, every_s: float = 0) -> Way:
    return lambda attacker: attacker.send(*pieces, then=then, reads=reads, every_s=every_s)


async def half_closes(attacker: Attacker) -> None:
    async with attacker.connected() as one:
        await asyncio.get_running_loop().sock_sendall(one, GET + REFUSED)
        one.shutdown(socket.SHUT_WR)
        await attacker.listen(one)


async def resets(attacker: Attacker) -> None:
    async with attacker.connected() as one:
        await asyncio.get_running_loop().sock_sendall(one, REFUSED)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        attacker.seen["reset by us"] += 1


async def connects(attacker: Attacker) -> None:
    async with attacker.connected():
        attacker.seen["closed by us"] += 1


async def reads_slowly(attacker: Attacker) -> None:
    """Asks for a lot, and takes a byte of it now and then."""
    async with attacker.connected() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        loop = asyncio.get_running_loop()
        asking = asyncio.ensure_future(loop.sock_sendall(one, PAGE * 5000))
        try:
            while attacker.left_s > 0 and await loop.sock_recv(one, 1):  # noqa: ASYNC110  # a slow reader
                await asyncio.sleep(0.2)
        except ConnectionError:
            attacker.seen["reset"] += 1
        else:
            attacker.seen["open at the end" if attacker.left_s <= 0 else "closed"] += 1
        asking.cancel()


async def stays_away(attacker: Attacker) -> None:
    """No attack, to compare with."""
    await asyncio.sleep(attacker.left_s)


ATTACKS: dict[str, Way] = {
    "none": stays_away,
    "endless header value": sends(POST + b"X: ", then=b"a" * PIECE),
    "endless URL": sends(b"GET /", then=b"a" * PIECE),
    "endless header lines": sends(POST, then=b"X: y\r\n" * 10_000),
    "endless header name": sends(POST, then=b"x" * PIECE),
    "endless blank lines": sends(then=b"\r\n" * 32_000),
    "endless trailers": sends(CHUNKED + b"0\r\n", then=b"X: y\r\n" * 10_000),
    "endless trailer value": sends(CHUNKED + b"0\r\nX: ", then=b"a" * PIECE),
    "endless chunk extension": sends(CHUNKED + b"3;a=", then=b"a" * PIECE),
    "endless chunk size": sends(CHUNKED, then=b"0" * PIECE),
    "tiny chunks": sends(CHUNKED, then=b"1\r\na\r\n" * 10_000),
    "tiny chunks, signed": sends(SIGNED + b"Transfer-Encoding: chunked\r\n\r\n", then=b"1\r\na\r\n" * 10_000),
    "endless body": sends(POST + b"Content-Length: 999999999999\r\n\r\n", then=b"a" * PIECE),
    "pipelined, replies unread": sends(then=GET * 2000, reads=False),
    "pipelined pages, replies unread": sends(then=PAGE * 2000, reads=False),
    "pipelined webhooks, replies unread": sends(then=REFUSED * 500, reads=False),
    "pipelined, replies read": sends(then=GET * 2000),
    "replies read byte by byte": reads_slowly,
    "half-sent headers": sends(POST + b"X: half"),
    "headers byte by byte": sends(POST, then=b"a", every_s=0.3),
    "idle": sends(),
    "idle after a request": sends(GET),
    "half-sent signed bodies": sends(SIGNED + b"Content-Length: 1000\r\n\r\n{"),
    "signed bodies byte by byte": sends(SIGNED + b"Content-Length: 1000\r\n\r\n", then=b" ", every_s=0.3),
    "Expect: 100-continue, nothing follows": sends(
        SIGNED + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    ),
    "websocket upgrades": sends(
        then=b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        every_s=0.01,
    ),
    "h2c upgrades": sends(
        then=POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        b"Content-Length: 2\r\n\r\n{}",
        every_s=0.01,
    ),
    "HTTP/2 preface": sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
    "TLS": sends(TLS_HELLO),
    "NUL bytes": sends(b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"),
    "repeated Content-Length": sends(POST + b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}" + GET),
    "Transfer-Encoding with Content-Length": sends(
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET
    ),
    "half-closed": half_closes,
    "reset": resets,
    "connects and leaves": connects,
    "refused webhooks": sends(then=REFUSED, every_s=0),
}


async def run(name: str, port: int, seconds: float, connections: int) -> Counter[str]:
    """What was answered, all connections together."""
    seen: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    # Of the network of this machine: what an address may do, each of these may.
    addresses = [f"127.0.{n // 250}.{n % 250 + 1}" for n in range(1000)]

    async def comes_again(number: int) -> None:
        attacker = Attacker(port, ends, seen, addresses[number % len(addresses) :] + addresses)
        while attacker.left_s > 0:
            try:
                await ATTACKS[name](attacker)
            except TimeoutError:
                seen["no connection"] += 1
            except OSError as error:
                seen["reset" if isinstance(error, ConnectionError) else "no connection"] += 1
            await asyncio.sleep(0.001)

    tasks = [asyncio.create_task(comes_again(number)) for number in range(connections)]
    _, late = await asyncio.wait(tasks, timeout=seconds + 1)
    for task in late:
        task.cancel()
    return seen


def main(name: str, port: str, seconds: str, connections: str) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    seen = asyncio.run(run(name, int(port), float(seconds), int(connections)))
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
