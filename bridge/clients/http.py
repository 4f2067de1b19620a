"""What all clients share: one connection pool, time limits for each phase, one table from status to error."""

from __future__ import annotations

import email.utils
import math
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2

from bridge import __version__
from bridge.boundary import boundary
from bridge.errors import (
    BridgeError,
    Conflict,
    Disconnected,
    NotSent,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from bridge.ledger.budget import Budget, Slot, Told
from bridge.ledger.connections import Gate

TIMEOUT = httpx2.Timeout(connect=5, read=15, write=15, pool=10)
_LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=60)
# A clock that is off, or no header at all, must not stop us for hours, nor make us hammer. In windows of the
# service: 1 s, 90 s and 60 s of the usual minute.
_SHORTEST_WAIT, _LONGEST_WAIT, _USUAL_WAIT = 1 / 60, 1.5, 1.0
_WINDOW_S = 60.0
_LONGEST_DETAIL = 400
_LIMITS_TOLD = (
    ("x-cloudtalkapi-limit", "x-cloudtalkapi-remaining"),
    ("x-ratelimit-limit", "x-ratelimit-remaining"),
)
_RESETS_TOLD = ("x-cloudtalkapi-resettime", "x-ratelimit-reset")
_MOST_DIGITS = 10


_last_check: ContextVar[Callable[[], None] | None] = ContextVar("last_check", default=None)


@contextmanager
def checked_at_last(check: Callable[[], None]) -> Iterator[None]:
    """Ask once more at the last moment, whatever `Service.request` sends inside.

    Between a decision to send and the sending lie a place in the budget, a connection to be made and, for a
    process that is stopped, any time at all. A request whose body did not go out is not carried out.

    Args:
        check: called when all but the body has been sent; what it raises ends the request.
    """
    token = _last_check.set(check)
    try:
        yield
    finally:
        _last_check.reset(token)


def _extensions() -> dict[str, Any]:
    check = _last_check.get()
    if check is None:
        return {}

    def trace(event: str, _: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_body.started"):
            check()

    return {"trace": trace}


def make_client(transport: httpx2.BaseTransport | None = None) -> httpx2.Client:
    """The one HTTP client of a process.

    CloudTalk's edge refuses requests without a User-Agent (HTML 403). Redirects are not followed:
    credentials must not travel to another host.
    """
    return httpx2.Client(
        timeout=TIMEOUT,
        limits=_LIMITS,
        follow_redirects=False,
        transport=transport,
        verify=_certificates() if transport is None else True,
        headers={"user-agent": f"callbridge/{__version__}", "accept": "application/json"},
    )


@cache
def _certificates() -> ssl.SSLContext:
    """Of the system. Reading them takes longer than a request (55 ms), so once a process."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer with a status below 300."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Sent:
    """A request on its way: its slot of the budget, and how it ended."""

    operation: str
    slot: Slot | None
    window_s: float
    status: str = "none"
    closed_for_s: float = 0.0
    told: Told | None = None

    def answered(self, response: httpx2.Response) -> None:
        self.status = str(response.status_code)
        self.closed_for_s = _closed_for_s(response, self.window_s)
        # A 429 may be of a narrower limit (Kustomer has one for each customer), and its headers too.
        self.told = None if response.status_code == 429 else told_by(response)

    def failed(self, how: str) -> None:
        # What broke off after an answer came was answered all the same.
        self.status = how if self.status == "none" else self.status


class Moved(Unavailable):
    """A redirect, which is not followed: its credentials are for one host.

    Args:
        location: where it leads.
    """

    def __init__(self, message: str, *, location: str) -> None:
        super().__init__(message)
        self.location = location


class Service:
    """One upstream service: its address and credentials, its budget, and its way to say no.

    Args:
        client: may be a road that adds the credentials by itself; `headers` then hold none.
        plain: for what needs no credentials, and must not get any by such a road.
        gate: closed while the connection behind such a road is down.
    """

    def __init__(
        self,
        name: str,
        *,
        client: httpx2.Client,
        headers: Mapping[str, str],
        budget: Budget | None = None,
        plain: httpx2.Client | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.name = name
        self._gate = gate
        self._client = client
        self._plain = plain or client
        self._headers = dict(headers)
        self._budget = budget
        self._window_s = budget.window_s if budget else _WINDOW_S

    def request(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request within the budget.

        Args:
            operation: its name in metrics and messages, such as `customer_by_phone`.

        Raises:
            RateLimited: our share is used up (nothing was sent), or the service said 429.
            Disconnected: the road's connection is down; nothing was sent.
            NotSent, Unavailable: no answer, or a 5xx.
            Conflict, Rejected, Unauthorized: see `error_for`.
        """
        with self._sending(operation, gate=self._gate) as sent:
            with boundary(f"{self.name}.{operation}"):
                response = self._client.request(
                    method, url, json=json, params=params, headers=self._headers, extensions=_extensions()
                )
            sent.answered(response)
            if response.status_code >= 300:
                raise error_for(self.name, operation, response, window_s=self._window_s)
            body = self._json(operation, response)
        return Reply(status=response.status_code, body=body, headers=response.headers)

    @contextmanager
    def stream(
        self, operation: str, url: str, *, headers: Mapping[str, str] | None = None, signed_in: bool = True
    ) -> Iterator[httpx2.Response]:
        """Get something large within the budget; the body is read by the caller, as it comes.

        Args:
            signed_in: False leaves the credentials out, for a link that needs none.

        Raises: as `request`; while reading the body, httpx2's own errors.
        """
        own = {**(self._headers if signed_in else {}), "accept": "*/*", **(headers or {})}
        client = self._client if signed_in else self._plain
        with self._sending(operation, gate=self._gate if signed_in else None) as sent, ExitStack() as ends:
            with boundary(f"{self.name}.{operation}"):
                response = ends.enter_context(client.stream("GET", url, headers=own))
            # Counted there by now; the body may take minutes.
            sent.answered(response)
            self._book(sent)
            if response.has_redirect_location and response.next_request is not None:
                raise Moved(f"{self.name} redirected {operation}", location=str(response.next_request.url))
            if response.status_code >= 300:
                # An error's text is short; a page is not worth reading.
                if int(response.headers.get("content-length") or 0) < 65_536:
                    response.read()
                raise error_for(self.name, operation, response, window_s=self._window_s)
            yield response

    @contextmanager
    def exchange(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Iterator[httpx2.Response]:
        """Send any request and hand out whatever comes back, errors too; the body is read by the caller.

        Args:
            headers: win over ours of the same name.

        Raises:
            RateLimited: our share is used up; nothing was sent. A 429 of theirs is an answer like any other.
            NotSent, Unavailable: no answer.
        """
        own = httpx2.Headers({"accept": "*/*", **self._headers})
        own.update(headers or {})
        with (
            self._sending(operation, gate=self._gate) as sent,
            self._client.stream(method, url, headers=own, content=content) as response,
        ):
            sent.answered(response)
            self._book(sent)
            yield response

    @contextmanager
    def _sending(self, operation: str, *, gate: Gate | None) -> Iterator[_Sent]:
        """One request within the budget, booked however it ends, its failures as our errors."""
        if gate:
            gate.check()
        slot = self._budget.take() if self._budget else None
        sent = _Sent(operation=operation, slot=slot, window_s=self._window_s)
        try:
            yield sent
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as cause:
            sent.failed("unreachable")
            raise NotSent(
                f"{self.name} could not be reached for {operation}: {type(cause).__name__}"
            ) from cause
        except httpx2.HTTPError as cause:
            sent.failed("broken")
            raise Unavailable(f"{self.name} gave no answer to {operation}: {type(cause).__name__}") from cause
        except BridgeError as error:
            # The road's own, before any answer of the service.
            sent.failed(type(error).__name__.lower())
            if isinstance(error, RateLimited):
                sent.closed_for_s = error.retry_after_s
            if isinstance(error, Disconnected):
                error.service = self.name
                if gate:
                    gate.fell(error)
            raise
        finally:
            self._book(sent)

    def _book(self, sent: _Sent) -> None:
        if self._budget and sent.slot:
            self._budget.replied(
                sent.slot,
                operation=sent.operation,
                status=sent.status,
                closed_for_s=sent.closed_for_s,
                told=sent.told,
            )
            sent.slot = None

    def _json(self, operation: str, response: httpx2.Response) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except (ValueError, RecursionError) as cause:
            raise Unavailable(f"{self.name} answered {operation} with something that is not JSON") from cause


def error_for(
    service: str, operation: str, response: httpx2.Response, *, window_s: float = _WINDOW_S
) -> BridgeError:
    """The table: what a status means for the job.

    A role that is missing is documented as 401 at Kustomer, and CloudTalk's core answers an unknown
    path with 401: both end as Unauthorized. The text of a 401 is left out, since CloudTalk's
    analytics host repeats the credentials in it.
    """
    status = response.status_code
    where = f"{service} answered {status} to {operation}"
    if status == 429:
        return RateLimited(f"{where}: its budget is spent", retry_after_s=retry_after_s(response, window_s))
    if status in (401, 403):
        return Unauthorized(f"{where}: the key is wrong or lacks a role; `callbridge doctor` tells which")
    detail = error_text(response)
    if status == 409:
        return Conflict(f"{where}: it exists or was changed meanwhile{' · ' + detail if detail else ''}")
    if status >= 500 or status in (302, 303, 307, 408, 425):
        return Unavailable(f"{where}: trouble on their side")
    return Rejected(f"{where}{': ' + detail if detail else ''}", status=status, detail=detail)


def error_text(response: httpx2.Response) -> str:
    """What the service said, in any of its shapes; empty for HTML and the like."""
    try:
        body = response.json()
    except (ValueError, RecursionError, httpx2.StreamError):
        return ""
    found: list[str] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, str(key))
        elif isinstance(value, list):
            for item in value:
                walk(item, name)
        elif isinstance(value, str) and name not in ("url", "status", "id"):
            found.append(value)

    walk(body, "")
    return " · ".join(dict.fromkeys(found))[:_LONGEST_DETAIL]


def retry_after_s(response: httpx2.Response, window_s: float = _WINDOW_S) -> float:
    """Seconds until the budget opens: `Retry-After` if there is one, else the reset time, else a window."""
    told = response.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return _bounded(float(told), window_s)
    if told and (when := _http_date(told)) is not None:
        return _bounded(when - _their_now(response), window_s)
    resets_in_s = _resets_in_s(response)
    return _bounded(_USUAL_WAIT * window_s if resets_in_s is None else resets_in_s, window_s)


def told_by(response: httpx2.Response) -> Told | None:
    """What the headers say of the company's budget; None where they say nothing that can be true.

    Kustomer sends them with every answer, CloudTalk perhaps with its 429 only (its OpenAPI 1.7).
    """
    for limit_name, remaining_name in _LIMITS_TOLD:
        limit, remaining = (_whole(response.headers.get(name, "")) for name in (limit_name, remaining_name))
        if limit and remaining is not None and remaining <= limit:
            resets_in_s = _resets_in_s(response)
            # In the past: their clocks disagree, or it is over by now. Neither tells when the next one ends.
            usable = resets_in_s is not None and 0 < resets_in_s < math.inf
            return Told(limit=limit, remaining=remaining, resets_in_s=resets_in_s if usable else None)
    return None


def _closed_for_s(response: httpx2.Response, window_s: float) -> float:
    """For how long the service is closed to everybody, as far as this answer tells."""
    if response.status_code == 429:
        return retry_after_s(response, window_s)
    spent = any(response.headers.get(name, "").strip() == "0" for _, name in _LIMITS_TOLD)
    # Without a reset time the share alone decides.
    return retry_after_s(response, window_s) if spent and _resets_in_s(response) is not None else 0.0


def _resets_in_s(response: httpx2.Response) -> float | None:
    """Reset times are Unix seconds (CloudTalk: OpenAPI 1.7; Kustomer: as public clients read them), and are
    compared with the service's own clock where it tells it."""
    for name in _RESETS_TOLD:
        try:
            resets_in_s = float(response.headers[name]) - _their_now(response)
        except (KeyError, ValueError):
            continue
        # "nan" is a number to float(), and neither shorter nor longer than anything.
        return None if math.isnan(resets_in_s) else resets_in_s
    return None


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else None


def _their_now(response: httpx2.Response) -> float:
    told = _http_date(response.headers.get("date", ""))
    return told if told is not None else time.time()


def _http_date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


def _bounded(seconds: float, window_s: float) -> float:
    return min(max(seconds, _SHORTEST_WAIT * window_s), _LONGEST_WAIT * window_s)
