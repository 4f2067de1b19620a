"""Who may see the pages, `/api` and `/metrics`, and what they may do there.

Whoever holds a token: OPS_TOKEN (or the one kept in the data folder), or one of OPS_TOKENS with its role; by
bearer or signed in to a session. Nothing else opens them, whatever address a request seems to come from; only
in `up --sandbox` this machine needs no token.

Whoever was let in is `request.state.person`, a `Person`.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Scope

from bridge.ledger.sessions import COOKIE, Sessions
from bridge.setting_values import OPS, OpsToken, Role
from bridge.web.answers import Refused
from bridge.web.pace import Pace, client_name
from bridge.web.roots import place_of, root_of

LOGIN = "/login"
READING = ("GET", "HEAD")

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
class Person:
    """Who asks.

    Args:
        name: for the trail.
        masked: numbers and names are not shown to them.
    """

    name: str
    role: Role
    masked: bool = False

    @property
    def operates(self) -> bool:
        """Whether they may change things, and see raw bodies."""
        return self.role == "operate"


# Whoever asks on this machine in `up --sandbox`, where no token is set.
_HERE = Person(name="sandbox", role="operate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What opens the pages.

    Args:
        token: OPS_TOKEN, or the one kept in the data folder.
        people: OPS_TOKENS.
        read_masked: numbers and names are not shown to the role `read`.
        off: why nobody can sign in, where there is no token.
        open_here: only in `up --sandbox`: this machine needs no token.
    """

    token: SecretStr | None = None
    people: Sequence[OpsToken] = ()
    read_masked: bool = True
    off: str = "OPS_TOKEN is not set."
    open_here: bool = False

    def by_token(self) -> dict[bytes, Person]:
        """Everybody who may sign in."""
        found = {
            _bytes_of(one.token): Person(
                name=one.name, role=one.role, masked=self.read_masked and one.role == "read"
            )
            for one in self.people
        }
        if self.token is not None and (token := _bytes_of(self.token)):
            found[token] = Person(name=OPS, role="operate")
        return found


def _bytes_of(token: SecretStr) -> bytes:
    return token.get_secret_value().strip().encode()


# Runs something that blocks beside the event loop.
Run = Callable[[Callable[[], bool]], Awaitable[bool]]
# Where a request's scope says which of its cookies are of a session that goes on.
_SESSION = "callbridge.session"
_FROM_OUTSIDE = "callbridge.from-outside"


@dataclass(slots=True, kw_only=True)
class Callers:
    """The rule. `run` runs what blocks; sessions are in Redis; `sessions_of` gives those of some tokens.

    Attributes:
        outer: of an account: the people of the deployment, who are let in too.
    """

    people: Mapping[bytes, Person]
    off: str = ""
    open_here: bool = False
    sessions: Sessions | None = None
    sessions_of: Callable[[Iterable[bytes]], Sessions] | None = None
    pace: Pace
    run: Run
    now: Callable[[], float] = time.time
    outer: Callers | None = None

    @classmethod
    def of(
        cls,
        access: Access,
        sessions: Callable[[Iterable[bytes]], Sessions],
        *,
        run: Run,
        pace: Pace,
        now: Callable[[], float] = time.time,
    ) -> Callers:
        """Args: sessions: gives those of some tokens."""
        people = access.by_token()
        found = cls(people=people, sessions_of=sessions, run=run, pace=pace, now=now)
        if people:
            found.sessions = sessions(people)
        else:
            found.off, found.open_here = access.off, access.open_here
        return found

    def use(self, access: Access) -> bool:
        """Let in who this lets in, from now on, where that is somebody; whether that is a change.

        Sessions of other tokens end, once `sessions.take_over` was called.
        """
        people = access.by_token()
        if not people or people == self.people or self.sessions_of is None:
            return False
        self.sessions, self.people = self.sessions_of(people), people
        self.open_here = False
        return True

    async def fault_of(self, scope: Scope) -> str | None:
        """What to do before an answer can be given; or None, and `request.state.person` says who asks.

        Raises:
            Refused: 429, for a wrong token of a client that tries too many at once.
        """
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if self.anybody:
            offered = _bearers(headers)
            person = await self._known(offered, scope)
            if person is not None:
                _let_in(scope, person)
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
        _let_in(scope, _HERE)
        return None

    @property
    def anybody(self) -> bool:
        """Whether somebody can be let in by a token."""
        return bool(self.people or (self.outer is not None and self.outer.people))

    async def _known(self, offered: list[bytes], scope: Scope) -> Person | None:
        person = self._bearer(offered) or await self._signed_in(scope)
        if person is None and self.outer is not None:
            person = await self.outer._known(offered, scope)
            scope[_FROM_OUTSIDE] = person is not None
        return person

    def whose(self, offered: str) -> tuple[Callers, bytes] | None:
        """Whose token this is: of those here, or of the deployment's."""
        token = self._token_of(offered)
        if token is not None:
            return self, token
        return None if self.outer is None else self.outer.whose(offered)

    def account_in(self, scope: Scope) -> str:
        """The account that the address of one of its pages names; empty for the unnamed one."""
        return "" if self.outer is None else root_of(scope).rpartition("/")[2]

    def outer_root(self, scope: Scope) -> str:
        """Where the deployment's pages begin."""
        root = root_of(scope)
        return root if self.outer is None else root.rpartition("/accounts/")[0]

    def cookie_name(self, scope: Scope) -> str:
        account = self.account_in(scope)
        return f"{COOKIE}_{account}" if account else COOKIE

    def cookie_path(self, scope: Scope, of: Callers) -> str:
        """Where a cookie of these callers is sent to, on a page of ours."""
        return (root_of(scope) if of is self else self.outer_root(scope)) or "/"

    async def slow_down(self, scope: Scope) -> None:
        """After a wrong token. Raises Refused: 429."""
        if not await self.pace.was_wrong(client_name(scope.get("client"))):
            raise Refused(
                429,
                "wrong-token",
                "too many wrong tokens",
                "The right token is always accepted.",
                {"Retry-After": "4"},
            )

    def _token_of(self, offered: str) -> bytes | None:
        """The token of ours that this is; takes as long whichever it is."""
        return self._among([offered.strip().encode(errors="surrogatepass")])

    async def has_session(self, scope: Scope) -> bool:
        """Whether a person is signed in; asked of Redis once a request, and only for a cookie of ours."""
        if await self._has_own_session(scope):
            return True
        return self.outer is not None and await self.outer.has_session(scope)

    async def _has_own_session(self, scope: Scope) -> bool:
        found: dict[str, bool] = scope.setdefault(_SESSION, {})
        name = self.cookie_name(scope)
        if name not in found:
            sessions, cookie, token = self.sessions, self.cookie_in(scope), self._cookie_token(scope)
            found[name] = (
                sessions is not None
                and token is not None
                and await self.run(lambda: sessions.admits(cookie, now=self.now()))
            )
        return found[name]

    def cookie_in(self, scope: Scope) -> str:
        return HTTPConnection(scope).cookies.get(self.cookie_name(scope), "")

    def crosses_sites(self, scope: Scope) -> bool:
        """Whether a page of another site may have made a browser send this."""
        headers = HTTPConnection(scope).headers
        if is_cross_site(headers):
            return True
        # A cookie comes along by itself, a bearer does not: so a browser has to say whose page it is.
        silent = "origin" not in headers and "sec-fetch-site" not in headers
        return silent and self._signed_alone(scope)

    def _signed_alone(self, scope: Scope) -> bool:
        """By a cookie, and by no token."""
        if self.outer is not None and self.outer._signed_alone(scope):
            return True
        return self._cookie_token(scope) is not None and self._bearer(_bearers(scope["headers"])) is None

    def turned_away(self, scope: Scope, hint: str) -> Response:
        """The answer to whom a page is not open: where to sign in, or `hint` where that is not the way."""
        if self.open_here:
            return PlainTextResponse(
                f"You have no access to this page.\n{hint}\n",
                status_code=401,
                headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"},
            )
        place = quote(place_of(scope), safe="/:")
        query = scope["query_string"].decode("latin-1")
        back = urlencode({"next": f"{place}?{query}" if query else place}, safe="/:")
        where = LOGIN if place == "/" and not query else f"{LOGIN}?{back}"
        return RedirectResponse(where, status_code=303, headers={"Cache-Control": "no-store"})

    async def _signed_in(self, scope: Scope) -> Person | None:
        token = self._cookie_token(scope)
        return self.people.get(token) if token is not None and await self._has_own_session(scope) else None

    def _cookie_token(self, scope: Scope) -> bytes | None:
        """The token that the request's cookie was made with; its session may have been ended."""
        return (
            None if self.sessions is None else self.sessions.signed_by(self.cookie_in(scope), now=self.now())
        )

    def _bearer(self, offered: list[bytes]) -> Person | None:
        token = self._among(offered)
        return None if token is None else self.people.get(token)

    def _among(self, offered: list[bytes]) -> bytes | None:
        """The one of our tokens that is among these."""
        found = None
        for text in offered:
            for token in self.people:
                if hmac.compare_digest(token, text):
                    found = token
        return found


def _let_in(scope: Scope, person: Person) -> None:
    HTTPConnection(scope).state.person = person


def person_of(connection: HTTPConnection) -> Person | None:
    """Whom `Callers.fault_of` let in with this request, if it was asked."""
    return getattr(connection.state, "person", None)


def _bearers(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    offered = []
    for name, value in headers:
        scheme, _, rest = value.strip().partition(b" ")
        if name == b"authorization" and scheme.lower() == b"bearer":
            offered.append(rest.strip())
    return offered


def is_signed_in(scope: Scope) -> bool:
    """What `has_session` found for this request, if it was asked."""
    return any(scope.get(_SESSION, {}).values())


def is_of_deployment(scope: Scope) -> bool:
    """Whether who asks an account's page was let in as one of the deployment's people."""
    return bool(scope.get(_FROM_OUTSIDE))


def forget_session(scope: Scope) -> None:
    """Have Redis asked again: a request that lasts outlives what was found at its start."""
    scope.pop(_SESSION, None)


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
    site = headers.get("sec-fetch-site")
    if site is not None:
        # No page can forge it, and it is right also where a proxy changes Host or a policy hides Origin.
        return site not in ("none", "same-origin")
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
