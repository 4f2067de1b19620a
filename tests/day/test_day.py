"""A scripted day of calls ends in exactly the Kustomer that the script says, under each rules file."""

from __future__ import annotations

import pytest
import redis

from bridge.sandbox.running import RunningSandbox
from tests.day.checking import Held, compare
from tests.day.running import run_day
from tests.day.script import STORIES, write_day
from tests.day.teams import CHOICES

SEED = 13


def test_the_day_is_the_same_for_the_same_seed_and_has_every_story() -> None:
    day = write_day(SEED)

    assert day.calls == write_day(SEED).calls
    assert len(day.calls) == 1_000
    assert {call.story for call in day.calls} >= {story.__name__ for story in STORIES}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shuffle", [None, 1], ids=["in order", "shuffled and sent twice"])
@pytest.mark.parametrize("name", CHOICES)
def test_a_day_ends_in_exactly_what_the_script_says(
    redis_client: redis.Redis, sandbox: RunningSandbox, name: str, shuffle: int | None
) -> None:
    day, choice = write_day(SEED, calls=150), CHOICES[name]

    run_day(redis_client, sandbox, day, choice, shuffle=shuffle, copies=1 if shuffle is None else 2)

    assert compare(choice.team.expected(day), Held.of(sandbox)) == []
