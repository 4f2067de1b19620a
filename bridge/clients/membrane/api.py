"""One call to Membrane's API: signed in, its answer read, its errors as ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx2

from bridge.boundary import boundary
from bridge.clients.bounds import Bounds
from bridge.clients.causes import cause_of
from bridge.clients.membrane.errors import error_of, read_envelope, their_time
from bridge.clients.membrane.tokens import Tokens
from bridge.clients.replies import error_for
from bridge.domain.webhook.json_values import read_json
from bridge.errors import NotSent, Unavailable

# Without it an older form of the API answers.
VERSION_HEADER, VERSION = "membrane-api-version", "2025-10-21"
_ACCEPT = "application/json, text/plain, */*"
_MOST_PAGES = 50
# For the rest of a request whose answer was waited for so long.
_BEYOND_S = 15.0
# Membrane carries 30 MB.
_LARGEST_RUN = 32_000_000

Query = Sequence[tuple[str, str]]


class Api:
    """
    Args:
        client: its own headers are sent along; it must not follow redirects.
        url: without a slash at its end; a self-hosted Membrane has its own.
        pause: seconds to wait; for tests.
    """

    def __init__(
        self,
        *,
        client: httpx2.Client,
        url: str,
        tokens: Tokens,
        pause: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client, self.url, self.tokens = client, url, tokens
        self.pause, self.now = pause, now

    def ask(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Query = (),
        json: Any = None,
        connection: str = "",
        read_timeout_s: float | None = None,
    ) -> Any:
        """The body of the answer; None where it has none. Never repeated, save once after a 401 with a
        new token, which is known to have done nothing.

        Raises:
            Unauthorized, RateLimited, Disconnected, Rejected, Conflict, TooLarge: see `errors.error_of`.
            NotSent, Unavailable: no answer, HTML of a front door, or not JSON.
        """
        response = self.send(operation, method, path, query=query, json=json, read_timeout_s=read_timeout_s)
        return self.read(operation, response, connection=connection)

    def read(self, operation: str, response: httpx2.Response, *, connection: str = "") -> Any:
        """The body of an answer; raises as `ask`."""
        if response.status_code >= 300:
            envelope = read_envelope(response)
            raise (
                error_for("membrane", operation, response)
                if envelope is None
                else error_of(envelope, operation, response, connection=connection)
            )
        if not response.content:
            return None
        try:
            return read_json(response.content)
        except (ValueError, RecursionError) as cause:
            raise Unavailable(f"membrane answered {operation} with something that is not JSON") from cause

    def send(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Query = (),
        json: Any = None,
        read_timeout_s: float | None = None,
    ) -> httpx2.Response:
        """The answer as it came, whatever its status.

        Raises:
            NotSent, Unavailable: none came.
            Unauthorized: there is no token to send.
        """
        timeout, extensions = self.client.timeout, None
        if read_timeout_s is not None:
            timeout = httpx2.Timeout(
                connect=timeout.connect, read=read_timeout_s, write=timeout.write, pool=timeout.pool
            )
            # What an action gives may hold a file.
            long = Bounds(most_bytes=_LARGEST_RUN, total_s=read_timeout_s + _BEYOND_S)
            extensions = long.as_extension()
        request = self.client.build_request(
            method,
            self.url + path,
            params=list(query) or None,
            json=json,
            headers={"accept": _ACCEPT, VERSION_HEADER: VERSION},
            timeout=timeout,
            extensions=extensions,
        )
        try:
            with boundary(f"membrane.{operation}"):
                return self.exchange(request, stream=False)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as cause:
            raise NotSent(f"membrane could not be reached for {operation}: {cause_of(cause)}") from cause
        except httpx2.HTTPError as cause:
            raise Unavailable(f"membrane did not answer {operation}: {cause_of(cause)}") from cause

    def exchange(self, request: httpx2.Request, *, stream: bool) -> httpx2.Response:
        """Sign in and send; once more with a new token where Membrane says that this one is not good.

        Raises:
            httpx2.HTTPError: as it came.
        """
        for is_last in (False, True):
            token = self.tokens.bearer()
            request.headers["authorization"] = f"Bearer {token}"
            response = self.client.send(request, stream=stream)
            if stream and response.status_code >= 400:
                response = _held(response)
            if response.status_code != 401 or is_last:
                break
            envelope = read_envelope(response)
            if envelope is None or not envelope.is_unauthenticated:
                break
            if not self.tokens.refused(token, their_time=their_time(response)):
                break
        return response

    def pages(self, operation: str, path: str, *, query: Query, connection: str = "") -> Iterator[Any]:
        """All items of a list, at most 50 pages. Ends too where a page brings nothing new, since the
        same page can come again (as the vendor's own export script found).

        Raises:
            Unavailable: an answer without `items`.
        """
        seen: set[str] = set()
        fixed = [pair for pair in query if pair[0] != "cursor"]
        all_params: Query = query
        for _ in range(_MOST_PAGES):
            body = self.ask(operation, "GET", path, query=all_params, connection=connection)
            items = body.get("items") if isinstance(body, dict) else None
            if not isinstance(items, list):
                raise Unavailable(f"membrane answered {operation} without a list")
            new = [item for item in items if isinstance(item, dict) and str(item.get("id")) not in seen]
            seen.update(str(item.get("id")) for item in new)
            yield from new
            cursor = body.get("cursor")
            if not new or not isinstance(cursor, str | int) or cursor == "":
                return
            all_params = [*fixed, ("cursor", str(cursor))]


def _held(response: httpx2.Response) -> httpx2.Response:
    """An answer with its body in memory, still encoded as it came, to be read more than once."""
    assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - of a blocking client
    try:
        raw = b"".join(response.stream)
    finally:
        response.close()
    return httpx2.Response(
        response.status_code,
        headers=response.headers,
        stream=httpx2.ByteStream(raw),
        request=response.request,
        extensions=response.extensions,
    )
