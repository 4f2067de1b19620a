"""`/api`: the queue and the calls as JSON, and running things again. Redis is asked in threads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from bridge.domain.rules import Rules
from bridge.errors import WrongUse
from bridge.ledger import trail
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import parked
from bridge.ledger.queue.connections import Connections
from bridge.reports.call_csv import csv_pieces
from bridge.reports.call_list import SEARCH_FIELDS, CallPage, Search, find_calls, list_calls
from bridge.reports.views import call_view, queue_view
from bridge.web.answers import Refused
from bridge.web.webhooks.body import LARGEST, parse_object, read_body, too_large

T = TypeVar("T")

# Redis' own timeout is 1 s; a list takes several commands.
_WITHIN_S = 1.7
_REPLAY_WITHIN_S = 1.2
_MOST_NAMED = 100
_MOST_DROPPED = 500


class Desk:
    """What the handlers work on: the ledger, and threads in which it may block."""

    def __init__(
        self, ledger: Ledger, budgets: tuple[Budget, ...], connections: Connections, rules: Rules
    ) -> None:
        self.ledger, self.budgets, self.connections, self.rules = ledger, budgets, connections, rules
        # With Redis frozen each one blocks for a second or two: a few, so that a crowd cannot use up memory.
        self._threads = anyio.CapacityLimiter(8)

    @property
    def threads(self) -> int:
        return int(self._threads.total_tokens)

    @property
    def busy(self) -> int:
        return self._threads.borrowed_tokens

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` beside the event loop.

        Raises:
            TimeoutError: it takes too long; what it did so far stays done.
        """
        with anyio.fail_after(_WITHIN_S):
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    # The same, for pages and metrics too.

    def queue(self) -> dict[str, Any]:
        return queue_view(self.ledger, self.budgets, self.connections)

    def calls(self, search: Search) -> dict[str, Any]:
        return list_calls(self.ledger, self.rules, search)

    def find_calls(self, search: Search) -> CallPage:
        return find_calls(self.ledger, self.rules, search)

    def call(self, text: str) -> dict[str, Any] | None:
        record = self.ledger.find(text)
        return None if record is None else call_view(self.ledger, self.rules, record)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def queue(request: Request) -> JSONResponse:
    return _answer(await _desk(request).run(_desk(request).queue))


async def processes(request: Request) -> JSONResponse:
    """Every process that runs, also each of a worker that has several."""
    ledger = _desk(request).ledger
    found = await _desk(request).run(ledger.processes)
    return _answer({"processes": [one.shown() for one in found], "next": None})


async def calls(request: Request) -> JSONResponse:
    search = _search(request)
    return _answer(await _desk(request).run(lambda: _desk(request).calls(search)))


async def calls_csv(request: Request) -> StreamingResponse:
    """The calls that pass the filters, from the cursor on, as a file; `limit` is not looked at."""
    desk, search = _desk(request), _search(request)
    pieces = csv_pieces(desk.find_calls, search, zone=desk.rules.zone, mask=False)
    # Redis is asked before the answer begins: without it the answer is 503.
    first = await desk.run(lambda: next(pieces) + next(pieces))

    async def body() -> AsyncIterator[str]:
        yield first
        while (piece := await desk.run(lambda: next(pieces, None))) is not None:
            yield piece

    headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
    return StreamingResponse(body(), media_type="text/csv; charset=utf-8", headers=headers)


def _search(request: Request) -> Search:
    given = {name: request.query_params.get(name, "") for name in SEARCH_FIELDS}
    try:
        return Search.read(given, now=datetime.now(UTC), zone=_desk(request).rules.zone)
    except WrongUse as error:
        raise Refused(400, "query", "invalid search", str(error)) from error


async def call(request: Request) -> JSONResponse:
    found = await _desk(request).run(lambda: _desk(request).call(request.path_params["name"]))
    if found is None:
        raise _unknown()
    return _answer(found)


async def sync(request: Request) -> JSONResponse:
    desk, name, who = _desk(request), request.path_params["name"], request.state.person.name

    def work() -> str | None:
        record = desk.ledger.find(name)
        if record is not None and record.forgotten:
            raise Refused(
                409, "forgotten", "the call was forgotten on request", "There is nothing left to sync."
            )
        if record is not None:
            desk.ledger.replay("sync", record.key, who=who)
            trail.leave(desk.ledger, who=who, what="run again: sync", call=record.key)
        return None if record is None else record.key

    key = await desk.run(work)
    if key is None:
        raise _unknown()
    return _answer({"status": "queued", "call": key}, 202)


async def replay_parked(request: Request) -> JSONResponse:
    """Run parked jobs again: all, or those of a kind, a cause, a call.

    What does not fit into one request is told as `left`: ask again. `gone` were not parked any more.
    """
    wanted, dry_run, _ = await _chosen(request)
    ledger, who = _desk(request).ledger, request.state.person.name

    def work() -> dict[str, Any]:
        jobs = parked.choose(ledger, wanted)
        if dry_run:
            return {"would_replay": len(jobs), "calls": _calls(jobs)}
        done = parked.run_again(ledger, jobs, who=who, within_s=_REPLAY_WITHIN_S)
        left = len(jobs) - len(done.queued) - len(done.gone)
        return {
            "replayed": len(done.queued),
            "calls": _calls(done.queued),
            "gone": len(done.gone),
            "left": left,
        }

    return _answer(await _desk(request).run(work), 200 if dry_run else 202)


async def drop_parked(request: Request) -> JSONResponse:
    """Take parked jobs off the list, by the same filter, with a reason."""
    wanted, dry_run, reason = await _chosen(request, wants_reason=True)
    ledger, who = _desk(request).ledger, request.state.person.name

    def work() -> dict[str, Any]:
        jobs = parked.choose(ledger, wanted)
        if dry_run:
            return {"would_drop": len(jobs), "calls": _calls(jobs)}
        # As many as surely fit into one request.
        done = parked.drop(ledger, jobs[:_MOST_DROPPED], who=who, reason=reason)
        return {"dropped": len(done), "calls": _calls(done), "left": len(jobs[_MOST_DROPPED:])}

    return _answer(await _desk(request).run(work))


async def _chosen(request: Request, *, wants_reason: bool = False) -> tuple[dict[str, str], bool, str]:
    """The filter in the body, whether it is only to be tried, and the reason.

    Raises:
        Refused: something in it is not known; then nothing is done.
    """
    if int(request.headers.get("content-length") or 0) > LARGEST:
        raise too_large()
    raw = await read_body(request.receive)
    told = parse_object(raw) if raw.strip() else {}
    dry_run = told.pop("dry_run", False)
    if not isinstance(dry_run, bool):
        raise Refused(400, "fields", "'dry_run' is not true or false", "With true, nothing is changed.")
    reason = told.pop("reason", "") if wants_reason else ""
    if wants_reason and not (isinstance(reason, str) and reason.strip()):
        raise Refused(400, "fields", "'reason' is missing", "Give the reason as text.")
    for name, value in told.items():
        if name not in parked.FILTERS or not isinstance(value, str):
            hint = (
                f"The fields are {', '.join(parked.FILTERS)}, each a text; none of them selects all parked "
                "jobs."
            )
            raise Refused(400, "fields", f"{name!r} is not a known field, or not a text", hint)
    return told, dry_run, str(reason).strip()


def _calls(jobs: Sequence[parked.Parked]) -> list[str]:
    return list(dict.fromkeys(job.key for job in jobs))[:_MOST_NAMED]


def _unknown() -> Refused:
    return Refused(
        404,
        "unknown-call",
        "no such call",
        "Use a key, call id or uuid, as listed by `callbridge calls ls`.",
    )


def _answer(content: dict[str, Any], status: int = 200) -> JSONResponse:
    return _Json(content, status_code=status)


class _Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        # What was kept before a check was added must not make an answer impossible.
        return json.dumps(content, separators=(",", ":")).encode()


ROUTES = [
    Route("/queue", queue, methods=["GET"]),
    Route("/processes", processes, methods=["GET"]),
    Route("/calls", calls, methods=["GET"]),
    Route("/calls.csv", calls_csv, methods=["GET"]),
    Route("/calls/{name}", call, methods=["GET"]),
    Route("/calls/{name}/sync", sync, methods=["POST"]),
    Route("/parked/replay", replay_parked, methods=["POST"]),
    Route("/parked/drop", drop_parked, methods=["POST"]),
]
