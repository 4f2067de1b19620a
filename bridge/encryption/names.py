"""Names that are looked up, such as phone numbers in names of keys: the same name gives the same text.

By AES-SIV (RFC 5297) with a key of its own that stays when the others change: entries are found again.
Whoever reads Redis sees which entries have the same name, and no name.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from bridge.encryption.ciphers import aes_siv, invalid_tag
from bridge.errors import Tampered

# AES-256-SIV.
SECRET_BYTES = 64
PREFIX = "~"


def new_secret() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class Names:
    """Args: secret: as `new_secret` makes it."""

    def __init__(self, secret: str) -> None:
        self._cipher = aes_siv()(base64.urlsafe_b64decode(secret))

    def hidden(self, kind: str, name: str) -> str:
        """A name as it is stored; no name stays none."""
        if not name:
            return name
        return PREFIX + _base64(self._cipher.encrypt(name.encode(), [kind.encode()]))

    def shown(self, kind: str, stored: str) -> str:
        """The name; one that is stored as it is stays so.

        Raises:
            Tampered: it was changed, or is of another kind.
        """
        if not stored.startswith(PREFIX):
            return stored
        try:
            text = stored[len(PREFIX) :]
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return bytes(self._cipher.decrypt(data, [kind.encode()])).decode()
        except (ValueError, binascii.Error, invalid_tag()) as cause:
            raise Tampered(f"a name of {kind}") from cause


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
