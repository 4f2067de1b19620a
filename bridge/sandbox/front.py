"""The outermost layer of both services: logs every request and lets faults happen."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.sandbox.faults import Fault
from bridge.sandbox.ranges import BODY_LENGTH
from bridge.sandbox.world import LoggedRequest, Service, World

# Ours, not the service's: neither logged nor hit by faults.
CONTROL_PREFIX = "/_sandbox"
# The storage host to which files go; faults hit it, and its log is another.
UPLOAD_PREFIX = "/_uploads"
# In a request's scope: its entry in the log, for who can tell more.
LOG_ENTRY = "sandbox.log_entry"

Refuse = Callable[[str, int], Response]


class Front:
    """Plain ASGI and outermost, for only there is `receive` the server's own, which knows the connection.

    Args:
        refuse: an error answer as the service writes it, for a path and a status.
    """

    def __init__(self, app: ASGIApp, *, world: World, service: Service[Any], refuse: Refuse) -> None:
        self._app = app
        self._world = world
        self._service = service
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_ours(scope["path"]):
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        log = self._service.log_upload if is_upload(path) else self._service.log
        with self._world.lock:
            entry = log(method, path, scope["query_string"].decode("latin-1"))
            fault = self._service.faults.take(method, path)
            entry.fault = None if fault is None else fault.kind
        scope[LOG_ENTRY] = entry
        if fault is None:
            await self._app(scope, receive, _noting(entry, send))
        else:
            await self._fail(fault, entry, scope, receive, send)

    async def _fail(
        self, fault: Fault, entry: LoggedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if fault.kind in ("status", "body"):
            await _drain(receive)
            with self._world.lock:
                answer = self._instead(fault, scope["path"])
            await answer(scope, receive, _noting(entry, send))
        elif fault.kind == "drop_request":
            await _break_connection(receive)
        elif fault.kind == "lose_reply":
            await self._app(scope, receive, _noting(entry, _to_nobody))
            await _break_connection(receive)
        else:
            # The answer passes as it is made, for it may be larger than we want to hold.
            change = {"delay": _delayed, "cut": _cut, "slow": _slow}[fault.kind]
            await self._app(scope, receive, _noting(entry, change(fault, scope, receive, send)))

    def _instead(self, fault: Fault, path: str) -> Response:
        if fault.kind == "status":
            answer = self._refuse(path, fault.status)
        else:
            content, headers = base64.b64decode(fault.content), {"content-type": fault.content_type}
            answer = Response(content, fault.body_status, headers=headers)
        answer.headers.update(fault.headers)
        return answer


def is_upload(path: str) -> bool:
    return path == UPLOAD_PREFIX or path.startswith(UPLOAD_PREFIX + "/")


def _is_ours(path: str) -> bool:
    return path == "/" or path == CONTROL_PREFIX or path.startswith(CONTROL_PREFIX + "/")


def _noting(entry: LoggedRequest, send: Send) -> Send:
    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
        await send(message)

    return note


async def _to_nobody(message: Message) -> None:
    pass


def _delayed(fault: Fault, scope: Scope, receive: Receive, send: Send) -> Send:
    async def later(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(fault.seconds)
        await send(message)

    return later


def _cut(fault: Fault, scope: Scope, receive: Receive, send: Send) -> Send:
    left = 0
    broken = False

    async def until_cut(message: Message) -> None:
        nonlocal left, broken
        if broken:
            return  # a stream ends by seeing that its reader is gone
        if message["type"] == "http.response.start":
            length = scope.get(BODY_LENGTH) or int(Headers(raw=message["headers"]).get("content-length", 0))
            left = length // 2 if fault.after_bytes is None else fault.after_bytes
            await send(message)
            return
        body = message.get("body", b"")[:left]
        left -= len(body)
        await send({"type": "http.response.body", "body": body, "more_body": True})
        if left == 0 or not message.get("more_body", False):
            broken = True
            await _break_connection(receive, flush=True)

    return until_cut


def _slow(fault: Fault, scope: Scope, receive: Receive, send: Send) -> Send:
    gone: asyncio.Task[None] | None = None
    step = max(1, int(fault.bytes_per_s / 10))

    async def dribble(message: Message) -> None:
        nonlocal gone
        if message["type"] == "http.response.start":
            await send(message)
            return
        if gone is None:
            gone = asyncio.create_task(_until_gone(receive))
        body = message.get("body", b"")
        for at in range(0, len(body), step):
            piece = body[at : at + step]
            await asyncio.wait({gone}, timeout=len(piece) / fault.bytes_per_s)
            if gone.done():
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not message.get("more_body", False):
            gone.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return dribble


async def _drain(receive: Receive) -> None:
    """Read the body, so that a client still sending it sees our answer and not a reset."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _break_connection(receive: Receive, *, flush: bool = False) -> None:
    """Args: flush: what was sent arrives, then nothing more; else what is on its way may be lost too."""
    # uvicorn's receive is a method of the request's cycle, which holds the transport. There is no public
    # way to answer with nothing at all.
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox broke off here")
    if flush:
        transport.close()
    else:
        transport.abort()
    # Returning before the server has noticed would make it write a 500.
    await _until_gone(receive)
