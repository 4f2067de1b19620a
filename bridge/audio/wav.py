"""The header of a RIFF/WAVE stream, read from its first bytes while the rest is still on its way.

The standard library's `wave` wants the whole file and knows PCM only; what telephony writes is often streamed
(its sizes are 0 or all ones, as they were not known yet), A-law or mu-law, or has chunks of its own in front.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from bridge.errors import Rejected

# A header that is not through by then is none: the chunks in front of the sound are notes and titles.
LONGEST_HEADER = 65_536

_EXTENSIBLE = 0xFFFE
# What follows the two bytes of the codec in the SubFormat of WAVE_FORMAT_EXTENSIBLE.
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_NAMES = {2: "Microsoft ADPCM", 17: "IMA ADPCM", 49: "GSM 6.10", 80: "MPEG", 85: "MP3", 0x0040: "G.721"}
_MOST_CHANNELS = 8
_RATES = range(1_000, 384_001)


class Codec(IntEnum):
    """How the samples are kept; the number is the one in the file."""

    PCM = 1
    FLOAT = 3
    A_LAW = 6
    MU_LAW = 7


_WIDTHS = {
    Codec.PCM: (8, 16, 24, 32),
    Codec.FLOAT: (32, 64),
    Codec.A_LAW: (8,),
    Codec.MU_LAW: (8,),
}


class NotAudio(Rejected):
    """These bytes are no WAV that can be read; the message says what they look like.

    A `Rejected`, since the same bytes will not become one: whoever fetched them may know better (an error
    page that came with 200 is gone by the next try) and catches it.

    Args:
        looks_like: `empty`, `html`, `json`, `mp3`, `wav` (damaged, or a codec we do not read), `unknown`.
        codec: of a WAV that is whole, in a codec that neither we nor browsers read.
        damaged: a WAV's beginning, with which nobody can play what follows.
    """

    def __init__(self, message: str, *, looks_like: str, codec: str = "", damaged: bool = False) -> None:
        super().__init__(message)
        self.looks_like, self.codec, self.damaged = looks_like, codec, damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class WavFormat:
    """What a WAV's header says.

    `bits` is the width that a sample takes up; `data_bytes` is None where the header does not know, or lies.
    """

    codec: Codec
    channels: int
    rate: int
    bits: int
    data_offset: int
    data_bytes: int | None

    @property
    def bytes_per_frame(self) -> int:
        """One sample of every channel."""
        return self.channels * self.bits // 8


def read_header(start: bytes, *, complete: bool = False) -> WavFormat | None:
    """Read a WAV's header from the first bytes of it.

    Args:
        start: from the very first byte on; more than `LONGEST_HEADER` is of no use.
        complete: there is nothing after `start`.
    Returns:
        The format; None when more bytes are needed to tell.
    Raises:
        NotAudio: it is none, whatever follows.
    """
    if not start:
        raise NotAudio("The recording is empty (0 bytes)", looks_like="empty")
    if len(start) < 12:
        # Enough to tell a web page from a WAV, though not enough to read one.
        if complete or not any(start.startswith(magic[: len(start)]) for magic in (b"RIFF", b"RF64")):
            raise _no_wav(start)
        return None
    if start[:4] not in (b"RIFF", b"RF64") or start[8:12] != b"WAVE":
        raise _no_wav(start)
    found = _read_chunks(start)
    if found is None and (complete or len(start) >= LONGEST_HEADER):
        # Longer headers than we read may be whole.
        raise _damaged(f"it has no audio data in its first {len(start)} bytes", surely=complete)
    return found


def _read_chunks(start: bytes) -> WavFormat | None:
    sound: tuple[Codec, int, int, int] | None = None
    size_64: int | None = None
    at = 12
    while at + 8 <= len(start):
        name, size = start[at : at + 4], int.from_bytes(start[at + 4 : at + 8], "little")
        body = at + 8
        if name == b"data":
            if sound is None:
                raise _damaged("its audio data precedes its format")
            codec, channels, rate, bits = sound
            known = size_64 if size_64 is not None and size == 0xFFFFFFFF else _believable(size)
            return WavFormat(
                codec=codec, channels=channels, rate=rate, bits=bits, data_offset=body, data_bytes=known
            )
        if body + size > len(start):
            return None
        if name == b"fmt ":
            sound = _read_format(start[body : body + size])
        elif name == b"ds64" and size >= 16:
            size_64 = int.from_bytes(start[body + 8 : body + 16], "little")
        at = next_chunk(start, body + size)
    return None


def next_chunk(data: bytes | bytearray, end: int) -> int:
    """Where the chunk after the one that ends here begins.

    Chunks begin at even places, and the byte between, a zero, is not in the size; some writers leave it out.
    """
    return end if end % 2 == 0 or is_chunk_name(data[end : end + 4]) else end + 1


def is_chunk_name(name: bytes | bytearray) -> bool:
    """Four letters, digits, blanks or underscores, as all chunks in use are named."""
    return len(name) == 4 and all(chr(c).isalnum() or c in b" _" for c in name) and name.isascii()


def _believable(size: int) -> int | None:
    # 0, or anything near 2 or 4 GB, is what writers put who could not come back to fill it in; a call of
    # 2 GB would last a day and a half.
    return size if 0 < size < 0x7FFF0000 else None


def _read_format(chunk: bytes) -> tuple[Codec, int, int, int]:
    if len(chunk) < 16:
        raise _damaged(f"its format has {len(chunk)} bytes")
    code, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE:
        if len(chunk) < 40 or chunk[26:40] != _SUBFORMAT_TAIL:
            raise _damaged("its format is 'extensible' without a subformat")
        code = int.from_bytes(chunk[24:26], "little")
    try:
        codec = Codec(code)
    except ValueError as cause:
        name = f" ({_NAMES[code]})" if code in _NAMES else ""
        raise NotAudio(
            f"The recording is a WAV in codec {code}{name}; supported: PCM, float, A-law and mu-law",
            looks_like="wav",
            codec=_NAMES.get(code, f"codec {code}"),
        ) from cause
    if not 1 <= channels <= _MOST_CHANNELS or rate not in _RATES:
        raise _damaged(f"its header says {channels} channels at {rate} Hz")
    # 12 or 20 bits lie in 16 or 24, their spare bits below; where the two contradict, the bits are right.
    width = align * 8 // channels
    if width not in _WIDTHS[codec] or width < bits:
        width = -(-bits // 8) * 8
    if width not in _WIDTHS[codec]:
        raise _damaged(f"its header says {bits} bits a sample in codec {code}")
    return codec, channels, rate, width


def _damaged(how: str, *, surely: bool = True) -> NotAudio:
    return NotAudio(f"The recording is a damaged WAV: {how}", looks_like="wav", damaged=surely)


def _no_wav(start: bytes) -> NotAudio:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<":
        return NotAudio("The recording is a web page or XML, no WAV", looks_like="html")
    if text[:1] in (b"{", b"["):
        return NotAudio("The recording is JSON, no WAV", looks_like="json")
    if start[:3] == b"ID3" or (start[:1] == b"\xff" and len(start) > 1 and start[1] & 0xE0 == 0xE0):
        return NotAudio("The recording is an MP3, no WAV", looks_like="mp3")
    return NotAudio("The recording is no WAV: it does not begin as one", looks_like="unknown")
