"""The sound of a call: made up where none was given, the same each time, and never whole in memory."""

from __future__ import annotations

import hashlib
import math
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

RATE = 8000
SECOND = RATE * 2  # bytes of one second: 16 bit, mono
HEADER = 44
# A length in the header has 32 bits.
LONGEST_S = (2**32 - HEADER) // SECOND

_PITCHES = (196, 220, 247, 262, 294, 330)
_LOUDNESSES = (2600, 5200, 7800)
_PAUSES = 3  # so many kinds of second are nearly silent, as in talk


class Sound(Protocol):
    @property
    def size(self) -> int: ...

    @property
    def etag(self) -> str: ...

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, in pieces."""


@dataclass(frozen=True, slots=True)
class Given:
    """Bytes as somebody handed them over, whatever they are."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def read(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, 65536):
            yield self.content[at : min(at + 65536, end)]


@dataclass(frozen=True, slots=True)
class Tones:
    """Soft tones and pauses as PCM of 16 bit, mono, 8000 Hz, behind a header of 44 bytes."""

    seed: int
    seconds: int

    @property
    def size(self) -> int:
        return HEADER + self.seconds * SECOND

    @property
    def etag(self) -> str:
        return f'"{self.seed:x}-{self.seconds:x}"'

    def read(self, start: int, end: int) -> Iterator[bytes]:
        if start < HEADER:
            yield wav_header(self.seconds * SECOND)[start:end]
        at = max(start, HEADER)
        while at < end:
            number, within = divmod(at - HEADER, SECOND)
            piece = _second(self._kind(number))[within : within + end - at]
            yield piece
            at += len(piece)

    def _kind(self, number: int) -> int:
        mixed = hashlib.blake2b(f"{self.seed}:{number}".encode(), digest_size=2).digest()
        return int.from_bytes(mixed, "big") % (len(_PITCHES) * len(_LOUDNESSES) + _PAUSES)


def wav_header(data_bytes: int) -> bytes:
    riff = struct.pack("<4sI4s", b"RIFF", HEADER - 8 + data_bytes, b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, SECOND, 2, 16)
    return riff + form + struct.pack("<4sI", b"data", data_bytes)


@cache
def _second(kind: int) -> bytes:
    """One second of a tone in four syllables, or of hardly anything."""
    pitch = _PITCHES[kind % len(_PITCHES)]
    row = kind // len(_PITCHES)
    loudness = _LOUDNESSES[row] if row < len(_LOUDNESSES) else 60
    samples = array(
        "h",
        (
            round(loudness * math.sin(math.pi * 4 * n / RATE) ** 2 * math.sin(2 * math.pi * pitch * n / RATE))
            for n in range(RATE)
        ),
    )
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
