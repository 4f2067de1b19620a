"""The waveform of a recording for a player, in constant memory for any length."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 800
# As many bars as a player draws.
BARS = 180
# Half of them after 0.8 s at 8 kHz.
_FIRST_SPAN = 16

# The upper byte of a 16 bit sample -> how loud it is, 0 to 127.
_LOUDNESS = bytes(byte if byte < 128 else 255 - byte for byte in range(256))
_AT_MOST = [bytes(range(level + 1)) for level in range(128)]


def loudest_of(peaks: Sequence[float], count: int) -> list[float]:
    """The loudest of each of so many equal parts; fewer peaks stay as they are."""
    if len(peaks) <= count:
        return list(peaks)
    parts = [(i * len(peaks) // count, (i + 1) * len(peaks) // count) for i in range(count)]
    return [max(peaks[first:end]) for first, end in parts]


class Peaks:
    """The loudest of each span; when there are too many spans, two become one.

    So there are always between 400 and 800 of them, once the first second is over. A level has 128 steps,
    more than a drawn waveform shows.
    """

    def __init__(self) -> None:
        self._peaks = bytearray()
        self._span = _FIRST_SPAN
        self._filled = 0
        self._loudest = 0

    def add(self, pcm: bytes) -> None:
        """Take more samples: 16 bit, little-endian, one channel."""
        loudness = pcm[1::2].translate(_LOUDNESS)
        at = 0
        while at < len(loudness):
            part = loudness[at : at + self._span - self._filled]
            at += len(part)
            self._filled += len(part)
            self._loudest = _loudest(part, at_least=self._loudest)
            if self._filled == self._span:
                self._close()

    def values(self) -> list[float]:
        """0 (silence) to 1 (as loud as can be), rounded."""
        begun = [self._loudest] if self._filled else []
        return [round(peak / 127, 3) for peak in [*self._peaks, *begun]]

    def _close(self) -> None:
        self._peaks.append(self._loudest)
        self._filled = self._loudest = 0
        if len(self._peaks) == MOST:
            self._peaks = bytearray(map(max, self._peaks[0::2], self._peaks[1::2]))
            self._span *= 2


def _loudest(part: bytes, *, at_least: int) -> int:
    """The largest byte below 128, by halves: leaving out small ones is a fast loop, `max` a slow one."""
    low, high = at_least, 127
    while low < high:
        middle = (low + high) // 2
        louder = part.translate(None, _AT_MOST[middle])
        if louder:
            low, part = middle + 1, louder
        else:
            high = middle
    return low
