"""The type of a recording's file, by its first bytes: services call all of them WAV."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of sound file. `plays`: whether today's browsers do."""

    name: str
    ending: str
    content_type: str
    plays: bool = False


WAV = Kind(name="WAV", ending="wav", content_type="audio/x-wav", plays=True)
UNKNOWN = Kind(
    name="a kind of file that is not known here", ending="bin", content_type="application/octet-stream"
)
_MP3 = Kind(name="MP3", ending="mp3", content_type="audio/mpeg", plays=True)
_AAC = Kind(name="AAC", ending="aac", content_type="audio/aac", plays=True)
_M4A = Kind(name="M4A", ending="m4a", content_type="audio/mp4", plays=True)
_BIG_ENDIAN = Kind(name="a big-endian WAV (RIFX)", ending="wav", content_type="audio/x-wav")
_BEGINS: tuple[tuple[bytes, Kind], ...] = (
    (b"ID3", _MP3),
    (b"OggS", Kind(name="Ogg", ending="ogg", content_type="audio/ogg", plays=True)),
    (b"fLaC", Kind(name="FLAC", ending="flac", content_type="audio/flac", plays=True)),
    (b"\x1a\x45\xdf\xa3", Kind(name="WebM", ending="webm", content_type="audio/webm", plays=True)),
    (b".snd", Kind(name="AU", ending="au", content_type="audio/basic")),
    (b"RIFX", _BIG_ENDIAN),
    (b"FORM", Kind(name="AIFF", ending="aiff", content_type="audio/aiff")),
    (b"#!AMR", Kind(name="AMR", ending="amr", content_type="audio/amr")),
    (b"caff", Kind(name="CAF", ending="caf", content_type="audio/x-caf")),
    (b"0&\xb2u", Kind(name="WMA", ending="wma", content_type="audio/x-ms-wma")),
)
# Enough to tell.
NEEDED = 64


def kind_of(start: bytes) -> Kind | None:
    """The kind of a file that begins so; None for a text (a web page, JSON, an error), which is none."""
    if start[:4] in (b"RIFF", b"RF64") and start[8:12] in (b"WAVE", b""):
        return WAV
    for begin, kind in _BEGINS:
        if start.startswith(begin):
            return kind
    if start[4:8] == b"ftyp":
        return _M4A
    if len(start) > 2 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0:
        # Frames of MPEG audio: layer 0 is that of AAC; 15 is no bit rate of MP3, and 3 no sampling rate.
        if start[1] & 0xF6 == 0xF0:
            return _AAC
        if start[1] & 0x06 and start[2] >> 4 != 15 and start[2] >> 2 & 3 != 3:
            return _MP3
    return None if _is_text(start) else UNKNOWN


def _is_text(start: bytes) -> bool:
    # A character may be cut off at the end.
    text = start.decode("utf-8", "ignore")
    return len(text.encode()) >= len(start) - 3 and all(c.isprintable() or c in "\ufeff\t\r\n" for c in text)
