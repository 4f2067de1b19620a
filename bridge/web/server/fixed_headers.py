"""Headers of an answer that the application makes once, for the server to write down once."""

from __future__ import annotations

from functools import cached_property


class FixedHeaders(tuple[tuple[bytes, bytes], ...]):
    """Headers of an answer that are always the same; the server writes them down once (`cycle.py`).

    Names are in lower case, names and values are ours and need no check, and content-length is among them.
    """

    @cached_property
    def lines(self) -> bytes:
        return b"".join(b"%b: %b\r\n" % header for header in self)

    @cached_property
    def content_length(self) -> int:
        return int(dict(self)[b"content-length"])
