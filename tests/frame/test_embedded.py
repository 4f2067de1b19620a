"""The Redis that `up` brings along."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from bridge.data_folder import write_private
from bridge.errors import BridgeError, WrongUse
from bridge.local.embedded import (
    LONGEST_SOCKET_PATH,
    DiskFull,
    EmbeddedRedis,
    _packaged_server,
    find_server,
)
from tests.frame.conftest import wait_until_gone

RedisIn = Callable[..., EmbeddedRedis]


def connect(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_what_was_acknowledged_outlives_a_kill_and_a_restart(redis_in: RedisIn) -> None:
    server = redis_in()
    server.start()
    with connect(server) as client:
        client.mset({f"call:{n}": "kept" for n in range(500)})

    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    wait_until_gone(server.pid)
    server.start()

    with connect(server) as client:
        assert client.dbsize() == 500


def test_what_was_acknowledged_is_there_for_the_next_start(tmp_path: Path, redis_in: RedisIn) -> None:
    first = redis_in(tmp_path)
    first.start()
    with connect(first) as client:
        client.set("call", "kept")
    first.stop()

    second = redis_in(tmp_path)
    second.start()

    with connect(second) as client:
        assert client.get("call") == "kept"


def test_it_writes_every_change_to_disk_and_forgets_nothing_for_room(redis_in: RedisIn) -> None:
    server = redis_in()
    server.start()

    with connect(server) as client:
        settings = client.config_get("append*", "maxmemory-policy", "save")

    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["save"] == ""


def test_it_packs_the_record_of_a_call(redis_in: RedisIn) -> None:
    server = redis_in()
    server.start()

    with connect(server) as client:
        client.hset("record", mapping={"state": "synced", "out:note": "x" * 600})
        encoding = client.object("encoding", "record")

    assert encoding in ("listpack", "ziplist")


def test_only_its_owner_can_reach_it(redis_in: RedisIn) -> None:
    server = redis_in()
    server.start()

    assert server.socket_path.stat().st_mode & 0o777 == 0o700
    assert server.socket_path.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_one_on_the_same_folder_is_refused_by_the_name_of_the_first(
    tmp_path: Path, redis_in: RedisIn
) -> None:
    redis_in(tmp_path).start()

    with pytest.raises(WrongUse, match=f"process {os.getpid()}"):
        redis_in(tmp_path).start()


def test_a_folder_given_free_can_be_taken_again(tmp_path: Path, redis_in: RedisIn) -> None:
    first = redis_in(tmp_path)
    first.start()
    first.stop()

    redis_in(tmp_path).start()


def test_a_folder_whose_path_is_too_long_for_a_socket_does_too(tmp_path: Path, redis_in: RedisIn) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    server = redis_in(folder)

    server.start()

    assert len(str(server.socket_path)) <= LONGEST_SOCKET_PATH
    assert server.socket_path.parent.stat().st_mode & 0o777 == 0o700
    with connect(server) as client:
        assert client.ping()
    elsewhere = server.socket_path.parent
    server.stop()
    assert not elsewhere.exists()


def test_a_folder_name_with_a_blank_and_a_percent_sign_does_too(tmp_path: Path, redis_in: RedisIn) -> None:
    folder = tmp_path / "100% my data"
    folder.mkdir()
    server = redis_in(folder)

    server.start()

    with connect(server) as client:
        assert client.ping()


def test_a_server_left_over_from_a_killed_start_is_ended_first(tmp_path: Path, redis_in: RedisIn) -> None:
    left = redis_in(tmp_path)
    left.start()
    left_pid = left.pid
    assert left_pid is not None
    left._lock.release()  # as the system does for a holder that was killed

    following = redis_in(tmp_path)
    following.start()

    left.kill()
    assert following.pid != left_pid
    with connect(following) as client:
        assert client.ping()


def test_a_damaged_file_is_told_of_with_the_servers_own_words(tmp_path: Path, redis_in: RedisIn) -> None:
    damaged = tmp_path / "redis" / "appendonlydir" / "appendonly.aof.manifest"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("this is no manifest\n")

    with pytest.raises(BridgeError, match=r"(?s)ended with code 1.*manifest"):
        redis_in(tmp_path).start()


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a `redis-server` of this version on PATH."""

    def put(version: str) -> Path:
        program = tmp_path / "redis-server"
        program.write_text(f"#!/bin/sh\necho Redis server v={version} sha=00000000:0\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return program

    return put


def test_a_server_on_path_is_started_only_when_asked_for(on_path: Callable[[str], Path]) -> None:
    installed = on_path("7.0.15")

    assert find_server() == _packaged_server()
    assert find_server("path") == installed


def test_a_server_on_path_is_started_where_none_came_along(
    on_path: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.local.embedded._packaged_server", lambda: None)

    installed = on_path("7.0.15")

    assert find_server() == installed


def test_a_server_on_path_that_is_too_old_is_refused(on_path: Callable[[str], Path]) -> None:
    on_path("6.0.16")

    with pytest.raises(WrongUse, match=r"REDIS_SERVER=path, but PATH has no .* 6\.2 or newer"):
        find_server("path")


@pytest.fixture
def newer_data(tmp_path: Path, redis_in: RedisIn) -> Path:
    """A data folder whose file is of a version that the bundled server does not read."""
    server = redis_in(tmp_path)
    server.start()
    with connect(server) as client:
        client.set("call", "kept")
    server.stop()
    base = next((tmp_path / "redis" / "appendonlydir").glob("*.base.rdb"))
    (tmp_path / "head").write_bytes(base.read_bytes()[:9])
    with base.open("r+b") as file:
        file.write(b"REDIS0099")
    return tmp_path


def test_data_of_a_newer_server_is_opened_by_the_server_that_wrote_it(
    newer_data: Path, redis_in: RedisIn
) -> None:
    base = next((newer_data / "redis" / "appendonlydir").glob("*.base.rdb"))
    newer = newer_data / "newer-server"
    repair = f"dd if={newer_data}/head of={base} conv=notrunc 2>/dev/null"
    newer.write_text(f'#!/bin/sh\n{repair}\nexec {_packaged_server()} "$@"\n')
    newer.chmod(0o755)
    result = newer_data / "redis" / "server.json"
    result.write_text(json.dumps({"pid": 0, "program": str(newer)}))
    server = redis_in(newer_data)

    server.start()

    assert server.program == newer
    with connect(server) as client:
        assert client.get("call") == "kept"
    assert json.loads(result.read_text())["program"] == str(newer)


def test_data_of_a_newer_server_that_is_gone_is_left_as_it_is(newer_data: Path, redis_in: RedisIn) -> None:
    before = {path: path.read_bytes() for path in (newer_data / "redis" / "appendonlydir").iterdir()}

    with pytest.raises(WrongUse, match=r"(?s)cannot read the data in .*REDIS_SERVER=path"):
        redis_in(newer_data).start()

    assert {path: path.read_bytes() for path in before} == before


def test_on_a_full_disk_no_server_is_started_until_there_is_room(tmp_path: Path, redis_in: RedisIn) -> None:
    server = redis_in(tmp_path)
    (tmp_path / "redis").mkdir()
    # A device that is always full, in the place of the file that finds out.
    (tmp_path / "redis" / "room").symlink_to("/dev/full")

    with pytest.raises(DiskFull, match=r"the disk of .*redis is full \(No space left on device\)"):
        server.start()

    assert server.pid is None
    server.start()
    with connect(server) as client:
        assert client.ping()


def test_a_file_that_cannot_be_written_leaves_no_half_of_it(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("as it was")
    (tmp_path / f"run.json.{os.getpid()}.new").symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        write_private(tmp_path / "run.json", "anew" * 10_000)

    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").read_text() == "as it was"
