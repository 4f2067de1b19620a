"""How often a worker waits for Redis for one call, of each kind."""

from __future__ import annotations

import pytest

from tests.benchmarks.round_trips import JOURNEYS, measure

MOST = {"unrecorded": 8, "missed": 8, "new customer": 10, "recorded": 20, "recorded, one by one": 32}


@pytest.fixture(scope="module")
def trips(redis_url: str) -> dict[str, list[str]]:
    return measure(redis_url)


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_call_costs_no_more_round_trips_to_redis_than_needed(
    trips: dict[str, list[str]], journey: str
) -> None:
    assert len(trips[journey]) <= MOST[journey], "\n".join(trips[journey])


@pytest.mark.parametrize("journey", JOURNEYS)
def test_each_round_trip_has_a_name(trips: dict[str, list[str]], journey: str) -> None:
    assert "(no name)" not in trips[journey]
