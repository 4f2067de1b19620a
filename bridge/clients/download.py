"""Something large on its way from a service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A recording on its way. `size`: of the whole file in bytes, where it is told.

    `framed`: the transfer has an end of its own (chunks, HTTP/2), so that one cut off is known as such.
    """

    chunks: Iterator[bytes]
    start: int = 0
    size: int | None = None
    etag: str | None = None
    framed: bool = False
    content_type: str = "application/octet-stream"
