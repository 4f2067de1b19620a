"""A Redis that comes back without its last moments: a crash with a slow disk, a replica that took over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk
from tests.support import Bridge, ended
from tests.waiting import eventually


class ForgetfulRedis:
    """A server that can be sent back to how it was: as if what came since had never reached its disk."""

    def __init__(self, folder: Path) -> None:
        self._data, self._kept = folder / "redis", folder / "kept"
        self.server = EmbeddedRedis(folder)
        self.server.start()

    def remember(self) -> None:
        shutil.copytree(self._data / "appendonlydir", self._kept)

    def crash(self) -> None:
        self.server.kill()
        shutil.rmtree(self._data / "appendonlydir")
        self._kept.rename(self._data / "appendonlydir")
        self.server.start()


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[ForgetfulRedis]:
    redis = ForgetfulRedis(tmp_path)
    yield redis
    redis.server.stop()


def test_what_it_forgot_to_have_written_is_looked_for(
    forgetful: ForgetfulRedis, sandbox: RunningSandbox
) -> None:
    # What it had spent is forgotten, too, and taken for what others spend.
    sandbox.kustomer.limit(1_000_000)
    bridge = Bridge(connect(forgetful.server.url), sandbox)
    bridge.ledger.reach()
    bridge.receive("call-ended", ended())
    forgetful.remember()
    bridge.run_jobs()
    before = desk(sandbox)
    sandbox.kustomer.forget_requests()

    forgetful.crash()
    bridge.run_jobs_for(30)

    assert sandbox.kustomer.writes == []
    assert desk(sandbox) == before
    assert bridge.record(str(ended()["call_uuid"])).fields["state"] == "synced"


def test_a_worker_that_does_not_know_that_its_lease_was_forgotten_may_end_its_request(
    forgetful: ForgetfulRedis, sandbox: RunningSandbox
) -> None:
    client = connect(forgetful.server.url)
    bridge = Bridge(client, sandbox)
    bridge.ledger.reach()
    bridge.receive("call-ended", ended())
    forgetful.remember()
    forgetful.crash()

    assert bridge.run_jobs() == ["sync done"]
    assert len(sandbox.kustomer.writes) == 3

    client.config_set("appendfsync", "everysec")
    bridge.receive("call-ended", ended(call_id=1000000501, uuid="11111111-2222-4333-8444-555555555501"))
    sandbox.kustomer.forget_requests()
    assert bridge.run_jobs() == ["sync again"]
    assert sandbox.kustomer.requests == []
    assert bridge.run_jobs_for(11)[-1] == "sync done"
    assert len(sandbox.kustomer.writes) == 2
    client.close()


def test_the_start_of_a_server_is_noted_once(forgetful: ForgetfulRedis, sandbox: RunningSandbox) -> None:
    client = connect(forgetful.server.url)
    ledger = Ledger(client)
    at_first = ledger.reach().since
    forgetful.remember()

    forgetful.crash()

    since = ledger.reach().since
    assert since > at_first
    assert ledger.reach().since == since
    assert client.zcard(keys.SERVERS) == 2
    client.close()


def test_only_one_that_writes_each_change_to_its_own_disk_has_forgotten_nothing(
    forgetful: ForgetfulRedis, sandbox: RunningSandbox
) -> None:
    client = connect(forgetful.server.url)
    ledger = Ledger(client)
    ledger.reach()
    forgetful.remember()
    forgetful.crash()

    assert ledger.reach().rests_until is None
    client.config_set("appendfsync", "everysec")
    assert ledger.reach().rests_until is not None
    client.config_set("appendfsync", "always")
    assert ledger.reach().rests_until is None
    # It followed another server, and took its place.
    client.replicaof("127.0.0.1", 1)
    client.replicaof("NO", "ONE")
    assert ledger.reach().rests_until is not None
    client.close()


def _next_millisecond(ledger: Ledger) -> None:
    began = ledger.now_ms()
    eventually(lambda: ledger.now_ms() > began, "a millisecond passes", every_s=0.0005)


def test_each_time_that_a_server_takes_over_is_noted(forgetful: ForgetfulRedis) -> None:
    client = connect(forgetful.server.url)
    ledger = Ledger(client)
    noted = [ledger.reach().since]

    for _ in range(2):
        # They are told apart by the millisecond.
        _next_millisecond(ledger)
        client.replicaof("127.0.0.1", 1)
        client.replicaof("NO", "ONE")
        noted.append(ledger.reach().since)

    assert noted == sorted(set(noted))
    assert ledger.reach().since == noted[-1]
    assert client.zcard(keys.SERVERS) == 3
    client.close()


def test_a_start_that_a_wrong_clock_timed_makes_nobody_wait(
    forgetful: ForgetfulRedis, sandbox: RunningSandbox
) -> None:
    client = connect(forgetful.server.url)
    bridge = Bridge(client, sandbox)
    bridge.ledger.reach()
    client.config_set("appendfsync", "everysec")
    client.zadd(keys.SERVERS, {"of another day": bridge.ledger.now_ms() + 30 * 86_400_000})

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    assert len(sandbox.kustomer.writes) == 3
    client.close()


def test_a_provider_that_does_not_tell_its_server_is_one_server(
    forgetful: ForgetfulRedis, sandbox: RunningSandbox
) -> None:
    client = connect(forgetful.server.url)
    client.acl_setuser(
        "plain", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-info"]
    )
    other = connect(forgetful.server.url.replace("unix://", "unix://plain:x@"))
    ledger = Ledger(other)

    assert ledger.reach() == ledger.reach()

    other.close()
    client.close()
