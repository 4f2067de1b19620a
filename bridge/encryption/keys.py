"""One key: how it is written, and by which id what it encrypted names it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

KEY_BYTES = 32
# In place of the first key: new texts are stored as they are, and those that are encrypted are still read.
NONE = "none"


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A key of 256 bits. Keys for single purposes are derived from it; it encrypts nothing itself.

    Attributes:
        id: 8 hex digits that say nothing of the key; in the header of everything that it encrypted.
    """

    secret: bytes = field(repr=False)
    id: str

    @classmethod
    def read(cls, text: str) -> EncryptionKey:
        """A key as it stands in the settings: 32 bytes as base64 (either alphabet), or as 64 hex digits.

        Raises:
            ValueError: it is none; shows nothing of it.
        """
        text = text.strip()
        secret = _from_hex(text) or _from_base64(text)
        if secret is None or len(secret) != KEY_BYTES:
            raise ValueError(
                f"is not {KEY_BYTES} bytes as base64 or hex; `callbridge encryption new-key` makes one"
            )
        if len(set(secret)) < KEY_BYTES // 4:
            raise ValueError("is not random; `callbridge encryption new-key` makes one that is")
        return cls(secret, hashlib.sha256(b"callbridge key id\0" + secret).hexdigest()[:8])

    def derived(self, *purpose: bytes) -> bytes:
        """32 bytes for this purpose alone, by HMAC-SHA-256."""
        return hmac.digest(self.secret, framed(*purpose), "sha256")


def framed(*parts: bytes) -> bytes:
    """The parts as one text that no other parts make: each with its length in front."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def new_key() -> str:
    """A new random key, as the settings take it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _from_hex(text: str) -> bytes | None:
    if len(text) != 2 * KEY_BYTES:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def _from_base64(text: str) -> bytes | None:
    padded = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
