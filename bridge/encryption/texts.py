"""Short texts, encrypted for one place: moved to another, changed or cut off, they cannot be read.

    enc1:0f3a9c21:BASE64

Version of the format and id of the key, then a random nonce of 12 bytes and the text by AES-256-GCM, in the
URL alphabet of base64. The key of the cipher is derived for the record (HMAC-SHA-256), so no number of
records uses up the nonces of one key; the header and the place are authenticated with the text.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from dataclasses import dataclass
from typing import Any

from bridge.encryption.ciphers import aes_gcm, invalid_tag
from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import EncryptionKey, framed
from bridge.errors import Tampered

PREFIX = "enc1:"
_NONCE, _TAG = 12, 16
_ID_END = len(PREFIX) + 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text is stored.

    Args:
        family: of the keys, such as `events`.
        record: whose text it is: the key of the call's record.
        field: which of its texts.
    """

    family: str
    record: str = ""
    field: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in (self.family, self.record, self.field) if part)


def is_encrypted(text: str) -> bool:
    return text.startswith(PREFIX)


def key_id_of(text: str) -> str | None:
    """The id of the key that a stored text is encrypted with; None: it is stored as it is."""
    return text[len(PREFIX) : _ID_END] if text.startswith(PREFIX) else None


def encrypt(keyring: Keyring, place: Place, text: str) -> str:
    """The text for this place by the first key; as it is where that is `none`."""
    key = keyring.first
    if key is None:
        return text
    header, nonce = f"{PREFIX}{key.id}:", os.urandom(_NONCE)
    sealed = _cipher(keyring, key, place).encrypt(nonce, text.encode(), _bound(header, place))
    return header + base64.urlsafe_b64encode(nonce + sealed).decode()


def decrypt(keyring: Keyring, place: Place, text: str) -> str:
    """A text as it was before `encrypt`; one without a header as it is.

    Raises:
        KeyMissing: its key is not in force.
        Tampered: it was changed, or is of another place.
    """
    if not text.startswith(PREFIX):
        return text
    header = text[: _ID_END + 1]
    key = keyring.key(header[len(PREFIX) : _ID_END])
    try:
        data = base64.b64decode(text[len(header) :].encode(), altchars=b"-_", validate=True)
        if not header.endswith(":") or len(data) < _NONCE + _TAG:
            raise ValueError
        plain = _cipher(keyring, key, place).decrypt(data[:_NONCE], data[_NONCE:], _bound(header, place))
    except (ValueError, binascii.Error, invalid_tag()) as cause:
        raise Tampered(str(place)) from cause
    return bytes(plain).decode()


def digest_of(keyring: Keyring, place: Place, text: str) -> str:
    """By which two texts of one place are compared without being decrypted; empty without a key.

    Keyed, so that nobody can try texts against it; another after the first key has changed.
    """
    key = keyring.first
    if key is None:
        return ""
    own = key.derived(b"digest", keyring.scope)
    return hmac.digest(own, _bound("", place) + text.encode(), "sha256")[:16].hex()


def _cipher(keyring: Keyring, key: EncryptionKey, place: Place) -> Any:
    derived = key.derived(b"text", keyring.scope, place.family.encode(), place.record.encode())
    return aes_gcm()(derived)


def _bound(header: str, place: Place) -> bytes:
    return framed(header.encode(), place.family.encode(), place.record.encode(), place.field.encode())
