"""Times for people: one zone, named, whatever the machine is set to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.domain.moments import shown_time


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "2026-10-25 00:50 UTC"),
        ("Europe/Prague", "2026-10-25 02:50 CEST"),
        ("Asia/Kolkata", "2026-10-25 06:20 IST"),
        ("America/Sao_Paulo", "2026-10-24 21:50 UTC-03:00"),
    ],
)
def test_a_time_is_shown_in_the_zone_with_its_name(zone: str, text: str) -> None:
    assert shown_time(datetime(2026, 10, 25, 0, 50, tzinfo=UTC), zone) == text


def test_the_same_clock_time_twice_a_year_is_told_apart() -> None:
    before, after = "2026-10-25T00:10:00+00:00", "2026-10-25T01:10:00+00:00"

    assert shown_time(before, "Europe/Prague") == "2026-10-25 02:10 CEST"
    assert shown_time(after, "Europe/Prague") == "2026-10-25 02:10 CET"


def test_no_time_is_shown_as_nothing() -> None:
    assert shown_time(None, "UTC") == ""
