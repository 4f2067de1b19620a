"""The other road: a transport that carries a vendor's requests through a Membrane connection.

The clients above stay as they are; status, headers and bytes pass untouched. Membrane adds the vendor's
credentials, so none of ours travel, and our token stays with Membrane.

Source: docs.getmembrane.com, "API proxy", in its form with a full address: which address a connector would
put in front of a path is not documented.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

from bridge.clients.membrane.api import VERSION, VERSION_HEADER, Api
from bridge.clients.membrane.connections import Connections
from bridge.clients.membrane.errors import error_of, read_envelope
from bridge.clients.membrane.states import gone
from bridge.clients.paths import segment
from bridge.errors import BridgeError, Disconnected, TooLarge, Unavailable, WebPage

# Documented; whether their MB is 10**6 or 2**20 bytes is not, so the smaller.
LARGEST_REQUEST = 10_000_000
LARGEST_RESPONSE = 30_000_000
# What to ask for at once where the vendor grants pieces: in one go below a call of 25 minutes.
PIECE = 24_000_000

# Stands for the address of the app behind a connection, where only Membrane knows it; nobody has this name.
THE_APP = "https://app.invalid"

# Membrane's, or this connection's between us and it.
_NOT_THEIRS = ("host", "authorization", "connection", "content-length", "transfer-encoding", VERSION_HEADER)


class Proxy(httpx2.BaseTransport):
    """
    Args:
        connection: id or key.

    Raises, from requests that it carries, beside httpx2's errors:
        TooLarge: over 10 MB out (nothing was sent) or 30 MB in.
        Disconnected: the connection is down or gone; somebody has to reconnect it.
        RateLimited, Unauthorized, Unavailable, Rejected: Membrane's own; the vendor's are passed on.
    """

    def __init__(
        self,
        api: Api,
        connection: str,
        *,
        largest_request: int = LARGEST_REQUEST,
        largest_response: int = LARGEST_RESPONSE,
    ) -> None:
        self._api, self._connection = api, connection
        self._largest_request, self._largest_response = largest_request, largest_response

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        what = f"{request.method} through the connection {self._connection}"
        body = self._body(request, what)
        headers = [(name, value) for name, value in request.headers.raw if _is_theirs(name)]
        through = httpx2.Request(
            request.method,
            self._address(request.url),
            headers=[*headers, (VERSION_HEADER.encode(), VERSION.encode())],
            content=body or None,
            extensions=request.extensions,
        )
        if not body and "content-length" in request.headers:
            through.headers["content-length"] = "0"
        response = self._api.exchange(through, stream=True)
        try:
            self._look_at(response, what)
        except BaseException:
            response.close()
            raise
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Passed(response, self._largest_response),
            extensions=response.extensions,
        )

    def _address(self, url: httpx2.URL) -> httpx2.URL:
        base = httpx2.URL(self._api.url)
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        # A path alone: the connector puts the app's address in front.
        target = url.raw_path.lstrip(b"/") if origin == THE_APP else origin.encode() + url.raw_path
        prefix = base.raw_path.rstrip(b"/") + f"/connections/{segment(self._connection)}/proxy/".encode()
        # Taken as it is: an encoded slash in an external id has to stay encoded.
        return base.copy_with(raw_path=prefix + target)

    def _body(self, request: httpx2.Request, what: str) -> bytes:
        """In memory, as it may have to be sent again with a new token."""
        length = request.headers.get("content-length", "0")
        found = bytearray()
        if int(length) <= self._largest_request:
            for chunk in request.stream if isinstance(request.stream, httpx2.SyncByteStream) else ():
                found += chunk
                if len(found) > self._largest_request:
                    break
        if max(int(length), len(found)) > self._largest_request:
            raise TooLarge(
                f"{what}: the request exceeds Membrane's limit of {self._largest_request // 10**6} MB; "
                "nothing was sent"
            )
        return bytes(found)

    def _look_at(self, response: httpx2.Response, what: str) -> None:
        """Raises what is Membrane's own or says that the connection is down."""
        status = response.status_code
        if status < 400:
            if int(response.headers.get("content-length") or 0) > self._largest_response:
                raise too_large(self._largest_response)
            return
        envelope = read_envelope(response)
        if envelope is None:
            if status == 401:
                # The vendor's own. Documented as a sign of a broken connection, and as a missing role.
                self._is_up(what)
            if status in (404, 409, 410) and "text/html" in response.headers.get("content-type", ""):
                # Taken for the vendor's, it would say that a customer is not there.
                raise WebPage(f"{what}: a proxy in front of it answered {status} with an HTML page")
            return
        if envelope.is_not_found:
            raise gone(self._connection)
        error = error_of(envelope, what, response, connection=self._connection)
        if isinstance(error, Disconnected) and self._is_up(what):
            if not envelope.is_surely_membranes:
                # The app's own words, which only look like Membrane's.
                return
            raise Unavailable(f"{what}: Membrane had trouble with the connection; it is ready again")
        if isinstance(error, TooLarge) and what.startswith("GET"):
            raise too_large(self._largest_response) from error
        raise error

    def _is_up(self, what: str) -> bool:
        """Ask for the connection's state, which tells what to do where it is down. False: nobody knows.

        Raises:
            Disconnected: with the link to open.
        """
        try:
            found = Connections(self._api).get(self._connection)
        except BridgeError:
            # The answer in hand says enough.
            return False
        if not found.is_ready:
            raise found.as_error(what)
        return True


class _Passed(httpx2.SyncByteStream):
    """A body as it comes. One that breaks off beyond the limit was cut by it."""

    def __init__(self, response: httpx2.Response, largest: int) -> None:
        self._response, self._largest = response, largest
        assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - of a blocking client
        self._stream = response.stream

    def __iter__(self) -> Iterator[bytes]:
        count = 0
        try:
            # Not `iter_raw`: an error's body was read already, to see whose it is.
            for chunk in self._stream:
                count += len(chunk)
                yield chunk
        except httpx2.HTTPError as cause:
            if count >= self._largest:
                raise too_large(self._largest) from cause
            raise

    def close(self) -> None:
        self._response.close()


def _is_theirs(name: bytes) -> bool:
    return name.decode("ascii").lower() not in _NOT_THEIRS


def too_large(largest: int) -> TooLarge:
    return TooLarge(
        f"the answer is over the {largest // 10**6} MB that Membrane carries (a recording of about 30 "
        "minutes). With keys of your own beside Membrane (CLOUDTALK_ACCESS_KEY_ID and "
        "CLOUDTALK_ACCESS_KEY_SECRET) recordings that are too large come directly"
    )
