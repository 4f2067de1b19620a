"""Records as lines of a file that may end anywhere: a power cut or `kill -9` asks nobody. Pure.

    0000002a 8d1f3c07 {"at": ..., "trigger": "call-ended", "body": {...}}

Length and CRC-32 of the text, both in hex, then the text, which holds no newline. A line that was
not written to its end is the last one and has no newline: it was never acknowledged, and is dropped.
Any other line that does not fit its own numbers is damaged: it is set aside and kept.
"""

from __future__ import annotations

import zlib

# "xxxxxxxx xxxxxxxx "
_HEAD = 18


class Damaged(ValueError):
    """A line that is not as it was written."""


def line_of(text: bytes) -> bytes:
    """A record as a line. Raises ValueError for a text with a newline in it."""
    if b"\n" in text:
        raise ValueError("a record is one line")
    return b"%08x %08x %b\n" % (len(text), zlib.crc32(text), text)


def size_of(text: bytes) -> int:
    """How many bytes its line has."""
    return _HEAD + len(text) + 1


def text_of(line: bytes) -> bytes:
    """The record in a whole line, its newline included.

    Raises:
        Damaged: length or checksum do not fit.
    """
    text = line[_HEAD:-1]
    if line != line_of(text):
        raise Damaged(f"a line of {len(line)} bytes")
    return text
