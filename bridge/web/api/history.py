"""`/api/refused`, `/api/received`, `/api/trail`, `/api/rules`: what came, what was done, by which rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bridge.domain.moments import read_moment
from bridge.ledger.calls.received import received as newest_received
from bridge.reports import entries
from bridge.reports.listener import delivery_view
from bridge.reports.masking import scrubbed
from bridge.reports.rules_in_force import rules_in_force
from bridge.web.api.operations import ApiRequest, Content, told_of_filters
from bridge.web.api.requests import HoursQuery, Query, ReceivedQuery, TrailQuery


async def refused(request: ApiRequest[Query]) -> Content:
    found = await request.desk.run(lambda: entries.refused_entries(request.desk.ledger))
    return 200, {"refused": found, "next": None}


async def refused_hours(request: ApiRequest[HoursQuery]) -> Content:
    ledger, hours = request.desk.ledger, request.given.hours
    found = await request.desk.run(lambda: entries.refused_hours(ledger, hours=hours))
    return 200, {"hours": found, "next": None}


async def trail_lines(request: ApiRequest[TrailQuery]) -> Content:
    desk, given, masked = request.desk, request.given, request.person.masked

    def work() -> entries.Entries:
        now, zone = datetime.now(UTC), desk.rules.zone
        record = desk.ledger.find(given.call) if given.call else None
        return entries.trail_entries(
            desk.ledger,
            desk.rules,
            masked=masked,
            who=given.who,
            call=given.call if record is None else record.key,
            since=read_moment("since", given.since, now=now, zone=zone) if given.since else None,
            until=read_moment("until", given.until, now=now, zone=zone) if given.until else None,
            cursor=given.cursor,
            limit=given.limit,
        )

    with told_of_filters():
        found, following = await desk.run(work)
    return 200, {"trail": found, "next": following}


async def received(request: ApiRequest[ReceivedQuery]) -> Content:
    """Raw bodies, variable by variable, are for the role `operate`; others see what tells of nobody."""
    desk, given, hides = request.desk, request.given, not request.person.operates

    def work() -> list[dict[str, Any]]:
        found = newest_received(desk.ledger, after=given.after or None, most=given.limit)
        return [delivery_view(one, desk.rules, hides_people=hides) for one in found]

    return 200, {"received": await desk.run(work), "next": None}


async def rules(request: ApiRequest[Query]) -> Content:
    desk, masked = request.desk, request.person.masked
    in_force, wrong = desk.rules, desk.rules_source.wrong
    return 200, {
        "version": in_force.version,
        "wrong": scrubbed(wrong) if masked else wrong,
        "rules": rules_in_force(in_force, masked=masked),
        "next": None,
    }
