"""The road to the services without a proxy: connections of HTTP/1.1 that threads do not contend for.

httpx2's own transport looks through all its connections at each request, under one lock, and builds many
objects for a few hundred bytes: half of a worker's processor time with 64 threads
(tests/benchmarks/README.md).
Requests and answers stay httpx2's, so everything above is the same.

No library instead: a transport on urllib3's connections costs 0.14 ms more CPU a request (ours: 0.21).
It also takes a head that breaks off for a whole answer and a 103 for the last one, either of which would make
a write whose outcome is unknown look done.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from bridge.clients import network, pace
from bridge.clients.http1 import Head, Incoming, body_of, read_head

_READ_BYTES = 64 * 1024
# Longer than any pause within a call; shorter than the minute or more that servers keep a connection.
_IDLE_S = 60.0
# Each thread sends one request at a time: as many as WORKER_THREADS can be.
_MOST_IDLE = 256
_PORTS = {"http": 80, "https": 443}
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_NO_VALUE = re.compile(rb"[\x00\r\n]")

Origin = tuple[str, str, int]


class DirectTransport(httpx2.BaseTransport):
    """Sends a request over a connection of its own, kept for the next one.

    Nothing is ever sent twice. That the service has closed a connection meanwhile is seen before anything is
    sent on it; if it closes it just then, the answer is lost (RemoteProtocolError or ReadError).

    Args:
        certificates: called once the first https request is sent.

    Raises:
        httpx2.ConnectError, httpx2.ConnectTimeout: nothing was sent.
        Other errors of httpx2: what was done is not known.
        What `last_check` of the request's extensions raises: nothing was sent.
    """

    def __init__(self, certificates: Callable[[], ssl.SSLContext] = httpx2.create_ssl_context) -> None:
        self._certificates = certificates
        self._context: ssl.SSLContext | None = None
        self._idle: dict[Origin, deque[Connection]] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        head, length = _head_of(request)
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        origin = _origin_of(request.url)
        connection = self._take(origin) or self._connect(origin, timeouts.get("connect"))
        try:
            is_sent = connection.send(request, head, length, timeouts.get("write"))
            connection.read_s = timeouts.get("read")
            found = read_head(connection.incoming, request.method)
        except BaseException:
            connection.close()
            raise
        goes_on = is_sent and found.can_go_on
        return httpx2.Response(
            found.status,
            headers=found.headers,
            stream=_Body(connection, found, self._put if goes_on else None),
            extensions={"http_version": b"HTTP/" + found.version, "reason_phrase": found.reason},
        )

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            connections = [one for those in self._idle.values() for one in those]
            self._idle.clear()
        for one in connections:
            one.close()

    def _take(self, origin: Origin) -> Connection | None:
        """The connection that was used last, if the service has not closed it."""
        while True:
            with self._lock:
                those = self._idle.get(origin)
                if not those:
                    return None
                found = those.pop()
            if time.monotonic() < found.idle_until and not found.is_readable():
                return found
            found.close()

    def _put(self, connection: Connection) -> None:
        now = time.monotonic()
        connection.idle_until = now + _IDLE_S
        over: list[Connection] = []
        with self._lock:
            if self._is_closed:
                over.append(connection)
            else:
                self._idle.setdefault(connection.origin, deque()).append(connection)
            for those in self._idle.values():
                # The one that waits longest is the first.
                while those and (those[0].idle_until <= now or len(those) > _MOST_IDLE):
                    over.append(those.popleft())
        for one in over:
            one.close()

    def _connect(self, origin: Origin, timeout_s: float | None) -> Connection:
        scheme, host, port = origin
        sock = network.connected(host, port, timeout_s)
        return Connection(origin, self._secured(sock, host, timeout_s) if scheme == "https" else sock)

    def _secured(self, sock: socket.socket, host: str, timeout_s: float | None) -> socket.socket:
        try:
            # One limit for the whole handshake: Python counts it so, not for each packet.
            left = pace.within(timeout_s)
            if left == 0:
                raise TimeoutError("the total time limit was reached")
            sock.settimeout(left)
            return self._tls().wrap_socket(sock, server_hostname=host)
        except TimeoutError as cause:
            sock.close()
            raise httpx2.ConnectTimeout(f"the TLS handshake of {host} timed out") from cause
        except (OSError, ValueError) as cause:
            sock.close()
            raise httpx2.ConnectError(str(cause)) from cause

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            context = self._certificates()
            context.set_alpn_protocols(["http/1.1"])
            self._context = context
        return self._context


class Connection:
    """One connection; used by one request at a time."""

    def __init__(self, origin: Origin, sock: socket.socket) -> None:
        self.origin = origin
        self.idle_until = 0.0
        self.read_s: float | None = None
        self.incoming = Incoming(self._next)
        self._real = sock
        self._sock = network.PacedSocket(sock)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def is_readable(self) -> bool:
        """Of one that waits: the service has closed it, or sent what nobody asked for."""
        real = self._real
        return bool(self._poll.poll(0)) or (isinstance(real, ssl.SSLSocket) and real.pending() > 0)

    def send(self, request: httpx2.Request, head: bytes, length: int | None, timeout_s: float | None) -> bool:
        """Send a request, after its last check; False: the service stopped reading, and may still answer.

        Raises:
            httpx2.LocalProtocolError: its body has another length than it says.
            httpx2.WriteTimeout: the service does not read.
        """
        if check := request.extensions.get("last_check"):
            check()
        try:
            for piece in _pieces(request, head, length):
                self.write(piece, timeout_s)
        except httpx2.WriteError:
            return False
        return True

    def write(self, data: bytes, timeout: float | None = None) -> None:
        self._sock.settimeout(timeout)
        try:
            self._sock.sendall(data)
        except TimeoutError as cause:
            raise httpx2.WriteTimeout(str(cause)) from cause
        except OSError as cause:
            raise httpx2.WriteError(str(cause)) from cause

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._sock.settimeout(timeout)
        try:
            return self._sock.recv(max_bytes)
        except TimeoutError as cause:
            raise httpx2.ReadTimeout(str(cause)) from cause
        except OSError as cause:
            raise httpx2.ReadError(str(cause)) from cause

    def close(self) -> None:
        self._real.close()

    def _next(self) -> bytes:
        return self.read(_READ_BYTES, self.read_s)


class _Body(httpx2.SyncByteStream):
    """Of an answer. Read to its end it hands the connection on; else the connection ends with it."""

    def __init__(self, connection: Connection, head: Head, keep: Callable[[Connection], None] | None) -> None:
        self._connection, self._head, self._keep = connection, head, keep
        self._is_complete = head.length == 0
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from body_of(self._connection.incoming, self._head)
            self._is_complete = True
        except httpx2.TransportError:
            self.close()
            raise

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        # What came beyond the answer belongs to no request.
        if self._keep and self._is_complete and not len(self._connection.incoming):
            self._keep(self._connection)
        else:
            self._connection.close()


def _origin_of(url: httpx2.URL) -> Origin:
    if url.scheme not in _PORTS or not url.host:
        raise httpx2.UnsupportedProtocol("the address does not begin with http:// or https:// and a host")
    return url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]


def _head_of(request: httpx2.Request) -> tuple[bytes, int | None]:
    """What is sent before the body, and the length of that; None: in pieces.

    Raises:
        httpx2.LocalProtocolError: something in it could be read as another request or header.
    """
    method, target = request.method.encode("ascii"), request.url.raw_path
    if not (_TOKEN.fullmatch(method) and _TARGET.fullmatch(target)):
        raise httpx2.LocalProtocolError("an invalid method or address")
    lines = [b"%s %s HTTP/1.1" % (method, target)]
    length: int | None = 0
    for name, value in request.headers.raw:
        if not _TOKEN.fullmatch(name) or _NO_VALUE.search(value):
            raise httpx2.LocalProtocolError("an invalid header")
        lines.append(b"%s: %s" % (name, value))
        if len(name) == 14 and name.lower() == b"content-length":
            if not value.isdigit():
                raise httpx2.LocalProtocolError("an invalid content-length")
            length = int(value)
        elif len(name) == 17 and name.lower() == b"transfer-encoding":
            length = None
    lines.append(b"\r\n")
    return b"\r\n".join(lines), length


def _pieces(request: httpx2.Request, head: bytes, length: int | None) -> Iterator[bytes]:
    """A request as it is sent: its head together with the first of its body.

    Raises:
        httpx2.LocalProtocolError: the body has not the length that the head says.
    """
    stream: Any = request.stream
    if isinstance(stream, httpx2.ByteStream):
        content = b"".join(stream)
        if length is not None:
            _check_length(len(content) == length)
            yield head + content
            return
        stream = [content]
    count = 0
    for piece in stream:
        if not piece:
            continue
        count += len(piece)
        if length is None:
            piece = b"%x\r\n%s\r\n" % (len(piece), piece)
        else:
            _check_length(count <= length)
        yield head + piece if head else piece
        head = b""
    _check_length(length is None or count == length)
    if length is None:
        yield head + b"0\r\n\r\n"
    elif head:
        yield head


def _check_length(fits: bool) -> None:
    if not fits:
        raise httpx2.LocalProtocolError("the body has another length than its request says")
