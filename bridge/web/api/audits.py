"""`/api/audit`: both ends compared. The clock does it; a short one is answered at once."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import anyio

from bridge.domain.moments import read_moment
from bridge.errors import Rejected
from bridge.ledger import audits
from bridge.ledger.audits import AuditRun
from bridge.reports.audit_runs import audit_line, audit_view
from bridge.web.answers import Refused
from bridge.web.api.operations import ApiRequest, Content, told_of_filters
from bridge.web.api.requests import AuditAsk, Query

# The clock looks for a new one every 2 s; an audit of a day takes a few requests. Many programs wait 5 s
# for an answer.
_WAITS_S = 4.0
_LOOKS_EVERY_S = 0.2
# Whoever asks beyond these does not wait.
_waiting = anyio.CapacityLimiter(8)


async def list_audits(request: ApiRequest[Query]) -> Content:
    found = await request.desk.run(lambda: audits.audits(request.desk.ledger))
    return 200, {"audits": [audit_line(run) for run in found], "next": None}


async def one_audit(request: ApiRequest[Query]) -> Content:
    return 200, await _view(request, request.named("id"))


async def ask(request: ApiRequest[AuditAsk]) -> Content:
    """200 if it is done by then and nothing had to be queued; else 202, and `GET /api/audit/{id}` tells."""
    desk, given, who = request.desk, request.given, request.person.name
    now, zone = datetime.now(UTC), desk.rules.zone
    with told_of_filters():
        since = read_moment("since", given.since, now=now, zone=zone)
        until = read_moment("until", given.until, now=now, zone=zone) if given.until else now
    if since >= until:
        raise Refused(400, "field", "'since' is not before 'until'", "Give the earlier time as since.")

    def work() -> tuple[AuditRun, bool]:
        run = audits.ask(desk.ledger, since=since, until=until, repair=given.repair, who=who)
        return run, any(one.kind == "clock" for one in desk.ledger.processes())

    run, has_clock = await desk.run(work)
    if has_clock and _waiting.available_tokens:
        async with _waiting:
            await _wait(request, run.id)
    view = await _view(request, run.id)
    if view["state"] == "failed":
        raise Refused(503, "audit", f"the audit failed: {view['says']}", "Ask again once that is repaired.")
    return (200 if view["state"] == "done" and not view["repaired"] else 202), view


async def _wait(request: ApiRequest[Any], id_: str) -> None:
    ends = time.monotonic() + _WAITS_S
    while time.monotonic() < ends:
        run = await request.desk.run(lambda: audits.find(request.desk.ledger, id_))
        if run.state in ("done", "failed"):
            return
        await anyio.sleep(_LOOKS_EVERY_S)


async def _view(request: ApiRequest[Any], id_: str) -> dict[str, Any]:
    try:
        return await request.desk.run(lambda: audit_view(request.desk.ledger, id_))
    except Rejected as error:
        raise Refused(404, "unknown-audit", "no such audit", str(error)) from error
