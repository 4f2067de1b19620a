"""WAVs to try, and a reader of MP3 frames that shares nothing with ours."""

from __future__ import annotations

import array
import math
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.audio.speech import SpeechEncoder


def fmt(*, codec: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, extra: bytes = b"") -> bytes:
    align = channels * bits // 8
    return struct.pack("<HHIIHH", codec, channels, rate, rate * align, align, bits) + extra


def chunk(name: bytes, body: bytes, *, size: int | None = None) -> bytes:
    head = name + struct.pack("<I", len(body) if size is None else size)
    return head + body + b"\0" * (len(body) % 2)


def wav(
    sound: bytes,
    *,
    format_chunk: bytes | None = None,
    before: bytes = b"",
    after: bytes = b"",
    size: int | None = None,
    riff_size: int | None = None,
    codec: int = 1,
    channels: int = 1,
    rate: int = 8000,
    bits: int = 16,
) -> bytes:
    if format_chunk is None:
        format_chunk = fmt(codec=codec, channels=channels, rate=rate, bits=bits)
    body = b"WAVE" + chunk(b"fmt ", format_chunk) + before + chunk(b"data", sound, size=size) + after
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def speech(seconds: float, *, rate: int = 8000, seed: int = 1) -> array.array[int]:
    """Sixteen bit samples: a voice-like hum with pauses, and noise."""
    dice = random.Random(seed)
    return array.array(
        "h",
        (
            int(9000 * math.sin(880 * n / rate) * (math.sin(9 * n / rate) > -0.3)) + dice.randint(-300, 300)
            for n in range(round(seconds * rate))
        ),
    )


@dataclass(frozen=True)
class Mp3:
    """What the frames of an MP3 say."""

    frames: int
    samples: int
    rate: int
    channels: int
    kbits: int
    tagged: bool

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def read_mp3(data: bytes) -> Mp3:
    """Every frame of it, from the first byte to the last."""
    rates = {0b11: (44100, 48000, 32000), 0b10: (22050, 24000, 16000), 0b00: (11025, 12000, 8000)}
    found: set[tuple[int, int, int]] = set()
    frames = samples = at = 0
    tagged = False
    while at < len(data):
        word = int.from_bytes(data[at : at + 4], "big")
        assert word >> 21 == 0x7FF, f"no frame at {at}: {data[at : at + 4].hex()}"
        version, layer = word >> 19 & 3, word >> 17 & 3
        assert layer == 0b01 and version != 0b11, "layer III of MPEG-2 or 2.5"
        kbits = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[word >> 12 & 15]
        rate = rates[version][word >> 10 & 3]
        channels = 1 if word >> 6 & 3 == 3 else 2
        size = 576 // 8 * kbits * 1000 // rate + (word >> 9 & 1)
        tagged = tagged or any(tag in data[at : at + 48] for tag in (b"Xing", b"Info", b"VBRI"))
        found.add((rate, channels, kbits))
        frames, samples, at = frames + 1, samples + 576, at + size
    assert at == len(data), "the last frame is whole"
    assert len(found) == 1, found
    rate, channels, kbits = found.pop()
    return Mp3(frames=frames, samples=samples, rate=rate, channels=channels, kbits=kbits, tagged=tagged)


def encode(data: bytes, *, pieces: Iterator[int] | int = 65_536) -> tuple[bytes, SpeechEncoder]:
    encoder = SpeechEncoder()
    out, at = b"", 0
    while at < len(data):
        size = pieces if isinstance(pieces, int) else next(pieces, len(data))
        out += encoder.feed(data[at : at + size])
        at += size
    return out + encoder.finish(), encoder
