"""Who may see the pages, `/api` and `/metrics`: the holder of OPS_TOKEN; without one, this machine."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Whoever sends one of these came through a proxy, which itself is on loopback only too often.
_FORWARDED = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"via",
        b"cf-connecting-ip",
        b"true-client-ip",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """The rule, given OPS_TOKEN or its absence."""

    token: bytes | None = None

    @classmethod
    def of(cls, token: SecretStr | None) -> Callers:
        return cls(token=token.get_secret_value().encode() or None if token is not None else None)

    def fault_of(self, scope: Scope) -> str | None:
        """What to do before an answer can be given, or None."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if self.token is not None:
            return None if self._is_ours(headers) else "Send the header Authorization: Bearer OPS_TOKEN."
        if (
            not is_loopback_peer(scope.get("client"))
            or any(name in _FORWARDED for name, _ in headers)
            # A page on another name that was made to lead here (DNS rebinding).
            or not _names_loopback(dict(headers).get(b"host", b"").decode("latin-1"))
        ):
            return (
                "Set OPS_TOKEN where the bridge runs and send it as Authorization: Bearer OPS_TOKEN. "
                "Without it only this machine is answered, directly and under the name localhost."
            )
        return None

    def _is_ours(self, headers: list[tuple[bytes, bytes]]) -> bool:
        found = False
        for name, value in headers:
            scheme, _, rest = value.strip().partition(b" ")
            if name == b"authorization" and scheme.lower() == b"bearer":
                found |= hmac.compare_digest(self.token or b"", rest.strip())
        return found


def is_loopback_peer(client: tuple[str, int] | None) -> bool:
    """The other end of the connection; without an address it is not known, and not trusted."""
    if not client or not client[0]:
        return False
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _names_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or is_loopback_peer((name, 0))


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of another site (or port) makes it send this."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    return _netloc(origin) != headers.get("host", "").lower()


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


class Guard:
    """Lets in whom the rule lets in, and no request that another site's page makes a browser send."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hint = self._callers.fault_of(scope)
        if hint is not None:
            answer = JSONResponse(
                {"error": "this is not open to you", "hint": hint},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            return await answer(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD") and is_cross_site(HTTPConnection(scope).headers):
            answer = JSONResponse(
                {
                    "error": "a page of another site asked for this",
                    "hint": "Use the pages or the command line.",
                },
                status_code=403,
            )
            return await answer(scope, receive, send)
        return await self._app(scope, receive, send)
