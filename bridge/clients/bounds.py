"""What an answer may cost: how large it may be, as it comes and decoded, and how long it may take in all.

Every request has bounds, by the kind of its answer. `Client` enforces them, whichever part of the project
sends the request and by whichever road. A request that names none has those of a JSON answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from bridge.clients import pace
from bridge.clients.network import paced
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

    Args:
        bounds: of requests that name none.
    """

    def __init__(self, *, bounds: Bounds = ANSWER, **how: Any) -> None:
        self._bounds = bounds
        super().__init__(**how)

    def _init_transport(self, *what: Any, **how: Any) -> httpx2.BaseTransport:
        return Bounded(super()._init_transport(*what, **how), self._bounds)

    def _init_proxy_transport(self, *what: Any, **how: Any) -> httpx2.BaseTransport:
        return Bounded(super()._init_proxy_transport(*what, **how), self._bounds)


class Bounded(httpx2.BaseTransport):
    """Sends, and hands on an answer that ends in time and does not grow beyond its bounds.

    Bodies are decoded here, piece by piece, so that nothing above meets one that unfolds.

    Raises, beside httpx2's own errors:
        AnswerTooLarge: at once where the answer's header says so, else while its body is read.
        TooSlow: the time for the whole was over, before the body or in the midst of it.
    """

    def __init__(self, real: httpx2.BaseTransport, usual: Bounds = ANSWER) -> None:
        self._usual = usual
        self._real = paced(real) if isinstance(real, httpx2.HTTPTransport) else real

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
        return httpx2.Response(
            found.status_code,
            headers=_decoded(found.headers),
            stream=_Body(found, request, bounds.most_bytes, limit),
            extensions=found.extensions,
        )

    def close(self) -> None:
        self._real.close()


class _Body(httpx2.SyncByteStream):
    def __init__(
        self, response: httpx2.Response, request: httpx2.Request, most: int | None, limit: Pace
    ) -> None:
        self._response, self._request, self._most, self._limit = response, request, most, limit

    def __iter__(self) -> Iterator[bytes]:
        pieces = self._response.iter_bytes()
        count = 0
        while True:
            with pace.keeping(self._limit), _told_as_slow(self._request, self._limit):
                piece = next(pieces, None)
            if piece is None:
                return
            count += len(piece)
            if self._most is not None:
                came = self._response.num_bytes_downloaded
                if max(count, came) > self._most:
                    how = f"{came:,} bytes came, {count:,} decoded, and there was more"
                    raise too_large(self._request, self._most, how)
            yield piece

    def close(self) -> None:
        self._response.close()


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
