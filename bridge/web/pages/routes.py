"""The first page: what this is, how the queue stands, the last calls. Nothing in it tells who called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from bridge.domain.moments import shown_time
from bridge.ledger.calls.reading import have_observation
from bridge.ledger.faults import why
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Process, missing
from bridge.ledger.queue.connections import TITLES, closed_as
from bridge.links import PLAYER
from bridge.reports.call_list import Search
from bridge.web.answers import REDIS_AWAY
from bridge.web.api.routes import Desk
from bridge.web.pages.guard import signed_in
from bridge.web.pages.rendering import page

_NUMBERS = ("due", "overdue", "waiting", "running", "parked", "held")
_COLUMNS = ("state", "direction", "outcome", "started_at", "reason")


@signed_in
async def front(request: Request) -> Response:
    desk: Desk = request.app.state.desk

    def work() -> tuple[dict[str, Any], list[dict[str, Any]], list[Process]]:
        calls: list[dict[str, Any]] = desk.calls(Search(limit=20))["calls"]
        heard = with_recording(desk.ledger, calls)
        rows = [_row(call, heard=call["key"] in heard, zone=desk.rules.zone) for call in calls]
        return desk.queue(), rows, desk.ledger.processes()

    try:
        queue, rows, running = await desk.run(work)
    except REDIS_AWAY as error:
        return page(request, "front.html", status=503, numbers=None, why=why(error))
    numbers = [(name, queue[name]) for name in _NUMBERS]
    if queue["calls_missing"] is not None:
        numbers.append(("calls missing", queue["calls_missing"]))
    budgets = [_budget(service, state) for service, state in queue["budgets"].items()]
    columns = ("call", "number", *(name.replace("_", " ") for name in _COLUMNS), "recording")
    down = _down(queue["connections"], zone=desk.rules.zone)
    return page(
        request,
        "front.html",
        numbers=numbers,
        down=down,
        slow=[(TITLES.get(service, service), operation) for service, operation in queue["slow"].items()],
        budgets=budgets,
        processes=[_process(one, desk.rules.zone) for one in running],
        missing=missing(running),
        columns=columns,
        rows=rows,
    )


def with_recording(ledger: Ledger, calls: Sequence[dict[str, Any]]) -> set[str]:
    """Keys of the calls whose recording was stored, in one round trip."""
    parts = [(call["key"], call["key"]) for call in calls]
    parts += [(call["key"], f"id:{call['call_id']}") for call in calls if call["call_id"] is not None]
    found = have_observation(ledger, "recording", [part for _, part in parts]) if parts else []
    return {key for (key, _), there in zip(parts, found, strict=True) if there}


def _process(one: Process, zone: str) -> tuple[str, ...]:
    since = shown_time(one.started_at, zone)
    return one.kind, one.host, str(one.pid), one.version, since, f"{one.busy} of {one.threads}"


def _budget(service: str, state: Mapping[str, Any]) -> tuple[str, str, int, str]:
    """A service, what is left of our share, how many jobs wait for a place, and when these are through."""
    left = f"{state['left']} of {state['per_window']} in {state['window_s']:g} s"
    jobs = sum(lane["jobs"] for lane in state["waiting"].values())
    if state["closed_for_s"] > 0:
        left = f"rate limited by the service for {state['closed_for_s']:.0f} s"
    return service, left, jobs, _span(state["drain_s"]) if jobs else ""


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


def _cell(column: str, value: Any, zone: str) -> str:
    return shown_time(value, zone) if column == "started_at" else str(value or "")


def _row(call: dict[str, Any], *, heard: bool, zone: str) -> dict[str, Any]:
    key = quote(call["key"], safe=":")
    return {
        "name": str(call["call_id"] or call["uuid"]),
        "tail": call["number_tail"],
        "detail": f"/api/calls/{key}",
        "player": f"{PLAYER}/{key}" if heard else None,
        "cells": [_cell(column, call[column], zone) for column in _COLUMNS],
    }
