"""Recordings at CloudTalk: read as a stream, in pieces where the road carries only so many bytes; deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx2

from bridge.clients.cloudtalk.core import Core
from bridge.clients.http import Moved, Service
from bridge.domain.webhook.values import read_whole
from bridge.errors import NotThereYet, Rejected, TooLarge, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A recording on its way. `size`: of the whole file in bytes, if known.

    `framed`: the transfer has an end of its own (chunks, HTTP/2), so that one cut off is known as such.
    """

    chunks: Iterator[bytes]
    start: int = 0
    size: int | None = None
    etag: str | None = None
    framed: bool = False
    content_type: str = "application/octet-stream"


class Recordings(Core):
    """
    Args:
        max_range_bytes: ask for at most so many bytes at once, if the connection carries no more; each other
            range is a request within the budget.
        fallback: used for a recording that the connection does not carry.
    """

    def __init__(
        self,
        service: Service,
        core: str,
        *,
        max_range_bytes: int | None = None,
        fallback: Recordings | None = None,
    ) -> None:
        super().__init__(service, core)
        self._max_range_bytes, self._fallback = max_range_bytes, fallback

    @contextmanager
    def get(self, call_id: int, *, start: int = 0, etag: str | None = None) -> Iterator[Download]:
        """The audio of a call, as a stream (`audio/x-wav`; errors are announced as that too).

        Args:
            start: resume from this byte; whether the service grants it shows in `Download.start`.
            etag: of the first part, so that what is resumed is the same file.

        Raises:
            NotThereYet: 404; not there, or not there yet.
            Rejected: 410 (expired or deleted, final), or a redirect to a host that is not CloudTalk's.
            TooLarge: the road does not carry it, in pieces neither.
        """
        url = f"{self._url}/calls/recording/{call_id}.json"
        with ExitStack() as stack:
            try:
                download = stack.enter_context(
                    self._download("recording", url, start=start, etag=etag, signed_in=True)
                )
            except TooLarge:
                if self._fallback is None:
                    raise
                download = stack.enter_context(self._fallback.get(call_id, start=start, etag=etag))
            yield download

    def delete(self, call_id: int) -> bool:
        """Delete a call's recording at CloudTalk; False where there was none (404, 410: counts as done)."""
        try:
            self._send("delete_recording", "DELETE", f"/recordings/delete/{call_id}.json")
        except Rejected as error:
            if error.status not in (404, 410):
                raise
            return False
        return True

    @contextmanager
    def public(self, url: str) -> Iterator[Download]:
        """The audio behind a public link from a webhook. Whoever has the link can listen: it is a secret.

        Raises:
            Rejected: the link is not one of CloudTalk's.
        """
        if not self._is_theirs(url):
            raise Rejected("the recording's public link does not point to CloudTalk", status=0)
        with self._download("public_recording", url, start=0, etag=None, signed_in=False) as download:
            yield download

    @contextmanager
    def _download(
        self, operation: str, url: str, *, start: int, etag: str | None, signed_in: bool, hops: int = 0
    ) -> Iterator[Download]:
        headers = {}
        if start or (self._max_range_bytes and signed_in):
            last = start + self._max_range_bytes - 1 if self._max_range_bytes and signed_in else ""
            headers["range"] = f"bytes={start}-{last}"
        if start and etag:
            headers["if-range"] = etag
        try:
            with self._service.stream(operation, url, headers=headers, signed_in=signed_in) as response:
                download = _download(response)
                yield replace(download, chunks=self._and_the_rest(operation, url, download, signed_in))
        except Moved as moved:
            if hops or not self._is_theirs(moved.location):
                raise Rejected(
                    f"cloudtalk redirected {operation} to a host that is not CloudTalk's"
                ) from moved
            # The credentials are for the host they were made for.
            with self._download(
                operation, moved.location, start=start, etag=etag, signed_in=False, hops=1
            ) as download:
                yield download
        except Rejected as error:
            if error.status != 404:
                raise
            raise NotThereYet("CloudTalk has no recording of this call (yet)") from error

    def _and_the_rest(self, operation: str, url: str, first: Download, signed_in: bool) -> Iterator[bytes]:
        """The bytes of a first piece, and of those after it, one request each."""
        at = first.start
        for chunk in first.chunks:
            at += len(chunk)
            yield chunk
        while self._max_range_bytes and signed_in and first.size is not None and at < first.size:
            headers = {"range": f"bytes={at}-{at + self._max_range_bytes - 1}"}
            if first.etag:
                headers["if-range"] = first.etag
            before = at
            with self._service.stream(operation, url, headers=headers) as response:
                piece = _download(response)
                if piece.start != at:
                    raise Unavailable("cloudtalk sent a different part of a recording than requested")
                for chunk in piece.chunks:
                    at += len(chunk)
                    yield chunk
            if at == before:
                raise Unavailable("cloudtalk sent an empty part of a recording")

    def _is_theirs(self, url: str) -> bool:
        """Whether an address is CloudTalk's, or of the very host that the settings name for it."""
        parts, own = urlsplit(url), urlsplit(self._url)
        if parts.scheme == own.scheme and parts.netloc == own.netloc:
            return True
        host = parts.hostname or ""
        return parts.scheme == "https" and (host == "cloudtalk.io" or host.endswith(".cloudtalk.io"))


def _download(response: httpx2.Response) -> Download:
    """What the answer's headers tell; neither `Content-Length` nor ranges are documented."""
    length = response.headers.get("content-length", "")
    start, size = 0, read_whole(length)
    if response.status_code == 206:
        found = re.fullmatch(
            r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)",
            response.headers.get("content-range", "").strip(),
        )
        if found is None:
            raise Unavailable("cloudtalk sent part of a recording without saying which part")
        start, size = int(found[1]), int(found[2]) if found[2] != "*" else None
    return Download(
        chunks=response.iter_bytes(),
        start=start,
        size=size,
        etag=response.headers.get("etag"),
        framed=response.http_version == "HTTP/2"
        or "chunked" in response.headers.get("transfer-encoding", "").lower(),
        content_type=response.headers.get("content-type", "").partition(";")[0] or "audio/x-wav",
    )
