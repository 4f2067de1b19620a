"""The benchmark beside other ways to take webhooks in still runs, and finds nothing missing."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_very_short_round_prints_a_table_and_misses_nothing() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.side_by_side", "--smoke"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "| starlette alone |" in ran.stdout
    assert "| callbridge |" in ran.stdout
    assert "none missing" in ran.stdout
