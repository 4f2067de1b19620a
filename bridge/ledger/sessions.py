"""Sessions of people who signed in: a signed cookie, and a key in Redis that ends with the session."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import redis

from bridge.boundary import boundary
from bridge.ledger import keys

COOKIE = "callbridge_session"
LASTS_S = 12 * 3600

_FORM = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{16})\.([0-9a-f]{64})", re.ASCII)
# Whose sessions count, in all processes: those of the tokens that were set last.
_SESSIONS_OF = "sessions_of"


@dataclass(slots=True)
class Sessions:
    """Makes, checks and ends sessions of the people who hold a token.

    A cookie's key comes from the token that began its session: another token, or none any more, ends the
    sessions of that person and of nobody else. A cookie alone opens nothing: its session has to be in Redis,
    so that a copied one is worthless after a sign-out. Methods block, and raise redis-py's errors.
    """

    # Token -> the key of its cookies.
    _keys: Mapping[bytes, bytes] = field(repr=False)
    store: redis.Redis
    # Whether the sessions of other tokens were ended since this process started.
    _alone: bool = False

    @classmethod
    def under(cls, tokens: Iterable[bytes], store: redis.Redis) -> Sessions:
        made = {token: hmac.digest(token, b"callbridge: sessions of the pages", "sha256") for token in tokens}
        return cls(made, store)

    @boundary("sessions.take_over")
    def take_over(self) -> None:
        """End the sessions of any other token, in all processes. Called once, at the start."""
        self.store.hset(keys.META, _SESSIONS_OF, self._of_tokens)
        self._alone = True

    def begin(self, token: bytes, *, now: float) -> str:
        """The value of a new session's cookie, for whoever holds this token of ours."""
        if not self._alone:
            # Redis was away at the start.
            self.take_over()
        key = self._keys[token]
        session = f"{int(now) + LASTS_S}.{secrets.token_urlsafe(12)}"
        with boundary("sessions.begin"):
            pipe = self.store.pipeline(transaction=False)
            pipe.hsetnx(keys.META, _SESSIONS_OF, self._of_tokens)
            pipe.set(_name(session), _of_token(key), ex=LASTS_S)
            pipe.execute()
        return f"{session}.{_mark(key, session)}"

    def signed_by(self, cookie: str, *, now: float) -> bytes | None:
        """The token that a cookie was made with, while its time is not over; None: it is not ours.

        A session that was ended passes, too.
        """
        found = _FORM.fullmatch(cookie)
        if found is None:
            return None
        ends, name, mark = found.groups()
        signed = None
        for token, key in self._keys.items():
            if hmac.compare_digest(_mark(key, f"{ends}.{name}"), mark):
                signed = token
        return signed if now < int(ends) else None

    def admits(self, cookie: str, *, now: float) -> bool:
        """Whether a cookie is of a session that goes on."""
        token = self.signed_by(cookie, now=now)
        if token is None:
            return False
        with boundary("sessions.admits"):
            pipe = self.store.pipeline(transaction=False)
            pipe.get(_name(cookie.rpartition(".")[0]))
            pipe.hget(keys.META, _SESSIONS_OF)
            session, of_tokens = pipe.execute()
        ours = _of_token(self._keys[token])
        return bool(session == ours and ours in (of_tokens or "").split())

    def end(self, cookie: str) -> None:
        """Sign out; a cookie that is not ours changes nothing."""
        if self.signed_by(cookie, now=0) is not None:
            with boundary("sessions.end"):
                self.store.delete(_name(cookie.rpartition(".")[0]))

    @property
    def _of_tokens(self) -> str:
        return " ".join(_of_token(key) for key in self._keys.values())


def _of_token(key: bytes) -> str:
    """Tells tokens apart, and says nothing of them."""
    return hmac.new(key, b"callbridge: whose sessions", hashlib.sha256).hexdigest()[:24]


def _name(session: str) -> str:
    # Not the cookie itself: whoever reads Redis is not signed in by it.
    return f"{keys.TAG}:session:{hashlib.sha256(session.encode()).hexdigest()[:32]}"


def _mark(key: bytes, session: str) -> str:
    return hmac.new(key, session.encode(), hashlib.sha256).hexdigest()
