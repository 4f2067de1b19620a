"""`/rules/try`: what other rules would make of past calls. Nothing is stored or written."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.domain.rules.model import LARGEST_FILE
from bridge.settings import Settings
from bridge.web.answers import Refused
from bridge.web.desk import Desk
from bridge.web.pages.forms import read_form
from bridge.web.pages.frame import show
from bridge.web.pages.guard import operators_only

PLACE = "/rules/try"
# Each byte of the text may take three in a form.
_LARGEST_FORM = 3 * LARGEST_FILE + 1000
_WITHIN_S = 20.0
# Beyond it, to end: a batch that is being read, and the page.
_AND_TO_END_S = 5.0
_NOTHING: Mapping[str, Any] = MappingProxyType(
    {"mistakes": [], "more_mistakes": 0, "wrong": "", "trial": None}
)
# It takes a processor: one at a time for each web process.
_turn = anyio.CapacityLimiter(1)


@operators_only
async def form(request: Request) -> Response:
    settings: Settings = request.app.state.settings

    def work() -> dict[str, Any]:
        return {**_NOTHING, "text": _in_force(settings), "since": "7d"}

    return await show(request, "rules_try.html", work)


@operators_only
async def compare(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    settings: Settings = request.app.state.settings
    given = await read_form(request, most=20, largest=_LARGEST_FORM)
    text, since = given.get("text", ""), given.get("since", "").strip()[:100] or "7d"
    if not _turn.available_tokens:
        raise Refused(409, "busy", "another comparison is running", "Try again in a few seconds.")

    def work() -> dict[str, Any]:
        # Imported by the first comparison, which few ask for, and beside the event loop.
        from bridge.web.pages.rules_trial import compared

        found = compared(desk, settings, text, since, within_s=_WITHIN_S)
        return {**_NOTHING, "text": text, "since": since, **found}

    async with _turn:
        values = await desk.run(work, within_s=_WITHIN_S + _AND_TO_END_S)
    return await show(request, "rules_try.html", lambda: values)


def _in_force(settings: Settings) -> str:
    """The file in force, to change a copy of it; empty where there is none."""
    path = settings.callbridge_rules
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE).decode(errors="replace")
    except OSError:
        return ""


ROUTES = [Route(PLACE, form, methods=["GET"]), Route(PLACE, compare, methods=["POST"])]
