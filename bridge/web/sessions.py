"""Sessions of people who signed in: all of one is in its cookie, so nothing is kept here."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

COOKIE = "callbridge_session"
LASTS_S = 12 * 3600

_FORM = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{16})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Makes and checks cookies. The key comes from OPS_TOKEN: another token ends all sessions."""

    key: bytes

    @classmethod
    def under(cls, token: bytes) -> Sessions:
        return cls(hmac.new(token, b"callbridge: sessions of the pages", hashlib.sha256).digest())

    def begin(self, *, now: float) -> str:
        """The value of a new session's cookie."""
        told = f"{int(now) + LASTS_S}.{secrets.token_urlsafe(12)}"
        return f"{told}.{self._mark(told)}"

    def admits(self, cookie: str, *, now: float) -> bool:
        found = _FORM.fullmatch(cookie)
        if found is None:
            return False
        ends, name, mark = found.groups()
        return hmac.compare_digest(self._mark(f"{ends}.{name}"), mark) and now < int(ends)

    def _mark(self, told: str) -> str:
        return hmac.new(self.key, told.encode(), hashlib.sha256).hexdigest()
