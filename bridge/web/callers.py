"""Who may see the pages, `/api` and `/metrics`.

Whoever holds OPS_TOKEN, by bearer or signed in to a session; without an OPS_TOKEN, this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.web.sessions import COOKIE, Sessions

LOGIN = "/login"

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
    sessions: Sessions | None = None
    now: Callable[[], float] = time.time

    @classmethod
    def of(cls, token: SecretStr | None, *, now: Callable[[], float] = time.time) -> Callers:
        told = token.get_secret_value().strip().encode() if token is not None else b""
        return cls(token=told, sessions=Sessions.under(told), now=now) if told else cls(now=now)

    def fault_of(self, scope: Scope) -> str | None:
        """What to do before an answer can be given, or None."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if self.token is not None:
            if self._is_ours(headers) or self.has_session(scope):
                return None
            return "Send the header Authorization: Bearer OPS_TOKEN, or sign in at /login."
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

    def knows_token(self, offered: str) -> bool:
        """Whether this is OPS_TOKEN; takes as long whichever it is."""
        return self.token is not None and hmac.compare_digest(self.token, offered.strip().encode())

    def has_session(self, scope: Scope) -> bool:
        cookie = HTTPConnection(scope).cookies.get(COOKIE, "")
        return self.sessions is not None and self.sessions.admits(cookie, now=self.now())

    def crosses_sites(self, scope: Scope) -> bool:
        """Whether a page of another site may have made a browser send this."""
        headers = HTTPConnection(scope).headers
        if is_cross_site(headers):
            return True
        # A cookie comes along by itself, a bearer does not: so a browser has to say whose page it is.
        silent = "origin" not in headers and "sec-fetch-site" not in headers
        return silent and self.has_session(scope) and not self._is_ours(scope["headers"])

    def turned_away(self, scope: Scope, hint: str) -> Response:
        """The answer to whom a page is not open: where to sign in, or `hint` where nobody can."""
        if self.token is None:
            return PlainTextResponse(
                f"This page is not open to you.\n{hint}\n",
                status_code=401,
                headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"},
            )
        place = quote(scope["path"], safe="/:")
        query = scope["query_string"].decode("latin-1")
        back = urlencode({"next": f"{place}?{query}" if query else place}, safe="/:")
        where = LOGIN if place == "/" and not query else f"{LOGIN}?{back}"
        return RedirectResponse(where, status_code=303, headers={"Cache-Control": "no-store"})

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
    told = headers.get("sec-fetch-site")
    if told is not None:
        # No page can forge it, and it is right also where a proxy changes Host or a policy hides Origin.
        return told not in ("none", "same-origin")
    origin = headers.get("origin")
    if origin is None:
        return False
    return _netloc(origin) != headers.get("host", "").lower()


# After a leading slash or backslash, a second one would begin the name of another host.
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)


def local_path(text: str) -> str:
    """The address to go on to after signing in: one of ours, whatever the link that led here said."""
    return text if _LOCAL.fullmatch(text) and urlsplit(text).path != LOGIN else "/"


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
        if scope["method"] not in ("GET", "HEAD") and self._callers.crosses_sites(scope):
            answer = JSONResponse(
                {
                    "error": "a page of another site asked for this",
                    "hint": "Use the pages or the command line.",
                },
                status_code=403,
            )
            return await answer(scope, receive, send)
        return await self._app(scope, receive, send)
