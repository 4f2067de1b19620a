"""`doctor --release`: an exit code in time, for the release phase of a platform."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.checks.check import Check
from bridge.checks.release import release_checks
from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.frame.conftest import ROOT

ON_A_PLATFORM = {"OPS_TOKEN": "a-token-of-the-pages", "RECORDINGS_URL": "s3://bucket?region=x"}


def released(*checks: Check, within_s: float = 5) -> list[tuple[str, str]]:
    settings = Settings.from_env(ON_A_PLATFORM, dotenv=None)
    return [(one.name, one.state) for one in release_checks(checks, settings, within_s=within_s)]


def test_what_fails_fails_a_release_too() -> None:
    assert released(Check("Redis", "FAIL", "x"), Check("settings", "ok", "x")) == [
        ("Redis", "FAIL"),
        ("settings", "ok"),
    ]


def test_a_paused_service_does_not_stop_the_release_that_brings_its_new_key() -> None:
    assert released(Check("pause", "FAIL", "x"), Check("Kustomer", "ok", "x")) == [
        ("pause", "warn"),
        ("Kustomer", "ok"),
    ]


def test_what_a_container_lacks_is_said() -> None:
    settings = Settings(recordings_url="file:")

    assert [one.name for one in release_checks([], settings)] == ["OPS_TOKEN", "recordings, disk"]
    assert released() == []


def test_a_check_that_hangs_is_not_waited_for() -> None:
    ends = threading.Event()

    def hangs() -> Iterator[Check]:
        yield Check("settings", "ok", "x")
        ends.wait(60)
        yield Check("never", "ok", "x")

    settings = Settings.from_env(ON_A_PLATFORM, dotenv=None)
    found = [(one.name, one.state) for one in release_checks(hangs(), settings, within_s=0.2)]
    ends.set()

    assert found == [("settings", "ok"), ("time", "FAIL")]


def test_a_fault_of_a_check_is_not_taken_for_its_end() -> None:
    def breaks() -> Iterator[Check]:
        yield Check("settings", "ok", "x")
        raise RuntimeError("of ours")

    with pytest.raises(RuntimeError, match="of ours"):
        list(release_checks(breaks(), Settings()))


def run(environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", "doctor", "--release"],
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT), **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_a_deployment_that_does_is_let_through(
    redis_url: str, ledger: Ledger, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    environ = {
        "REDIS_URL": redis_url,
        "WEBHOOK_TOKENS": "a-token-of-webhooks",
        "OPS_TOKEN": "a-token-of-the-pages",
        **sandbox.environ(),
    }

    found = run(environ, tmp_path)

    assert found.returncode == 0, found.stdout + found.stderr
    assert "recordings, disk" in found.stdout


@pytest.mark.slow
def test_everything_that_the_processes_need_is_named_before_anything_is_deployed(tmp_path: Path) -> None:
    found = run({"WEBHOOK_TOKENS": "short"}, tmp_path)

    assert found.returncode == 2
    for name in ("REDIS_URL", "WEBHOOK_TOKENS", "CLOUDTALK_ACCESS_KEY_ID", "KUSTOMER_API_KEY"):
        assert name in found.stderr


@pytest.mark.slow
def test_a_redis_that_takes_connections_and_says_nothing_fails_in_time(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environ = {
            "REDIS_URL": f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
            "WEBHOOK_TOKENS": "a-token-of-webhooks",
            **sandbox.environ(),
        }

        found = run(environ, tmp_path)

    assert found.returncode == 1
    assert "Redis" in found.stdout and "Traceback" not in found.stderr
