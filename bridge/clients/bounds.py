"""What an answer may cost: how large it may be, as it comes and decoded, and how long it may take in all.

Every request has bounds, by the kind of its answer. `Client` enforces them, whichever part of the project
sends the request and by whichever road. A request that names none has those of a JSON answer.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from httpx2 import USE_CLIENT_DEFAULT

from bridge.clients import pace
from bridge.clients.direct import DirectTransport
from bridge.clients.pace import Pace
from bridge.errors import AnswerTooLarge, TooSlow

_KEY = "bounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """
    Args:
        most_bytes: of the body, as it comes and decoded alike; None: whoever reads it counts.
        total_s, grace_s, bytes_per_s: see `Pace`.
    """

    most_bytes: int | None
    total_s: float | None = None
    grace_s: float | None = None
    bytes_per_s: float = 0

    def pace(self) -> Pace:
        return Pace(total_s=self.total_s, grace_s=self.grace_s, bytes_per_s=self.bytes_per_s)

    def as_extension(self) -> dict[str, Any]:
        """For `extensions=` of a request."""
        return {_KEY: self}


# The largest legitimate answer is a page of 1000 calls, 1 to 2 MB. Parsed JSON can take twenty times its
# size, and each thread may hold one.
ANSWER = Bounds(most_bytes=8_000_000, total_s=30)
# A recording is 16 kB for each second of talk: a quarter of that is as slow as is of any use.
TRANSFER = Bounds(most_bytes=None, grace_s=30, bytes_per_s=4_000)
# A file on its way to Kustomer's storage, which says little.
UPLOAD = Bounds(most_bytes=1_000_000, grace_s=60, bytes_per_s=32_000)


class Client(httpx2.Client):
    """An HTTP client whose every answer is bounded, also through proxies of the environment.

    It keeps no cookies: what it asks are APIs, signed in by a header.

    Args:
        bounds: of requests that name none.
        certificates: trusted ones, asked for once the first https request is sent.
    """

    def __init__(
        self,
        *,
        bounds: Bounds = ANSWER,
        certificates: Callable[[], ssl.SSLContext] = httpx2.create_ssl_context,
        **how: Any,
    ) -> None:
        self._bounds, self._certificates = bounds, certificates
        super().__init__(**how)

    def _init_transport(
        self, *what: Any, transport: httpx2.BaseTransport | None = None, **how: Any
    ) -> httpx2.BaseTransport:
        return Bounded(transport or DirectTransport(self._certificates), self._bounds)

    def _init_proxy_transport(self, *what: Any, **how: Any) -> httpx2.BaseTransport:
        how["verify"] = self._certificates()
        return Bounded(super()._init_proxy_transport(*what, **how), self._bounds)

    def send(self, request: httpx2.Request, *, stream: bool = False, **how: Any) -> httpx2.Response:
        """Send a request once, without what httpx2 does besides for browsers: that costs more than sending.

        Args:
            how: asks for more of httpx2, such as `auth`; then it does all that it usually does.
        """
        if any(value is not USE_CLIENT_DEFAULT for value in how.values()) or request.url.userinfo:
            return super().send(request, stream=stream, **how)
        if self.is_closed:
            raise RuntimeError("the client is closed")
        request.extensions.setdefault("timeout", self.timeout.as_dict())
        try:
            response = self._transport_for_url(request.url).handle_request(request)
        except httpx2.RequestError as error:
            error.request = request
            raise
        response.request = request
        if not stream:
            try:
                response.read()
            except BaseException:
                response.close()
                raise
        return response


class Bounded(httpx2.BaseTransport):
    """Sends, and hands on an answer that ends in time and does not grow beyond its bounds.

    Bodies are decoded here, piece by piece, so that nothing above meets one that unfolds.

    Raises, beside httpx2's own errors:
        AnswerTooLarge: at once where the answer's header says so, else while its body is read.
        TooSlow: the time for the whole was over, before the body or in the midst of it.
    """

    def __init__(self, real: httpx2.BaseTransport, usual: Bounds = ANSWER) -> None:
        self._usual, self._real = usual, real
        if isinstance(real, httpx2.HTTPTransport):
            # With the first of them; see there.
            from bridge.clients.backends import paced

            self._real = paced(real)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        bounds: Bounds = request.extensions.get(_KEY, self._usual)
        with pace.keeping(bounds.pace()) as limit, _told_as_slow(request, limit):
            found = self._real.handle_request(request)
        found.request = request
        length = found.headers.get("content-length", "")
        if (
            request.method != "HEAD"
            and bounds.most_bytes is not None
            and length.isascii()
            and length.isdigit()
        ):
            # Read as a number only where it can be one: its digits are not bounded either.
            announced = int(length[:20])
            if announced > bounds.most_bytes:
                found.close()
                raise too_large(request, bounds.most_bytes, f"{announced:,} bytes announced")
        if isinstance(self._real, DirectTransport) and "content-encoding" not in found.headers:
            # As it is: building another answer costs as much as reading one.
            raw = found.stream
            assert isinstance(raw, httpx2.SyncByteStream)  # noqa: S101 - of a blocking client
            found.stream = _Body(raw, raw.close, None, request, bounds.most_bytes, limit)
            return found
        return httpx2.Response(
            found.status_code,
            headers=_decoded(found.headers),
            stream=_Body(found.iter_bytes(), found.close, found, request, bounds.most_bytes, limit),
            extensions=found.extensions,
        )

    def close(self) -> None:
        self._real.close()


class _Body(httpx2.SyncByteStream):
    """
    Args:
        encoded: whose pieces these are, decoded; None: they are as they came.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        close: Callable[[], None],
        encoded: httpx2.Response | None,
        request: httpx2.Request,
        most: int | None,
        limit: Pace,
    ) -> None:
        self._pieces, self._close, self._encoded = pieces, close, encoded
        self._request, self._most, self._limit = request, most, limit

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self._pieces)
        count = 0
        while True:
            with pace.keeping(self._limit), _told_as_slow(self._request, self._limit):
                piece = next(pieces, None)
            if piece is None:
                return
            count += len(piece)
            if self._most is not None:
                came = count if self._encoded is None else self._encoded.num_bytes_downloaded
                if max(count, came) > self._most:
                    how = f"{came:,} bytes came, {count:,} decoded, and there was more"
                    raise too_large(self._request, self._most, how)
            yield piece

    def close(self) -> None:
        self._close()


@contextmanager
def _told_as_slow(request: httpx2.Request, limit: Pace) -> Iterator[None]:
    try:
        yield
    except (httpx2.ReadTimeout, httpx2.WriteTimeout) as cause:
        if not limit.is_over:
            raise
        raise TooSlow(
            f"{request.url.host} was too slow: {limit.bytes:,} bytes in {limit.taken_s:.0f} s, "
            "and not complete"
        ) from cause


def _decoded(headers: httpx2.Headers) -> httpx2.Headers:
    """Without what is no longer true of a body that was decoded."""
    if "content-encoding" not in headers:
        return headers
    gone = ("content-encoding", "content-length")
    return httpx2.Headers([(name, value) for name, value in headers.multi_items() if name not in gone])


def too_large(request: httpx2.Request, most: int, how: str) -> AnswerTooLarge:
    return AnswerTooLarge(
        f"the answer of {request.url.host} to {request.method} is over the {most:,} bytes that are read of "
        f"such an answer: {how}"
    )
