"""uvicorn's cycle of a request and its answer, with short ways for what nearly every one does.

They change nothing that an application or a peer can see: an answer whose headers are known (`FixedHeaders`)
is written down once and sent in one piece, and a body that has arrived whole is handed over without waiting.
All else goes uvicorn's own way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from bridge.web.server.fixed_headers import FixedHeaders

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveEvent, ASGISendEvent

    from bridge.web.server.flow import CycleTransport
    from bridge.web.server.protocol import BoundedHttpProtocol


# Of longer ones a stranger could have much memory filled.
_USUAL_URL = 128


class _Written:
    """The server's own headers as they are sent. uvicorn makes the list anew each second, for the date."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] | None = None
        self.lines = b""

    def of(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        if headers is not self.headers:
            self.headers = headers
            self.lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        return self.lines


_written = _Written()


class Signal:
    """What uvicorn needs of an `asyncio.Event`, at a third of the cost."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        while self._waiting:
            one = self._waiting.pop()
            if not one.done():
                one.set_result(None)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self) -> None:
        if not self._is_set:
            one = asyncio.get_running_loop().create_future()
            self._waiting.append(one)
            await one


def _nothing() -> None: ...


class Cycle(RequestResponseCycle):
    # Status line and headers that wait for the body, to go with it.
    _head: bytes | None = None
    _length = 0
    task: asyncio.Task[None]
    tasks: set[asyncio.Task[None]]

    async def run_asgi(self, app: ASGI3Application) -> None:
        try:
            await super().run_asgi(app)
        finally:
            self.tasks.discard(self.task)

    def begin(self, app: ASGI3Application, takes_whole: Callable[[Cycle], bool] | None) -> None:
        """Have a request answered.

        Args:
            takes_whole: is asked first whether it answers it itself (`Traffic.takes_whole`).
        """
        try:
            is_taken = takes_whole is not None and takes_whole(self)
        except Exception as error:  # the application answers it, or fails in the same way with a 500
            self.logger.error("the short way of a request failed", exc_info=error)
            is_taken = False
        if not is_taken:
            self.start(app)

    def start(self, app: ASGI3Application) -> None:
        """Have an application answer."""
        self.task = asyncio.get_running_loop().create_task(self.run_asgi(app))
        self.tasks.add(self.task)

    @property
    def may_answer(self) -> bool:
        """Whether `answer` would be sent now: somebody is there, who reads."""
        return not (self.flow.write_paused or self.disconnected)

    def answer(self, status: int, headers: FixedHeaders, body: bytes) -> None:
        """The whole answer, where `may_answer`."""
        self.response_started = True
        if len(body) != headers.content_length:
            raise RuntimeError("Response content is not as long as Content-Length")
        self._write(STATUS_LINE[status] + _written.of(self.default_headers) + headers.lines, body)
        # Holds the connection, which holds this.
        self.on_response = _nothing

    async def receive(self) -> ASGIReceiveEvent:
        if (
            self.more_body
            or self.disconnected
            or self.response_complete
            or self.waiting_for_100_continue
            or not self.message_event.is_set()
        ):
            return await super().receive()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: ASGISendEvent) -> None:
        if self._head is None:
            headers: Any = message.get("headers")
            if (
                headers.__class__ is not FixedHeaders
                or self.response_started
                or self.scope["method"] == "HEAD"
            ):
                return await super().send(message)
            self.response_started = True
            self.waiting_for_100_continue = False
            self._length = headers.content_length
            self._head = STATUS_LINE[message["status"]] + _written.of(self.default_headers) + headers.lines  # type: ignore[typeddict-item]
            return None
        return await self._send_whole(message)

    async def _send_whole(self, message: ASGISendEvent) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] != "http.response.body" or message.get("more_body") or self.response_complete:
            raise RuntimeError("An answer with fixed headers has one body.")
        body = message.get("body", b"")
        if len(body) != self._length:
            raise RuntimeError("Response content is not as long as Content-Length")
        self._write(self._head or b"", body)

    def _write(self, head: bytes, body: bytes) -> None:
        self.response_complete = True
        self.transport.write(
            head + b"\r\n" + body if self.keep_alive else head + b"connection: close\r\n\r\n" + body
        )
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def begun(protocol: BoundedHttpProtocol, transport: CycleTransport) -> Cycle:
    """The cycle of the request whose head a protocol has just read; the application runs.

    As `HttpToolsProtocol.on_headers_complete` does it, except that a task takes itself off the list of those
    that run: a callback for that is one more turn of the event loop.
    """
    parser = protocol.parser
    version = parser.get_http_version()
    path, raw_path, query = _parts_of(protocol.url)
    root = protocol.root_path
    scope = protocol.scope = {
        "type": "http",
        "asgi": {"version": protocol.asgi_version, "spec_version": "2.3"},
        "http_version": version,
        "server": protocol.server,
        "client": protocol.client,
        "scheme": protocol.scheme,  # type: ignore[typeddict-item]
        "method": parser.get_method().decode("ascii"),
        "root_path": root,
        "path": root + path,
        "raw_path": root.encode("ascii") + raw_path,
        "query_string": query,
        "headers": protocol.headers,
        "state": protocol.app_state.copy(),
    }
    cycle = Cycle(
        scope=scope,
        transport=transport,  # type: ignore[arg-type]
        flow=protocol.flow,
        logger=protocol.logger,
        access_logger=protocol.access_logger,
        access_log=protocol.access_log,
        default_headers=protocol.server_state.default_headers,
        message_event=Signal(),  # type: ignore[arg-type]
        expect_100_continue=protocol.expect_100_continue,
        keep_alive=version != "1.0" and parser.should_keep_alive() and not protocol.traffic.is_draining,
        on_response=protocol.on_response_complete,
    )
    cycle.tasks = protocol.tasks
    return cycle


def _read_url(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, the path as it came, and query."""
    parsed = httptools.parse_url(url)
    path: str = parsed.path.decode("ascii")
    return unquote(path) if "%" in path else path, parsed.path, parsed.query or b""


_read_usual_url = lru_cache(maxsize=128)(_read_url)


def _parts_of(url: bytes) -> tuple[str, bytes, bytes]:
    """A sender's requests all have the same address."""
    return _read_usual_url(url) if len(url) <= _USUAL_URL else _read_url(url)
