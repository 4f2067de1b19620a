"""`/api/parked/runs`: parked jobs run again in phases: a few, then more, as long as they end well."""

from __future__ import annotations

from typing import Any, Protocol

from bridge.errors import Rejected
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import parked, replay_runs
from bridge.ledger.queue.replay_runs import ReplayRun
from bridge.web.answers import Refused
from bridge.web.api.operations import ApiRequest, Content
from bridge.web.api.requests import Nothing, Query, ReplayChoice


def _told(run: ReplayRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "who": run.who,
        "about": run.about,
        "state": run.state,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "total": run.total,
        "phase": run.phase,
        "done": run.done,
        "failed": run.failed,
        "gone": run.gone,
        "open": run.open,
        "left": run.left,
        "failed_jobs": [*run.failed_names],
    }


async def list_runs(request: ApiRequest[Query]) -> Content:
    found = await request.desk.run(lambda: replay_runs.runs(request.desk.ledger))
    return 200, {"runs": [_told(run) for run in found], "next": None}


async def one_run(request: ApiRequest[Query]) -> Content:
    ledger, id_ = request.desk.ledger, request.named("id")
    try:
        return 200, _told(await request.desk.run(lambda: replay_runs.find(ledger, id_)))
    except Rejected as error:
        raise _unknown(error) from error


async def start(request: ApiRequest[ReplayChoice]) -> Content:
    ledger, who, wanted = request.desk.ledger, request.person.name, request.given.wanted
    about = ", ".join(f"{name} {text}" for name, text in wanted.items()) or "all"

    def work() -> ReplayRun:
        return replay_runs.start(ledger, parked.choose(ledger, wanted), who=who, about=about)

    try:
        return 202, _told(await request.desk.run(work))
    except Rejected as error:
        raise Refused(409, "conflict", str(error), "GET /api/parked lists what is parked.") from error


async def cancel(request: ApiRequest[Nothing]) -> Content:
    return 200, await _changed(request, replay_runs.cancel)


async def go_on(request: ApiRequest[Nothing]) -> Content:
    return 202, await _changed(request, replay_runs.go_on)


class _Change(Protocol):
    def __call__(self, ledger: Ledger, id_: str, *, who: str) -> ReplayRun: ...


async def _changed(request: ApiRequest[Nothing], change: _Change) -> dict[str, Any]:
    ledger, id_, who = request.desk.ledger, request.named("id"), request.person.name
    try:
        return _told(await request.desk.run(lambda: change(ledger, id_, who=who)))
    except Rejected as error:
        raise _unknown(error) from error


def _unknown(error: Rejected) -> Refused:
    return Refused(404, "unknown-run", "no such run", str(error))
