"""Programs under test as processes, and ways to wait for them that do not guess at times."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from redis import Redis

from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.processes import end, start
from tests.reaper import end_processes_naming

ROOT = Path(__file__).resolve().parents[2]
HOUSE = Path(__file__).with_name("house.py")
PATIENCE_S = 30.0


class Program:
    """A process whose output can be waited for."""

    def __init__(self, argv: list[str], environ: Mapping[str, str]) -> None:
        self.process = start(
            argv,
            env=dict(environ),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A shell has what it runs in the background ignore Ctrl-C, and whatever that starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.output = ""

    def wait_for(self, pattern: str, *, after: int = 0) -> re.Match[str]:
        """Read on until the output has it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if found := re.compile(pattern).search(self.output, after):
                return found
            if not self._read(deadline):
                raise AssertionError(f"never said {pattern!r}, but:\n{self.output}")

    def wait(self) -> int:
        """Read to the end, and give the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE_S)

    def _read(self, deadline: float) -> bool:
        assert self.process.stdout is not None
        file = self.process.stdout.fileno()
        ready, _, _ = select.select([file], [], [], max(0.0, deadline - time.monotonic()))
        got = os.read(file, 65536) if ready else b""
        self.output += got.decode()
        return bool(got)

    def pid_of(self, name: str) -> int:
        """The process of a stand-in that was started last."""
        self.wait_for(rf"{name} runs as \d+")
        return int(re.findall(rf"{name} runs as (\d+)", self.output)[-1])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_S)
        end(self.process)


def wait_until_gone(pid: int) -> None:
    """Return once the process has ended; fails after a while."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([watch], [], [], PATIENCE_S)
        assert ended, f"process {pid} still runs"
    finally:
        os.close(watch)


@pytest.fixture
def at_a_terminal(
    redis_client: Redis,
    redis_url: str,
    sandbox: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Commands run here meet the test's Redis and the sandbox, in an empty folder, on wide paper."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"REDIS_URL": redis_url, "COLUMNS": "200", **sandbox.environ()}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def redis_in(tmp_path: Path) -> Iterator[Callable[[Path], EmbeddedRedis]]:
    """Makes an embedded Redis on a folder; whatever still runs at the end of the test is ended."""
    with contextlib.ExitStack() as stack:

        def make(folder: Path = tmp_path) -> EmbeddedRedis:
            redis = EmbeddedRedis(folder)
            stack.callback(redis.close)
            return redis

        yield make


@pytest.fixture
def start_house(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts `callbridge up --sandbox` with stand-ins for its programs."""
    with contextlib.ExitStack() as stack:

        def start_one(**environ: str) -> Program:
            environment = {
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": str(ROOT),
                "DATA_DIR": str(tmp_path / "data"),
                "PORT": "0",
                **environ,
            }
            # After the house itself: a grandchild of one that was killed.
            stack.callback(end_processes_naming, str(tmp_path))
            house = Program([sys.executable, str(HOUSE)], environment)
            stack.callback(house.close)
            return house

        yield start_one


@pytest.fixture
def kill_hard() -> Callable[[Program], None]:
    """Ends a program as the system does when memory runs out: no chance to clean up."""

    def kill(program: Program) -> None:
        program.signal(signal.SIGKILL)
        program.process.wait(PATIENCE_S)

    return kill
