"""The frames of an MP3 of constant bit rate, split as they arrive, and cut to the length of the sound.

An encoder puts about 1,100 samples of silence before the sound and up to 600 behind it: 0.2 s at 8 kHz. The
usual remedy, a tag in the first frame that says how much to skip, must know the length before the first byte
is out, and not every player reads it. So the frames at the end that make the MP3 more than 0.1 s longer than
the sound are left out, which any player understands. The sound then begins 0.07 s (16 kHz) to 0.14 s (8 kHz)
late, and at 8 kHz, where a frame lasts longest, up to the last 0.11 s of a call are cut.
"""

from __future__ import annotations

# Layer III of MPEG-2 and 2.5: half as many samples a frame as MPEG-1.
SAMPLES_PER_FRAME = 576
# Of the 0.1 s, less what a rate that does not divide evenly may add.
_MOST_TOO_LONG_S = 0.098
_HEADER = 4
_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


class Frames:
    """Encoder's bytes in, the frames to keep out."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._kept = 0
        self._most: int | None = None

    def add(self, encoded: bytes) -> bytes:
        """Take the encoder's next bytes; return the frames that are whole by now."""
        self._waiting += encoded
        at = 0
        while at + _HEADER <= len(self._waiting) and self._kept != self._most:
            size = frame_bytes(self._waiting[at : at + _HEADER])
            if at + size > len(self._waiting):
                break
            at += size
            self._kept += 1
        out = bytes(self._waiting[:at])
        del self._waiting[:at]
        return out

    def finish(self, encoded: bytes, *, seconds: float, rate: int) -> bytes:
        """Take the encoder's last bytes, and return the last frames of so much sound; `rate` is the MP3's."""
        # Never fewer than are out by now: until its end, the encoder is behind by more than that.
        self._most = max(1, int((seconds + _MOST_TOO_LONG_S) * rate) // SAMPLES_PER_FRAME)
        return self.add(encoded)


def frame_bytes(header: bytes | bytearray) -> int:
    """The length of the frame that begins so.

    Raises:
        ValueError: no such frame begins so.
    """
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbits, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if header[0] != 0xFF or header[1] & 0xE0 != 0xE0 or version not in _RATES or layer != 1:
        raise ValueError(f"not an MPEG-2 layer III frame: {header[:4].hex()}")
    if not 0 < kbits < len(_KBITS) or rate > 2:
        raise ValueError(f"an MP3 frame without a bit rate: {header[:4].hex()}")
    return 72_000 * _KBITS[kbits] // _RATES[version][rate] + padding
