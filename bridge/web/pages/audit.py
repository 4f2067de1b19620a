"""`/audit`: both ends compared by day, and repaired. The clock does the work; this shows how it goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.domain.moments import read_moment
from bridge.errors import Rejected, WrongUse
from bridge.ledger import audits
from bridge.ledger.calls.comparison import calls_missing
from bridge.reports.masking import scrubbed
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.forms import onward, read_form
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

PLACE = "/audit"
KINDS = {
    "missing": ("Calls without conversation or note", "A repair writes them."),
    "recordings_missing": ("Recordings not attached to their note", "A repair asks for them again."),
    "duplicated": (
        "More than one conversation or note for a call",
        "A person decides which one stays: merge or delete the other in Kustomer.",
    ),
    "unknown": (
        "Conversations without a call",
        "CloudTalk does not list the call any more, or it was made by a test. Look at it in Kustomer.",
    ),
}
_COLUMNS = ("call", "started", "conversation", "why")


@signed_in
async def listing(request: Request) -> Response:
    desk: Desk = request.app.state.desk

    def work() -> dict[str, Any]:
        found = audits.audits(desk.ledger)
        return {
            "runs": found,
            "missing_now": calls_missing(desk.ledger),
            "wrong": request.query_params.get("wrong", "")[:300],
            "clock_runs": any(one.kind == "clock" for one in desk.ledger.processes()),
        }

    return await show(request, "audit.html", work)


@signed_in
async def ask(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    form = await read_form(request)
    now, zone = datetime.now(UTC), desk.rules.zone
    try:
        since = read_moment("since", form.get("since", "")[:100] or "24h", now=now, zone=zone)
        until = (
            read_moment("until", form.get("until", "")[:100], now=now, zone=zone)
            if form.get("until")
            else now
        )
        if since >= until:
            raise WrongUse("The audit must begin before it ends.")
    except WrongUse as error:
        return onward(PLACE, wrong=error)
    repair, who = form.get("repair") == "1", request.state.person.name
    run = await desk.run(lambda: audits.ask(desk.ledger, since=since, until=until, repair=repair, who=who))
    return onward(f"{PLACE}/{run.id}")


@signed_in
async def one(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person

    def work() -> dict[str, Any] | None:
        try:
            run = audits.find(desk.ledger, request.path_params["id"])
        except Rejected:
            return None
        items = audits.items(desk.ledger, run.id)
        return {
            "run": run,
            "kinds": [
                (
                    kind,
                    title,
                    do,
                    run.counts.get(kind, 0),
                    [_item(item, person) for item in items.get(kind, [])],
                )
                for kind, (title, do) in KINDS.items()
            ],
            "repaired": [item["says"] for item in items.get("repaired", [])],
            "can_repair": any(run.counts.get(kind) for kind in ("missing", "recordings_missing")),
            "clock_runs": any(process.kind == "clock" for process in desk.ledger.processes()),
        }

    missing = ("No such audit", "Only the newest audits are kept. Start another one.")
    return await show(request, "audit_run.html", work, missing=missing)


def _item(item: dict[str, Any], person: Person) -> dict[str, Any]:
    """One difference as a line."""
    key = (
        f"uuid:{item['uuid']}"
        if item.get("uuid")
        else f"id:{item['call_id']}"
        if item.get("call_id")
        else None
    )
    why = item.get("why") or item.get("external_id") or ""
    conversations = item.get("conversations") or [item.get("conversation_id")]
    return {
        "call": item.get("call_id") or item.get("uuid") or "",
        "place": f"/calls/{quote(key, safe=':')}" if key else None,
        "started": item.get("started_at") or item.get("created_at"),
        "conversation": ", ".join(one for one in conversations if one),
        "why": scrubbed(why) if person.masked else why,
    }


ROUTES = [
    Route(PLACE, listing, methods=["GET"]),
    Route(PLACE, ask, methods=["POST"]),
    Route(f"{PLACE}/{{id}}", one, methods=["GET"]),
]
