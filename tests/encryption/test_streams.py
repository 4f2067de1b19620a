"""Files of any size, encrypted in pieces."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.encryption.streams import (
    HEADER_BYTES,
    PIECE_BYTES,
    Header,
    Range,
    decrypted,
    encrypted,
    plain_size,
)
from bridge.errors import KeyMissing, Tampered

KEYS = Keyring([new_key()])
NAME = "2026/03/02/42.wav"
TAG = 16
sizes = st.one_of(
    st.integers(0, 200),
    st.builds(
        lambda pieces, more: max(0, pieces * PIECE_BYTES + more), st.integers(0, 3), st.integers(-2, 2)
    ),
)


def stored(plain: bytes, *, chunk: int = 50_000, name: str = NAME, keyring: Keyring = KEYS) -> bytes:
    assert keyring.first is not None
    chunks = (plain[at : at + chunk] for at in range(0, len(plain), chunk))
    return b"".join(encrypted(keyring, keyring.first, name, chunks))


def read(
    data: bytes, start: int = 0, end: int | None = None, *, name: str = NAME, keyring: Keyring = KEYS
) -> bytes:
    header, wanted = Header.read(data), Range.of(len(data), start, end)
    assert header is not None
    part = data[wanted.start : wanted.end]
    chunks = (part[at : at + 30_000] for at in range(0, len(part), 30_000))
    return b"".join(decrypted(keyring, header, name, len(data), chunks, wanted))


@given(sizes, st.integers(1, 100_000))
def test_what_was_encrypted_comes_back_whatever_its_size(size: int, chunk: int) -> None:
    plain = os.urandom(size)

    data = stored(plain, chunk=max(chunk, size // 50 + 1))

    assert read(data) == plain
    assert plain_size(len(data)) == size


@given(sizes, st.integers(0, 250_000), st.integers(0, 250_000))
@example(PIECE_BYTES, PIECE_BYTES, PIECE_BYTES + 1)
@example(2 * PIECE_BYTES, PIECE_BYTES - 1, PIECE_BYTES + 1)
@example(0, 0, 0)
def test_any_range_is_read(size: int, start: int, end: int) -> None:
    plain = os.urandom(size)

    assert read(stored(plain), start, end) == plain[start:end]
    assert read(stored(plain), start) == plain[start:]


def test_a_range_asks_for_its_own_pieces_alone() -> None:
    size = HEADER_BYTES + 100 * (PIECE_BYTES + TAG)

    wanted = Range.of(size, 50 * PIECE_BYTES + 5, 50 * PIECE_BYTES + 9)

    assert wanted.end - wanted.start == PIECE_BYTES + TAG


@given(st.integers(0, 3 * PIECE_BYTES), st.data())
def test_a_changed_byte_anywhere_is_noticed(size: int, data: st.DataObject) -> None:
    whole = bytearray(stored(os.urandom(size)))
    at = data.draw(st.integers(12, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Tampered, match=NAME):
        read(bytes(whole))


@given(st.integers(0, 3 * PIECE_BYTES), st.data())
def test_what_was_cut_off_is_not_taken_for_all(size: int, data: st.DataObject) -> None:
    whole = stored(os.urandom(size))
    end = data.draw(st.integers(HEADER_BYTES, len(whole) - 1))

    with pytest.raises(Tampered):
        read(whole[:end])


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_what_was_cut_off_between_two_pieces_is_not_taken_for_all(pieces: int) -> None:
    whole = stored(os.urandom(4 * PIECE_BYTES))

    with pytest.raises(Tampered):
        read(whole[: HEADER_BYTES + pieces * (PIECE_BYTES + TAG)])


def test_pieces_in_another_order_or_left_out_are_noticed() -> None:
    whole = stored(os.urandom(3 * PIECE_BYTES))
    step = PIECE_BYTES + TAG
    first, second, third = (whole[HEADER_BYTES + n * step :][:step] for n in range(3))

    for pieces in (
        [second, first, third],
        [first, third],
        [first, first, third],
        [first, second, third, third],
    ):
        with pytest.raises(Tampered):
            read(whole[:HEADER_BYTES] + b"".join(pieces))


def test_an_object_under_another_name_or_of_another_company_is_not_read() -> None:
    data = stored(b"sound")

    with pytest.raises(Tampered):
        read(data, name="2026/03/02/43.wav")
    key = new_key()
    with pytest.raises(Tampered):
        read(stored(b"sound", keyring=Keyring([key])), keyring=Keyring([key], scope="acme"))


def test_without_its_key_nothing_is_read() -> None:
    with pytest.raises(KeyMissing):
        read(stored(b"sound"), keyring=Keyring([new_key()]))


def test_what_is_stored_as_it_is_has_no_header() -> None:
    assert Header.read(b"RIFF" + bytes(100)) is None
    assert Header.read(stored(b"")[: HEADER_BYTES - 1]) is None


def test_memory_does_not_grow_with_the_file() -> None:
    assert KEYS.first is not None
    size = 64 * 1024 * 1024

    def sound() -> Iterator[bytes]:
        for _ in range(size // 262_144):
            yield bytes(262_144)

    total = HEADER_BYTES + (size // PIECE_BYTES) * (PIECE_BYTES + TAG)
    pieces = encrypted(KEYS, KEYS.first, NAME, sound())
    header = Header.read(next(pieces))
    assert header is not None
    tracemalloc.start()
    try:
        wanted = Range.of(total, 0, None)
        taken = sum(map(len, decrypted(KEYS, header, NAME, total, pieces, wanted)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken == size and peak < 4 * 1024 * 1024
