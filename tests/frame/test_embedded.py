"""The Redis that `up` brings along."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from bridge.embedded import LONGEST_SOCKET_PATH, EmbeddedRedis, find_server
from bridge.errors import BridgeError, WrongUse
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


def test_the_server_that_wrote_the_data_is_used_again(tmp_path: Path) -> None:
    program = tmp_path / "some-server"
    program.touch(mode=0o755)

    assert find_server(before=str(program)) == program


def test_a_server_on_path_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=6.0.16 sha=00000000:0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert find_server() != old

    old.write_text("#!/bin/sh\necho Redis server v=7.0.15 sha=00000000:0\n")

    assert find_server() == old
