"""The requests that the handbook promises for each choice are those that are sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis

from bridge.sandbox.running import RunningSandbox
from tests.day.costs import HANDBOOK, ROWS
from tests.day.trying import Measured, Row, measure


def _promised() -> dict[str, tuple[int, int]]:
    table = HANDBOOK.read_text("utf-8").partition("\n## What a call costs\n")[2].partition("\n#")[0]
    rows = re.findall(r"(?m)^\| (.+?) \| (\d+) \| (\d+) \|$", table)
    return {what: (int(kustomer), int(cloudtalk)) for what, kustomer, cloudtalk in rows}


def test_the_handbook_has_a_line_for_each_choice_that_is_measured() -> None:
    assert list(_promised()) == [row.what for row in ROWS]


# Kustomer, CloudTalk: what a bridge without a rules file sends, before the options of what is written came.
_DEFAULT = {
    "a new caller": (4, 0),
    "a caller whom Kustomer knows": (3, 0),
    "a caller who called within the last day": (2, 0),
    "with a recording: a new caller": (5, 1),
    "with a recording: a known caller": (4, 1),
    "a known caller's missed call": (3, 0),
    "a call with talk time that closes one missed call": (6, 0),
}


def test_the_default_costs_what_it_always_did() -> None:
    promised = _promised()

    assert {what: promised[what] for what in _DEFAULT} == _DEFAULT
    assert [row.rules for row in ROWS if row.what in _DEFAULT] == [""] * len(_DEFAULT)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_a_call_costs_what_the_handbook_says(
    redis_client: redis.Redis, sandbox: RunningSandbox, tmp_path: Path, row: Row
) -> None:
    kustomer, cloudtalk = _promised()[row.what]

    found = measure(row, redis_client, sandbox, tmp_path)

    assert found == Measured(what=row.what, kustomer=kustomer, cloudtalk=cloudtalk)
