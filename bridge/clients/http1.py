"""What comes over a connection, read as answers of HTTP/1.1 (RFC 9112); pure, whoever reads the bytes.

The rules are those of h11, which the tests compare it with: strict about what ends where, since a mistake
there would give one request's answer to another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2

# Of what has to be whole before it can be read: a head, the size of a piece, what follows the last piece.
LONGEST_PART = 100 * 1024

Headers = list[tuple[bytes, bytes]]

_HEAD_ENDS = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: ([^\x00\n-\r]*))?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\n-\r]*)")
_LENGTH = re.compile(rb"[0-9]{1,20}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,20})[ \t]*(?:;[^\n]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """
    Args:
        length: bytes of the body; None: as its pieces say (`is_chunked`), or until the connection ends.
        can_go_on: whether the connection may carry another request, once the body was read.
    """

    version: bytes
    status: int
    reason: bytes
    headers: Headers
    length: int | None
    is_chunked: bool
    can_go_on: bool


class Incoming:
    """What came and was not read yet.

    Args:
        read: the next bytes, at least one; none when the connection ended.
    """

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._rest = bytearray()

    def __len__(self) -> int:
        return len(self._rest)

    def more(self) -> bool:
        """Wait for more; False when the connection ended."""
        data = self._read()
        self._rest += data
        return bool(data)

    def until(self, end: re.Pattern[bytes]) -> bytes | None:
        """All before this pattern, which is taken too; None: the connection ended before.

        Raises:
            httpx2.RemoteProtocolError: it does not come within reason.
        """
        looked = 0
        while (found := end.search(self._rest, looked)) is None:
            if len(self._rest) > LONGEST_PART:
                raise httpx2.RemoteProtocolError("a part of the answer has no end")
            # The pattern may have begun.
            looked = max(0, len(self._rest) - 2)
            if not self.more():
                return None
        taken = bytes(self._rest[: found.start()])
        del self._rest[: found.end()]
        return taken

    def take(self, most: int) -> bytes:
        """What is there, at most so much."""
        taken = bytes(self._rest[:most])
        del self._rest[:most]
        return taken

    def some(self, most: int) -> bytes:
        """At least one byte of the body, at most so many.

        Raises:
            httpx2.RemoteProtocolError: the connection ended.
        """
        if self._rest:
            return self.take(most)
        data = self._read()
        if not data:
            raise httpx2.RemoteProtocolError("the connection ended before the answer did")
        if len(data) <= most:
            return data
        self._rest += data[most:]
        return data[:most]


def read_head(incoming: Incoming, method: str) -> Head:
    """The head of the answer to a request with this method; informational ones are passed over.

    Raises:
        httpx2.RemoteProtocolError: the connection ended, or this is no HTTP/1.1.
    """
    while True:
        text = incoming.until(_HEAD_ENDS)
        if text is None:
            raise httpx2.RemoteProtocolError(
                "the connection ended within the head of an answer"
                if len(incoming)
                else "the connection ended without an answer"
            )
        head = _head_of(text, method)
        if head.status == 101:
            raise httpx2.RemoteProtocolError("another protocol, which nobody asked for")
        if head.status >= 200:
            return head


def body_of(incoming: Incoming, head: Head) -> Iterator[bytes]:
    """Pieces of the body as they come; ends when it is complete.

    Raises:
        httpx2.RemoteProtocolError: the connection ended before, or the pieces are none.
    """
    if head.is_chunked:
        yield from _chunks(incoming)
    elif head.length is None:
        while len(incoming) or incoming.more():
            yield incoming.take(len(incoming))
    else:
        left = head.length
        while left:
            piece = incoming.some(left)
            left -= len(piece)
            yield piece


_LINE_ENDS = re.compile(rb"\r?\n")
# Only CRLF ends the lines of chunks: after a bare LF, part of an extension could pass for a chunk.
_PIECE_LINE_ENDS = re.compile(rb"\r\n")


def _chunks(incoming: Incoming) -> Iterator[bytes]:
    while left := _chunk_size(incoming):
        while left:
            piece = incoming.some(left)
            left -= len(piece)
            yield piece
        if _line(incoming, _PIECE_LINE_ENDS):
            raise httpx2.RemoteProtocolError("a piece of the answer is longer than it says")
    trailers: list[bytes] = []
    room = LONGEST_PART
    while line := _line(incoming):
        trailers.append(line)
        room -= len(line) + 2
        if room < 0:
            raise httpx2.RemoteProtocolError("a part of the answer has no end")
    _headers_of(trailers)


def _chunk_size(incoming: Incoming) -> int:
    size = _CHUNK.fullmatch(_line(incoming, _PIECE_LINE_ENDS))
    if size is None:
        raise httpx2.RemoteProtocolError("a piece of the answer has no size")
    return int(size[1], 16)


def _line(incoming: Incoming, ends: re.Pattern[bytes] = _LINE_ENDS) -> bytes:
    line = incoming.until(ends)
    if line is None:
        raise httpx2.RemoteProtocolError("the connection ended before the answer did")
    return line


def _head_of(text: bytes, method: str) -> Head:
    first, *lines = text.split(b"\n")
    begins = _STATUS.fullmatch(first.removesuffix(b"\r"))
    if begins is None:
        raise httpx2.RemoteProtocolError("no HTTP/1.1 answer")
    headers = _headers_of(lines)
    version, status = begins[1], int(begins[2])
    length, is_chunked = _framing(headers)
    if method == "HEAD" or status in (204, 304) or status < 200:
        length, is_chunked = 0, False
    closes = any(name.lower() == b"connection" and b"close" in _tokens(value) for name, value in headers)
    return Head(
        version=version,
        status=status,
        reason=begins[3] or b"",
        headers=headers,
        length=length,
        is_chunked=is_chunked,
        can_go_on=version == b"1.1" and not closes and (is_chunked or length is not None),
    )


def _headers_of(lines: list[bytes]) -> Headers:
    headers: Headers = []
    for line in lines:
        line = line.removesuffix(b"\r")
        if line[:1] in (b" ", b"\t") and headers:
            # Goes on, as it was allowed once (RFC 9112, 5.2).
            name, value = headers.pop()
            line = name + b":" + value + b" " + line.strip(b" \t")
        found = _HEADER.fullmatch(line)
        if found is None:
            raise httpx2.RemoteProtocolError("an invalid header")
        headers.append((found[1], found[2].rstrip(b" \t")))
    return headers


def _framing(headers: Headers) -> tuple[int | None, bool]:
    """The length that is told, and whether the body comes in pieces, which then counts (RFC 9112, 6.3)."""
    lengths: set[bytes] = set()
    codings: list[bytes] = []
    for name, value in headers:
        if len(name) == 14 and name.lower() == b"content-length":
            lengths |= set(_tokens(value))
        elif len(name) == 17 and name.lower() == b"transfer-encoding":
            codings += _tokens(value)
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise httpx2.RemoteProtocolError("an invalid content-length")
    if codings:
        if codings != [b"chunked"]:
            raise httpx2.RemoteProtocolError("an encoding that is not chunked")
        return None, True
    return (int(lengths.pop()) if lengths else None), False


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip(b" \t") for token in value.lower().split(b",")]
