"""A sync rehearsed: by the very code that writes, on a copy of the record, with nobody at the other end.

Look-ups are answered with "not there", writes as if they were carried out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
from structlog.testing import capture_logs

from bridge.deps import Deps, JobResult
from bridge.errors import BridgeError, Unavailable
from bridge.ledger.calls.record_fields import Field
from bridge.sync.job import sync

_UPLOADS = "https://uploads.invalid/"
_LISTS = ("conversations", "notes", "messages", "users", "teams", "search", "customers")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """Args: body: JSON; None where there is none, or where it is a file."""

    method: str
    path: str
    body: Any = None

    @property
    def is_look_up(self) -> bool:
        return self.method == "GET" or self.path.partition("?")[0].endswith("/search")


class Nobody(httpx2.BaseTransport):
    """Takes down every request and answers as a service would that knows nothing yet."""

    def __init__(self) -> None:
        self.sent: list[SentRequest] = []
        self._there: dict[str, dict[str, Any]] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url, path = request.url, request.url.path
        if str(url).startswith(_UPLOADS):
            self.sent.append(SentRequest(method=request.method, path=str(url)))
            return httpx2.Response(204)
        body = json.loads(content) if (content := request.read()) else None
        self.sent.append(SentRequest(method=request.method, path=url.raw_path.decode(), body=body))
        return self._answer(request.method, path, body)

    def _answer(self, method: str, path: str, body: Any) -> httpx2.Response:
        last = path.rpartition("/")[2]
        if method == "GET" or last == "search":
            if last in self._there:
                return httpx2.Response(200, json={"data": self._there[last]})
            if last == "index.json":
                return httpx2.Response(200, json={"responseData": {"pageCount": 1, "data": []}})
            if last in _LISTS:
                return httpx2.Response(200, json={"data": [], "links": {}, "meta": {}})
            return httpx2.Response(404, json={"errors": [{"status": 404, "title": "not found"}]})
        attributes = body if isinstance(body, dict) else {}
        if method != "POST":
            there = self._there.setdefault(last, {"id": last, "attributes": {}, "relationships": {}})
            there["attributes"] = {**there["attributes"], **attributes}
            return httpx2.Response(200, json={"data": there})
        number = len(self._there) + 1
        id_ = str(attributes.get("id") or f"{number:024x}")
        made = {
            "id": id_,
            "type": last.removesuffix("s"),
            "attributes": attributes,
            "relationships": {},
        }
        self._there[id_] = made
        upload = {"upload": {"url": _UPLOADS, "fields": {"key": id_}}} if last == "attachments" else {}
        return httpx2.Response(201, json={"data": made, "meta": upload})


class NoFile:
    """In place of the storage: files are not read for a rehearsal."""

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a sync would do.

    Args:
        reason: why it is not written, or what is to be said of it.
        written: whether anything would be written.
    """

    reason: str = ""
    looked_up: Sequence[SentRequest] = ()
    requests: Sequence[SentRequest] = ()
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def written(self) -> bool:
        return bool(self.requests)


def rehearse(key: str, deps: Deps, nobody: Nobody) -> Rehearsal:
    """Sync a call.

    Args:
        deps: with a ledger of its own, on which the record was copied, and clients that reach `nobody`.
    """
    deps.ledger.schedule("sync", key, in_ms=0)
    claim = deps.ledger.claim("sync", key)
    if claim is None:
        raise Unavailable("the rehearsal's own ledger does not answer as it should; try again")
    problem = ""
    result = JobResult()
    try:
        # What would be logged has not happened.
        with capture_logs():
            result = sync(claim, deps)
    except BridgeError as error:
        problem = str(error)
    reason = str(result.fields.get(Field.REASON) or problem or "")
    writes = [one for one in nobody.sent if not one.is_look_up]
    return Rehearsal(
        reason=reason,
        looked_up=[one for one in nobody.sent if one.is_look_up],
        requests=writes,
        shown=_shown(writes),
    )


def _shown(writes: Sequence[SentRequest]) -> dict[str, Any]:
    """What people will see of it: title, status and tags of the conversation, the texts."""
    found: dict[str, Any] = {}
    for one in writes:
        parts = one.path.partition("?")[0].split("/")
        body = one.body if isinstance(one.body, dict) else {}
        if "conversations" in parts and parts[-1] not in ("notes", "messages"):
            for name in ("name", "status", "tags"):
                with suppress(KeyError):
                    found["title" if name == "name" else name] = body[name]
        if parts[-1] == "notes":
            found["note"] = body.get("body", "")
        if parts[-1] == "messages":
            found["message"] = body.get("preview", "")
    return found
