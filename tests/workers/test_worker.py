"""A worker process's parts, with dramatiq's threads, against real Redis and the sandbox."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.connect import connect
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Process, commands_of
from bridge.ledger.processes import processes as running_processes
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from bridge.storage import open_storage
from tests.processes import started
from tests.support import Bridge, ended
from tests.waiting import eventually
from workers import broker
from workers.clock import open_rounds, open_services
from workers.clock_beat import Clock
from workers.main import WorkerProcess

UUID = "11111111-2222-4333-8444-555555555500"


def _settings(redis_url: str, sandbox: RunningSandbox) -> Settings:
    return Settings.from_env({"REDIS_URL": redis_url, **sandbox.environ()}, dotenv=None)


@contextlib.contextmanager
def working(redis_url: str, sandbox: RunningSandbox) -> Iterator[WorkerProcess]:
    process = WorkerProcess(_settings(redis_url, sandbox))
    process.start()
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
def worker(redis_url: str, bridge: Bridge, sandbox: RunningSandbox) -> Iterator[WorkerProcess]:
    with working(redis_url, sandbox) as process:
        yield process


def _synced(bridge: Bridge) -> bool:
    found = bridge.ledger.find(UUID)
    return found is not None and found.fields.get("state") == "synced"


def test_a_worker_carries_a_call_to_kustomer(
    worker: WorkerProcess, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())

    eventually(lambda: _synced(bridge), "the call is synced")

    eventually(lambda: bridge.ledger.counts().get("job:sync:done") == 1, "the job has ended")
    assert bridge.ledger.queue()[Lane.LIVE].running == 0
    assert len(sandbox.kustomer.notes) == 1


def test_an_idle_worker_is_woken_and_does_not_wait_for_its_beat(
    redis_url: str, bridge: Bridge, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a beat of an hour, only the wake-up can have started the job."""
    monkeypatch.setattr(broker, "_LONGEST_WAIT_S", 3600.0)
    subscribed = lambda: bridge.ledger.redis.pubsub_numsub(keys.WAKE)[0][1] == 1  # noqa: E731
    with working(redis_url, sandbox):
        eventually(subscribed, "the worker listens")

        bridge.receive("call-ended", ended())

        eventually(lambda: _synced(bridge), "the call is synced")


@pytest.mark.slow
def test_stopping_lets_a_running_job_end(redis_url: str, bridge: Bridge, sandbox: RunningSandbox) -> None:
    process = WorkerProcess(_settings(redis_url, sandbox))
    process.start()
    sandbox.kustomer.delay_next(1.0, method="POST", path="/customers$")
    bridge.receive("call-ended", ended())
    eventually(lambda: len(sandbox.kustomer.writes) == 1, "the first write is under way")

    process.stop()

    assert _synced(bridge)
    live = bridge.ledger.queue()[Lane.LIVE]
    assert (live.due, live.waiting, live.running) == (0, 0, 0)


def test_stopping_hands_back_what_does_not_end_in_time(
    redis_url: str, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    process = WorkerProcess(_settings(redis_url, sandbox))
    process.start()
    sandbox.kustomer.delay_next(2.5, method="POST", path="/customers$")
    bridge.receive("call-ended", ended())
    eventually(lambda: len(sandbox.kustomer.writes) == 1, "the first write is under way")

    process.stop(within_s=0.1)

    # The lease was shortened: soon due, but not before what was sent can have arrived.
    bridge.let_pass(2)
    assert bridge.ledger.dispatch(1)[1] == []
    bridge.let_pass(1.1)
    assert bridge.run_jobs_for(10) == ["sync done"]
    assert len(sandbox.kustomer.customers) == len(sandbox.kustomer.notes) == 1


@pytest.mark.slow
def test_a_worker_sits_out_a_redis_that_is_killed_and_restarted(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    with (
        contextlib.closing(server),
        connect(server.url) as client,
        working(server.url, sandbox),
    ):
        bridge = Bridge(client, sandbox)
        bridge.receive("call-ended", ended())
        eventually(lambda: _synced(bridge), "the first call is synced")

        server.kill()
        server.start()
        second = "11111111-2222-4333-8444-555555555501"
        bridge.receive("call-ended", ended(call_id=1000000501, uuid=second))

        eventually(lambda: len(sandbox.kustomer.notes) == 2, "the second call is written")


def test_one_of_several_clocks_acts(ledger: Ledger) -> None:
    assert [Clock(ledger).beat() for _ in range(3)] == [True, False, False]


def test_the_clock_keeps_the_index_of_calls(bridge: Bridge) -> None:
    for number in range(1, 4):
        bridge.receive("call-ended", ended(call_id=number, uuid=None))

    (newest,) = bridge.ledger.recent(count=1)
    # What came in the very millisecond in which the index is begun is read call by call.
    eventually(lambda: bridge.ledger.now_ms() > newest[1] + 1, "the next millisecond")

    Clock(bridge.ledger).keep_index()

    info = bridge.ledger.redis.hvals(keys.find("info"))
    assert [str(text).split()[0] for text in info] == ["3"]


def test_recordings_past_their_time_are_deleted_once_an_hour(ledger: Ledger, tmp_path: Path) -> None:
    storage = open_storage("file:", data_dir=tmp_path)
    for name in ("2020/01/01/old.wav", "2999/01/01/new.wav"):
        storage.write(name, [b"sound"], content_type="audio/x-wav")

    clock = Clock(ledger, storage=lambda: storage, keep_recordings=timedelta(days=30))
    clock.beat()
    storage.write("2020/01/02/old.wav", [b"sound"], content_type="audio/x-wav")
    ledger.redis.delete(keys.BEAT)
    clock.beat()

    assert storage.size("2020/01/01/old.wav") is None
    assert storage.size("2020/01/02/old.wav") == storage.size("2999/01/01/new.wav") == 5


def test_nothing_is_deleted_where_no_time_is_set(ledger: Ledger, tmp_path: Path) -> None:
    storage = open_storage("file:", data_dir=tmp_path)
    storage.write("2020/01/01/old.wav", [b"sound"], content_type="audio/x-wav")

    Clock(ledger, storage=lambda: storage).beat()

    assert storage.size("2020/01/01/old.wav") == 5


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_the_worker_command_works_and_stops_when_told(
    redis_url: str, bridge: Bridge, sandbox: RunningSandbox, processes: int
) -> None:
    environ = {**os.environ, "REDIS_URL": redis_url, **sandbox.environ()}
    command = [sys.executable, "-m", "bridge", "worker", "--processes", str(processes), "--threads", "2"]
    lines: list[str] = []
    with started(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(str(line) for line in process.stdout or ()))
        reader.start()

        bridge.receive("call-ended", ended())
        eventually(lambda: _synced(bridge), "the call is synced", within_s=30)
        found = eventually(
            lambda: [*_running(bridge)] if len(_running(bridge)) == processes else [],
            "each process is told of",
        )
        process.send_signal(signal.SIGTERM)

        assert process.wait(25) == 0, lines
        reader.join()
    assert [(one.kind, one.threads) for one in found] == [("worker", 2)] * processes
    assert len({one.pid for one in found}) == processes
    # However many processes it has, somebody started one command.
    assert commands_of(found) == {"web": 0, "worker": 1, "clock": 0}
    assert {one.command for one in found} == {process.pid}
    assert _running(bridge) == []
    # Nothing that belongs to a caller is in its log.
    for secret in ("441632960304", "Ada", "Example", "invoice", *_settings(redis_url, sandbox).secrets()):
        assert not any(secret in line for line in lines), secret


def _running(bridge: Bridge) -> list[Process]:
    return running_processes(bridge.ledger.redis)


def test_a_settings_error_names_everything_that_is_missing() -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "worker"], env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    for name in ("REDIS_URL", "CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY"):
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_the_clock_looks_for_calls_that_no_webhook_told_of(
    redis_url: str, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    now = datetime.now(UTC)
    sandbox.cloudtalk.add_call(started_at=now - timedelta(hours=1))

    rounds = open_rounds(_settings(redis_url, sandbox), bridge.deps)

    assert rounds is not None and rounds.go(now)
    assert calls_missing(bridge.ledger) == 1


def test_the_clock_looks_for_no_calls_where_it_is_told_not_to_or_has_no_keys(
    redis_url: str, ledger: Ledger, sandbox: RunningSandbox
) -> None:
    off = Settings.from_env(
        {"REDIS_URL": redis_url, **sandbox.environ(), "RECONCILE_EVERY_S": "0"}, dotenv=None
    )
    no_keys = Settings.from_env({"REDIS_URL": redis_url}, dotenv=None)

    assert open_rounds(off, open_services(off, ledger, Rules)) is None
    assert open_services(no_keys, ledger, Rules) is None
    assert open_rounds(no_keys, None) is None
