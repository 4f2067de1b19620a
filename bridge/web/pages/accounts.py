"""`/accounts`: all accounts of the deployment, for the deployment's own people."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.reports.accounts import MOST_A_PAGE, STATES, list_accounts
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

PLACE = "/accounts"


@signed_in
async def listing(request: Request) -> Response:
    front = request.app.accounts
    numbers = request.app.state.numbers
    params = request.query_params
    q, state, cursor = (params.get(name, "").strip()[:100] for name in ("q", "state", "cursor"))
    given = {"q": q, "state": state, "cursor": cursor}
    wanted = {name: text for name, text in given.items() if text and name != "cursor"}

    def work() -> dict[str, Any]:
        page = list_accounts(front.source, numbers.overviews(), q=q, state=state, cursor=cursor)
        place = f"{PLACE}?{urlencode(wanted)}" if wanted else PLACE
        more = urlencode({**wanted, "cursor": page.next or ""})
        return {
            "rows": page.rows,
            "found": page.found,
            "wrong": front.source.complaints()[:20],
            "asked": given,
            "is_filtered": bool(wanted),
            "states": STATES,
            "first": place if given["cursor"] else None,
            "next": f"{PLACE}?{more}" if page.next else None,
            "most": MOST_A_PAGE,
        }

    return await show(request, "accounts.html", work)


# With a slash as people type it, too.
ROUTES = [Route(place, listing, methods=["GET"]) for place in (PLACE, f"{PLACE}/")]
