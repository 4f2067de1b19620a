"""`/api/accounts`: how every account of the deployment stands."""

from __future__ import annotations

from bridge.reports.accounts import list_accounts
from bridge.web.api.operations import ApiRequest, Content
from bridge.web.api.requests import AccountsQuery


async def accounts(request: ApiRequest[AccountsQuery]) -> Content:
    front, numbers, given = request.http.app.accounts, request.http.app.state.numbers, request.given
    page = await request.desk.run(
        lambda: list_accounts(
            front.source,
            numbers.overviews(),
            q=given.q,
            state=given.state,
            cursor=given.cursor,
            limit=given.limit,
        )
    )
    return 200, {"accounts": [row.as_json() for row in page.rows], "next": page.next}
