"""`/`: are calls arriving, how late, what is stuck, what is wrong and what mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from bridge.ledger.queue.connections import TITLES
from bridge.ledger.traffic import Count
from bridge.reports.now import Now, now_view
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.call_rows import line
from bridge.web.pages.charts import Bar, bars_of, share_of
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in
from bridge.web.pages.rendering import places_of
from bridge.wording import counted


@signed_in
async def now(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    zone = ZoneInfo(desk.rules.zone)

    def work() -> dict[str, Any]:
        found = now_view(desk.ledger, desk.rules, desk.queue(), pages=places_of(request))
        return {
            "problems": found.problems,
            "numbers": _numbers(found, zone),
            "charts": [
                _chart("Last hour", found.traffic.minutes, zone, each="minute"),
                _chart("Last 24 hours", found.traffic.hours, zone, each="hour"),
            ],
            "lanes": [(name, lane) for name, lane in found.queue["lanes"].items()],
            "slow": [(TITLES.get(name, name), what) for name, what in found.queue["slow"].items()],
            "budgets": [_budget(name, state) for name, state in found.queue["budgets"].items()],
            "processes": found.running,
            "rows": [line(row, masked=person.masked, heard=row.key in found.heard) for row in found.rows],
            "last_webhook": found.traffic.last_webhook_at,
        }

    return await show(request, "now.html", work)


def _numbers(found: Now, zone: ZoneInfo) -> list[tuple[str, str, str, str]]:
    """Name, number, what to know about it, colour."""
    queue, delay = found.queue, found.usual_delay_s
    oldest = queue["lanes"]["live"]["oldest_due_s"]
    missing = queue["calls_missing"]
    return [
        (
            "written, last hour",
            f"{found.in_last_hour('written'):,}",
            f"of {counted(found.in_last_hour('calls'), 'new call')}",
            "",
        ),
        (
            "hang-up to note",
            _span(delay) if delay is not None else "–",
            f"median of the last {len(found.delays_s)}" if found.delays_s else "no call written yet",
            "",
        ),
        (
            "late now",
            f"{queue['overdue']:,}",
            f"the oldest live call by {_span(oldest)}"
            if oldest >= 1 and queue["overdue"]
            else "nothing is late",
            "warn" if queue["overdue"] else "",
        ),
        (
            "missed, open",
            f"{found.missed_open:,}",
            f"the longest since {_day_and_clock(found.missed_since, zone)}"
            if found.missed_since
            else "nobody waits for a call back",
            "",
        ),
        ("parked", f"{queue['parked']:,}", "jobs given up", "bad" if queue["parked"] else ""),
        ("held", f"{queue['held']:,}", "webhooks without a call", "warn" if queue["held"] else ""),
        (
            "missing",
            "–" if missing is None else f"{missing:,}",
            "not compared yet" if missing is None else "of CloudTalk's list",
            "bad" if missing else "",
        ),
    ]


def _chart(title: str, counts: Sequence[Count], zone: ZoneInfo, *, each: str) -> dict[str, Any]:
    """Calls that came and that were written, with jobs that were given up."""
    came, written, parked = (
        [getattr(one, what) for one in counts] for what in ("calls", "written", "parked")
    )
    label = (
        f"{title}, by the {each}: {counted(sum(came), 'new call')}, {sum(written):,} written, "
        f"{counted(sum(parked), 'job')} parked"
    )
    titles = [
        f"{_clock(one.at, zone)}: {counted(one.calls, 'new call')}, {one.written:,} written, "
        f"{one.parked:,} parked"
        for one in counts
    ]
    middle = counts[len(counts) // 2].at
    bars: list[Bar] = bars_of([("first", written), ("second", parked)], titles, beside=came)
    return {
        "title": title,
        "label": label,
        "bars": bars,
        "legend": [
            ("rest", f"{sum(came):,} new"),
            ("first", f"{sum(written):,} written"),
            ("second", f"{sum(parked):,} parked"),
        ],
        "ends": [_clock(counts[0].at, zone), _clock(middle, zone), "now"],
    }


def _budget(service: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """A service: what is left of our share, how many jobs wait for a place, and when these are through."""
    jobs = sum(lane["jobs"] for lane in state["waiting"].values())
    used = state["per_window"] - state["left"]
    left = f"{state['left']:,} of {state['per_window']:,} requests left in {state['window_s']:g} s"
    if state["closed_for_s"] > 0:
        left = f"rate limited by the service for {state['closed_for_s']:.0f} s"
    waits = f"{counted(jobs, 'job')} waiting, done in {_about(state['drain_s'])}" if jobs else "nothing waits"
    share = share_of(used, state["per_window"])
    tone = "bad" if state["closed_for_s"] > 0 else "warn" if jobs else "first"
    return {
        "service": TITLES.get(service, service),
        "left": left,
        "waits": waits,
        "share": share,
        "tone": tone,
    }


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _about(seconds: float) -> str:
    return f"about {_span(seconds)}"


def _day_and_clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %H:%M}"


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"
