"""`/setup`: is everything there, what to paste into CloudTalk, and the webhooks as they come."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.checks.cached import CachedChecks
from bridge.domain.webhook.templates import PLACE as IN_CLOUDTALK
from bridge.domain.webhook.templates import TEMPLATES, as_data
from bridge.ledger.calls.received import received
from bridge.reports.listener import delivery_view
from bridge.settings import Settings
from bridge.web.callers import Callers, Person
from bridge.web.desk import Desk
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

PLACE = "/setup"
_LISTED = 8
_WORST_FIRST = ("FAIL", "warn", "ok")


@signed_in
async def setup(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    settings: Settings = request.app.state.settings
    checks: CachedChecks = request.app.state.checks
    checked = await checks.look()
    mark = request.query_params.get("mark", "")
    callers: Callers = request.app.state.callers
    here = f"{request.url.scheme}://{request.url.netloc}{callers.outer_root(request.scope)}"
    base = (settings.public_url or here).rstrip("/")

    def work() -> dict[str, Any]:
        newest = received(desk.ledger, most=_LISTED)
        shown = next((one for one in newest if one.mark == mark), newest[0] if newest else None)
        counts = desk.ledger.counts()
        return {
            "checked": checked,
            "checks": sorted(checked.checks, key=lambda one: _WORST_FIRST.index(one.state)),
            "last": None if shown is None else _delivery(shown, desk, person),
            "deliveries": [_line(one) for one in newest],
            "is_live": not mark or (bool(newest) and newest[0].mark == mark),
            "templates": [_template(name, base, settings.webhooks_path, counts) for name in TEMPLATES],
            "in_cloudtalk": IN_CLOUDTALK,
            "base": base,
            "has_public_url": settings.public_url is not None,
            "has_tokens": bool(settings.webhook_tokens or settings.webhook_signing_secrets),
        }

    return await show(request, "setup.html", work)


def _delivery(one: Any, desk: Desk, person: Person) -> dict[str, Any]:
    context = delivery_view(one, desk.rules, hides_people=person.masked)
    return {**context, "place": _call_place(context["call"])}


def _line(one: Any) -> dict[str, Any]:
    return {
        "mark": one.mark,
        "at": one.at,
        "trigger": one.trigger or "no event named",
        "answer": one.answer,
        "call": one.call,
        "place": _call_place(one.call),
    }


def _call_place(call: str | None) -> str | None:
    return None if call is None else f"/calls/{quote(call, safe=':')}"


def _template(trigger: str, base: str, below: str, counts: dict[str, int]) -> dict[str, Any]:
    context = as_data(TEMPLATES[trigger], base, below=below)
    body = {key["key"]: key["value"] for key in context["keys"]}
    taken = sum(counts.get(f"webhook:{trigger}:{answer}", 0) for answer in ("accepted", "duplicate", "held"))
    return {**context, "body": json.dumps(body, indent=2), "received": taken}


ROUTES = [Route(PLACE, setup, methods=["GET"])]
