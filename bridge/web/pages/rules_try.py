"""`/rules/try`: what other rules would make of past calls. Nothing is stored or written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.domain.moments import read_moment
from bridge.domain.rules.file import LARGEST_FILE, read_rules_bytes
from bridge.errors import WrongUse
from bridge.reports.what_if import Difference, WhatIf
from bridge.reports.what_if_in_words import cost_text, kind_lines, remarks, value_text
from bridge.settings import Settings
from bridge.web.answers import Refused
from bridge.web.desk import Desk
from bridge.web.pages.forms import read_form
from bridge.web.pages.frame import show
from bridge.web.pages.guard import operators_only
from bridge.wiring import shares

PLACE = "/rules/try"
# Each byte of the text may take three in a form.
_LARGEST_FORM = 3 * LARGEST_FILE + 1000
_WITHIN_S = 20.0
# Beyond it, to end: a batch that is being read, and the page.
_AND_TO_END_S = 5.0
_MOST_CALLS = 50_000
_MOST_SHOWN = 200
_MOST_MISTAKES = 20
# It takes a processor: one at a time for each web process.
_NOTHING: Mapping[str, Any] = MappingProxyType(
    {"mistakes": [], "more_mistakes": 0, "wrong": "", "trial": None}
)
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
        return {**_NOTHING, "text": text, "since": since, **_compared(desk, settings, text, since)}

    async with _turn:
        values = await desk.run(work, within_s=_WITHIN_S + _AND_TO_END_S)
    return await show(request, "rules_try.html", lambda: values)


def _compared(desk: Desk, settings: Settings, text: str, since: str) -> Mapping[str, Any]:
    # As browsers send the lines of a text.
    found = read_rules_bytes(text.replace("\r\n", "\n").encode())
    if found.wrong:
        lines = [one.at("line").removeprefix("line:") for one in found.wrong]
        return {"mistakes": lines[:_MOST_MISTAKES], "more_mistakes": max(0, len(lines) - _MOST_MISTAKES)}
    now = datetime.now(UTC)
    try:
        began = read_moment("since", since, now=now, zone=settings.time_zone)
    except WrongUse as error:
        return {"wrong": str(error)}
    if began >= now:
        return {"wrong": "since: must be in the past"}
    would = found.rules.placed(region=settings.phone_region, zone=settings.time_zone)
    trial = WhatIf(
        ledger=desk.ledger,
        was=desk.rules,
        would=would,
        since=began,
        until=now,
        now=now,
        ends=time.monotonic() + _WITHIN_S,
        most=_MOST_CALLS,
    )
    rows: list[dict[str, Any]] = []
    for one in trial:
        if len(rows) < _MOST_SHOWN:
            rows.append(_row(one))
    return {
        "trial": trial,
        "rows": rows,
        "kinds": kind_lines(trial),
        "cost": cost_text(trial, shares(settings)) if trial.differing else "",
        "remarks": [*remarks(trial)],
        "file": str(settings.callbridge_rules or ""),
    }


def _row(one: Difference) -> dict[str, Any]:
    return {
        "call": one.call_id or one.uuid or one.key,
        "place": f"/calls/{quote(one.key, safe=':')}",
        "started": one.started_at,
        "changes": [
            (name, value_text(one.was, name), value_text(one.would, name), name in one.stays)
            for name in dict.fromkeys([*one.was, *one.would])
        ],
    }


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
