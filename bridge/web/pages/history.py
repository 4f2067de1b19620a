"""`/refused` and `/trail`: what was not let in, and who did what by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.domain.moments import read_moment
from bridge.errors import WrongUse
from bridge.ledger import trail
from bridge.reports.entries import trail_entries
from bridge.reports.refusals import ADVICE, refused_over_time
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.charts import bars_of
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in
from bridge.wording import counted

# Hours that the chart may show.
_SPANS = {"day": 24, "week": 7 * 24}
_TRAIL_SHOWN = 50
_MOST_PEOPLE = 1000


@signed_in
async def refused(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    span = request.query_params.get("span", "day")
    hours = _SPANS.get(span, 24)
    cause = request.query_params.get("cause", "")
    cause = cause if cause in ADVICE else ""

    def work() -> dict[str, Any]:
        found = refused_over_time(desk.ledger, hours=hours, cause=cause)
        zone = ZoneInfo(desk.rules.zone)
        titles = [
            f"{at.astimezone(zone):%a %H:%M}: {many} refused"
            for at, many in zip(found.hours, found.counts, strict=True)
        ]
        return {
            "causes": found.causes,
            "bars": bars_of([("second", found.counts)], titles),
            "sum": sum(found.counts),
            "label": f"{counted(sum(found.counts), 'webhook')} refused in {hours} hours, by the hour",
            "ends": [f"{found.hours[at].astimezone(zone):%a %H:%M}" for at in (0, -1)],
            "span": "week" if hours > 24 else "day",
            "cause": cause,
        }

    return await show(request, "refused.html", work)


@signed_in
async def trail_page(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    given = request.query_params
    wanted = {
        name: text
        for name in ("who", "call", "since", "until")
        if (text := given.get(name, "").strip()[:100])
    }
    now, zone = datetime.now(UTC), desk.rules.zone

    def work() -> dict[str, Any]:
        people = sorted({line["who"] for line in trail.read(desk.ledger, most=_MOST_PEOPLE)})
        context: dict[str, Any] = {
            "people": people,
            "wanted": wanted,
            "lines": [],
            "next": None,
            "first": None,
            "wrong": "",
        }
        record = desk.ledger.find(wanted["call"]) if "call" in wanted else None
        try:
            lines, next_ = trail_entries(
                desk.ledger,
                desk.rules,
                masked=person.masked,
                who=wanted.get("who", ""),
                call=wanted.get("call", "") if record is None else record.key,
                cursor=given.get("cursor", ""),
                limit=_TRAIL_SHOWN,
                **{
                    name: read_moment(name, wanted[name], now=now, zone=zone)
                    for name in ("since", "until")
                    if name in wanted
                },
            )
        except WrongUse as error:
            return {**context, "wrong": str(error)}
        place = f"/trail?{urlencode(wanted)}"
        return {
            **context,
            "lines": [{**line, "place": _call_place(line["call"])} for line in lines],
            "next": f"{place}&cursor={quote(next_)}" if next_ else None,
            "first": place if given.get("cursor") else None,
        }

    return await show(request, "trail.html", work)


def _call_place(key: str | None) -> str | None:
    return None if key is None else f"/calls/{quote(key, safe=':')}"


ROUTES = [
    Route("/refused", refused, methods=["GET"]),
    Route("/trail", trail_page, methods=["GET"]),
]
