"""A request's body, read and parsed within limits: size, time, depth."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Generator
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from bridge.domain.webhook.json_values import mended
from bridge.web.answers import Refused
from bridge.web.webhooks.admission import token_in
from bridge.web.webhooks.encodings import UTF_8, as_utf_8, charset_of, codings_in

LARGEST = 65_536
SLOWEST_S = 10.0
DEEPEST = 32

_BRACKETS = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)
# A surrogate in an escape; half of a pair cannot be written down as UTF-8.
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_OBJECT = 'Send one JSON object, such as {"call_id": "1000000110"}.'
_SMALLER = (
    "Leave long values (a transcript, notes) out of the workflow. After a call-modified webhook the "
    "bridge reads notes and tags from CloudTalk; transcripts it fetches if [insights] in the rules says so."
)


def too_large(largest: int = LARGEST) -> Refused:
    return Refused(413, "too-large", f"the body is larger than {largest} bytes", _SMALLER)


class Head:
    """What a webhook's headers say that counts; they are walked once.

    Args:
        content_type: the last one given.
        codings: see `codings_in`.
        tokens: see `offered_tokens`.
    Raises:
        Refused: 413, they announce too large a body.
    """

    __slots__ = ("codings", "content_type", "tokens")

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.content_type: bytes | None = None
        self.codings: list[bytes] = []
        self.tokens: list[bytes] = []
        for name, value in headers:
            if name == b"authorization":
                self.tokens.append(token_in(value))
            elif name == b"content-type":
                self.content_type = value
            elif name == b"content-length":
                if value.isdigit() and int(value[:20]) > LARGEST:
                    raise too_large()
            elif name == b"x-webhook-token":
                self.tokens.append(value.strip())
            elif name == b"content-encoding":
                self.codings += codings_in(value)


class _Begun:
    """A message that did not come with the first step of receiving it."""

    __slots__ = ("_steps", "_waits_for")

    def __init__(self, steps: Generator[Any, Any, Message], waits_for: Any) -> None:
        self._steps, self._waits_for = steps, waits_for

    def __await__(self) -> Generator[Any, Any, Message]:
        try:
            yield self._waits_for
        except BaseException:
            self._steps.close()
            raise
        return (yield from self._steps)


def _is_last(message: Message, body: bytearray, largest: int) -> bool:
    """Adds what a message has of the body; whether it is all."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    body += message.get("body", b"")
    if len(body) > largest:
        raise too_large(largest)
    return not message.get("more_body", False)


async def read_body(receive: Receive, *, within_s: float = SLOWEST_S, largest: int = LARGEST) -> bytes:
    """The whole body.

    Raises:
        Refused: 413 once it is too large, without reading on; 408 when it takes too long.
        ClientDisconnect: there is nobody left to answer.
    """
    # The first step is made here: nearly always the body has arrived, and a timer costs more than parsing.
    message: Message | None = None
    steps = receive().__await__()
    try:
        begun = _Begun(steps, next(steps))
    except StopIteration as arrived:
        message = arrived.value
        assert message is not None  # noqa: S101
        if not message.get("more_body") and message["type"] == "http.request":
            whole: bytes = message.get("body", b"")
            if len(whole) > largest:
                raise too_large(largest) from None
            return whole
    body = bytearray()
    if message is not None and _is_last(message, body, largest):
        return bytes(body)
    try:
        async with asyncio.timeout(within_s):
            if message is None and _is_last(await begun, body, largest):
                return bytes(body)
            while not _is_last(await receive(), body, largest):
                pass
            return bytes(body)
    except TimeoutError:
        raise Refused(
            408,
            "too-slow",
            f"the body did not arrive within {within_s:g} s",
            "Send it again without pauses.",
            # What is still to come of it must not be taken for the next request.
            {"connection": "close"},
        ) from None


def check_type(content_type: bytes | None) -> str:
    """The encoding of the text; without a type the body is taken for JSON in UTF-8.

    Raises:
        Refused: 415, this is no JSON, or not in Unicode.
    """
    if content_type is None or content_type == b"application/json":
        return UTF_8
    kind, *parameters = content_type.lower().split(b";")
    kind = kind.strip()
    good = kind == b"application/json" or (kind.endswith(b"+json") and b"/" in kind)
    charset = charset_of(parameters)
    if not good or charset is None:
        raise Refused(
            415,
            "content-type",
            "the Content-Type is not JSON in UTF-8",
            "Send it with the header Content-Type: application/json.",
        )
    return charset


def parse_object(raw: bytes, charset: str = "utf-8") -> dict[str, Any]:
    """The JSON object in a body.

    A lone surrogate (a text cut in the middle of an emoji) becomes U+FFFD: neither Redis nor Kustomer
    could take it, and a call is worth more than half a character.

    Raises:
        Refused: 400, with what is wrong and where.
    """
    try:
        raw = as_utf_8(raw, charset)
        text = raw.decode()
    except UnicodeError as error:
        where = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
        raise _bad("not-utf8", f"the body is not {charset.upper()}{where}") from None
    # Most bodies are one object with nothing nested in it, which is quicker to see than to count.
    is_flat = raw.find(b"{", 1) < 0 and raw.find(b"[") < 0
    if not is_flat and raw.count(b"[") + raw.count(b"{") > DEEPEST and _depth(raw) > DEEPEST:
        raise _bad("too-deep", f"the body is nested deeper than {DEEPEST} levels")
    try:
        value = _decoded(text)
    except json.JSONDecodeError as error:
        raise _bad("not-json", f"the body is not JSON: {error.msg} (character {error.pos})") from None
    except ValueError:
        # An integer of more digits than Python reads, or a float beyond what one can be.
        raise _bad("not-json", "the body contains NaN, Infinity or a number that is too large") from None
    if not isinstance(value, dict):
        raise _bad("not-an-object", "the body is JSON but not an object")
    if b"\\" in raw and _ESCAPED_SURROGATE.search(raw):
        whole: dict[str, Any] = mended(value)
        return whole
    return value


def _bad(cause: str, error: str) -> Refused:
    return Refused(400, cause, error, _OBJECT)


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_float)
_scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]


def _decoded(text: str) -> Any:
    if text[:1] == "{":
        # As the decoder does, without its search for blanks before and after. It says what is wrong.
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            return _DECODER.decode(text)
        if end == len(text):
            return value
    return _DECODER.decode(text)


def _depth(raw: bytes) -> int:
    """How deep the brackets go, those inside texts left out; measured before parsing, which recurses."""
    deepest = depth = 0
    in_text = False
    for found in _BRACKETS.finditer(raw):
        mark = found[0]
        if mark == b'"':
            in_text = not in_text
        elif not in_text and mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif not in_text and mark in b"]}":
            depth -= 1
    return deepest
