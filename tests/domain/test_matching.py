"""An event without ids goes to the one call that fits, or to none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.domain.call import Call
from bridge.domain.phone import WITHHELD, Kind, Phone
from bridge.domain.webhook.events import Event
from bridge.domain.webhook.matching import NO_NUMBER, NONE_FITS, match

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ADA, EVE = Phone(Kind.E164, "+441632960304"), Phone(Kind.E164, "+441632960305")
CALL = Call(external=ADA, agent_id=7, started_at=START, ended_at=START + timedelta(minutes=5))
EVENT = Event(trigger="call-ended", fingerprint="f", external=ADA)


@pytest.mark.parametrize(
    ("result", "minutes", "fit"),
    [
        ({}, 6, True),
        ({}, -1, True),
        ({}, 34, True),
        ({}, 36, False),
        ({}, -3, False),
        ({"agent_id": 7}, 6, True),
        ({"agent_id": 8}, 6, False),
        ({"external": EVE}, 6, False),
        ({"started_at": START + timedelta(seconds=100)}, 600, True),
        ({"started_at": START + timedelta(minutes=3)}, 6, False),
    ],
)
def test_a_call_fits_by_number_agent_and_time(result: dict[str, Any], minutes: int, fit: bool) -> None:
    found = match(replace(EVENT, **result), START + timedelta(minutes=minutes), [("one", CALL)])

    assert found == (("one", "") if fit else (None, NONE_FITS))


def test_of_two_calls_that_fit_neither_is_taken() -> None:
    again = replace(CALL, started_at=START + timedelta(minutes=6), ended_at=START + timedelta(minutes=7))

    found = match(EVENT, START + timedelta(minutes=8), [("one", CALL), ("two", again)])

    assert found == (None, "has no call id, and 2 calls match")


@pytest.mark.parametrize("number", [None, WITHHELD, Phone(Kind.SHORT, "1234")])
def test_without_a_number_nothing_is_found(number: Phone | None) -> None:
    assert match(replace(EVENT, external=number), START, [("one", CALL)]) == (None, NO_NUMBER)
