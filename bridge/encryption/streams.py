"""Bytes of any length, encrypted in pieces: each is checked before it is handed on, any range can be read.

    header   8 bytes 89 'CBENC' 01 0a   4 bytes id of the key   32 bytes salt, random
    pieces   64 KiB each by AES-256-GCM, and 16 bytes tag; the last may be shorter, and is there even if empty

The key of a stream is derived from key, salt and name of the object: no two streams share one, so the nonce
is the number of the piece and whether it is the last (the STREAM construction). Pieces that were changed,
left out, put in another order, cut off at the end or moved to another object do not decrypt.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bridge.encryption.ciphers import aes_gcm, invalid_tag
from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import EncryptionKey, framed
from bridge.errors import Tampered

_MAGIC = b"\x89CBENC\x01\n"
_SALT = 32
HEADER_BYTES = len(_MAGIC) + 4 + _SALT
PIECE_BYTES = 64 * 1024
_TAG = 16
_STORED_PIECE = PIECE_BYTES + _TAG


@dataclass(frozen=True, slots=True)
class Header:
    """How a stream begins."""

    key_id: str
    salt: bytes = field(repr=False)

    @classmethod
    def new(cls, key: EncryptionKey) -> Header:
        return cls(key.id, os.urandom(_SALT))

    @classmethod
    def read(cls, data: bytes) -> Header | None:
        """From the first bytes of an object; None: it is stored as it is."""
        if len(data) < HEADER_BYTES or not data.startswith(_MAGIC):
            return None
        at = len(_MAGIC)
        return cls(data[at : at + 4].hex(), data[at + 4 : HEADER_BYTES])

    @property
    def data(self) -> bytes:
        return _MAGIC + bytes.fromhex(self.key_id) + self.salt


def encrypted(keyring: Keyring, key: EncryptionKey, name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes as they are stored. Never more than a piece and a chunk of `chunks` is in memory.

    Args:
        name: of the object.
    """
    header = Header.new(key)
    cipher = _cipher(keyring, key, header, name)
    yield header.data
    held, number = bytearray(), 0
    for chunk in chunks:
        held += chunk
        # The last piece is known only at the end: one is always held back.
        while len(held) > PIECE_BYTES:
            yield cipher.encrypt(_nonce(number, is_last=False), bytes(held[:PIECE_BYTES]), None)
            del held[:PIECE_BYTES]
            number += 1
    yield cipher.encrypt(_nonce(number, is_last=True), bytes(held), None)


def plain_size(stored: int) -> int:
    """How many bytes a stream holds that takes so many; 0 for one that was cut off in its first piece."""
    body = stored - HEADER_BYTES
    return max(0, body - _TAG * max(1, -(-body // _STORED_PIECE)))


@dataclass(frozen=True, slots=True)
class Range:
    """Which pieces have some bytes of a stream, and where these begin in them.

    Attributes:
        start, end: of the stored bytes to read.
        first: the number of the first piece.
        skip, take: of their plain bytes.
    """

    start: int
    end: int
    first: int
    skip: int
    take: int

    @classmethod
    def of(cls, stored: int, start: int, end: int | None) -> Range:
        """Args: stored: size of the object; start, end: of the plain bytes, as `Storage.open` has them."""
        size = plain_size(stored)
        end = size if end is None else min(end, size)
        take = max(0, end - start)
        if take == 0:
            # The last piece tells that the stream is whole, also where nothing of it is wanted.
            start = size
        first = min(start, max(size - 1, 0)) // PIECE_BYTES
        last = max(start + take - 1, first * PIECE_BYTES) // PIECE_BYTES
        at = HEADER_BYTES + first * _STORED_PIECE
        return cls(
            at,
            min(stored, HEADER_BYTES + (last + 1) * _STORED_PIECE),
            first,
            start - first * PIECE_BYTES,
            take,
        )


def decrypted(
    keyring: Keyring, header: Header, name: str, stored: int, chunks: Iterable[bytes], wanted: Range
) -> Iterator[bytes]:
    """The plain bytes of a range.

    Args:
        stored: size of the whole object.
        chunks: what is stored from `wanted.start` to `wanted.end`.
    Raises:
        KeyMissing: at the first byte.
        Tampered: at the first piece that is not as it was written; those before it were.
    """
    cipher = _cipher(keyring, keyring.key(header.key_id), header, name)
    left, skip, number = wanted.take, wanted.skip, wanted.first
    last = max(0, -(-(stored - HEADER_BYTES) // _STORED_PIECE) - 1)
    for piece in _pieces(chunks):
        try:
            plain = cipher.decrypt(_nonce(number, is_last=number == last), piece, None)
        except (ValueError, invalid_tag()) as cause:
            raise Tampered(name) from cause
        part = plain[skip : skip + left]
        left, skip, number = left - len(part), max(0, skip - len(plain)), number + 1
        if part:
            yield part
    if left or number == wanted.first:
        raise Tampered(name)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= _STORED_PIECE:
            yield bytes(held[:_STORED_PIECE])
            del held[:_STORED_PIECE]
    if held:
        yield bytes(held)


def _cipher(keyring: Keyring, key: EncryptionKey, header: Header, name: str) -> Any:
    derived = key.derived(b"stream", keyring.scope, framed(header.data, name.encode()))
    return aes_gcm()(derived)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return bytes(7) + number.to_bytes(4, "big") + bytes([is_last])
