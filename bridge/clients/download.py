"""Something large on its way from a service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A recording on its way. `size`: of the whole file in bytes, where it is told."""

    chunks: Iterator[bytes]
    start: int = 0
    size: int | None = None
    etag: str | None = None
    content_type: str = "application/octet-stream"
