"""multipart/form-data as it streams in; a part's bytes are handed on and not kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message
from enum import Enum, auto

_LONGEST_HEADERS = 8192


class Malformed(ValueError):
    """The body is not what its Content-Type says."""


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a part; its bytes follow."""

    name: str


class _At(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


def boundary_of(content_type: str) -> bytes | None:
    """None: it is no form, or has no boundary."""
    parsed = Message()
    parsed["content-type"] = content_type
    boundary = parsed.get_param("boundary")
    if parsed.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        return None
    return boundary.encode("latin-1")


async def read_form(chunks: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[Part | bytes]:
    """Each part's beginning, then its bytes in as many pieces as they come in.

    Raises:
        Malformed: also when the body ends before its closing boundary.
    """
    delimiter = b"\r\n--" + boundary
    buffer = bytearray(b"\r\n")  # the first delimiter may stand at the very beginning
    at = _At.PREAMBLE
    async for chunk in chunks:
        if at is _At.EPILOGUE:
            continue
        buffer += chunk
        while True:
            if at is _At.HEADERS:
                end = buffer.find(b"\r\n\r\n")
                if end < 0:
                    if len(buffer) > _LONGEST_HEADERS:
                        raise Malformed("a part's headers are too long")
                    break
                yield Part(_name(bytes(buffer[:end])))
                del buffer[: end + 4]
                at = _At.BODY
                continue
            found = buffer.find(delimiter)
            # Without one, the last bytes may be the beginning of one.
            end = found if found >= 0 else max(0, len(buffer) - len(delimiter) + 1)
            if end > 0:
                if at is _At.BODY:
                    yield bytes(buffer[:end])
                del buffer[:end]
            if found < 0 or len(buffer) < len(delimiter) + 2:
                break
            after = buffer[len(delimiter) : len(delimiter) + 2]
            if after == b"--":
                at = _At.EPILOGUE
                break
            if after != b"\r\n":
                raise Malformed("something stands behind a boundary")
            del buffer[: len(delimiter) + 2]
            at = _At.HEADERS
    if at is not _At.EPILOGUE:
        raise Malformed("the closing boundary is missing")


def _name(headers: bytes) -> str:
    for line in headers.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            parsed = Message()
            parsed["content-disposition"] = value.strip()
            found = parsed.get_param("name", header="content-disposition")
            if parsed.get_content_disposition() == "form-data" and isinstance(found, str):
                return found
    raise Malformed("a part has no name")
