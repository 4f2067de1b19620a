"""Who may see the pages, `/api` and `/metrics`.

Whoever holds the token (OPS_TOKEN, or the one kept in the data folder), by bearer or signed in to a session.
Nothing else opens them, whatever address a request seems to come from; only in `up --sandbox` this machine
needs no token.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.ledger.sessions import COOKIE, Sessions
from bridge.web.answers import Refused
from bridge.web.pace import Pace, client_name

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
class Access:
    """What opens the pages.

    Args:
        off: why nobody can sign in, where there is no token.
        open_here: only in `up --sandbox`: this machine needs no token.
    """

    token: SecretStr | None = None
    off: str = "OPS_TOKEN is not set."
    open_here: bool = False


# Runs something that blocks beside the event loop.
Run = Callable[[Callable[[], bool]], Awaitable[bool]]
# Where a request's scope says that its session goes on.
_SESSION = "callbridge.session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """The rule. `run` runs what blocks; sessions are in Redis."""

    token: bytes | None = None
    off: str = ""
    open_here: bool = False
    sessions: Sessions | None = None
    pace: Pace
    run: Run
    now: Callable[[], float] = time.time

    @classmethod
    def of(
        cls,
        access: Access,
        sessions: Callable[[bytes], Sessions],
        *,
        run: Run,
        pace: Pace,
        now: Callable[[], float] = time.time,
    ) -> Callers:
        """Args: sessions: gives those of a token."""
        told = access.token.get_secret_value().strip().encode() if access.token is not None else b""
        if told:
            return cls(token=told, sessions=sessions(told), run=run, pace=pace, now=now)
        return cls(off=access.off, open_here=access.open_here, run=run, pace=pace, now=now)

    async def fault_of(self, scope: Scope) -> str | None:
        """What to do before an answer can be given, or None.

        Raises:
            Refused: 429, for a wrong token of a client that tries too many at once.
        """
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if self.token is not None:
            offered = _bearers(headers)
            if self._is_ours(offered) or await self.has_session(scope):
                return None
            if offered:
                await self.slow_down(scope)
            return "Send the header Authorization: Bearer OPS_TOKEN, or sign in at /login."
        if not self.open_here:
            return f"{self.off} Set OPS_TOKEN for the bridge and restart it."
        if (
            not is_loopback_peer(scope.get("client"))
            or any(name in _FORWARDED for name, _ in headers)
            # A page on another name that was made to lead here (DNS rebinding).
            or not _names_loopback(dict(headers).get(b"host", b"").decode("latin-1"))
        ):
            return (
                "Set OPS_TOKEN for the bridge and send it as Authorization: Bearer OPS_TOKEN. Without it, "
                "the sandbox answers only direct requests from this machine to localhost."
            )
        return None

    async def slow_down(self, scope: Scope) -> None:
        """After a wrong token. Raises Refused: 429."""
        if not await self.pace.was_wrong(client_name(scope.get("client"))):
            raise Refused(
                429,
                "wrong-token",
                "too many wrong tokens",
                "The right token is always accepted.",
                {"Retry-After": "8"},
            )

    def knows_token(self, offered: str) -> bool:
        """Whether this is the token; takes as long whichever it is."""
        told = offered.strip().encode(errors="surrogatepass")
        return self.token is not None and hmac.compare_digest(self.token, told)

    async def has_session(self, scope: Scope) -> bool:
        """Whether a person is signed in; asked of Redis once a request, and only for a cookie of ours."""
        if _SESSION not in scope:
            sessions, cookie = self.sessions, _cookie(scope)
            is_signed = sessions is not None and sessions.is_signed(cookie, now=self.now())
            scope[_SESSION] = (
                is_signed
                and sessions is not None
                and await self.run(lambda: sessions.admits(cookie, now=self.now()))
            )
        return bool(scope[_SESSION])

    def crosses_sites(self, scope: Scope) -> bool:
        """Whether a page of another site may have made a browser send this."""
        headers = HTTPConnection(scope).headers
        if is_cross_site(headers):
            return True
        # A cookie comes along by itself, a bearer does not: so a browser has to say whose page it is.
        silent = "origin" not in headers and "sec-fetch-site" not in headers
        signed = self.sessions is not None and self.sessions.is_signed(_cookie(scope), now=self.now())
        return silent and signed and not self._is_ours(_bearers(scope["headers"]))

    def turned_away(self, scope: Scope, hint: str) -> Response:
        """The answer to whom a page is not open: where to sign in, or `hint` where that is not the way."""
        if self.open_here:
            return PlainTextResponse(
                f"You have no access to this page.\n{hint}\n",
                status_code=401,
                headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"},
            )
        place = quote(scope["path"], safe="/:")
        query = scope["query_string"].decode("latin-1")
        back = urlencode({"next": f"{place}?{query}" if query else place}, safe="/:")
        where = LOGIN if place == "/" and not query else f"{LOGIN}?{back}"
        return RedirectResponse(where, status_code=303, headers={"Cache-Control": "no-store"})

    def _is_ours(self, offered: list[bytes]) -> bool:
        found = False
        for token in offered:
            found |= hmac.compare_digest(self.token or b"", token)
        return found and self.token is not None


def _bearers(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    offered = []
    for name, value in headers:
        scheme, _, rest = value.strip().partition(b" ")
        if name == b"authorization" and scheme.lower() == b"bearer":
            offered.append(rest.strip())
    return offered


def _cookie(scope: Scope) -> str:
    return HTTPConnection(scope).cookies.get(COOKIE, "")


def is_signed_in(scope: Scope) -> bool:
    """What `has_session` found for this request, if it was asked."""
    return bool(scope.get(_SESSION))


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
        hint = await self._callers.fault_of(scope)
        if hint is not None:
            answer = JSONResponse(
                {"error": "access denied", "hint": hint},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            return await answer(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD") and self._callers.crosses_sites(scope):
            answer = JSONResponse(
                {
                    "error": "cross-site request refused",
                    "hint": "Use the pages or the command line.",
                },
                status_code=403,
            )
            return await answer(scope, receive, send)
        return await self._app(scope, receive, send)
