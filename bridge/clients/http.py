"""What all clients share: one connection pool, time limits, a place in the budget.

`bridge.clients.replies` reads what a reply says; `bridge.clients.bounds` limits its size and time.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2

from bridge import __version__, tracing
from bridge.boundary import boundary
from bridge.clients import pace
from bridge.clients.bounds import ANSWER, TRANSFER, Bounds, Client
from bridge.clients.causes import cause_of
from bridge.clients.last_check import extensions
from bridge.clients.paths import parsed
from bridge.clients.ports import Budget, Gate, RateLimitHeaders
from bridge.clients.replies import WINDOW_S, closed_for_s, error_for, is_page, leads_to, short, told_by
from bridge.clients.standing import KeyCheck, refusal_of
from bridge.domain.webhook.json_values import read_json
from bridge.errors import (
    BridgeError,
    Disconnected,
    NotSent,
    RateLimited,
    Rejected,
    TooSlow,
    Transient,
    Unauthorized,
    Unavailable,
    WebPage,
)
from bridge.logs import get_logger

log = get_logger(__name__)

# Of each phase; the whole has a limit as well.
TIMEOUT = httpx2.Timeout(connect=5, read=15, write=15, pool=10)
# Of a proxy of the environment; without one each thread has its connection (`bridge.clients.direct`).
_LIMITS = httpx2.Limits(max_connections=256, max_keepalive_connections=256, keepalive_expiry=60)


def make_client(transport: httpx2.BaseTransport | None = None, *, bounds: Bounds = ANSWER) -> httpx2.Client:
    """The one HTTP client of a process.

    CloudTalk's edge refuses requests without a User-Agent (HTML 403). Redirects are not followed:
    credentials must not travel to another host.
    """
    return Client(
        bounds=bounds,
        timeout=TIMEOUT,
        limits=_LIMITS,
        follow_redirects=False,
        transport=transport,
        certificates=certificates,
        headers={"user-agent": f"callbridge/{__version__}", "accept": "application/json"},
    )


@cache
def certificates() -> ssl.SSLContext:
    """Of the system. Reading them takes 55 ms, more than a request, and 0.9 MB: once a process, if at all."""
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
    slot: Any
    window_s: float
    status: str = "none"
    closed_for_s: float = 0.0
    rate_limits: RateLimitHeaders | None = None
    began: float = field(default_factory=time.monotonic)

    def answered(self, response: httpx2.Response) -> None:
        self.status = str(response.status_code)
        if tracing.is_on():
            # Not the path: a search has the number in it.
            request = response.request
            tracing.annotate(
                {
                    "http.request.method": request.method,
                    "server.address": request.url.host,
                    "http.response.status_code": response.status_code,
                }
            )
        self.closed_for_s = closed_for_s(response, self.window_s)
        # A 429 may be of a narrower limit (Kustomer has one for each customer), and its headers too.
        self.rate_limits = None if response.status_code == 429 else told_by(response)

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
        unauthenticated: for what needs no credentials, and must not get any by such a road.
        gate: closed while the service, or the connection behind such a road, is down.
        transfer: bounds of what is read as it comes.
        key_check: the cheapest request that any key of the bridge's may make.
    """

    def __init__(
        self,
        name: str,
        *,
        client: httpx2.Client,
        headers: Mapping[str, str],
        budget: Budget | None = None,
        unauthenticated: httpx2.Client | None = None,
        gate: Gate | None = None,
        transfer: Bounds = TRANSFER,
        key_check: KeyCheck | None = None,
    ) -> None:
        self.name = name
        self._gate, self._transfer, self._key_check = gate, transfer, key_check
        self._client = client
        self._unauthenticated = unauthenticated or client
        self.sign_in(headers)
        self._timeout = client.timeout.as_dict()
        self.budget = budget
        self._window_s = budget.window_s if budget else WINDOW_S

    def sign_in(self, headers: Mapping[str, str]) -> None:
        """Send these credentials from the next request on."""
        # Put together once: for each request that takes longer than to send it.
        merged = httpx2.Headers(self._client.headers)
        merged.update(headers)
        self._headers, self._all_headers = dict(headers), merged

    def request(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request within the budget; see `_request`."""
        return self._request(operation, method, url, json=json, params=params, gate=self._gate)

    def check(self) -> None:
        """Ask whether the service does anything for us at all, by one cheap read within the budget.

        Raises:
            Disconnected: it refuses the key, wants to be paid, or shows a page for people.
            Transient: it could not be asked.
        """
        check = self._key_check
        if check is None:
            return
        try:
            self._request("check", "GET", check.url, params=check.params, gate=None)
        except (Unauthorized, WebPage, Rejected) as error:
            refusal = refusal_of(self.name, error, check)
            if refusal is None:
                raise Unavailable(f"{self.name} could not be checked: {error}") from error
            raise refusal from error

    def _request(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        gate: Gate | None,
    ) -> Reply:
        """Args: operation: its name in metrics and messages, such as `customer_by_phone`.

        Raises:
            RateLimited: our share is used up (nothing was sent), or the service said 429.
            Disconnected: the service is closed to us, or the connection to it is; nothing was done.
            NotSent, Unavailable: no answer, or a 5xx.
            Conflict, Rejected, Unauthorized: see `bridge.clients.replies.error_for`.
        """
        with self._sending(operation, gate=gate) as sent:
            with boundary(f"{self.name}.{operation}"):
                request = httpx2.Request(
                    method,
                    parsed(url),
                    json=json,
                    params=params,
                    headers=self._all_headers,
                    extensions={**extensions(), "timeout": self._timeout},
                )
                response = self._client.send(request)
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
        client = self._client if signed_in else self._unauthenticated
        with self._sending(operation, gate=self._gate if signed_in else None) as sent, ExitStack() as ends:
            with boundary(f"{self.name}.{operation}"):
                response = ends.enter_context(
                    client.stream("GET", url, headers=own, extensions=self._transfer.as_extension())
                )
            # Counted there by now; the body may take minutes.
            sent.answered(response)
            self._book(sent, at_once=True)
            if (location := leads_to(response)) is not None:
                raise Moved(f"{self.name} redirected {operation}", location=location)
            if response.status_code >= 300:
                raise error_for(self.name, operation, short(response), window_s=self._window_s)
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
            self._client.stream(
                method, url, headers=own, content=content, extensions=self._transfer.as_extension()
            ) as response,
        ):
            sent.answered(response)
            self._book(sent, at_once=True)
            yield response

    @contextmanager
    def _sending(self, operation: str, *, gate: Gate | None) -> Iterator[_Sent]:
        attributes = {"peer.service": self.name, "callbridge.operation": operation}
        with (
            tracing.span(f"{self.name} {operation}", kind="client", attributes=attributes),
            self._booked(operation, gate=gate) as sent,
        ):
            yield sent

    @contextmanager
    def _booked(self, operation: str, *, gate: Gate | None) -> Iterator[_Sent]:
        """One request within the budget, booked however it ends, its failures as our errors."""
        if (job := pace.current()) and job.is_over:
            raise NotSent(f"the job's time limit ended before {operation} could be sent to {self.name}")
        slot, probed = self._let_through(operation, gate)
        sent = _Sent(operation=operation, slot=slot, window_s=self._window_s)
        try:
            yield sent
            if gate and probed:
                gate.rose(probed)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as cause:
            sent.failed("unreachable")
            raise NotSent(f"{self.name} could not be reached for {operation}: {cause_of(cause)}") from cause
        except httpx2.HTTPError as cause:
            sent.failed("broken")
            if isinstance(cause, httpx2.TimeoutException):
                self._is_slow(operation, gate)
            raise Unavailable(f"{self.name} did not answer {operation}: {cause_of(cause)}") from cause
        except TooSlow as error:
            sent.failed("slow")
            self._is_slow(operation, gate)
            raise TooSlow(f"{self.name} did not answer {operation} in time: {error}") from error
        except BridgeError as error:
            self._failed(sent, error, gate)
            raise
        finally:
            self._book(sent)

    def _failed(self, sent: _Sent, error: BridgeError, gate: Gate | None) -> None:
        """Book one of our errors: an answer of the service, or the road's own before there was one."""
        sent.failed(type(error).__name__.lower())
        if isinstance(error, RateLimited):
            sent.closed_for_s = error.retry_after_s
        if isinstance(error, Disconnected):
            error.service = self.name
            if gate:
                gate.fell(error)
        elif gate:
            self._book(sent)
            self._judge(error, gate)

    def _let_through(self, operation: str, gate: Gate | None) -> tuple[Any, str | None]:
        """A slot of the budget, and the scope that this request is let through to probe."""
        probed: str | None = None

        def check() -> None:
            nonlocal probed
            probed = gate.check(operation) if gate else None

        if self.budget is not None:
            return self.budget.take(if_closed=check if gate else None), probed
        check()
        return None, probed

    def _judge(self, error: BridgeError, gate: Gate) -> None:
        """Find out whether an answer means this request only, or that the service is closed to us.

        Raises:
            Disconnected: the service is closed; all others are reported.
            Transient: that could not be found out, and `error` says that nothing was done.
        """
        is_refusal = isinstance(error, Unauthorized | Rejected)
        if self._key_check is None or not self._key_check.is_suspect(error):
            return
        try:
            self.check()
        except Disconnected as closed:
            gate.fell(closed)
            raise closed from error
        except Transient:
            if is_refusal:
                raise

    def _is_slow(self, operation: str, gate: Gate | None) -> None:
        log.warning("service is slow", service=self.name, operation=operation)
        if gate:
            gate.slow(operation)

    def _book(self, sent: _Sent, *, at_once: bool = False) -> None:
        if self.budget and sent.slot:
            self.budget.replied(
                sent.slot,
                operation=sent.operation,
                status=sent.status,
                closed_for_s=sent.closed_for_s,
                rate_limits=sent.rate_limits,
                seconds=time.monotonic() - sent.began,
                at_once=at_once,
            )
            sent.slot = None

    def _json(self, operation: str, response: httpx2.Response) -> Any:
        if is_page(response):
            raise WebPage(f"{self.name} answered {operation} with a web page instead of data")
        if not response.content:
            return None
        try:
            return read_json(response.content)
        except (ValueError, RecursionError) as cause:
            raise Unavailable(f"{self.name} answered {operation} with something that is not JSON") from cause
