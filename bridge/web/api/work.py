"""`/api/status`, `/queue`, `/processes`, `/parked`, `/held`: work to do, and what waits for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.errors import Rejected
from bridge.ledger.calls import held
from bridge.ledger.queue import parked
from bridge.reports.entries import held_entries, parked_entries
from bridge.reports.status import status_view
from bridge.web.answers import Refused
from bridge.web.api.calls import unknown_call
from bridge.web.api.operations import ApiRequest, Content, told_of_filters
from bridge.web.api.requests import (
    HeldAssign,
    HeldQuery,
    ParkedChoice,
    ParkedDrop,
    ParkedQuery,
    Query,
    WithReason,
)

_REPLAY_WITHIN_S = 1.2
_MOST_NAMED = 100
_MOST_DROPPED = 500


async def queue(request: ApiRequest[Query]) -> Content:
    return 200, await request.desk.run(request.desk.queue)


async def status(request: ApiRequest[Query]) -> Content:
    desk = request.desk
    return 200, await desk.run(lambda: status_view(desk.ledger, desk.budgets, desk.connections))


async def processes(request: ApiRequest[Query]) -> Content:
    found = await request.desk.run(request.desk.ledger.processes)
    return 200, {"processes": [one.shown() for one in found], "next": None}


# -- parked


async def parked_jobs(request: ApiRequest[ParkedQuery]) -> Content:
    desk, given, masked = request.desk, request.given, request.person.masked
    wanted = {name: text for name in parked.FILTERS if (text := getattr(given, name))}
    with told_of_filters():
        entries, following = await desk.run(
            lambda: parked_entries(
                desk.ledger, desk.rules, wanted, cursor=given.cursor, limit=given.limit, masked=masked
            )
        )
    return 200, {"parked": entries, "next": following}


async def replay_parked(request: ApiRequest[ParkedChoice]) -> Content:
    """`left`: what did not fit into one request; send another. `gone` were not parked any more."""
    ledger, who, given = request.desk.ledger, request.person.name, request.given

    def work() -> Content:
        jobs = parked.choose(ledger, given.wanted)
        if given.dry_run:
            return 200, {"would_replay": len(jobs), "calls": _calls(jobs)}
        done = parked.run_again(ledger, jobs, who=who, within_s=_REPLAY_WITHIN_S)
        return 202, {
            "replayed": len(done.queued),
            "calls": _calls(done.queued),
            "gone": len(done.gone),
            "left": len(jobs) - len(done.queued) - len(done.gone),
        }

    return await request.desk.run(work)


async def drop_parked(request: ApiRequest[ParkedDrop]) -> Content:
    ledger, who, given = request.desk.ledger, request.person.name, request.given

    def work() -> dict[str, Any]:
        jobs = parked.choose(ledger, given.wanted)
        if given.dry_run:
            return {"would_drop": len(jobs), "calls": _calls(jobs)}
        # As many as surely fit into one request.
        done = parked.drop(ledger, jobs[:_MOST_DROPPED], who=who, reason=given.reason)
        return {"dropped": len(done), "calls": _calls(done), "left": len(jobs[_MOST_DROPPED:])}

    return 200, await request.desk.run(work)


def _calls(jobs: Sequence[parked.Parked]) -> list[str]:
    return list(dict.fromkeys(job.key for job in jobs))[:_MOST_NAMED]


# -- held


async def held_events(request: ApiRequest[HeldQuery]) -> Content:
    desk, given = request.desk, request.given
    with told_of_filters():
        entries, following = await desk.run(
            lambda: held_entries(desk.ledger, desk.rules, **given.model_dump())
        )
    return 200, {"held": entries, "next": following}


async def assign_held(request: ApiRequest[HeldAssign]) -> Content:
    desk, who, fingerprint, named = (
        request.desk,
        request.person.name,
        request.named("fingerprint"),
        request.given.call,
    )

    def work() -> dict[str, Any]:
        event = held.find_held(desk.ledger, fingerprint)
        if event is None:
            raise _unknown_event()
        record = desk.ledger.find(named)
        if record is None:
            raise unknown_call()
        try:
            learnt = held.assign(desk.ledger, event, record, desk.rules, who=who)
        except Rejected as error:
            hint = "An event that belongs to no call can be dropped."
            raise Refused(409, "conflict", str(error), hint) from error
        return {"status": learnt.status, "call": learnt.key, "fingerprint": fingerprint}

    return 202, await desk.run(work)


async def drop_held(request: ApiRequest[WithReason]) -> Content:
    ledger, who, fingerprint, reason = (
        request.desk.ledger,
        request.person.name,
        request.named("fingerprint"),
        request.given.reason,
    )

    def work() -> int:
        event = held.find_held(ledger, fingerprint)
        if event is None:
            raise _unknown_event()
        return held.drop(ledger, [event], who=who, reason=reason)

    return 200, {"dropped": await request.desk.run(work)}


def _unknown_event() -> Refused:
    return Refused(
        404,
        "unknown-event",
        "no such held event",
        "Use a whole fingerprint, as GET /api/held lists it; it may have been assigned or dropped meanwhile.",
    )
