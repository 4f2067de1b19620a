"""A run of the tests as a whole: the slow tests that it leaves out, and that it leaves nothing behind.

Temporary folders go with the run that made them. To look into those of a failed test: `--basetemp=FOLDER`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.reaper import Reaper

_REAPER = pytest.StashKey[Reaper]()
_LEFT_OUT = pytest.StashKey[dict[str, int]]()
_STILL_RUNNING = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="Run the tests marked `slow` as well.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # The workers of xdist inherit the folder.
    if not hasattr(config, "workerinput"):
        reaper = config.stash[_REAPER] = Reaper()
        if not config.option.basetemp:
            # A short path, as sockets are made in it.
            config.option.basetemp = str(reaper.folder / "t")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A slow test runs with `--all`, with `-m` about `slow`, or when its file is named."""
    if config.getoption("all") or "slow" in config.getoption("markexpr"):
        return
    named = {Path(arg.partition("::")[0]).absolute() for arg in config.args}
    out = [item for item in items if item.get_closest_marker("slow") and item.path not in named]
    if not out:
        return
    items[:] = [item for item in items if item not in set(out)]
    config.hook.pytest_deselected(items=out)
    left_out = dict(Counter(item.nodeid.partition("::")[0] for item in out))
    # Under xdist the workers collect, and the controller reports.
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = left_out
    else:
        config.stash[_LEFT_OUT] = left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    if left_out := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[_LEFT_OUT] = left_out


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that a test leaves running fails the run."""
    if _REAPER in session.config.stash:
        left = session.config.stash[_STILL_RUNNING] = session.config.stash[_REAPER].finish()
        if left and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    if _REAPER in config.stash:
        config.stash[_REAPER].finish()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(_LEFT_OUT, {}):
        files = ", ".join(f"{name} ({count})" for name, count in sorted(left_out.items()))
        terminalreporter.write_line(
            f"\nLeft out: {sum(left_out.values())} slow tests, in {files}. "
            "`deploy/run test --all` runs them too."
        )
    for command in config.stash.get(_STILL_RUNNING, []):
        terminalreporter.write_line(f"Left running by a test, ended now: {command}", red=True)
