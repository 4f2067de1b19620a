"""Where a head or a piece of a body ends, and what a head may be. Pure: bytes in, positions out."""

from __future__ import annotations

import re

from bridge.web.server.limits import Limits
from bridge.web.server.traffic import Cause

END = b"\r\n\r\n"
# What a request may begin with, seen before its head is whole: TLS or noise gets its answer at once.
_BEGINNING = re.compile(rb"[A-Z][A-Z-]{0,31}(?: |\Z)")
# Blank lines between two requests, which some clients send.
MOST_BLANKS = 16
# Chunks and trailers cost more to parse than anything else: so much of them, then others have their turn.
CHUNKED_AT_ONCE = 4 * 1024


def fault_of_head(
    data: bytes, at: int, end: int, *, whole: bool, blanks: int, limits: Limits
) -> tuple[int, Cause] | None:
    """The bound that a head goes over, whole or not.

    Args:
        blanks: how many blank lines came before it.
    """
    if blanks > MOST_BLANKS:
        return 400, "bad-request"
    if end - at > limits.request_line_bytes:
        if data.find(b"\r\n", at, at + limits.request_line_bytes + 2) < 0:
            return 414, "request-line"
        if end - at > limits.head_bytes:
            return 431, "header-bytes"
    # The request line and the blank line are not headers.
    if data.count(b"\n", at, end) > limits.headers + 2:
        return 431, "header-count"
    return None if whole or _BEGINNING.match(data, at) else (400, "bad-request")


def end_of_piece(data: bytes, at: int) -> int:
    """Up to where a chunked body may be fed without reaching into the next request."""
    if at < len(END) - 1:
        # A blank line may have begun in the read before.
        return at + 1
    end = data.find(END, at, at + CHUNKED_AT_ONCE + len(END))
    return end + len(END) if end >= 0 else min(len(data), at + CHUNKED_AT_ONCE)
