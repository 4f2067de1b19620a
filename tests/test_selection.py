"""What a plain run of the tests leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
import pytest

@pytest.mark.slow
def test_slow(): pass

def test_quick(): pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two test files with a quick and a slow test each, under the project's own selection."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    (tmp_path / "conftest.py").write_text("from tests.selection import *\n")
    for name in ("one", "other"):
        (tmp_path / f"test_{name}.py").write_text(TESTS)
    return tmp_path


def run(folder: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:valkey", "-p", "no:cacheprovider", *args],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_a_plain_run_leaves_out_the_slow_tests_and_says_so(folder: Path, workers: list[str]) -> None:
    said = run(folder, *workers)

    assert "2 passed" in said
    assert "Left out: 2 slow tests, in test_one.py (1), test_other.py (1)." in said
    assert "`deploy/run test --all`" in said


@pytest.mark.parametrize(
    "args", [["--all"], ["--all", "-m", "slow or not slow"], ["test_one.py", "test_other.py"]]
)
def test_all_tests_run_when_they_are_asked_for(folder: Path, args: list[str]) -> None:
    said = run(folder, *args)

    assert "4 passed" in said
    assert "Left out" not in said


def test_the_slow_ones_can_be_run_by_themselves(folder: Path) -> None:
    assert "2 passed, 2 deselected" in run(folder, "--all", "-m", "slow")
