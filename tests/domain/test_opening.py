"""Times within opening hours."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bridge.domain.hours import read_hours
from bridge.domain.opening import open_minutes_later, open_moment

WEEK = read_hours("Mon-Fri 08:00-18:00, Sat 09:00-12:00")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "minutes", "later"),
    [
        ("2026-03-02T10:00", 30, "2026-03-02T10:30"),
        ("2026-03-02T17:45", 30, "2026-03-03T08:15"),
        ("2026-03-02T19:00", 30, "2026-03-03T08:30"),
        ("2026-03-06T17:00", 120, "2026-03-07T10:00"),  # Friday to Saturday
        ("2026-03-07T11:30", 60, "2026-03-09T08:30"),  # Saturday to Monday
        ("2026-03-02T10:00", 480, "2026-03-02T18:00"),
    ],
)
def test_only_open_minutes_count(at: str, minutes: int, later: str) -> None:
    assert open_minutes_later(utc(at), minutes, WEEK, zone="UTC") == utc(later)


def test_without_hours_every_minute_counts() -> None:
    assert open_minutes_later(utc("2026-03-07T23:30"), 60, None, zone="UTC") == utc("2026-03-08T00:30")


def test_a_moment_out_of_hours_is_the_next_opening() -> None:
    assert open_moment(utc("2026-03-07T13:00"), WEEK, zone="UTC") == utc("2026-03-09T08:00")
    assert open_moment(utc("2026-03-07T10:00"), WEEK, zone="UTC") == utc("2026-03-07T10:00")


def test_nothing_opens_on_a_holiday() -> None:
    holidays = {date(2026, 3, 9), date(2026, 3, 10)}

    assert open_moment(utc("2026-03-07T13:00"), WEEK, zone="UTC", holidays=holidays) == utc(
        "2026-03-11T08:00"
    )


def test_a_night_shift_begins_the_day_before() -> None:
    nights = read_hours("Mon 22:00-06:00")

    assert open_moment(utc("2026-03-03T05:00"), nights, zone="UTC") == utc("2026-03-03T05:00")
    assert open_moment(utc("2026-03-03T06:00"), nights, zone="UTC") == utc("2026-03-09T22:00")


def test_hours_are_of_the_zone_also_when_the_clock_changes() -> None:
    # Clocks go forward on Sunday 29 March 2026 in Berlin: 08:00 is 07:00 UTC before and 06:00 UTC after.
    friday = utc("2026-03-27T17:30")
    berlin = read_hours("Mon-Fri 08:00-18:00")

    assert open_moment(friday, berlin, zone="Europe/Berlin") == utc("2026-03-30T06:00")


def test_hours_that_never_come_count_as_none() -> None:
    every_day = {date.fromordinal(date(2026, 1, 1).toordinal() + n) for n in range(900)}

    assert open_moment(utc("2026-03-02T10:00"), WEEK, zone="UTC", holidays=every_day) == utc(
        "2026-03-02T10:00"
    )
