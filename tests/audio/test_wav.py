from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audio.wav import LONGEST_HEADER, Codec, NotAudio, WavFormat, read_header
from bridge.errors import Rejected
from tests.audio.given import chunk, encode, fmt, speech, wav

SOUND = bytes(range(200)) * 80
GUID = bytes.fromhex("000000001000800000aa00389b71")


def header(data: bytes) -> WavFormat:
    found = read_header(data)
    assert found is not None
    return found


def test_what_the_phone_company_writes_is_read() -> None:
    found = header(wav(SOUND))

    assert found == WavFormat(
        codec=Codec.PCM, channels=1, rate=8000, bits=16, data_offset=44, data_bytes=16_000
    )


@pytest.mark.parametrize(
    ("codec", "bits"),
    [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (6, 8), (7, 8)],
)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_codec_and_width_is_told(codec: int, bits: int, channels: int) -> None:
    found = header(wav(SOUND, codec=codec, bits=bits, channels=channels, rate=44_100))

    assert (found.codec, found.bits, found.channels, found.rate) == (codec, bits, channels, 44_100)
    assert found.bytes_per_frame == channels * bits // 8


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0xFFFFFFDB, 0x80000000, 0x7FFFFFFF, 0x7FFFF000])
def test_a_size_that_was_never_filled_in_is_not_believed(size: int) -> None:
    assert header(wav(SOUND, size=size, riff_size=size)).data_bytes is None


def test_a_wrong_size_of_the_whole_does_not_matter() -> None:
    assert header(wav(SOUND, riff_size=0)).data_bytes == len(SOUND)
    assert header(wav(SOUND, riff_size=0xFFFFFFFF)).data_bytes == len(SOUND)


def test_chunks_before_the_sound_are_passed_over_with_their_padding() -> None:
    before = (
        chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0") + chunk(b"bext", bytes(602)) + chunk(b"fact", b"\1\2\3")
    )

    data = wav(SOUND, before=before)

    assert data[header(data).data_offset :][: len(SOUND)] == SOUND


def test_an_extensible_format_says_its_codec_further_in() -> None:
    result = fmt(codec=0xFFFE, bits=24, channels=2, extra=struct.pack("<HHIH", 22, 20, 3, 1) + GUID)

    found = header(wav(SOUND, format_chunk=result))

    assert (found.codec, found.bits, found.channels) == (Codec.PCM, 24, 2)


def test_twelve_bits_take_up_sixteen() -> None:
    result = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 12)

    assert header(wav(SOUND, format_chunk=result)).bits == 16


def test_where_the_block_contradicts_the_bits_the_bits_are_right() -> None:
    result = struct.pack("<HHIIHH", 1, 2, 8000, 0, 0, 16)

    assert header(wav(SOUND, format_chunk=result)).bytes_per_frame == 4


def test_a_size_beyond_four_gigabytes_is_read() -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 5_000_000_072, 5_000_000_000, 0, 0))
    data = b"RF64\xff\xff\xff\xffWAVE" + sizes + chunk(b"fmt ", fmt()) + b"data\xff\xff\xff\xff" + SOUND

    assert header(data).data_bytes == 5_000_000_000


@given(st.integers(min_value=1, max_value=99))
def test_a_header_that_is_not_all_there_needs_more(length: int) -> None:
    data = wav(SOUND, before=chunk(b"LIST", bytes(50)))
    whole = header(data).data_offset

    assert (read_header(data[:length]) is None) == (length < whole)


@pytest.mark.parametrize(
    ("start", "looks_like"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>", "html"),
        (b"\xef\xbb\xbf  \r\n<html>", "html"),
        (b"<?xml", "html"),
        (b'{"responseData":{"status":404}}', "json"),
        (b" [", "json"),
        (b"ID3\x04\0\0\0\0\0\0\0\0", "mp3"),
        (b"\xff\xf3\x38\xc4" + bytes(20), "mp3"),
        (b"RIFF\0\0\0\0AVI LIST", "unknown"),
        (b"RIFX\0\0\0\0WAVEfmt ", "unknown"),
        (b"Not found", "unknown"),
    ],
)
def test_what_is_no_wav_is_told_by_its_first_bytes(start: bytes, looks_like: str) -> None:
    with pytest.raises(NotAudio) as raised:
        read_header(start)

    assert raised.value.looks_like == looks_like
    assert isinstance(raised.value, Rejected)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (wav(SOUND, codec=2, bits=4), "codec 2 (Microsoft ADPCM)"),
        (wav(SOUND, codec=85), "codec 85 (MP3)"),
        (wav(SOUND, codec=0x1234), "codec 4660;"),
        (wav(SOUND, channels=0), "0 channels"),
        (wav(SOUND, channels=200), "200 channels"),
        (wav(SOUND, rate=0), "at 0 Hz"),
        (wav(SOUND, codec=3, bits=16), "16 bits a sample in codec 3"),
        (wav(SOUND, format_chunk=b"\1\0\1\0"), "its format has 4 bytes"),
        (wav(SOUND, format_chunk=fmt(codec=0xFFFE)), "extensible"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"data", SOUND), "precedes its format"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"LIST", bytes(LONGEST_HEADER)), "no audio data in its first"),
    ],
)
def test_a_wav_that_cannot_be_read_is_refused_with_its_reason(data: bytes, words: str) -> None:
    with pytest.raises(NotAudio) as raised:
        read_header(data)

    assert raised.value.looks_like == "wav"
    assert words in str(raised.value)


@pytest.mark.parametrize("length", [1, 3, 8, 11, 12, 20, 43])
def test_a_file_that_ends_in_its_header_is_none(length: int) -> None:
    data = wav(SOUND)[:length]
    assert read_header(data) is None

    with pytest.raises(NotAudio):
        read_header(data, complete=True)


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(tail: bytes) -> None:
    for start in (tail, b"RIFF\0\0\0\0WAVE" + tail, b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + tail):
        try:
            found = read_header(start)
        except NotAudio as error:
            assert str(error)
        else:
            assert found is None or found.bytes_per_frame > 0


@pytest.mark.parametrize("name", [b"C2PA", b"ABCD", b"x_1 ", b"LIST", b"id3 "])
@pytest.mark.parametrize("pieces", [1, 7, 65_536])
def test_any_chunk_behind_the_sound_is_no_sound(name: bytes, pieces: int) -> None:
    sound = speech(0.5).tobytes()

    _, encoder = encode(wav(sound, after=chunk(name, b"\x55\xaa" * 4000)), pieces=pieces)

    assert encoder.seconds == 0.5


@pytest.mark.parametrize("size", [0, 1000, 44 + 8000, 0xFFFFFFFF])
def test_a_size_that_is_wrong_takes_nothing_away_from_the_sound(size: int) -> None:
    sound = speech(0.5).tobytes()

    assert encode(wav(sound, size=size))[1].seconds == 0.5


def test_a_chunk_of_an_odd_size_may_lack_its_pad_byte() -> None:
    sound = speech(0.5).tobytes()
    odd = chunk(b"LIST", b"INFOx")[:-1]

    assert encode(wav(sound, before=odd))[1].seconds == 0.5
    assert encode(wav(sound, before=odd + b"\0"))[1].seconds == 0.5
    # Eight bits a sample, so that the sound itself may be odd.
    assert encode(wav(b"\x80" * 4001, bits=8, after=chunk(b"C2PA", b"x" * 9)))[1].seconds == 4001 / 8000
    without = wav(b"\x80" * 4001, bits=8)[:-1] + chunk(b"C2PA", b"x" * 9)
    assert encode(without)[1].seconds == 4001 / 8000
