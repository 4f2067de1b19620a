"""`/api/messages`: text messages, and one of them."""

from __future__ import annotations

from typing import Any

from bridge.ledger.messages.records import messages_page
from bridge.reports.messages import find_message, line_of, message_view
from bridge.web.answers import Refused
from bridge.web.api.operations import ApiRequest, Content, told_of_filters
from bridge.web.api.requests import Paging, Query


async def messages(request: ApiRequest[Paging]) -> Content:
    desk, given = request.desk, request.given
    with told_of_filters():
        page = await desk.run(lambda: messages_page(desk.ledger, cursor=given.cursor, limit=given.limit))
    return 200, {"messages": [line_of(row) for row in page.items], "next": page.next}


async def message(request: ApiRequest[Query]) -> Content:
    desk, person, key = request.desk, request.person, request.named("key")

    def work() -> dict[str, Any] | None:
        record = find_message(desk.ledger, key)
        if record is None:
            return None
        return message_view(desk.ledger, desk.rules, record, raw=person.operates, masked=person.masked)

    found = await desk.run(work)
    if found is None:
        raise Refused(404, "unknown", "no such message", "GET /api/messages lists them.")
    return 200, found
