"""What it costs to make the speech file of a recording, in CPU per minute of sound.

    python -m tests.benchmarks.audio [ROUNDS]

All formats in one run, round by round, beside the SHA-256 of the same bytes, which storing them costs anyway.
Read the ratios; the milliseconds are this machine's.
"""

from __future__ import annotations

import array
import hashlib
import statistics
import sys
import time
from dataclasses import dataclass

from bridge.audio.speech import SpeechEncoder
from tests.audio.given import speech, wav


@dataclass(frozen=True)
class Format:
    name: str
    rate: int = 8000
    channels: int = 1
    codec: int = 1
    bits: int = 16


_USUAL = Format("8 kHz mono 16 bit")
_FORMATS = (
    _USUAL,
    Format("8 kHz mono mu-law", codec=7, bits=8),
    Format("8 kHz stereo 16 bit", channels=2),
    Format("44.1 kHz stereo 16 bit", rate=44_100, channels=2),
    Format("48 kHz stereo float", rate=48_000, channels=2, codec=3, bits=32),
)
_PIECE = 65_536


def main(rounds: int) -> None:
    minutes = {format_.name: _minute(format_) for format_ in _FORMATS}
    took: dict[str, list[float]] = {name: [] for name in [*minutes, "SHA-256 of the first"]}
    sizes: dict[str, int] = {}
    for _ in range(rounds):
        for name, minute in minutes.items():
            began = time.process_time()
            encoder = SpeechEncoder()
            size = sum(len(encoder.feed(minute[at : at + _PIECE])) for at in range(0, len(minute), _PIECE))
            sizes[name] = size + len(encoder.finish())
            took[name].append(time.process_time() - began)
        began = time.process_time()
        hashlib.sha256(minutes[_USUAL.name]).hexdigest()
        took["SHA-256 of the first"].append(time.process_time() - began)
    usual = statistics.median(took[_USUAL.name])
    for name, times in took.items():
        median = statistics.median(times)
        size_text = f"{sizes[name] / 1e6:.3f} MB" if name in sizes else ""
        print(f"{name:24} {median * 1000:8.1f} ms CPU a minute  x {median / usual:6.2f}  {size_text}")  # noqa: T201


def _minute(format_: Format) -> bytes:
    """Sixty seconds of the same hum in that format."""
    one = speech(2, rate=format_.rate)
    samples = array.array("h", (n for sample in one for n in [sample] * format_.channels))
    sound = samples.tobytes()
    if format_.codec == 3:
        sound = array.array("f", (sample / 32_768 for sample in samples)).tobytes()
    elif format_.bits == 8:
        # The upper halves: as mu-law a noisier sound, which takes no less to encode.
        sound = sound[1::2]
    return wav(
        sound * 30, rate=format_.rate, channels=format_.channels, codec=format_.codec, bits=format_.bits
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
