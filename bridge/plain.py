"""Text of others for a terminal, a log or a page: what would steer a screen is written out.

A name, a note or a service's message may hold escape sequences, which some terminals obey, and marks of
another direction of writing. Nothing is left out: `\\u001b` stands for an escape, as in JSON, so that JSON
stays JSON.
"""

from __future__ import annotations

import re

# Controls but tab and line feed, DEL and C1 (8-bit escape sequences), line separators of Unicode, marks and
# overrides of direction, a mark of byte order, annotations and tags (invisible letters), halves of a pair.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff\ud800-\udfff]"
)
_IN_A_LINE = re.compile(f"[\t\n]|{_UNSAFE.pattern}")


def plain(text: str) -> str:
    """Fit for a terminal; lines stay lines."""
    return _UNSAFE.sub(_written_out, text) if not text.isascii() or not text.isprintable() else text


def plain_line(text: str) -> str:
    """One line of it, whatever it holds: for a value among others, which must not pass for lines of ours."""
    return _IN_A_LINE.sub(_written_out, text) if not text.isascii() or not text.isprintable() else text


# What reverses the letters after it, across the borders of a name or a reason.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def without_turning(text: str) -> str:
    """Fit for a page: what would make a browser show the rest of a line backwards is written out."""
    return _TURNING.sub(_written_out, text) if not text.isascii() else text


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in (0x09, 0x0A):
        return {0x09: "\\t", 0x0A: "\\n"}[code]
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"
