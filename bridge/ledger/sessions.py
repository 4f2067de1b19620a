"""Sessions of people who signed in: a signed cookie, and a key in Redis that ends with the session."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

import redis

from bridge.boundary import boundary
from bridge.ledger import keys

COOKIE = "callbridge_session"
LASTS_S = 12 * 3600

_FORM = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{16})\.([0-9a-f]{64})", re.ASCII)
# Whose sessions count: those of the token that was set last, in all processes.
_SESSIONS_OF = "sessions_of"


@dataclass(slots=True)
class Sessions:
    """Makes, checks and ends sessions. The cookie's key comes from the token: another token ends all of them.

    A cookie alone opens nothing: its session has to be in Redis, so that one which was copied is worthless
    after a sign-out. The methods block, and raise redis-py's errors.
    """

    key: bytes
    store: redis.Redis
    # Whether the sessions of other tokens were ended since this process started.
    _alone: bool = False

    @classmethod
    def under(cls, token: bytes, store: redis.Redis) -> Sessions:
        key = hmac.new(token, b"callbridge: sessions of the pages", hashlib.sha256).digest()
        return cls(key, store)

    @boundary("sessions.take_over")
    def take_over(self) -> None:
        """End the sessions of any other token, in all processes. Called once, at the start."""
        self.store.hset(keys.META, _SESSIONS_OF, self._of_token)
        self._alone = True

    def begin(self, *, now: float) -> str:
        """The value of a new session's cookie."""
        if not self._alone:
            # Redis was away at the start.
            self.take_over()
        told = f"{int(now) + LASTS_S}.{secrets.token_urlsafe(12)}"
        with boundary("sessions.begin"):
            pipe = self.store.pipeline(transaction=False)
            pipe.hsetnx(keys.META, _SESSIONS_OF, self._of_token)
            pipe.set(self._name(told), self._of_token, ex=LASTS_S)
            pipe.execute()
        return f"{told}.{self._mark(told)}"

    def is_signed(self, cookie: str, *, now: float) -> bool:
        """Whether a cookie is ours and its time is not over; a session that was ended passes, too."""
        found = _FORM.fullmatch(cookie)
        if found is None:
            return False
        ends, name, mark = found.groups()
        return hmac.compare_digest(self._mark(f"{ends}.{name}"), mark) and now < int(ends)

    def admits(self, cookie: str, *, now: float) -> bool:
        """Whether a cookie is of a session that goes on."""
        if not self.is_signed(cookie, now=now):
            return False
        with boundary("sessions.admits"):
            pipe = self.store.pipeline(transaction=False)
            pipe.get(self._name(cookie.rpartition(".")[0]))
            pipe.hget(keys.META, _SESSIONS_OF)
            told, of_token = pipe.execute()
        return bool(told == of_token == self._of_token)

    def end(self, cookie: str) -> None:
        """Sign out; a cookie that is not ours changes nothing."""
        if self.is_signed(cookie, now=0):
            with boundary("sessions.end"):
                self.store.delete(self._name(cookie.rpartition(".")[0]))

    @property
    def _of_token(self) -> str:
        """Tells tokens apart, and says nothing of them."""
        return hmac.new(self.key, b"callbridge: whose sessions", hashlib.sha256).hexdigest()[:24]

    def _name(self, told: str) -> str:
        # Not the cookie itself: whoever reads Redis is not signed in by it.
        return f"{keys.TAG}:session:{hashlib.sha256(told.encode()).hexdigest()[:32]}"

    def _mark(self, told: str) -> str:
        return hmac.new(self.key, told.encode(), hashlib.sha256).hexdigest()
