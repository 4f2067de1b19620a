"""Bytes to which more are appended: each block is encrypted by itself, and all are read together."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bridge.encryption.ciphers import aes_gcm, invalid_tag
from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import framed
from bridge.encryption.texts import Place
from bridge.errors import Tampered

# No text begins so.
MAGIC = b"\x00enc1\x00"
_ID, _LENGTH, _NONCE = 4, 4, 12
_HEAD = len(MAGIC) + _ID + _LENGTH + _NONCE


def block(keyring: Keyring, place: Place, data: bytes) -> bytes:
    """A block by the first key; the bytes as they are where that is `none`."""
    key = keyring.first
    if key is None or not data:
        return data
    nonce = os.urandom(_NONCE)
    cipher = aes_gcm()(key.derived(b"block", keyring.scope, *_words(place)))
    sealed: bytes = cipher.encrypt(nonce, data, None)
    return MAGIC + bytes.fromhex(key.id) + len(sealed).to_bytes(_LENGTH, "big") + nonce + sealed


def opened(keyring: Keyring, place: Place, data: bytes) -> bytes:
    """What all blocks hold; what begins with none is as it is.

    Raises:
        KeyMissing, Tampered: a block cannot be decrypted.
    """
    if not data.startswith(MAGIC):
        return data
    return b"".join(_opened(keyring, place, data))


def _opened(keyring: Keyring, place: Place, data: bytes) -> Iterator[bytes]:
    at, ciphers = 0, {}
    while at < len(data):
        head = data[at : at + _HEAD]
        if len(head) < _HEAD or not head.startswith(MAGIC):
            raise Tampered(str(place))
        key_id = head[len(MAGIC) : len(MAGIC) + _ID].hex()
        length = int.from_bytes(head[-_NONCE - _LENGTH : -_NONCE], "big")
        if key_id not in ciphers:
            derived = keyring.key(key_id).derived(b"block", keyring.scope, *_words(place))
            ciphers[key_id] = aes_gcm()(derived)
        at += _HEAD + length
        try:
            yield ciphers[key_id].decrypt(head[-_NONCE:], data[at - length : at], None)
        except (ValueError, invalid_tag()) as cause:
            raise Tampered(str(place)) from cause


def _words(place: Place) -> tuple[bytes, ...]:
    return (framed(place.family.encode(), place.record.encode(), place.field.encode()),)
