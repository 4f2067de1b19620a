"""Any request to a service, as it is: for what no client of ours has a name for.

The credentials go to the service's own addresses only, which is why others are refused rather than asked
without. Nothing is repeated, and an answer of any status is an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urldefrag, urlencode, urlsplit

import httpx2

from bridge.clients.causes import cause_of
from bridge.clients.http import Service
from bridge.clients.membrane.proxy import THE_APP
from bridge.domain.webhook.values import read_whole
from bridge.errors import Unavailable, WrongUse

# Of an app whose address only Membrane knows.
_NO_HOST = urlsplit(THE_APP).netloc
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEndpoint:
    """A service and its addresses; a path alone is taken to be of the first of them.

    Args:
        bases: without a slash at the end, such as `https://my.cloudtalk.io/api`.
        domains: whose hosts are the service's as well, over https.
    """

    service: Service
    bases: Sequence[str]
    domains: Sequence[str] = ()

    def url(self, path: str) -> str:
        """The address that a path, or a full address, means.

        Raises:
            WrongUse: the address is not one of the service's.
        """
        if "://" not in path and not path.startswith("//"):
            base = self.bases[0]
            prefix = urlsplit(base).path
            # `/api/calls` and `/calls` mean the same: people copy either from the documents.
            if prefix and (path == prefix or path.startswith(prefix + "/")):
                path = path.removeprefix(prefix)
            return base + "/" + path.lstrip("/")
        try:
            wanted = urlsplit(path)
        except ValueError as error:
            raise WrongUse(f"{path!r} is neither a path nor a URL") from error
        known = [parts for parts in map(urlsplit, self.bases) if parts.netloc != _NO_HOST]
        origins = [(parts.scheme, parts.netloc.lower()) for parts in known]
        if (wanted.scheme, wanted.netloc.lower()) not in origins and not self._has(wanted):
            places = [f"{scheme}://{host}" for scheme, host in origins]
            places += [f"https://*.{domain}" for domain in self.domains]
            hosts = ", ".join(dict.fromkeys(places))
            # Without user and password, which may stand before the host.
            host = wanted.netloc.rpartition("@")[2]
            if not hosts:
                raise WrongUse(
                    f"{wanted.scheme}://{host}: the hosts of {self.service.name} are not known here. "
                    "Give a path; Membrane adds the app's address"
                )
            raise WrongUse(
                f"{wanted.scheme}://{host} is not {self.service.name}'s: its key goes to {hosts} only. "
                "Give a path, or a full URL there"
            )
        return path

    def _has(self, address: SplitResult) -> bool:
        host = address.netloc.lower()
        return address.scheme == "https" and any(
            host == domain or host.endswith(f".{domain}") for domain in self.domains
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `chunks`: the body as it comes, decompressed; read it inside the `with`."""

    status: int
    headers: httpx2.Headers
    chunks: Iterator[bytes]

    @property
    def size(self) -> int | None:
        """Of the body in bytes, where the header states it and it is what `chunks` gives."""
        length = self.headers.get("content-length", "")
        return read_whole(length) if "content-encoding" not in self.headers else None


@contextmanager
def send(
    endpoint: RawEndpoint,
    method: str,
    path: str,
    *,
    query: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Iterator[Answer]:
    """Send one request within the service's budget.

    Args:
        path: of the service's first address, or a full address of one of them.
        query: added to what the path has.
        headers: win over ours of the same name.

    Raises:
        WrongUse: an address that is not the service's, or a method there is not.
        RateLimited: our share is used up; nothing was sent.
        NotSent, Unavailable: no answer; while the body is read, Unavailable where it breaks off.
    """
    if method.upper() not in METHODS:
        raise WrongUse(f"method {method}: one of {', '.join(METHODS)}")
    url = urldefrag(endpoint.url(path)).url
    if query:
        # Not by the HTTP client, which would replace what the path has.
        url += ("&" if urlsplit(url).query else "?") + urlencode(query, quote_via=quote)
    try:
        httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise WrongUse(f"that path is not valid: {error}") from error
    with endpoint.service.exchange("request", method.upper(), url, headers=headers, content=body) as response:
        yield Answer(
            status=response.status_code,
            headers=response.headers,
            chunks=_chunks(endpoint.service.name, response),
        )


def _chunks(name: str, response: httpx2.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except httpx2.HTTPError as cause:
        raise Unavailable(f"{name}'s reply was cut off: {cause_of(cause)}") from cause
