"""Answers that the server gives itself, before there is a request that the application could answer."""

from __future__ import annotations

import http
import json
from collections.abc import Iterable

_SAID = {
    400: ("not valid HTTP/1.1", "Send HTTP/1.1 with lines that end in CR LF."),
    408: ("the request did not arrive in time", "Send it again without pauses."),
    414: ("the URL is too long", "The request line may have at most 8 KiB."),
    431: (
        "the headers are too large or too many",
        "Headers and trailers may have at most 16 KiB in 100 lines.",
    ),
    503: ("too many connections", "Try again shortly."),
}


def answer(status: int, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole answer, after which the connection ends."""
    error, hint = _SAID[status]
    body = json.dumps({"error": error, "hint": hint}).encode()
    lines = [
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode(),
        *(name + b": " + value for name, value in default_headers),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        b"cache-control: no-store",
        b"connection: close",
    ]
    if status == 503:
        lines.append(b"retry-after: 2")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
