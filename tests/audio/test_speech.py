from __future__ import annotations

import array
import itertools
import struct
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audio.peaks import Peaks
from bridge.audio.speech import SpeechEncoder
from bridge.audio.wav import NotAudio
from tests.audio.given import chunk, encode, read_mp3, speech, wav

pytest.importorskip("lameenc", reason="the MP3 encoder is not installed: pip install lameenc")

MB_PER_MINUTE = 0.2
RATES = [4000, 8000, 9999, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]


def widened(samples: array.array[int], codec: int, bits: int) -> bytes:
    """The same sound in another format, written the slow and plain way."""
    if codec == 3:
        return struct.pack(f"<{len(samples)}{'f' if bits == 32 else 'd'}", *(n / 32_768 for n in samples))
    if bits == 8:
        return bytes((n >> 8) + 128 for n in samples)
    return b"".join((n << bits - 16).to_bytes(bits // 8, "little", signed=True) for n in samples)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0, 3.217])
def test_the_mp3_is_as_long_as_the_recording(rate: int, seconds: float) -> None:
    samples = speech(seconds, rate=rate)

    data, encoder = encode(wav(samples.tobytes(), rate=rate))

    found = read_mp3(data)
    assert encoder.seconds == len(samples) / rate
    assert abs(found.seconds - encoder.seconds) <= 0.1
    assert (found.channels, found.kbits, found.tagged) == (1, 24, False)


@given(st.integers(min_value=1, max_value=30_000), st.sampled_from([8000, 11_025, 16_000, 44_100]))
@settings(max_examples=60, deadline=None)
def test_the_mp3_is_as_long_as_any_recording(count: int, rate: int) -> None:
    data, encoder = encode(wav(bytes(2 * count), rate=rate))

    assert abs(read_mp3(data).seconds - encoder.seconds) <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_a_minute_is_small(rate: int) -> None:
    once = speech(2, rate=rate).tobytes()

    data, _ = encode(wav(once * 30, rate=rate))

    assert len(data) < MB_PER_MINUTE * 1e6


@pytest.mark.parametrize(("codec", "bits"), [(1, 8), (1, 24), (1, 32), (3, 32), (3, 64)])
def test_other_formats_of_the_same_sound_make_the_same_mp3(codec: int, bits: int) -> None:
    samples = speech(1.5)
    if bits == 8:
        samples = array.array("h", (n >> 8 << 8 for n in samples))
    # There and back: the floats are scaled by 32767.
    same = [int(32_767 * (n / 32_768)) if codec == 3 else n for n in samples]

    data, encoder = encode(wav(widened(samples, codec, bits), codec=codec, bits=bits))

    assert data == encode(wav(array.array("h", same).tobytes()))[0]
    assert encoder.seconds == 1.5


# ITU-T G.711, tables 1 and 2: the ends, and both sides of zero.
@pytest.mark.parametrize(
    ("codec", "byte", "value"),
    [
        (6, 0xD5, 8), (6, 0x55, -8), (6, 0xAA, 32_256), (6, 0x2A, -32_256), (6, 0x80, 5_504), (6, 0xC5, 264),
        (7, 0xFF, 0), (7, 0x7F, 0), (7, 0x80, 32_124), (7, 0x00, -32_124), (7, 0xFE, 8), (7, 0x6F, -132),
    ],
)  # fmt: skip
def test_telephone_codecs_are_expanded(codec: int, byte: int, value: int) -> None:
    data, _ = encode(wav(bytes([byte]) * 4000, codec=codec, bits=8))

    assert data == encode(wav(array.array("h", [value] * 4000).tobytes()))[0]


def test_two_channels_are_mixed() -> None:
    left, right = speech(1, seed=1), speech(1, seed=2)
    both = array.array("h", itertools.chain.from_iterable(zip(left, right, strict=True)))
    mean = array.array("h", ((x + y) // 2 for x, y in zip(left, right, strict=True)))

    data, encoder = encode(wav(both.tobytes(), channels=2))

    assert data == encode(wav(mean.tobytes()))[0]
    assert encoder.seconds == 1.0


def test_the_loudest_of_two_channels_does_not_run_over() -> None:
    for x, y in itertools.product([-32_768, -1, 0, 1, 32_767], repeat=2):
        data, _ = encode(wav(struct.pack("<2h", x, y) * 3000, channels=2))

        assert data == encode(wav(struct.pack("<h", (x + y) // 2) * 3000))[0]


def test_six_channels_are_mixed() -> None:
    data, encoder = encode(wav(struct.pack("<6h", 600, 0, 0, 0, 0, 0) * 8000, channels=6))

    assert data == encode(wav(struct.pack("<h", 100) * 8000))[0]
    assert encoder.seconds == 1.0


def test_floats_out_of_range_are_cut_and_no_numbers_are_silence() -> None:
    odd = [float("nan"), float("inf"), float("-inf"), 1e30, -7.0, 1.0, -1.0, 0.0] * 500
    plain = [0, 32_767, -32_767, 32_767, -32_767, 32_767, -32_767, 0] * 500

    data, _ = encode(wav(struct.pack("<4000f", *odd), codec=3, bits=32))

    assert data == encode(wav(struct.pack("<4000h", *plain)))[0]


@pytest.mark.slow
@given(
    st.lists(st.integers(min_value=1, max_value=40_000), min_size=1, max_size=30), st.sampled_from([0, 1, 5])
)
@settings(max_examples=40, deadline=None)
def test_however_the_bytes_are_cut_the_mp3_is_the_same(sizes: list[int], ends: int) -> None:
    whole = wav(SAMPLE, channels=2, rate=16_000, after=chunk(b"LIST", b"INFO")) + b"\0" * ends
    once, encoder = encode(whole, pieces=len(whole))

    data, other = encode(whole, pieces=itertools.cycle(sizes))

    assert data == once
    assert (other.seconds, other.peaks) == (encoder.seconds, encoder.peaks)


SAMPLE = speech(3, rate=16_000).tobytes()


def test_byte_by_byte_is_the_same_too() -> None:
    whole = wav(SAMPLE[:20_000], before=chunk(b"LIST", b"abc"))

    assert encode(whole, pieces=1)[0] == encode(whole, pieces=len(whole))[0]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_streamed_wav_ends_where_its_bytes_do(size: int) -> None:
    data, encoder = encode(wav(SAMPLE, size=size))

    assert data == encode(wav(SAMPLE))[0]
    assert encoder.seconds == len(SAMPLE) / 16_000


def test_a_size_that_is_too_large_or_too_small_does_not_matter() -> None:
    right = encode(wav(SAMPLE))[0]

    assert encode(wav(SAMPLE, size=2 * len(SAMPLE)))[0] == right
    assert encode(wav(SAMPLE, size=1000))[0] == right
    assert encode(wav(SAMPLE, size=1001))[0] == right
    assert encode(wav(SAMPLE, size=len(SAMPLE) - 4))[0] == right


@pytest.mark.parametrize("name", [b"LIST", b"id3 ", b"bext"])
def test_what_follows_the_sound_is_not_heard(name: bytes) -> None:
    data, encoder = encode(wav(SAMPLE[:-2], after=chunk(name, bytes(range(256)) * 90)))

    assert data == encode(wav(SAMPLE[:-2]))[0]
    assert encoder.seconds == len(SAMPLE[:-2]) / 16_000


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_last_sample_cut_off_half_way_is_dropped(cut: int) -> None:
    whole = wav(SAMPLE, channels=2)

    data, encoder = encode(whole[:-cut])

    assert data == encode(wav(SAMPLE[:-4], channels=2))[0]
    assert encoder.seconds == (len(SAMPLE) - 4) / 4 / 8000


def test_silence_is_a_recording() -> None:
    data, encoder = encode(wav(bytes(16_000 * 5)))

    assert abs(read_mp3(data).seconds - 5) <= 0.1
    assert set(encoder.peaks) == {0.0}


def test_no_sound_at_all_makes_no_mp3() -> None:
    for data in (wav(b""), wav(b"\0"), wav(b"\0\0\0", channels=2)):
        mp3, encoder = encode(data)

        assert (mp3, encoder.seconds, encoder.peaks) == (b"", 0.0, [])


@pytest.mark.parametrize("data", [b"", b"RIFF", wav(SAMPLE)[:30]])
def test_what_ends_before_any_sound_is_told_at_the_end(data: bytes) -> None:
    encoder = SpeechEncoder()
    assert encoder.feed(data) == b""

    with pytest.raises(NotAudio):
        encoder.finish()


def test_a_web_page_is_told_at_once() -> None:
    with pytest.raises(NotAudio, match="web page"):
        SpeechEncoder().feed(b"<html><body>Not found")


@pytest.mark.parametrize("seconds", [2, 17, 61, 300])
def test_the_waveform_has_400_to_800_spans_and_shows_what_is_loud(seconds: int) -> None:
    quiet, loud = struct.pack("<h", 3000) * 8000, struct.pack("<2h", 30_000, -30_000) * 4000
    encoder = SpeechEncoder()
    encoder.feed(wav((quiet + loud) * (seconds // 2) + quiet * (seconds % 2)))
    encoder.finish()

    peaks = encoder.peaks

    assert 400 <= len(peaks) <= 800
    per_second = len(peaks) / seconds
    if per_second >= 4:
        assert abs(peaks[int(0.5 * per_second)] - 3000 / 32_768) < 0.01
        assert abs(peaks[int(1.5 * per_second)] - 30_000 / 32_768) < 0.01


@given(st.lists(st.integers(min_value=-32_768, max_value=32_767), max_size=4000), st.integers(1, 700))
def test_a_peak_is_the_loudest_of_its_span(samples: list[int], piece: int) -> None:
    peaks = Peaks()
    pcm = struct.pack(f"<{len(samples)}h", *samples)
    for at in range(0, len(pcm), 2 * piece):
        peaks.add(pcm[at : at + 2 * piece])

    loudness = [(n if n >= 0 else -n - 1) >> 8 for n in samples]
    assert peaks.values() == [
        round(max(loudness[at : at + 16]) / 127, 3) for at in range(0, len(loudness), 16)
    ]


@pytest.mark.slow
def test_an_hour_streams_through_in_constant_memory() -> None:
    minute = speech(2).tobytes() * 30
    encoder = SpeechEncoder()
    size = len(encoder.feed(wav(b"", size=0xFFFFFFFF)))
    tracemalloc.start()
    try:
        for _ in range(60):
            for at in range(0, len(minute), 65_536):
                size += len(encoder.feed(minute[at : at + 65_536]))
        size += len(encoder.finish())
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert highest < 2_000_000
    assert encoder.seconds == 3600
    assert abs(size / 3000 - 3600) <= 0.1
    assert size < 60 * MB_PER_MINUTE * 1e6
    assert 400 <= len(encoder.peaks) <= 800


def test_the_encoder_is_loaded_when_it_is_used_only() -> None:
    asked = (
        "import sys, bridge.audio.speech, bridge.storage\n"
        "bridge.audio.speech.SpeechEncoder().feed(b'RIFF')\n"
        "print([name for name in ('lameenc', 'obstore') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_without_an_mp3_length_and_peaks_are_the_same_and_no_encoder_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = wav(speech(3).tobytes())
    encoding = SpeechEncoder()
    assert encoding.feed(sound) + encoding.finish()
    monkeypatch.setattr("bridge.audio.speech._open_lame", None)

    counting = SpeechEncoder(encodes=False)

    assert counting.feed(sound) + counting.finish() == b""
    assert (counting.seconds, counting.peaks) == (encoding.seconds, encoding.peaks)
