"""`/api/refused`, `/api/trail`: what was not let in, and what people did."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.domain.moments import read_moment
from bridge.reports import entries
from bridge.web.api.models import HoursQuery, Query, TrailQuery
from bridge.web.api.operations import Asked, Content, told_of_filters


async def refused(asked: Asked[Query]) -> Content:
    found = await asked.desk.run(lambda: entries.refused_entries(asked.desk.ledger))
    return 200, {"refused": found, "next": None}


async def refused_hours(asked: Asked[HoursQuery]) -> Content:
    ledger, hours = asked.desk.ledger, asked.given.hours
    found = await asked.desk.run(lambda: entries.refused_hours(ledger, hours=hours))
    return 200, {"hours": found, "next": None}


async def trail_lines(asked: Asked[TrailQuery]) -> Content:
    desk, given, masked = asked.desk, asked.given, asked.person.masked

    def work() -> entries.Entries:
        now, zone = datetime.now(UTC), desk.rules.zone
        record = desk.ledger.find(given.call) if given.call else None
        return entries.trail_entries(
            desk.ledger,
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
