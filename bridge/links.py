"""Links to the player of a recording, for notes that cannot have it attached."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

PLAYER = "/recordings"
_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes and checks links. `secret` is the ledger's own (`Ledger.link_secret`), never shown."""

    secret: bytes
    public_url: str

    def for_operators(self, key: str) -> str:
        """A link that asks whoever opens it to sign in."""
        return f"{self.public_url}{PLAYER}/{quote(key, safe=':')}"

    def signed(self, key: str, *, until: datetime) -> str:
        """A link that works for whoever has it, until then. The same call and time give the same link."""
        return f"{self.for_operators(key)}?sig={self.signature(key, until=until)}"

    def signature(self, key: str, *, until: datetime) -> str:
        ends = int(until.timestamp())
        mark = hmac.new(self.secret, f"{key}|{ends}".encode(), hashlib.sha256).digest()[:_SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(ends.to_bytes(5, "big") + mark).decode().rstrip("=")

    def admits(self, key: str, signature: str, *, now: datetime) -> bool:
        """Whether a signature is ours for this call, and has not run out."""
        try:
            raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except (binascii.Error, ValueError):
            return False
        if len(raw) != 5 + _SIGNATURE_BYTES:
            return False
        ends = int.from_bytes(raw[:5], "big")
        ours = self.signature(key, until=datetime.fromtimestamp(ends, UTC))
        return hmac.compare_digest(ours.encode(), signature.encode()) and now.timestamp() < ends
