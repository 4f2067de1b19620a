"""A process stops in time, and a command at Ctrl-C, whatever Redis does."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.sandbox.running import RunningSandbox
from tests.clients.evil import service
from tests.processes import end, start

pytestmark = pytest.mark.slow


@pytest.fixture(params=["hangs", "drips", "full", "refused", "sentinels"])
def redis_away(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Redis that is away in some way."""
    with contextlib.ExitStack() as stack:
        if request.param == "refused":
            with socket.create_server(("127.0.0.1", 0)) as closed:
                port = closed.getsockname()[1]
            yield f"redis://127.0.0.1:{port}/0"
            return
        if request.param == "full":
            # Nobody accepts, and its queue is full: as behind a firewall that drops.
            full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(4):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
            yield f"redis://127.0.0.1:{full.getsockname()[1]}/0"
            return
        if request.param == "drips":
            url = stack.enter_context(service(lambda peer: peer.drip(b"$100000000\r\n", every_s=0.5)))
        else:
            url = stack.enter_context(service(lambda peer: peer.hang()))
        host = url.removeprefix("http://")
        sentinel = f"redis+sentinel://{host},{host},{host}/main/0"
        yield sentinel if request.param == "sentinels" else f"redis://{host}/0"


def started(command: str, redis_url: str, sandbox: RunningSandbox, folder: Path) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        **sandbox.environ(),
        "REDIS_URL": redis_url,
        "DATA_DIR": str(folder),
        "WEBHOOK_TOKENS": "a-token-that-is-long-enough",
        "PORT": "0",
        "HOST": "127.0.0.1",
    }
    return start(
        [sys.executable, "-m", "bridge", *command.split()],
        env={**environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def ended_after(process: subprocess.Popen[bytes], how: int, *, at_work_s: float) -> float:
    """Seconds from the signal to the end; it is sent in the midst of the work."""
    try:
        threading.Event().wait(at_work_s)
        began = time.monotonic()
        if process.poll() is None:
            process.send_signal(how)
        process.communicate(timeout=40)
        return time.monotonic() - began
    finally:
        end(process)


@pytest.mark.parametrize("command", ["worker", "clock", "web"])
def test_a_process_stops_in_time(
    redis_away: str, sandbox: RunningSandbox, tmp_path: Path, command: str
) -> None:
    process = started(command, redis_away, sandbox, tmp_path)

    assert ended_after(process, signal.SIGTERM, at_work_s=4) < 25
    assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    "command",
    ["backfill --since 1h", "audit --since 1h", "calls ls", "parked ls", "held ls", "doctor", "trail"],
)
def test_a_command_ends_at_ctrl_c(
    redis_away: str, sandbox: RunningSandbox, tmp_path: Path, command: str
) -> None:
    process = started(command, redis_away, sandbox, tmp_path)

    assert ended_after(process, signal.SIGINT, at_work_s=3) < 8
    assert process.returncode in (130, 1, 3, -signal.SIGINT)
