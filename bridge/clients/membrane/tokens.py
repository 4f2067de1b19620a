"""Tokens for Membrane: minted from a workspace key and secret, or a ready one.

Source: docs.getmembrane.com, "Authentication"; claims, order and lifetime are those of
@membranehq/sdk 0.28.3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from bridge.errors import Unauthorized, WrongUse

LIFE_S = 3600
# A request may travel for a minute before it is looked at.
_RENEW_S = 60
# By how much a clock may be off before a ready token counts as expired.
_SKEW_S = 300


class Tokens(Protocol):
    """Where the bearer token of a request comes from. Safe to use from several threads."""

    def bearer(self) -> str:
        """The token to send now.

        Raises:
            Unauthorized: there is none that could be taken; says what to do.
        """

    def refused(self, token: str, *, their_time: float | None) -> bool:
        """Told that this token got a 401. True: `bearer` gives another one, so trying again makes sense."""


class Minted:
    """Tenant tokens (HS256) that we sign ourselves; made anew when a minute is left.

    They carry no `iat`, and `exp` counts by Membrane's clock as far as it was told: a clock of ours that
    is behind would make tokens that are dead on arrival.

    Args:
        now: Unix seconds.
    """

    def __init__(
        self, *, workspace_key: str, secret: str, tenant_key: str, now: Callable[[], float] = time.time
    ) -> None:
        self._workspace_key, self._secret, self._tenant_key = workspace_key, secret, tenant_key
        self._now = now
        self._ahead_s = 0.0
        self._token, self._ends_at = "", 0.0
        self._lock = threading.Lock()

    def bearer(self) -> str:
        with self._lock:
            now = self._now() + self._ahead_s
            if self._ends_at - now <= _RENEW_S:
                self._token = mint(
                    workspace_key=self._workspace_key,
                    secret=self._secret,
                    tenant_key=self._tenant_key,
                    now_s=now,
                )
                self._ends_at = int(now) + LIFE_S
            return self._token

    def refused(self, token: str, *, their_time: float | None) -> bool:
        with self._lock:
            # Another thread may have made a new one since.
            if token == self._token:
                self._ends_at = 0.0
                if their_time is not None:
                    self._ahead_s = their_time - self._now()
            return True


class Ready:
    """A token made elsewhere: from the console, or by `membrane token --json`.

    Raises:
        WrongUse: it is neither a JWT nor a token that starts with `pat-`.
    """

    def __init__(self, token: str, *, now: Callable[[], float] = time.time) -> None:
        self._token, self._now = token, now
        self._ends_at: float | None = None
        if not token.startswith("pat-"):
            end = _claims(token).get("exp")
            self._ends_at = float(end) if isinstance(end, int | float) else None

    def bearer(self) -> str:
        if self._ends_at is not None and self._now() > self._ends_at + _SKEW_S:
            raise Unauthorized(
                "MEMBRANE_TOKEN has expired: set a new one, or MEMBRANE_WORKSPACE_KEY and "
                "MEMBRANE_WORKSPACE_SECRET, from which tokens are made as needed"
            )
        return self._token

    def refused(self, token: str, *, their_time: float | None) -> bool:
        return False


def mint(*, workspace_key: str, secret: str, tenant_key: str, now_s: float, life_s: int = LIFE_S) -> str:
    """A tenant token, byte for byte as the SDK makes it. Times are whole Unix seconds."""
    header = _part({"alg": "HS256", "typ": "JWT"})
    payload = _part({"id": tenant_key, "iss": workspace_key, "exp": int(now_s) + life_s})
    signed = f"{header}.{payload}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(signature)}"


def _part(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    try:
        if len(parts) != 3:
            raise ValueError("not three parts")
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError, binascii.Error):
        claims = None
    if not isinstance(claims, dict):
        raise WrongUse("MEMBRANE_TOKEN  is neither a JWT nor a token that starts with pat-")
    return claims
