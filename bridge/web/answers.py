"""Answers as JSON, and the refusals among them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from starlette.types import Send

from bridge.ledger.faults import RedisError
from bridge.web.server.fixed_headers import FixedHeaders

# What redis-py and the network under it raise while Redis is away, frozen or unwilling.
REDIS_AWAY = (RedisError, OSError, TimeoutError)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The X-Request-Id that a proxy gave the request, so that both logs name it alike; else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(text := value.decode("latin-1")):
            return text
    return secrets.token_hex(8)


@lru_cache(maxsize=512)
def _headers_for(length: int) -> FixedHeaders:
    return FixedHeaders(
        (
            (b"content-type", b"application/json"),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % length),
        )
    )


class Refused(Exception):
    """A request that is not taken.

    Args:
        cause: the name it is counted under.
        error: what is wrong with it, for people.
        hint: what to do about it.
    """

    def __init__(
        self, status: int, cause: str, error: str, hint: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status, self.cause, self.error, self.hint = status, cause, error, hint
        self.headers = dict(headers or {})

    @property
    def content(self) -> dict[str, str]:
        return {"error": self.error, "hint": self.hint}


def _as_json(content: Mapping[str, Any]) -> str:
    if len(content) == 2 and "call" in content:
        # Nearly every webhook's answer; what follows takes several times as long for it.
        return f'{{"status": {_quoted(content["status"])}, "call": {_quoted(content["call"])}}}'
    return json.dumps(content)


def whole_json(content: Mapping[str, Any]) -> tuple[FixedHeaders, bytes]:
    """The headers and the body of an answer as JSON."""
    body = _as_json(content).encode()
    return _headers_for(len(body)), body


async def send_json(
    send: Send, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> None:
    """Answer without Starlette's response objects, which cost as much as parsing the webhook does."""
    fixed, body = whole_json(content)
    lines: Iterable[tuple[bytes, bytes]] = fixed
    if headers:
        lines = [*fixed, *((name.encode(), value.encode()) for name, value in headers.items())]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
