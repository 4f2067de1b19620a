"""`/parked`: jobs that were given up, by cause; run again in phases, or dropped with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.errors import Rejected
from bridge.ledger.queue import parked, replay_runs
from bridge.ledger.queue.kinds import KINDS
from bridge.ledger.queue.parked import Parked
from bridge.reports.entries import masked_errors
from bridge.reports.parked_jobs import ParkedGroup, effort_of, grouped
from bridge.web.answers import Refused
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.contacts import place_of as contact_place
from bridge.web.pages.forms import number_in, onward, read_form, reason_in
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in
from bridge.wording import counted

PLACE = "/parked"
_SHOWN = 50
_MOST_NAMED = 500
_MOST_DROPPED = 500
_CHANGES = {"cancel": replay_runs.cancel, "continue": replay_runs.go_on}


@signed_in
async def listing(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    wanted, start = _wanted(request.query_params), number_in(request.query_params, "from")

    def work() -> dict[str, Any]:
        jobs = parked.choose(desk.ledger, wanted)
        shown = jobs[start : start + _SHOWN]
        return {
            "groups": [_group(group, desk, person) for group in grouped(jobs)],
            "jobs": _lines(shown, desk, person) if wanted else [],
            "total": len(jobs),
            "wanted": wanted,
            "query": urlencode(wanted),
            "kinds": KINDS,
            "next": _place(wanted, start + _SHOWN) if start + _SHOWN < len(jobs) else None,
            "first": _place(wanted, 0) if start else None,
            "runs": replay_runs.runs(desk.ledger)[:5],
            "said": _said(request.query_params),
        }

    return await show(request, "parked.html", work)


@signed_in
async def preview(request: Request) -> Response:
    """The dry run: what a replay would do."""
    desk: Desk = request.app.state.desk

    def work() -> dict[str, Any]:
        jobs = _chosen(desk, request.query_params)
        return {
            "effort": effort_of(jobs, desk.budgets),
            "fields": _fields(request.query_params),
            "about": _about(request.query_params, len(jobs)),
            "listening": parked.workers_listen(desk.ledger),
        }

    return await show(request, "parked_preview.html", work)


@signed_in
async def replay(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    form = await read_form(request)

    def work() -> str:
        jobs = _chosen(desk, form)
        about = _about(form, len(jobs))
        return replay_runs.start(desk.ledger, jobs, who=request.state.person.name, about=about).id

    return onward(f"{PLACE}/runs/{await _tried(desk, work)}")


@signed_in
async def drop(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    form = await read_form(request)
    reason = reason_in(form)

    def work() -> tuple[int, int]:
        jobs = _chosen(desk, form)
        done = parked.drop(desk.ledger, jobs[:_MOST_DROPPED], who=request.state.person.name, reason=reason)
        return len(done), max(0, len(jobs) - _MOST_DROPPED)

    done, left = await desk.run(work)
    return onward(PLACE, dropped=done, left=left or None)


@signed_in
async def run(request: Request) -> Response:
    """How a replay goes; looking at it also takes its next step."""
    desk: Desk = request.app.state.desk

    def work() -> dict[str, Any] | None:
        try:
            found = replay_runs.step(desk.ledger, request.path_params["id"])
        except Rejected:
            return None
        return {"run": found, "listening": parked.workers_listen(desk.ledger)}

    missing = ("No such replay", "It is not kept any more. The trail says what was done.")
    return await show(request, "parked_run.html", work, missing=missing)


@signed_in
async def change_run(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    id_ = request.path_params["id"]
    change = _CHANGES.get(request.path_params["do"])
    if change is None:
        raise HTTPException(404)
    await read_form(request)
    await _tried(desk, lambda: change(desk.ledger, id_, who=request.state.person.name).id)
    return onward(f"{PLACE}/runs/{id_}")


async def _tried(desk: Desk, work: Any) -> str:
    try:
        return str(await desk.run(work))
    except Rejected as error:
        raise Refused(409, "gone", str(error), "Look at the page again.") from error


def _wanted(given: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name in parked.FILTERS if (text := given.get(name, "").strip()[:100])}


def _chosen(desk: Desk, given: ImmutableMultiDict[str, str]) -> Sequence[Parked]:
    """The jobs that were ticked, or all that the filter matches where nothing was.

    Raises:
        Refused: neither a filter nor a job was given.
    """
    names = set(given.getlist("job")[:_MOST_NAMED])
    wanted = _wanted(given)
    if not names and not wanted and given.get("all") != "1":
        raise Refused(400, "choice", "no jobs were chosen", "Tick some jobs, or filter them by cause.")
    jobs = parked.choose(desk.ledger, wanted)
    return [job for job in jobs if job.name in names] if names and given.get("all") != "1" else jobs


def _fields(given: ImmutableMultiDict[str, str]) -> list[tuple[str, str]]:
    """The same choice for the next form."""
    names = [] if given.get("all") == "1" else given.getlist("job")[:_MOST_NAMED]
    everything = [("all", "1")] if given.get("all") == "1" else []
    return [*_wanted(given).items(), *everything, *(("job", name) for name in names)]


def _about(given: ImmutableMultiDict[str, str], many: int) -> str:
    """The choice in words. Names no call: the words outlive it."""
    wanted = _wanted(given)
    parts = [f"cause {wanted['cause']}"] if "cause" in wanted else []
    parts += [f"kind {wanted['kind']}"] if "kind" in wanted else []
    parts += ["one call"] if "call" in wanted else []
    if given.get("all") != "1" and given.getlist("job"):
        parts = ["ticked by hand"]
    return f"{counted(many, 'job')}, {', '.join(parts) or 'all that were parked'}"


def _place(wanted: Mapping[str, str], start: int) -> str:
    return f"{PLACE}?{urlencode({**wanted, **({'from': start} if start else {})})}"


def _errors(jobs: Sequence[Parked], desk: Desk, person: Person) -> list[str]:
    """Why each failed, as this person may see it."""
    reasons = masked_errors(desk.ledger, desk.rules, jobs) if person.masked else [job.error for job in jobs]
    return [text or "no reason was stored" for text in reasons]


def _lines(jobs: Sequence[Parked], desk: Desk, person: Person) -> list[dict[str, Any]]:
    return [
        {
            "name": job.name,
            "kind": job.kind,
            "call": job.key.partition(":")[2],
            "place": contact_place(job.key)
            if job.kind == "contact"
            else f"/calls/{quote(job.key, safe=':')}",
            "error": error,
            "since": job.since,
        }
        for job, error in zip(jobs, _errors(jobs, desk, person), strict=True)
    ]


def _group(group: ParkedGroup, desk: Desk, person: Person) -> dict[str, Any]:
    query = urlencode({"cause": group.cause})
    texts = _errors([job for job, _ in group.errors], desk, person)
    return {
        "cause": group.cause, "means": group.means, "do": group.do, "count": group.count,
        "kinds": group.kinds, "oldest": group.oldest,
        "errors": [(text, many) for text, (_, many) in zip(texts, group.errors, strict=True)],
        "place": f"{PLACE}?{query}", "preview": f"{PLACE}/preview?{query}",
    }  # fmt: skip


def _said(given: Mapping[str, str]) -> str:
    """What the form before did."""
    if "dropped" not in given:
        return ""
    left = number_in(given, "left")
    more = f" {counted(left, 'job')} more match: drop again." if left else ""
    return f"{counted(number_in(given, 'dropped'), 'job')} dropped.{more}"


ROUTES = [
    Route(PLACE, listing, methods=["GET"]),
    Route(f"{PLACE}/preview", preview, methods=["GET"]),
    Route(f"{PLACE}/replay", replay, methods=["POST"]),
    Route(f"{PLACE}/drop", drop, methods=["POST"]),
    Route(f"{PLACE}/runs/{{id:str}}", run, methods=["GET"]),
    Route(f"{PLACE}/runs/{{id}}/{{do:str}}", change_run, methods=["POST"]),
]
