"""The ledger's version: who stamps it, and who does not start on a newer one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from bridge.errors import WrongUse
from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.ledger.schema import MIGRATIONS, VERSION, read_schema, take_up
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.processes import started
from tests.support import Bridge, ended
from tests.waiting import eventually

NEWER = VERSION + 1


def _make_newer(client: redis.Redis) -> None:
    client.hset(keys.SCHEMA, "version", NEWER)


def test_a_new_ledger_is_stamped_at_the_first_start(ledger: Ledger) -> None:
    assert read_schema(ledger.redis).version is None

    take_up(ledger)

    assert read_schema(ledger.redis).version == VERSION
    assert read_schema(ledger.redis).is_current


def test_one_with_records_and_no_stamp_is_of_the_first_version(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())

    assert read_schema(bridge.ledger.redis).version == 1


def test_every_older_version_has_a_way_to_this_one() -> None:
    assert set(MIGRATIONS) == set(range(1, VERSION))


def test_a_late_process_of_an_older_version_does_not_set_the_stamp_back(ledger: Ledger) -> None:
    take_up(ledger)
    _make_newer(ledger.redis)

    with pytest.raises(WrongUse, match=f"schema {NEWER}"):
        take_up(ledger)

    assert read_schema(ledger.redis).version == NEWER


@pytest.mark.parametrize("process", ["web", "worker", "clock"])
def test_a_process_refuses_a_newer_ledger_with_one_line(
    process: str, redis_client: redis.Redis, redis_url: str, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    _make_newer(redis_client)

    done = subprocess.run(
        [sys.executable, "-m", "bridge", process],
        env={**_environ(redis_url, tmp_path), **sandbox.environ()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if "schema" in line]
    assert len(said) == 1 and "install the newer version again" in said[0]
    assert "Traceback" not in done.stderr
    assert redis_client.hgetall(keys.SCHEMA) == {"version": str(NEWER)}


def test_one_that_started_without_redis_ends_once_it_finds_a_newer_ledger(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    server = EmbeddedRedis(tmp_path / "r")
    server.start()
    client = connect(server.url)
    _make_newer(client)
    server.kill()
    environ = {**_environ(server.url, tmp_path), **sandbox.environ()}
    log = tmp_path / "log"
    with (
        log.open("wb") as out,
        started([sys.executable, "-m", "bridge", "clock"], env=environ, stdout=out, stderr=out) as clock,
    ):
        eventually(lambda: "clock started" in log.read_text(), "it began without Redis", within_s=30)
        server.start()
        eventually(lambda: clock.poll() is not None, "the clock ends", within_s=30)
        assert clock.returncode == 2
    assert f"schema {NEWER}" in log.read_text()
    client.close()
    server.stop()


def _environ(redis_url: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "REDIS_URL": redis_url,
        "DATA_DIR": str(folder / "data"),
        "WEBHOOK_TOKENS": "a-token-of-this-test",
        "OPS_TOKEN": "an-ops-token-of-this-test",
        "PORT": "0",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
