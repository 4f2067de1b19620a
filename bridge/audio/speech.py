"""A WAV as a small MP3 that any browser plays, made piece by piece while the WAV streams past.

Always 24 kbit/s and one channel, 0.18 MB a minute:
- MPEG-1 (32 kHz and above) begins at 32 kbit/s, which is 0.24 MB a minute. So the MP3 has the rate of the
  recording up to 16 kHz, and 16 kHz above that: speech has nothing higher that 24 kbit/s could carry.
- two channels are mixed to one. A call recorded in stereo has one person in each ear, which is tiring to hear
  and leaves 12 kbit/s for each of them; the untouched WAV still has both.

LAME (through `lameenc`) is the only encoder; it also changes the rate where that is needed.
"""

from __future__ import annotations

import array
import importlib
from collections.abc import Callable
from typing import Any

from bridge.audio.frames import Frames
from bridge.audio.peaks import Peaks
from bridge.audio.wav import LONGEST_HEADER, Codec, WavFormat, is_chunk_name, read_header
from bridge.errors import WrongUse

CONTENT_TYPE = "audio/mpeg"
KBIT_PER_SECOND = 24
# All that MPEG-2 and 2.5 offer up to 16 kHz.
_RATES = (8_000, 11_025, 12_000, 16_000)
# LAME's own usual one. Better ones take up to four times the CPU and there is nothing to hear in it, as
# telephone sound leaves bits unused.
_QUALITY = 5
# Sample frames that are converted and encoded at once, whatever pieces the bytes came in.
_BLOCK = 8_192
# A chunk behind the sound is no larger, however much a title page or a proof of origin holds.
_LARGEST_TRAILER = 64_000_000


class SpeechEncoder:
    """Bytes of a WAV in, bytes of an MP3 out; memory does not grow with the length.

    The MP3's own length is the recording's to within 0.1 s in any player, without a tag that not all of
    them read (see `frames`). A WAV without a single sample makes an MP3 of no bytes.

    Args:
        encodes: whether an MP3 is made; else only length and peaks are taken, for a twentieth of the CPU.
    """

    def __init__(self, *, encodes: bool = True) -> None:
        self._encodes = encodes
        self.format: WavFormat | None = None
        self._peaks = Peaks()
        self._waiting = bytearray()
        self._samples = 0
        self._left: int | None = None
        self._ended = False
        self._lame: Any = None
        self._frames = Frames()
        self._convert: Callable[[bytes], bytes] = bytes

    @property
    def seconds(self) -> float:
        """How much sound there was so far."""
        return 0.0 if self.format is None else self._samples / self.format.rate

    @property
    def peaks(self) -> list[float]:
        """The loudest of each of 400 to 800 equal spans (less in the first two seconds), 0 to 1."""
        return self._peaks.values()

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the WAV, in pieces of any size.

        Returns:
            What is ready of the MP3; often nothing.
        Raises:
            NotAudio: this is no WAV that can be read.
            WrongUse: the encoder is not installed.
        """
        if self._ended:
            return b""
        self._waiting += chunk
        wav = self.format or self._begin(complete=False)
        return b"" if wav is None else self._encode_blocks(wav)

    def finish(self) -> bytes:
        """The rest of the MP3, once all bytes were fed.

        Raises:
            NotAudio: what was fed was no WAV; an empty one, or one cut off in its header.
        """
        wav = self.format or self._begin(complete=True)
        out = b"" if wav is None else self._encode_blocks(wav, rest=True)
        if wav is None or not self._samples or not self._encodes:
            return b""
        rate = _rate_for(wav.rate)
        return out + self._frames.finish(bytes(self._lame.flush()), seconds=self.seconds, rate=rate)

    def _begin(self, *, complete: bool) -> WavFormat | None:
        if not self._waiting and not complete:
            return None
        found = read_header(bytes(self._waiting[:LONGEST_HEADER]), complete=complete)
        if found is None:
            return None
        self.format = found
        self._left = found.data_bytes
        self._convert = _converter(found)
        if self._encodes:
            self._lame = _open_lame(found.rate)
        del self._waiting[: found.data_offset]
        return found

    def _encode_blocks(self, wav: WavFormat, *, rest: bool = False) -> bytes:
        whole = wav.bytes_per_frame
        out = bytearray()
        while not self._ended:
            size = _BLOCK * whole
            if self._left is not None and self._left < size:
                # The header says that the sound ends here. The next chunk's head tells whether that is so.
                size = self._left
                if len(self._waiting) < size + 1 + 8 and not rest:
                    break
                if self._is_end(size, rest=rest):
                    self._ended = True
                else:
                    self._left = None
                    continue
            elif len(self._waiting) < size:
                if not rest:
                    break
                self._ended = True
            # A frame of samples cut off half-way is dropped; it can be at the end only.
            block = bytes(self._waiting[: min(size, len(self._waiting)) // whole * whole])
            del self._waiting[:size]
            if self._left is not None:
                self._left -= size
            if block:
                out += self._encode(block, whole)
        if self._ended:
            self._waiting.clear()
        return bytes(out)

    def _is_end(self, size: int, *, rest: bool) -> bool:
        """Whether the head of another chunk follows, or nothing: else it is sound, and the size was wrong."""
        if len(self._waiting) <= size + 1:
            return rest
        for at in (size, size + 1)[: 1 + size % 2]:
            name, length = (
                self._waiting[at : at + 4],
                int.from_bytes(self._waiting[at + 4 : at + 8], "little"),
            )
            if is_chunk_name(name) and len(self._waiting) >= at + 8 and length <= _LARGEST_TRAILER:
                return True
        return rest and len(self._waiting) < size + 4

    def _encode(self, block: bytes, whole: int) -> bytes:
        self._samples += len(block) // whole
        mono = self._convert(block)
        self._peaks.add(mono)
        if not self._encodes:
            return b""
        return self._frames.add(bytes(self._lame.encode(mono)))


def _rate_for(rate: int) -> int:
    return next((offered for offered in _RATES if offered >= rate), _RATES[-1])


def _open_lame(rate: int) -> Any:
    try:
        # Loaded by name and only now: it brings no types, and most processes never encode.
        lameenc = importlib.import_module("lameenc")
    except ImportError as cause:
        raise WrongUse(
            "The MP3 encoder for small speech files is not installed: pip install lameenc"
        ) from cause
    lame = lameenc.Encoder()
    lame.silence()
    lame.set_channels(1)
    lame.set_in_sample_rate(rate)
    lame.set_out_sample_rate(_rate_for(rate))
    lame.set_bit_rate(KBIT_PER_SECOND)
    lame.set_quality(_QUALITY)
    return lame


def _converter(wav: WavFormat) -> Callable[[bytes], bytes]:
    """From a block of the WAV to 16 bit little-endian samples of one channel."""
    to_16 = _WIDENING[wav.codec, wav.bits]
    if wav.channels == 1:
        return to_16
    if wav.channels == 2:
        return lambda block: _mix_two(to_16(block))
    return lambda block: _mix(to_16(block), wav.channels)


# Most of this is done by the interpreter's own loops (slices, translate, whole-block arithmetic): a loop over
# the samples, as floats and three channels or more have it, takes longer than LAME does.


def _from_8(block: bytes) -> bytes:
    wide = bytearray(2 * len(block))
    wide[1::2] = block.translate(_OFFSET_8)
    return bytes(wide)


def _from_wider(width: int) -> Callable[[bytes], bytes]:
    def convert(block: bytes) -> bytes:
        wide = bytearray(len(block) // width * 2)
        wide[0::2] = block[width - 2 :: width]
        wide[1::2] = block[width - 1 :: width]
        return bytes(wide)

    return convert


def _from_float(kind: str) -> Callable[[bytes], bytes]:
    def convert(block: bytes) -> bytes:
        # Not a number compares as false with everything, and so ends as the first of each pair: silence.
        return array.array(
            "h",
            [
                int(32767 * value)
                if -1.0 <= value <= 1.0
                else 32767
                if value > 1
                else -32767
                if value < -1
                else 0
                for value in array.array(kind, block)
            ],
        ).tobytes()

    return convert


def _from_table(table: list[int]) -> Callable[[bytes], bytes]:
    low = bytes(value & 0xFF for value in table)
    high = bytes(value >> 8 & 0xFF for value in table)

    def convert(block: bytes) -> bytes:
        wide = bytearray(2 * len(block))
        wide[0::2] = block.translate(low)
        wide[1::2] = block.translate(high)
        return bytes(wide)

    return convert


def _a_law(code: int) -> int:
    """ITU-T G.711, table 1: one A-law byte as 16 bits."""
    code ^= 0x55
    step, segment = code & 0x0F, code >> 4 & 0x07
    value = (step << 4) + 8 if segment == 0 else (step << 4) + 0x108 << segment - 1
    return value if code & 0x80 else -value


def _mu_law(code: int) -> int:
    """ITU-T G.711, table 2: one mu-law byte as 16 bits."""
    code ^= 0xFF
    value = ((code & 0x0F) << 3) + 0x84 << (code >> 4 & 0x07)
    return 0x84 - value if code & 0x80 else value - 0x84


def _mix_two(pcm: bytes) -> bytes:
    """The mean of two channels, as arithmetic on two very long numbers with a sample in each 16 bits."""
    both = array.array("h", pcm)
    count = len(both) // 2
    # Signed samples become unsigned ones by turning the sign bit. Then x + y = 2 (x & y) + (x ^ y), whose
    # half never overflows 16 bits; the lowest bit is left out as it would fall into the neighbour.
    sign = int.from_bytes(b"\x00\x80" * count, "little")
    x = int.from_bytes(both[0::2].tobytes(), "little") ^ sign
    y = int.from_bytes(both[1::2].tobytes(), "little") ^ sign
    mean = (x & y) + (((x ^ y) & int.from_bytes(b"\xfe\xff" * count, "little")) >> 1)
    return (mean ^ sign).to_bytes(2 * count, "little")


def _mix(pcm: bytes, channels: int) -> bytes:
    samples = array.array("h", pcm)
    parts = [samples[nth::channels] for nth in range(channels)]
    return array.array("h", [sum(values) // channels for values in zip(*parts, strict=True)]).tobytes()


_OFFSET_8 = bytes(code ^ 0x80 for code in range(256))
_WIDENING: dict[tuple[Codec, int], Callable[[bytes], bytes]] = {
    (Codec.PCM, 8): _from_8,
    (Codec.PCM, 16): bytes,
    (Codec.PCM, 24): _from_wider(3),
    (Codec.PCM, 32): _from_wider(4),
    (Codec.FLOAT, 32): _from_float("f"),
    (Codec.FLOAT, 64): _from_float("d"),
    (Codec.A_LAW, 8): _from_table([_a_law(code) for code in range(256)]),
    (Codec.MU_LAW, 8): _from_table([_mu_law(code) for code in range(256)]),
}
