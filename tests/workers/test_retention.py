"""Everything that names a person ends by itself: by a TTL, or by the clock once it is past its time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import redis

from bridge.journal.erasing import delete_old_aside
from bridge.ledger import keys, trail
from bridge.ledger.calls.retention import enforce_retention
from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from bridge.storage.local import LocalStorage
from tests.support import Bridge, ended
from workers.clock_beat import Clock

DAY_MS = 86_400_000
# What is no person's: counters, numbers of the queue, and what is made anew all the time.
NOBODYS = (
    "counts",
    "measures",
    "meta",
    "servers",
    "budget:",
    "delays",
    "due:",
    "leased:",
    "handed:",
    "connections",
)
# Ended by the clock, as a test below shows.
BY_THE_CLOCK = ("held", "held:at", "parked", "jobs", "calls", "trail", "forgotten")
UUID = "11111111-2222-4333-8444-555555555500"


def a_day_of_work(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=1000000500, uuid=UUID, external_number="+441632960304", recorded=True)
    bridge.receive("call-ended", ended())
    bridge.receive("call-ended", {"external_number": "+441632960304"})
    bridge.run_jobs_for(30)
    bridge.receive("call-ended", ended(call_id=1000000501, uuid=None))
    claim = bridge.ledger.claim("sync", "id:1000000501")
    assert claim is not None
    bridge.ledger.park(claim, cause="Rejected", error="+441632960304 is not taken")
    trail.leave(bridge.ledger, who="ops", what="run again: sync", call=f"uuid:{UUID}")
    bridge.ledger.replay("sync", "id:77", who="ops")


def test_what_names_a_person_has_an_end_or_is_ended_by_the_clock(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    a_day_of_work(bridge, sandbox)
    client = bridge.ledger.redis

    enforce_retention(bridge.ledger)

    endless = [
        str(name).removeprefix(f"{keys.TAG}:") for name in client.scan_iter("*") if client.ttl(name) == -1
    ]
    left = [name for name in endless if not name.startswith(NOBODYS) and name not in BY_THE_CLOCK]
    assert left == []


def test_what_is_past_its_time_is_gone_at_the_next_beat(bridge: Bridge, sandbox: RunningSandbox) -> None:
    a_day_of_work(bridge, sandbox)
    client, ledger = bridge.ledger.redis, bridge.ledger
    _let_days_pass(client, 401)

    Clock(ledger).beat()

    for name in (keys.HELD, keys.HELD_AT, keys.PARKED, keys.CALLS, keys.TRAIL, keys.FORGOTTEN):
        assert not client.exists(name), name
    assert "sync|id:1000000501" not in client.hkeys(keys.JOBS)


def test_what_is_not_past_its_time_stays(bridge: Bridge, sandbox: RunningSandbox) -> None:
    a_day_of_work(bridge, sandbox)
    client = bridge.ledger.redis
    _let_days_pass(client, 29)

    Clock(bridge.ledger).beat()

    assert client.hlen(keys.HELD) == client.zcard(keys.HELD_AT) == 1
    assert client.zcard(keys.PARKED) == 1 and client.llen(keys.TRAIL) == 1
    assert bridge.record(UUID).events


def test_of_the_trail_only_the_old_end_goes(ledger: Ledger) -> None:
    client, now_ms = ledger.redis, ledger.now_ms()
    for days in (500, 450, 30, 1):
        client.lpush(keys.TRAIL, json.dumps({"at": now_ms - days * DAY_MS, "days": days}))

    enforce_retention(ledger)

    assert [json.loads(str(line))["days"] for line in client.lrange(keys.TRAIL, 0, -1)] == [1, 30]


def test_what_an_earlier_version_kept_without_an_end_gets_one(ledger: Ledger) -> None:
    client = ledger.redis
    client.lpush(keys.log("id:5"), json.dumps({"at": 1, "what": "x"}))
    client.hset(keys.record("id:5"), "look", "1")
    client.hset(keys.events("id:5"), "f", "{}")

    enforce_retention(ledger)

    assert 0 < client.ttl(keys.log("id:5")) <= ledger.keep_for.outputs_s
    assert 0 < client.ttl(keys.record("id:5")) <= ledger.keep_for.outputs_s
    assert 0 < client.ttl(keys.events("id:5")) <= ledger.keep_for.events_s


def test_keys_are_looked_through_in_parts_and_all_of_them_in_the_end(ledger: Ledger) -> None:
    client = ledger.redis
    pipe = client.pipeline()
    for number in range(12_000):
        pipe.hset(keys.record(f"id:{number}"), "look", "1")
    pipe.execute()

    def endless() -> int:
        pipe = client.pipeline()
        for number in range(12_000):
            pipe.ttl(keys.record(f"id:{number}"))
        return pipe.execute().count(-1)

    left = [endless()]
    while left[-1]:
        enforce_retention(ledger)
        left.append(endless())
        assert left[-1] < left[-2], "a beat went no further"

    assert len(left) > 2, "one beat looked through all of them"


def test_a_call_that_an_earlier_version_forgot_is_remembered_without_its_ids(ledger: Ledger) -> None:
    client = ledger.redis
    client.hset(keys.record(f"uuid:{UUID}"), mapping={"forgotten": "1", "id": "1000000500"})
    client.hset(keys.record("id:1000000500"), mapping={"forgotten": "1", "uuid": UUID})

    enforce_retention(ledger)

    assert not client.keys("*1000000500*") and not client.keys(f"*{UUID}*")
    assert ledger.read("id:1000000500").forgotten and ledger.read(f"uuid:{UUID}").forgotten


def test_partial_recordings_of_killed_workers_go_without_any_setting(ledger: Ledger, tmp_path: Path) -> None:
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    for name, age_h in (("old.1-a", 25), ("new.1-a", 1)):
        (incoming / name).write_bytes(b"half")
        at = ledger.now_ms() / 1000 - age_h * 3600
        os.utime(incoming / name, (at, at))

    assert Clock(ledger, storage=lambda: LocalStorage(tmp_path)).beat()

    assert [path.name for path in incoming.iterdir()] == ["new.1-a"]


@pytest.mark.parametrize("end", ["damaged", "refused"])
def test_what_the_journal_keeps_aside_ends_with_the_events(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"1-1.journal.{end}"
    path.write_bytes(b"x\n")
    written = path.stat().st_mtime

    assert delete_old_aside(tmp_path, older_than_s=100, now=written + 99) == 0
    assert delete_old_aside(tmp_path, older_than_s=100, now=written + 101) == 1
    assert list(tmp_path.iterdir()) == []


def _let_days_pass(client: redis.Redis, days: int) -> None:
    """Only of what the clock has to look at; a TTL is Redis' own."""
    for name in (keys.HELD_AT, keys.PARKED, keys.CALLS, keys.FORGOTTEN):
        for member in client.zrange(name, 0, -1):
            client.zincrby(name, -days * DAY_MS, str(member))
    for at, text in enumerate(client.lrange(keys.TRAIL, 0, -1)):
        line = json.loads(str(text))
        client.lset(keys.TRAIL, at, json.dumps({**line, "at": line["at"] - days * DAY_MS}))
