"""A scripted day of calls ends in exactly the Kustomer that the script says, under each rules file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import redis

from bridge.sandbox.running import RunningSandbox
from tests.day.checking import Held, compare
from tests.day.killing import run_day_with_kills
from tests.day.running import run_day
from tests.day.script import STORIES, write_day
from tests.day.teams import CHOICES

SEED = 13


def test_the_day_is_the_same_for_the_same_seed_and_has_every_story() -> None:
    day = write_day(SEED)

    assert day.calls == write_day(SEED).calls
    assert len(day.calls) == 1_000
    assert {call.story for call in day.calls} >= {story.__name__ for story in STORIES}


# A part of the day under each rules file, and the default in order as well. DAY=whole: all 1,000 calls under
# each, both ways. See also `python -m tests.day`.
WHOLE = os.environ.get("DAY") == "whole"
DAYS = [
    (name, shuffle, 1_000 if WHOLE else 150)
    for name in CHOICES
    for shuffle in (None, 1)
    if WHOLE or shuffle or name == "default"
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "shuffle", "calls"), DAYS)
def test_a_day_ends_in_exactly_what_the_script_says(
    redis_client: redis.Redis, sandbox: RunningSandbox, name: str, shuffle: int | None, calls: int
) -> None:
    """Args: shuffle: None: in order; else a seed, and each webhook comes twice."""
    day, choice = write_day(SEED, calls=calls), CHOICES[name]

    run_day(redis_client, sandbox, day, choice, shuffle=shuffle, copies=1 if shuffle is None else 2)

    assert compare(choice.team.expected(day), Held.of(sandbox)) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_day_with_killed_workers_ends_in_the_same(tmp_path: Path) -> None:
    day, choice = write_day(SEED, calls=130), CHOICES["missed-desk"]

    held = run_day_with_kills(tmp_path, day, choice, seed=SEED, kills=4)

    assert compare(choice.team.expected(day), held) == []
