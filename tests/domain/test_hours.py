"""Times of the week, as people set them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bridge.domain.hours import read_hours

PRAGUE = "Europe/Prague"


@pytest.mark.parametrize(
    ("text", "at", "is_in"),
    [
        ("Mon-Fri 08:00-18:00", "2026-11-27T08:00", True),
        ("Mon-Fri 08:00-18:00", "2026-11-27T17:59", True),
        ("Mon-Fri 08:00-18:00", "2026-11-27T18:00", False),
        ("Mon-Fri 08:00-18:00", "2026-11-28T12:00", False),
        ("mon-fri 8:00-18:00, Sat 09:00-12:00", "2026-11-28T09:00", True),
        ("Fri-Mon 08:00-18:00", "2026-11-29T09:00", True),
        ("Fri-Mon 08:00-18:00", "2026-12-01T09:00", False),
        ("22:00-07:00", "2026-11-27T23:00", True),
        ("22:00-07:00", "2026-11-27T06:59", True),
        ("22:00-07:00", "2026-11-27T07:00", False),
        # It began on Friday evening.
        ("Fri 22:00-07:00", "2026-11-28T03:00", True),
        ("Fri 22:00-07:00", "2026-11-27T03:00", False),
        ("Sat-Sun 00:00-24:00", "2026-11-29T23:59", True),
        # Twice on the night that the clocks go back.
        ("02:00-03:00", "2026-10-25T02:30", True),
    ],
)
def test_a_moment_lies_within_them_or_not(text: str, at: str, is_in: bool) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(PRAGUE))

    assert read_hours(text).cover(moment, PRAGUE) is is_in


def test_the_zone_counts_and_not_utc() -> None:
    evening = datetime.fromisoformat("2026-11-27T17:30+00:00")

    assert not read_hours("Mon-Fri 08:00-18:00").cover(evening, PRAGUE)
    assert read_hours("Mon-Fri 08:00-18:00").cover(evening, "UTC")


@pytest.mark.parametrize("text", ["always", "Mon-Fri", "Mo-Fr 08:00-18:00", "08:00-25:00", "Mon 8-18", ""])
def test_what_is_no_time_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="must look like Mon-Fri 08:00-18:00"):
        read_hours(text)
