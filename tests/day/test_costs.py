"""The requests that the handbook promises for each choice are those that are sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis

from bridge.sandbox.running import RunningSandbox
from tests.day.costs import ROWS, Measured, Row, measure

HANDBOOK = Path(__file__).parents[2] / "deploy" / "README.md"


def _promised() -> dict[str, tuple[int, int]]:
    table = HANDBOOK.read_text("utf-8").partition("\n### What a call costs\n")[2].partition("\n#")[0]
    rows = re.findall(r"(?m)^\| (.+?) \| (\d+) \| (\d+) \|$", table)
    return {what: (int(kustomer), int(cloudtalk)) for what, kustomer, cloudtalk in rows}


def test_the_handbook_has_a_line_for_each_choice_that_is_measured() -> None:
    assert list(_promised()) == [row.what for row in ROWS]


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_a_call_costs_what_the_handbook_says(
    redis_client: redis.Redis, sandbox: RunningSandbox, tmp_path: Path, row: Row
) -> None:
    kustomer, cloudtalk = _promised()[row.what]

    found = measure(row, redis_client, sandbox, tmp_path)

    assert found == Measured(what=row.what, kustomer=kustomer, cloudtalk=cloudtalk)
