"""`/api/calls`: find calls, read one, have something done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import StreamingResponse

from bridge.errors import BridgeError, Rejected
from bridge.ledger.calls import by_hand
from bridge.ledger.calls.record import Record
from bridge.reports.call_csv import csv_pieces
from bridge.reports.call_list import Search
from bridge.reports.call_path import path_view
from bridge.reports.call_row import line_of, masked
from bridge.reports.masking import masked_view, without_raw_bodies
from bridge.reports.views import call_view
from bridge.web.answers import Refused
from bridge.web.api.operations import ApiRequest, Content, told_of_filters
from bridge.web.api.requests import CallsQuery, Confirmed, CustomerAssign, Nothing, Query, WithReason
from bridge.web.desk import FORGET_WITHIN_S, Desk

if TYPE_CHECKING:
    from bridge.jobs.erasure import Erasure

T = TypeVar("T")


async def calls(request: ApiRequest[CallsQuery]) -> Content:
    desk, search = request.desk, _search(request)
    page = await desk.run(lambda: desk.find_calls(search))
    rows = map(masked, page.rows) if request.person.masked else page.rows
    return 200, {"calls": [line_of(row) for row in rows], "next": page.next}


async def calls_csv(request: ApiRequest[CallsQuery]) -> StreamingResponse:
    """The calls that pass the filters, from the cursor on, as a file; `limit` is not looked at."""
    desk, search = request.desk, _search(request)
    pieces = csv_pieces(desk.find_calls, search, zone=desk.rules.zone, mask=request.person.masked)
    # Redis is asked before the answer begins: without it the answer is 503.
    first = await desk.run(lambda: next(pieces) + next(pieces))

    async def body() -> AsyncIterator[str]:
        yield first
        while (piece := await desk.run(lambda: next(pieces, None))) is not None:
            yield piece

    headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
    return StreamingResponse(body(), media_type="text/csv; charset=utf-8", headers=headers)


def _search(request: ApiRequest[CallsQuery]) -> Search:
    given = {name: str(value) for name, value in request.given.model_dump().items()}
    with told_of_filters():
        return Search.read(given, now=datetime.now(UTC), zone=request.desk.rules.zone)


async def call(request: ApiRequest[Query]) -> Content:
    desk, person, name = request.desk, request.person, request.named("key")
    found = await desk.run(lambda: call_for(desk, name, raw=person.operates, masked=person.masked))
    if found is None:
        raise unknown_call()
    return 200, found


def call_for(desk: Desk, name: str, *, raw: bool, masked: bool) -> dict[str, Any] | None:
    """One call as a person may see it; None where there is none.

    Args:
        raw: with the bodies that CloudTalk sent and answered.
        masked: without numbers and names.
    """
    record = desk.ledger.find(name)
    return None if record is None else view_for(desk, record, raw=raw, masked=masked)


def view_for(desk: Desk, record: Record, *, raw: bool, masked: bool) -> dict[str, Any]:
    """The same of a record that was read."""
    view = call_view(desk.ledger, desk.rules, record)
    if masked:
        call = record.call(desk.rules)
        return masked_view(view, call) | path_view(call, masked=True)
    return view if raw else without_raw_bodies(view)


async def sync(request: ApiRequest[Nothing]) -> Content:
    record, _ = await _done(
        request, lambda desk, record, who: by_hand.sync_again(desk.ledger, record, who=who)
    )
    return 202, {"status": "queued", "call": record.key}


async def assign(request: ApiRequest[CustomerAssign]) -> Content:
    customer_id = request.given.customer_id.lower()
    record, _ = await _done(
        request,
        lambda desk, record, who: by_hand.assign(
            desk.ledger, record, customer_id, number=record.call(desk.rules).external, who=who
        ),
    )
    return 202, {"status": "queued", "call": record.key, "customer_id": customer_id}


async def look(request: ApiRequest[Nothing]) -> Content:
    record, jobs = await _done(
        request, lambda desk, record, who: by_hand.look_again(desk.ledger, record, who=who)
    )
    return 202, {"status": "queued", "call": record.key, "jobs": jobs}


async def park(request: ApiRequest[WithReason]) -> Content:
    reason = request.given.reason
    record, jobs = await _done(
        request, lambda desk, record, who: by_hand.park(desk.ledger, record, who=who, reason=reason)
    )
    return 200, {"status": "parked", "call": record.key, "jobs": jobs}


async def drop(request: ApiRequest[WithReason]) -> Content:
    reason = request.given.reason
    record, jobs = await _done(
        request, lambda desk, record, who: by_hand.drop(desk.ledger, record, who=who, reason=reason)
    )
    return 200, {"status": "dropped", "call": record.key, "jobs": jobs}


async def forget(request: ApiRequest[Confirmed]) -> Content:
    """It may take longer than other answers: Redis' files are written anew."""
    desk, name, who = request.desk, request.named("key"), request.person.name

    def work() -> dict[str, Any]:
        record = desk.ledger.find(name)
        if record is None or record.forgotten:
            raise unknown_call()
        erasure: Erasure = request.http.app.state.erasure(who=who)
        return erasure.of_call(record).as_json()

    try:
        return 200, await desk.run(work, within_s=FORGET_WITHIN_S)
    except BridgeError as error:
        hint = "What is left here stays until it is done: ask again."
        raise Refused(503, "not-erased", str(error), hint, {"Retry-After": "30"}) from error


async def _done(request: ApiRequest[Any], work: Callable[[Desk, Record, str], T]) -> tuple[Record, T]:
    """Do something with the call that the path names, for the person who asks.

    Raises:
        Refused: 404 where there is none; 409 where it cannot be done now.
    """
    desk, name, who = request.desk, request.named("key"), request.person.name

    def run() -> tuple[Record, T]:
        record = desk.ledger.find(name)
        if record is None:
            raise unknown_call()
        try:
            return record, work(desk, record, who)
        except Rejected as error:
            raise Refused(409, "conflict", str(error), "GET /api/calls/{key} shows how it stands.") from error

    return await desk.run(run)


def unknown_call() -> Refused:
    return Refused(
        404,
        "unknown-call",
        "no such call",
        "Use a key, call id or uuid, as listed by `callbridge calls ls`.",
    )
