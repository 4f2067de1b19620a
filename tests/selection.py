"""Leaves the slow tests out of a plain run, and says which."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="Run the tests marked `slow` as well.")


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
    _keep(config, Counter(item.nodeid.partition("::")[0] for item in out))


# Under xdist the workers collect, and the controller reports.
def _keep(config: pytest.Config, left_out: dict[str, int]) -> None:
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output["left_out"] = dict(left_out)
    else:
        config.stash[_LEFT_OUT] = left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    if left_out := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[_LEFT_OUT] = left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(_LEFT_OUT, {})
    if left_out:
        files = ", ".join(f"{name} ({count})" for name, count in sorted(left_out.items()))
        terminalreporter.write_line(
            f"\nLeft out: {sum(left_out.values())} slow tests, in {files}. "
            "`deploy/run test --all` runs them too."
        )


_LEFT_OUT = pytest.StashKey[dict[str, int]]()
