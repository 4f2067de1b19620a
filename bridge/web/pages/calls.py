"""`/calls`: the calls that pass a search, a page at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.errors import WrongUse
from bridge.reports.call_csv import csv_link
from bridge.reports.call_list import DIRECTIONS, OUTCOMES, SEARCH_FIELDS, Search
from bridge.reports.call_state import STATES
from bridge.reports.now import with_recording
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.call_rows import line
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

_ASKED = ("q", "state", "outcome", "direction", "agent", "since", "until")


@signed_in
async def calls(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    given = {name: request.query_params.get(name, "").strip() for name in SEARCH_FIELDS}
    asked = {name: given[name] for name in _ASKED}
    try:
        search, wrong = Search.read(given, now=datetime.now(UTC), zone=desk.rules.zone), ""
    except WrongUse as error:
        search, wrong = Search(limit=1), str(error)

    def work() -> dict[str, Any]:
        rows, following = [], None
        if not wrong:
            found = desk.find_calls(search)
            heard = with_recording(desk.ledger, found.rows)
            rows = [line(row, masked=person.masked, heard=row.key in heard) for row in found.rows]
            following = found.next
        return {
            "asked": asked,
            "wrong": f"{wrong[:1].upper()}{wrong[1:]}." if wrong else "",
            "is_filtered": any(asked.values()),
            "rows": rows,
            "next": _address(asked, following) if following else None,
            "first": _address(asked) if given["cursor"] else None,
            "csv": csv_link(asked),
            "states": STATES,
            "outcomes": OUTCOMES,
            "directions": DIRECTIONS,
        }

    return await show(request, "calls.html", work, status=400 if wrong else 200)


def _address(asked: dict[str, str], cursor: str | None = None) -> str:
    filters = {name: text for name, text in asked.items() if text} | ({"cursor": cursor} if cursor else {})
    return f"/calls?{urlencode(filters)}" if filters else "/calls"


ROUTES = [Route("/calls", calls, methods=["GET"])]
