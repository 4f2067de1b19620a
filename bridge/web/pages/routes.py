"""`/`: how the bridge stands now, and the last calls. Nothing in it tells who called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from bridge.domain.moments import shown_time
from bridge.ledger.calls.reading import have_observation
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import missing
from bridge.ledger.queue.connections import TITLES, closed_as
from bridge.links import PLAYER
from bridge.reports.call_list import Search
from bridge.web.desk import Desk
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

_NUMBERS = ("due", "overdue", "waiting", "running", "parked", "held")


@signed_in
async def now(request: Request) -> Response:
    desk: Desk = request.app.state.desk

    def work() -> dict[str, Any]:
        calls: list[dict[str, Any]] = desk.calls(Search(limit=20))["calls"]
        heard = with_recording(desk.ledger, calls)
        queue, running = desk.queue(), desk.ledger.processes()
        numbers = [(name, queue[name], "", "") for name in _NUMBERS]
        if queue["calls_missing"] is not None:
            numbers.append(("calls missing", queue["calls_missing"], "", ""))
        return {
            "numbers": numbers,
            "down": _down(queue["connections"], zone=desk.rules.zone),
            "slow": [
                (TITLES.get(service, service), operation) for service, operation in queue["slow"].items()
            ],
            "budgets": [_budget(service, state) for service, state in queue["budgets"].items()],
            "processes": running,
            "missing": missing(running),
            "rows": [_row(call, heard=call["key"] in heard) for call in calls],
        }

    return await show(request, "now.html", work)


def with_recording(ledger: Ledger, calls: Sequence[dict[str, Any]]) -> set[str]:
    """Keys of the calls whose recording was stored, in one round trip."""
    parts = [(call["key"], call["key"]) for call in calls]
    parts += [(call["key"], f"id:{call['call_id']}") for call in calls if call["call_id"] is not None]
    found = have_observation(ledger, "recording", [part for _, part in parts]) if parts else []
    return {key for (key, _), there in zip(parts, found, strict=True) if there}


def _budget(service: str, state: Mapping[str, Any]) -> tuple[str, str, int, str]:
    """A service, what is left of our share, how many jobs wait for a place, and when these are through."""
    left = f"{state['left']} of {state['per_window']} in {state['window_s']:g} s"
    jobs = sum(lane["jobs"] for lane in state["waiting"].values())
    if state["closed_for_s"] > 0:
        left = f"rate limited by the service for {state['closed_for_s']:.0f} s"
    return TITLES.get(service, service), left, jobs, _span(state["drain_s"]) if jobs else ""


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def _down(connections: Mapping[str, dict[str, Any]], *, zone: str) -> list[dict[str, Any]]:
    """The connections that are down; a link that leads elsewhere than to a page is not one to open."""
    return [
        {
            **found,
            "since": shown_time(found["since"], zone),
            "says": closed_as(service, found["state"])
            or f"The Membrane connection to {TITLES.get(service, service)} ({found['connection']}) is "
            f"{found['state']}",
            "link": link if (link := found["link"] or "").startswith(("https://", "http://")) else None,
        }
        for service, found in connections.items()
        if found["state"] != "READY"
    ]


def _row(call: dict[str, Any], *, heard: bool) -> dict[str, Any]:
    key = quote(call["key"], safe=":")
    return {
        **call,
        "name": str(call["call_id"] or call["uuid"]),
        "tail": call["number_tail"],
        "detail": f"/api/calls/{key}",
        "player": f"{PLAYER}/{key}" if heard else None,
    }
