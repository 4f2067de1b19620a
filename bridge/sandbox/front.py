"""The outermost layer of both services: logs every request and lets faults happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.sandbox.faults import Fault
from bridge.sandbox.world import LoggedRequest, Service, World

# Ours, not the service's: neither logged nor hit by faults.
CONTROL_PREFIX = "/_sandbox"

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
        with self._world.lock:
            entry = self._service.log(method, path, scope["query_string"].decode("latin-1"))
            fault = self._service.faults.take(method, path)
            entry.fault = None if fault is None else fault.kind
        if fault is None:
            await self._app(scope, receive, _noting(entry, send))
        else:
            await self._fail(fault, entry, scope, receive, send)

    async def _fail(
        self, fault: Fault, entry: LoggedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if fault.kind == "status":
            await _drain(receive)
            with self._world.lock:
                answer = self._refuse(scope["path"], fault.status)
            answer.headers.update(fault.headers)
            await answer(scope, receive, _noting(entry, send))
            return
        if fault.kind == "drop_request":
            await _break_connection(receive)
            return
        withheld: list[Message] = []

        async def withhold(message: Message) -> None:
            withheld.append(message)

        await self._app(scope, receive, _noting(entry, withhold))
        if fault.kind == "lose_reply":
            await _break_connection(receive)
            return
        await asyncio.sleep(fault.seconds)
        for message in withheld:
            await send(message)


def _is_ours(path: str) -> bool:
    return path == "/" or path == CONTROL_PREFIX or path.startswith(CONTROL_PREFIX + "/")


def _noting(entry: LoggedRequest, send: Send) -> Send:
    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
        await send(message)

    return note


async def _drain(receive: Receive) -> None:
    """Read the body, so that a client still sending it sees our answer and not a reset."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


async def _break_connection(receive: Receive) -> None:
    # uvicorn's receive is a method of the request's cycle, which holds the transport. There is no public
    # way to answer with nothing at all.
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox broke off here")
    transport.abort()
    # Returning before the server has noticed would make it write a 500.
    while (await receive())["type"] != "http.disconnect":
        pass
