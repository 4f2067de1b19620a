"""The command line in an empty folder, with a sandbox whose sample company is put back for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.sandbox import sample
from bridge.sandbox.membrane import connections as membrane_connections
from bridge.sandbox.running import RunningSandbox
from tests.commands.terminal import Terminal, without_settings


@pytest.fixture(scope="session")
def running() -> Iterator[RunningSandbox]:
    # One for all: starting takes longer than most of these tests.
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def services(running: RunningSandbox) -> RunningSandbox:
    put_back(running)
    return running


def put_back(running: RunningSandbox) -> None:
    """The sample company, one of each in Kustomer, both services connected in Membrane."""
    for one in (running.cloudtalk, running.kustomer, running.membrane):
        one.forget_faults()
    running.world.empty_cloudtalk()
    running.world.empty_kustomer()
    running.membrane.forget_connections()
    sample.load(running.world)
    sample.add_desk(running.world)
    membrane_connections.load(running.world)
    for one in (running.cloudtalk, running.kustomer, running.membrane):
        one.forget_requests()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    """Without any settings, until the test gives some."""
    monkeypatch.chdir(tmp_path)
    without_settings(monkeypatch)
    return Terminal(monkeypatch)
