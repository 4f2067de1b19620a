"""Files of text messages, fetched from where a webhook says: bounded, without credentials, never from inside.

The address comes from outside, so that it may point anywhere: only https to public addresses is asked, and
the address that was looked up is the one connected to.
"""

from __future__ import annotations

import ipaddress
import mimetypes
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import httpx2

from bridge import __version__
from bridge.boundary import boundary
from bridge.clients.bounds import Bounds, Client
from bridge.clients.http import certificates
from bridge.errors import AnswerTooLarge, TooSlow

# What Kustomer's composer takes of one file.
LARGEST = 5_000_000
_BOUNDS = Bounds(most_bytes=LARGEST, total_s=20)
_TIMEOUT = httpx2.Timeout(connect=5, read=10, write=5, pool=5)
_MOST_REDIRECTS = 3
_TYPE = re.compile(r"(image|audio|video)/[a-z0-9.+-]{1,60}|application/pdf|text/(?:plain|vcard|x-vcard)")
_NAME = re.compile(r"[^\w.() -]+")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """One file, whole. `content_type` is one that no browser runs."""

    name: str
    content_type: str
    content: bytes


class NotFetched(Exception):
    """The file cannot be had; the text says why, to people."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet, and not of this machine or network."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


class MediaFetcher:
    """
    Args:
        schemes, allows: which addresses may be asked; others than by default for tests alone.
    """

    def __init__(
        self, *, schemes: Iterable[str] = ("https",), allows: Callable[[str], bool] = is_public
    ) -> None:
        self._schemes, self._allows = frozenset(schemes), allows
        self._client: httpx2.Client | None = None

    def fetch(self, url: str, *, number: int = 1) -> Media:
        """Get one file; redirects are followed within the same limits.

        Args:
            number: of the file in its message, for its name.

        Raises:
            NotFetched: it is not there, too large, too slow, or not at a public address.
        """
        try:
            with boundary("media.fetch"):
                return self._get(url, number, _MOST_REDIRECTS)
        except (AnswerTooLarge, TooSlow) as error:
            raise NotFetched("too large" if isinstance(error, AnswerTooLarge) else "too slow") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise NotFetched("no answer") from error

    def _get(self, url: str, number: int, redirects: int) -> Media:
        parts = urlsplit(url)
        if parts.scheme not in self._schemes or not parts.hostname or parts.username or parts.password:
            raise NotFetched("not an https address")
        answer = self._opened().get(url)
        if answer.is_redirect:
            if not redirects:
                raise NotFetched("redirected too often")
            return self._get(urljoin(url, answer.headers.get("location", "")), number, redirects - 1)
        if answer.status_code != 200:
            raise NotFetched(f"answered {answer.status_code}")
        if not answer.content:
            raise NotFetched("empty")
        told = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        kind = told if _TYPE.fullmatch(told) and told != "image/svg+xml" else "application/octet-stream"
        return Media(name=name_of(url, kind, number), content_type=kind, content=answer.content)

    def _opened(self) -> httpx2.Client:
        if self._client is None:
            # With the first file; see there.
            from bridge.clients.backends import GuardedBackend

            limits = httpx2.Limits(max_connections=4)
            transport = httpx2.HTTPTransport(verify=certificates(), limits=limits)
            # As `backends.paced` does it.
            transport._pool._network_backend = GuardedBackend(self._allows)
            headers = {"user-agent": f"callbridge/{__version__}", "accept": "*/*"}
            self._client = Client(
                bounds=_BOUNDS, timeout=_TIMEOUT, transport=transport, headers=headers, trust_env=False
            )
        return self._client


def name_of(url: str, content_type: str, number: int) -> str:
    """A file's name for people: the last part of its address, with an ending of its type."""
    last = unquote(urlsplit(url).path.rpartition("/")[2])
    stem, dot, ending = _NAME.sub("_", last)[:_LONGEST_NAME].strip(" .").rpartition(".")
    if not (dot and 1 <= len(ending) <= 5):
        stem, ending = (stem + dot + ending), (mimetypes.guess_extension(content_type) or ".bin").lstrip(".")
    return f"{stem or f'file-{number}'}.{ending}"


def place_of(url: str) -> str:
    """Where a file is, for people, without what may be a secret in its address."""
    parts = urlsplit(url)
    return f"{_NAME.sub('_', unquote(parts.path.rpartition('/')[2]))[:_LONGEST_NAME]} of {parts.hostname}"
