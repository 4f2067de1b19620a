"""Choices of `[calendar]`: opening hours and holidays."""

from __future__ import annotations

from bridge.domain.hours import read_hours
from bridge.domain.rules.choice import Choice
from bridge.domain.rules.values import Day, HoursText

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="calendar", name="open_hours", field="open_hours", kind=HoursText, read=read_hours,
        shown=lambda hours: hours and hours.text, right="hours such as Mon-Fri 08:00-18:00",
        says="when your team calls back; without it always", example='"Mon-Fri 08:00-18:00"',
    ),
    Choice(
        section="calendar", name="holidays", field="holidays", kind=list[Day], read=frozenset,
        shown=lambda days: [day.isoformat() for day in sorted(days)],
        right="a list of days such as [2026-12-25]",
        says="days on which no `hours` fit and nobody calls back", example="[2026-12-25, 2026-12-26]",
    ),
)  # fmt: skip
