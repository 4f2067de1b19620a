"""Answers whose body is made while it is sent, whole or the part that a `Range` asks for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping

from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bridge.sandbox.sounds import Sound

# In a request's scope: how long the body will be, also when no header says it.
BODY_LENGTH = "sandbox.body_length"


class Streamed(StreamingResponse):
    def __init__(
        self, sound: Sound, start: int, end: int, *, status: int, kind: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(_pieces(sound, start, end), status, headers, kind)
        self._length = end - start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[BODY_LENGTH] = self._length
        await super().__call__(scope, receive, send)


def answer_with(
    sound: Sound, request: Headers, kind: str, *, ranges: bool = True, length_header: bool = True
) -> Response:
    """
    Args:
        ranges: honour `Range`; else it is as if the request had none.
        length_header: say the length beforehand; else the body comes in chunks.
    """
    headers: dict[str, str] = {"accept-ranges": "bytes", "etag": sound.etag} if ranges else {}
    start, end, status = 0, sound.size, 200
    if ranges and "range" in request and request.get("if-range", sound.etag) == sound.etag:
        wanted = _range(request["range"], sound.size)
        if wanted is not None:
            start, end = wanted
            if start >= end:
                return Response(status_code=416, headers={"content-range": f"bytes */{sound.size}"})
            status = 206
            headers["content-range"] = f"bytes {start}-{end - 1}/{sound.size}"
    if length_header:
        headers["content-length"] = str(end - start)
    return Streamed(sound, start, end, status=status, kind=kind, headers=headers)


def _range(text: str, size: int) -> tuple[int, int] | None:
    """From where up to where; an empty stretch cannot be satisfied. None: not understood, so ignored."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", text.replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


async def _pieces(sound: Sound, start: int, end: int) -> AsyncIterator[bytes]:
    for piece in sound.read(start, end):
        yield piece
        # A fast reader never makes the server wait, and the loop has others to serve.
        await asyncio.sleep(0)
