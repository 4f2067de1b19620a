"""`/rules`: the rules in force, with their origin."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.reports.masking import scrubbed
from bridge.reports.rules_in_words import groups_of, rules_in_words
from bridge.settings import Settings
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in


@signed_in
async def rules(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    settings: Settings = request.app.state.settings
    person: Person = request.state.person

    def work() -> dict[str, Any]:
        lines = rules_in_words(desk.rules, settings, hides_people=person.masked)
        file, source = settings.callbridge_rules, desk.rules_source
        return {
            "groups": groups_of(lines),
            "file": str(file) if file else "",
            "version": desk.rules.version,
            "wrong": scrubbed(source.wrong) if person.masked else source.wrong,
        }

    return await show(request, "rules.html", work)


ROUTES = [Route("/rules", rules, methods=["GET"])]
