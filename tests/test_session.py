"""What a run of the tests leaves out, and that it leaves nothing behind."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frame.conftest import wait_until_gone
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]

QUICK_AND_SLOW = """
import pytest

@pytest.mark.slow
def test_slow(): pass

def test_quick(): pass
"""

FIXTURES_THAT_FAIL = """
import tempfile
from pathlib import Path

import pytest

import tests.ledger.servers
import tests.web.conftest
from tests.chaos.house import House
from tests.chaos.stage import Stage
from tests.reaper import processes_naming


def fail(*args, **more):
    raise RuntimeError("made to fail")


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setattr(House, "ready", fail)
    with House(tmp_path): yield


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(House, "ready", fail)
    with Stage(tmp_path, workers=1, seed=7): yield


@pytest.fixture
def ledger_server(tmp_path, monkeypatch):
    monkeypatch.setattr("redis.Redis.ping", fail)
    with tests.ledger.servers.server(tmp_path / "redis"): yield


@pytest.fixture
def web_server(tmp_path, monkeypatch):
    monkeypatch.setattr("redis.Redis.ping", fail)
    server = tests.web.conftest.RedisServer(tmp_path)
    server.start()
    yield
    server.stop()


@pytest.mark.parametrize("name", ["house", "stage", "ledger_server", "web_server"])
def test_fails(name, request):
    request.getfixturevalue(name)


def test_nothing_runs():
    running = processes_naming(Path(tempfile.gettempdir()).name)
    assert [command for command in running.values() if "tests/reaper.py" not in command] == []
"""

# The second one has a session and a pipe of its own, as a program of a program may.
INTERRUPTED = """
import os, signal, sys, tempfile
from pathlib import Path

from tests.processes import started

STUBBORN = '''
import os, signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if sys.argv[1:]:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(os.getpid(), flush=True)
time.sleep(600)
'''


def test_that_is_interrupted(tmp_path):
    tempfile.mkdtemp()
    with started([sys.executable, "-c", STUBBORN, "twice"], stdout=-1, text=True) as process:
        told = process.stdout.readline()
        Path(os.environ["TOLD"]).write_text(told)
        os.kill({whom}, signal.{name})
        signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tests put here run under the project's own hooks, with `tmp` for their temporary folders."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    (tmp_path / "conftest.py").write_text("from tests.session import *\n")
    (tmp_path / "tmp").mkdir()
    return tmp_path


def run(folder: Path, *args: str) -> tuple[int, str]:
    """The exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:valkey", "-p", "no:cacheprovider", *args],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp"), "TOLD": str(folder / "told")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        # Ignored where this run was started in a shell's background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def halves(folder: Path) -> Path:
    """Two files with a quick and a slow test each."""
    for name in ("one", "other"):
        (folder / f"test_{name}.py").write_text(QUICK_AND_SLOW)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_a_plain_run_leaves_out_the_slow_tests_and_says_so(halves: Path, workers: list[str]) -> None:
    code, said = run(halves, *workers)

    assert code == 0
    assert "2 passed" in said
    assert "Left out: 2 slow tests, in test_one.py (1), test_other.py (1)." in said
    assert "`deploy/run test --all`" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    "args", [["--all"], ["--all", "-m", "slow or not slow"], ["test_one.py", "test_other.py"]]
)
def test_all_tests_run_when_they_are_asked_for(halves: Path, args: list[str]) -> None:
    code, said = run(halves, *args)

    assert code == 0
    assert "4 passed" in said
    assert "Left out" not in said


@pytest.mark.slow
def test_the_slow_ones_can_be_run_by_themselves(halves: Path) -> None:
    code, said = run(halves, "--all", "-m", "slow")

    assert code == 0
    assert "2 passed, 2 deselected" in said


@pytest.mark.slow
def test_a_fixture_that_fails_leaves_nothing_running(folder: Path) -> None:
    (folder / "test_them.py").write_text(FIXTURES_THAT_FAIL)

    _, said = run(folder)

    assert "4 failed, 1 passed" in said, said
    assert said.count("\nE       RuntimeError: made to fail\n") == 4
    assert "Left running" not in said
    assert not list((folder / "tmp").iterdir())


@pytest.mark.slow
def test_a_process_that_a_test_leaves_running_is_ended_and_fails_the_run(folder: Path) -> None:
    (folder / "test_them.py").write_text(
        "import subprocess, sys\n"
        "def test_careless(): subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    )

    code, said = run(folder)

    assert code == 1
    assert "1 passed" in said
    assert "Left running by a test, ended now:" in said and "time.sleep(600)" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["one process", "a worker"])
def test_whatever_ends_a_run_it_leaves_no_process_and_no_folder(
    folder: Path, name: str, workers: list[str]
) -> None:
    whom = "os.getppid()" if workers else "os.getpid()"
    (folder / "test_them.py").write_text(INTERRUPTED.replace("{whom}", whom).replace("{name}", name))

    code, said = run(folder, *workers)

    assert code == (2 if name == "SIGINT" else -signal.Signals[name]), said
    wait_until_gone(int((folder / "told").read_text()))
    eventually(lambda: not list((folder / "tmp").iterdir()), "its folders are gone")


@pytest.mark.slow
def test_every_process_of_a_test_is_started_where_its_end_is_seen_to() -> None:
    allowed = {"processes.py", "reaper.py", "stand_in.py"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        if path.name not in allowed
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Popen")
    ]

    assert not found, f"use `start` or `started` of tests/processes.py: {found}"
