"""`/messages`: text messages, what became of each, and where it is in Kustomer."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.errors import WrongUse
from bridge.ledger.messages.records import MessageRow, messages_page
from bridge.links import AppLinks
from bridge.reports.messages import find_message, line_of, message_view
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

PLACE = "/messages"
_SHOWN = 50
_ABSENT = ("Message not found", "There is no message at this address. It may have been forgotten.")


@signed_in
async def listing(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    cursor = request.query_params.get("cursor", "")

    def work() -> dict[str, Any]:
        try:
            page = messages_page(desk.ledger, cursor=cursor, limit=_SHOWN)
        except WrongUse:
            page = messages_page(desk.ledger, limit=_SHOWN)
        following = f"{PLACE}?{urlencode({'cursor': page.next})}" if page.next else None
        return {
            "rows": [_line(row, request) for row in page.items],
            "next": following,
            "first": PLACE if cursor else None,
            "writes": desk.rules.write_messages,
        }

    return await show(request, "messages.html", work)


@signed_in
async def one(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person

    def work() -> dict[str, Any] | None:
        record = find_message(desk.ledger, request.path_params["key"])
        if record is None:
            return None
        view = message_view(desk.ledger, desk.rules, record, raw=person.operates, masked=person.masked)
        return {"it": view, "there": _there(view["conversation_id"], request)}

    return await show(request, "text_message.html", work, missing=_ABSENT)


def place_of(key: str) -> str:
    return f"{PLACE}/{quote(key, safe=':')}"


def _line(row: MessageRow, request: Request) -> dict[str, Any]:
    return {**line_of(row), "place": place_of(row.key), "there": _there(row.conversation_id, request)}


def _there(conversation_id: str | None, request: Request) -> str | None:
    links: AppLinks = request.app.state.app_links
    return links.conversation(conversation_id) if conversation_id else None


ROUTES = [
    Route(PLACE, listing, methods=["GET"]),
    Route(f"{PLACE}/{{key}}", one, methods=["GET"]),
]
