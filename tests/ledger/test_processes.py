"""Who runs: told within one beat of the start, gone at a clean stop, and soon after `kill -9`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import redis

from bridge import __version__
from bridge.ledger import keys
from bridge.ledger import processes as module
from bridge.ledger.processes import ALIVE_S, BEAT_S, Heartbeat, commands_of, missing, processes
from tests.waiting import eventually


def heartbeat(client: redis.Redis, kind: str, **how: Any) -> Heartbeat:
    made = Heartbeat(client, kind, **how)
    made.start()
    eventually(lambda: client.hexists(keys.PROCESSES, made.name), "a first beat")
    return made


def age(client: redis.Redis, seconds: float) -> None:
    """As if all that is there had been said so much earlier."""
    for name, text in client.hgetall(keys.PROCESSES).items():
        seen, _, result = str(text).partition(" ")
        client.hset(keys.PROCESSES, name, f"{int(seen) - round(seconds * 1000)} {result}")


def test_a_process_is_told_of_from_its_start_to_its_end(redis_client: redis.Redis) -> None:
    running = heartbeat(
        redis_client,
        "worker",
        threads=8,
        busy=lambda: 3,
        rules=lambda: ("abc123", "rules.toml:3:1: not TOML"),
    )

    (one,) = processes(redis_client)
    assert (one.kind, one.version, one.threads, one.busy) == ("worker", __version__, 8, 3)
    assert one.pid and one.host
    assert datetime.fromisoformat(one.started_at).tzinfo and datetime.fromisoformat(one.seen_at).tzinfo
    assert (one.rules, one.rules_wrong) == ("abc123", "rules.toml:3:1: not TOML")
    named = {"kind", "host", "pid", "version", "started_at", "seen_at", "busy", "threads"}
    assert set(one.shown()) == named

    running.stop()
    assert processes(redis_client) == []


def test_one_that_was_killed_is_no_longer_told_of_within_20_seconds(redis_client: redis.Redis) -> None:
    heartbeat(redis_client, "worker").stop()
    killed = Heartbeat(redis_client, "clock")
    killed.start()
    eventually(lambda: processes(redis_client), "a beat")
    killed._stop.set()  # it says nothing any more
    assert killed._thread is not None
    killed._thread.join()
    redis_client.hset(
        keys.PROCESSES, killed.name, f"{_now_ms(redis_client)} {json.dumps(killed._told | {'busy': 0})}"
    )

    age(redis_client, 20 - BEAT_S)

    assert processes(redis_client) == []
    assert ALIVE_S + BEAT_S < 20 and ALIVE_S > 3 * BEAT_S


def _now_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def test_the_next_beat_of_another_removes_it_and_the_last_ones_entry_expires(
    redis_client: redis.Redis,
) -> None:
    dead = heartbeat(redis_client, "web")
    age(redis_client, ALIVE_S + 1)
    living = heartbeat(redis_client, "clock")

    assert list(redis_client.hgetall(keys.PROCESSES)) == [living.name]
    assert 0 < redis_client.pttl(keys.PROCESSES) <= ALIVE_S * 1000
    for one in (dead, living):
        one.stop()
    assert not redis_client.exists(keys.PROCESSES)


def test_no_more_are_kept_than_may_be(redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 1)
    first, second = heartbeat(redis_client, "web"), Heartbeat(redis_client, "worker")

    second._told = {**first._told, "kind": "worker", "pid": 2}
    second.beat()

    assert list(redis_client.hgetall(keys.PROCESSES)) == [first.name]
    first.stop()


def test_a_worker_of_several_processes_counts_as_one_command(redis_client: redis.Redis) -> None:
    with_parent: list[Heartbeat] = []
    for pid in (11, 12, 13):
        one = Heartbeat(redis_client, "worker", command=lambda: 10)
        one._told = _told(pid=pid, command=10)
        one.beat()
        with_parent.append(one)
    alone = Heartbeat(redis_client, "worker")
    alone._told = _told(pid=20, command=20)
    alone.beat()

    found = processes(redis_client)

    assert [one.pid for one in found] == [11, 12, 13, 20]
    assert commands_of(found) == {"web": 0, "worker": 2, "clock": 0}
    assert missing(found) == ["no web runs", "no clock runs"]


def _told(**more: Any) -> dict[str, Any]:
    result = {
        "kind": "worker",
        "host": "a",
        "version": "1",
        "started_at": "2026-03-02T09:00:00+00:00",
        "threads": 8,
    }
    return {**result, **more}


def test_what_another_version_says_does_not_disturb(redis_client: redis.Redis) -> None:
    now = _now_ms(redis_client)
    more = json.dumps(_told(pid=1, command=1, busy=0, mood="fine"))
    redis_client.hset(
        keys.PROCESSES,
        mapping={
            "a": f"{now} {more}",
            "b": f"{now} {{}}",
            "c": f"{now} " + json.dumps(_told(kind="poet", pid=1, command=1, busy=0)),
        },
    )

    assert [one.pid for one in processes(redis_client)] == [1]


def test_a_redis_that_is_away_does_not_end_it(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.01)
    fails: list[int] = []
    running = Heartbeat(redis_client, "web")
    real: Callable[..., Any] = running._script

    def away(**how: Any) -> Any:
        fails.append(1)
        if len(fails) < 3:
            raise redis.ConnectionError
        return real(**how)

    running._script = away  # type: ignore[assignment]
    running.start()

    eventually(lambda: processes(redis_client), "a beat")
    running.stop()
