"""`/api`: the queue and the calls as JSON, and running things again. Redis is asked in threads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bridge.domain.rules import Rules
from bridge.errors import WrongUse
from bridge.ledger import keys
from bridge.ledger.budget import Budget
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.web.answers import Refused
from bridge.web.body import LARGEST, parse_object, read_body, too_large
from bridge.web.listing import Search, list_calls
from bridge.web.views import call_view, queue_view

T = TypeVar("T")

# Redis' own timeout is 1 s; a list takes several commands.
_WITHIN_S = 1.7
_REPLAY_WITHIN_S = 1.2
_MOST_NAMED = 100


class Desk:
    """What the handlers work on: the ledger, and threads in which it may block."""

    def __init__(self, ledger: Ledger, budgets: tuple[Budget, ...], rules: Rules) -> None:
        self.ledger, self.budgets, self.rules = ledger, budgets, rules
        # With Redis frozen each one blocks for a second or two: a few, so that a crowd cannot use up memory.
        self._threads = anyio.CapacityLimiter(8)

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` beside the event loop.

        Raises:
            TimeoutError: it takes too long; what it did so far stays done.
        """
        with anyio.fail_after(_WITHIN_S):
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    # The same, for pages and metrics too.

    def queue(self) -> dict[str, Any]:
        return queue_view(self.ledger, self.budgets)

    def calls(self, search: Search) -> dict[str, Any]:
        return list_calls(self.ledger, self.rules, search)

    def call(self, text: str) -> dict[str, Any] | None:
        record = self.ledger.find(text)
        return None if record is None else call_view(self.ledger, self.rules, record)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def queue(request: Request) -> JSONResponse:
    return _answer(await _desk(request).run(_desk(request).queue))


async def calls(request: Request) -> JSONResponse:
    asked = {name: request.query_params.get(name, "") for name in ("q", "state", "cursor", "limit")}
    try:
        search = Search.of(**asked)
    except WrongUse as error:
        raise Refused(400, "query", "this is not a search", str(error)) from error
    return _answer(await _desk(request).run(lambda: _desk(request).calls(search)))


async def call(request: Request) -> JSONResponse:
    found = await _desk(request).run(lambda: _desk(request).call(request.path_params["name"]))
    if found is None:
        raise _unknown()
    return _answer(found)


async def sync(request: Request) -> JSONResponse:
    desk, name = _desk(request), request.path_params["name"]

    def work() -> str | None:
        record = desk.ledger.find(name)
        if record is not None:
            desk.ledger.replay("sync", record.key, who="api")
        return None if record is None else record.key

    key = await desk.run(work)
    if key is None:
        raise _unknown()
    return _answer({"status": "queued", "call": key}, 202)


async def replay_parked(request: Request) -> JSONResponse:
    if int(request.headers.get("content-length") or 0) > LARGEST:
        raise too_large()
    raw = await read_body(request.receive)
    wanted = parse_object(raw) if raw.strip() else {}
    known = ("kind", "cause", "call")
    for name, value in wanted.items():
        if name not in known or not isinstance(value, str):
            hint = f"Fields are {', '.join(known)}, each a text; none of them means all parked jobs."
            raise Refused(400, "fields", f"{name!r} is not a field of this, or not a text", hint)
    desk = _desk(request)
    return _answer(await desk.run(lambda: replay(desk.ledger, wanted, who="api")), 202)


def replay(ledger: Ledger, wanted: dict[str, str], *, who: str) -> dict[str, Any]:
    """Run parked jobs again: all, or those of a kind, a cause, a call.

    What does not fit into one request is told as `left`: ask again.
    """
    names: set[str] | None = None
    if "call" in wanted:
        record = ledger.find(wanted["call"])
        names = set() if record is None else {record.key, f"id:{record.call_id}"}
    chosen = []
    for job_name, job in ledger.parked().items():
        kind, key = keys.split_job(job_name)
        if (
            wanted.get("kind", kind) == kind
            and wanted.get("cause", job.get("cause")) == job.get("cause")
            and (names is None or key in names)
        ):
            chosen.append((kind, key, Lane(job.get("lane", Lane.LIVE))))
    ends = time.monotonic() + _REPLAY_WITHIN_S
    done: list[str] = []
    for kind, key, lane in chosen:
        if time.monotonic() > ends:
            break
        ledger.replay(kind, key, who=who, lane=lane)
        done.append(key)
    told = list(dict.fromkeys(done))[:_MOST_NAMED]
    return {"replayed": len(done), "calls": told, "left": len(chosen) - len(done)}


def _unknown() -> Refused:
    return Refused(
        404,
        "unknown-call",
        "no call is known by this",
        "Use a key, CloudTalk's call id or its uuid, as `callbridge calls ls` lists them.",
    )


def _answer(content: dict[str, Any], status: int = 200) -> JSONResponse:
    return _Json(content, status_code=status)


class _Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        # What was kept before a check was added must not make an answer impossible.
        return json.dumps(content, separators=(",", ":")).encode()


ROUTES = [
    Route("/queue", queue, methods=["GET"]),
    Route("/calls", calls, methods=["GET"]),
    Route("/calls/{name}", call, methods=["GET"]),
    Route("/calls/{name}/sync", sync, methods=["POST"]),
    Route("/parked/replay", replay_parked, methods=["POST"]),
]
