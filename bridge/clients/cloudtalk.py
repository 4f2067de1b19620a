"""CloudTalk's API, as far as the bridge needs it.

Source: CloudTalk's OpenAPI "1.7". Ids and seconds come as number or text, numbers with or without a plus.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from bridge.clients.download import Download as Download
from bridge.clients.http import Moved, Service
from bridge.clients.standing import KeyCheck
from bridge.domain.listed import ListedCall, read_listed
from bridge.domain.values import read_call_id, read_email, read_person, read_whole
from bridge.errors import NotThereYet, Rejected, TooLarge, Unavailable
from bridge.ledger.budget import Budget
from bridge.ledger.connections import Gate

if TYPE_CHECKING:
    from bridge.clients.cloudtalk_api import CloudTalkApi

LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """One page of the call list. `pages` and `total`: as CloudTalk counted them when it gave this one."""

    calls: list[ListedCall]
    pages: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    agent_id: int
    name: str | None
    email: str | None


class CloudTalk:
    """The bridge's own use of CloudTalk; `api` is all of it.

    Args:
        client: with keys of ours, or a road that adds the credentials.
        core, analytics: addresses up to and with `/api`.
        key_id, key_secret: None where the road adds the credentials.
        plain: for addresses that need no credentials; the same client where left out.
        piece: the most bytes to ask for at once, where the road carries only so many; each further piece
            is a request within the budget.
        beside: another way to a recording that the road does not carry.
        gate: see `Service`.
    """

    def __init__(
        self,
        *,
        client: httpx2.Client,
        core: str,
        analytics: str,
        key_id: str | None,
        key_secret: str | None,
        budget: Budget | None = None,
        plain: httpx2.Client | None = None,
        piece: int | None = None,
        beside: CloudTalk | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._core, self._analytics = core, analytics
        headers = {"authorization": _basic(key_id, key_secret)} if key_id and key_secret else {}
        self._service = Service(
            "cloudtalk",
            client=client,
            headers=headers,
            budget=budget,
            plain=plain,
            gate=gate,
            key_check=KeyCheck(
                url=f"{core}/agents/index.json",
                params={"limit": "1"},
                advice="Make a new key in CloudTalk: Account > Settings > API keys.",
                refused=(406,),
            ),
        )
        self.check = self._service.check
        self._piece, self._beside = piece, beside

    @property
    def budget(self) -> Budget | None:
        """The share of CloudTalk's budget that requests are sent within."""
        return self._service.budget

    @cached_property
    def api(self) -> CloudTalkApi:
        """All of CloudTalk. Its many types are built on first use: workers start without them."""
        from bridge.clients.cloudtalk_api import CloudTalkApi

        return CloudTalkApi(
            self._service, core=self._core, analytics=self._analytics, recording=self.recording
        )

    def call_detail(self, call_id: int) -> Mapping[str, Any]:
        """One call with its steps, as it came (`bridge.domain.detail.read_detail` reads it).

        Raises:
            NotThereYet: 404; it is not there, or not there yet, which cannot be told apart.
        """
        try:
            reply = self._service.request("call_detail", "GET", f"{self._analytics}/calls/{call_id}")
        except Rejected as error:
            if error.status != 404:
                raise
            raise NotThereYet(f"CloudTalk has no detail of call {call_id} (yet)") from error
        if not isinstance(reply.body, dict):
            raise Unavailable("cloudtalk answered call_detail with something that is not an object")
        return reply.body

    @contextmanager
    def recording(self, call_id: int, *, start: int = 0, etag: str | None = None) -> Iterator[Download]:
        """The audio of a call, as a stream (`audio/x-wav`; errors are announced as that too).

        Args:
            start: resume from this byte; whether the service grants it shows in `Download.start`.
            etag: of the first part, so that what is resumed is the same file.

        Raises:
            NotThereYet: 404; not there, or not there yet.
            Rejected: 410 (expired or deleted, final), or a redirect to a host that is not CloudTalk's.
            TooLarge: the road does not carry it, in pieces neither.
        """
        url = f"{self._core}/calls/recording/{call_id}.json"
        with ExitStack() as stack:
            try:
                download = stack.enter_context(
                    self._download("recording", url, start=start, etag=etag, signed_in=True)
                )
            except TooLarge:
                if self._beside is None:
                    raise
                download = stack.enter_context(self._beside.recording(call_id, start=start, etag=etag))
            yield download

    def delete_recording(self, call_id: int) -> bool:
        """Delete a call's recording at CloudTalk; False where there was none (404, 410: counts as done)."""
        url = f"{self._core}/recordings/delete/{call_id}.json"
        try:
            self._service.request("delete_recording", "DELETE", url)
        except Rejected as error:
            if error.status not in (404, 410):
                raise
            return False
        return True

    @contextmanager
    def public_recording(self, url: str) -> Iterator[Download]:
        """The audio behind a public link from a webhook. Whoever has the link can listen: it is a secret.

        Raises:
            Rejected: the link is not one of CloudTalk's.
        """
        if not self._is_theirs(url):
            raise Rejected("the recording's public link does not lead to CloudTalk", status=0)
        with self._download("public_recording", url, start=0, etag=None, signed_in=False) as download:
            yield download

    @contextmanager
    def _download(
        self, operation: str, url: str, *, start: int, etag: str | None, signed_in: bool, hops: int = 0
    ) -> Iterator[Download]:
        headers = {}
        if start or (self._piece and signed_in):
            last = start + self._piece - 1 if self._piece and signed_in else ""
            headers["range"] = f"bytes={start}-{last}"
        if start and etag:
            headers["if-range"] = etag
        try:
            with self._service.stream(operation, url, headers=headers, signed_in=signed_in) as response:
                download = _download(response)
                yield replace(download, chunks=self._and_the_rest(operation, url, download, signed_in))
        except Moved as moved:
            if hops or not self._is_theirs(moved.location):
                raise Rejected(f"cloudtalk redirected {operation} to a host that is not its own") from moved
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
        while self._piece and signed_in and first.size is not None and at < first.size:
            headers = {"range": f"bytes={at}-{at + self._piece - 1}"}
            if first.etag:
                headers["if-range"] = first.etag
            before = at
            with self._service.stream(operation, url, headers=headers) as response:
                piece = _download(response)
                if piece.start != at:
                    raise Unavailable("cloudtalk sent another part of a recording than was asked for")
                for chunk in piece.chunks:
                    at += len(chunk)
                    yield chunk
            if at == before:
                raise Unavailable("cloudtalk sent a part of a recording without bytes")

    def _is_theirs(self, url: str) -> bool:
        """Whether an address is CloudTalk's, or of the very host that we were told to use for it."""
        parts, own = urlsplit(url), urlsplit(self._core)
        if parts.scheme == own.scheme and parts.netloc == own.netloc:
            return True
        host = parts.hostname or ""
        return parts.scheme == "https" and (host == "cloudtalk.io" or host.endswith(".cloudtalk.io"))

    def list_calls(
        self,
        *,
        external: str | None,
        since: datetime,
        until: datetime,
        region: str | None = None,
        most: int = 3,
    ) -> Iterator[ListedCall]:
        """Calls between two times, by the customer's number where given; at most `most` pages of 1000.

        The zone of the filter is not documented: ask for a day more on both sides and look at
        `started_at`. Pages shift while calls arrive, so an item may come twice.
        """
        for number in range(1, most + 1):
            page = self.call_page(number, external=external, since=since, until=until, region=region)
            yield from page.calls
            if number >= page.pages:
                return

    def call_page(
        self,
        number: int,
        *,
        since: datetime,
        until: datetime,
        external: str | None = None,
        region: str | None = None,
        limit: int = LARGEST_PAGE,
    ) -> CallPage:
        """One page of the calls between two times; see `list_calls`. Pages count from 1."""
        params = {
            "date_from": since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "date_to": until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "limit": str(limit),
            "page": str(number),
        }
        if external is not None:
            params["public_external"] = external
        items, data = self._page("list_calls", f"{self._core}/calls/index.json", params)
        cdrs = (item.get("Cdr") for item in items)
        listed = (read_listed(cdr, region=region) for cdr in cdrs if isinstance(cdr, dict))
        return CallPage(
            calls=[call for call in listed if call is not None],
            pages=read_whole(data.get("pageCount")) or 1,
            total=read_whole(data.get("itemsCount")) or 0,
        )

    def agents(self) -> list[Agent]:
        """All agents. What else an item holds (it may hold a password) is left where it is."""
        found = []
        for item in self._pages("agents", f"{self._core}/agents/index.json", {"limit": str(LARGEST_PAGE)}, 5):
            agent = item.get("Agent")
            agent_id = read_call_id(agent.get("id")) if isinstance(agent, dict) else None
            if agent is None or agent_id is None:
                continue
            name = read_person(agent.get("firstname"), agent.get("lastname"))
            found.append(Agent(agent_id=agent_id, name=name, email=read_email(agent.get("email"))))
        return found

    def _pages(
        self, operation: str, url: str, params: Mapping[str, str], most: int
    ) -> Iterator[Mapping[str, Any]]:
        for page in range(1, most + 1):
            items, data = self._page(operation, url, {**params, "page": str(page)})
            yield from items
            if page >= (read_whole(data.get("pageCount")) or 1):
                return

    def _page(
        self, operation: str, url: str, params: Mapping[str, str]
    ) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
        """The items of one page, and the envelope around them."""
        reply = self._service.request(operation, "GET", url, params=params)
        data = reply.body.get("responseData") if isinstance(reply.body, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("data"), list):
            raise Unavailable(f"cloudtalk answered {operation} without a list")
        return [item for item in data["data"] if isinstance(item, dict)], data


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


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
            raise Unavailable("cloudtalk sent a part of a recording and does not say which")
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
