"""A forgotten call does not come back, under none of its ids; and what remembers it names nobody."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from bridge.ledger import keys
from bridge.ledger.calls.call_status import CallState, call_statuses
from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.calls.learning import Learnt
from bridge.reconcile.periodic import Rounds
from bridge.sandbox.running import RunningSandbox
from tests.jobs.listing import ago, now
from tests.jobs.test_forgetting import _everything
from tests.support import Bridge, ended

NUMBER = 1000000500
UUID = "11111111-2222-4333-8444-555555555500"
OTHER_UUID = "22222222-2222-4333-8444-555555555511"


def result(*, uuid: str | None = UUID, call_id: int | None = NUMBER, **more: Any) -> dict[str, Any]:
    return ended(uuid=uuid, call_id=call_id, **more)


def status(bridge: Bridge, body: dict[str, Any], trigger: str = "call-ended") -> str:
    answer = bridge.receive(trigger, body)
    assert isinstance(answer, Learnt)
    return answer.status


def forget(bridge: Bridge, key: str) -> None:
    record = bridge.ledger.find(key)
    assert record is not None
    bridge.ledger.forget(record)


def left(bridge: Bridge) -> str:
    return _everything(bridge.ledger.redis)


def test_a_call_forgotten_under_its_number_does_not_come_back_under_its_uuid(bridge: Bridge) -> None:
    bridge.receive("call-started", result(uuid=None))
    forget(bridge, str(NUMBER))

    assert status(bridge, result(uuid=None)) == "forgotten"
    # Tells the other id: it is remembered, too.
    assert status(bridge, result()) == "forgotten"
    assert status(bridge, result(call_id=None, notes="later")) == "forgotten"

    assert UUID not in left(bridge) and str(NUMBER) not in left(bridge)


def test_a_call_forgotten_under_its_uuid_does_not_come_back_under_its_number(bridge: Bridge) -> None:
    bridge.receive("call-started", result(call_id=None))
    forget(bridge, UUID)

    assert status(bridge, result()) == "forgotten"
    assert status(bridge, result(uuid=None)) == "forgotten"

    assert UUID not in left(bridge) and str(NUMBER) not in left(bridge)


def test_what_came_under_the_other_id_meanwhile_goes_once_the_two_are_known_to_be_one(bridge: Bridge) -> None:
    bridge.receive("call-started", result(uuid=None))
    forget(bridge, str(NUMBER))
    assert status(bridge, result(call_id=None)) == "accepted"
    assert "Ada Example" in left(bridge)

    assert status(bridge, result(), trigger="call-modified") == "forgotten"

    assert "Ada Example" not in left(bridge) and UUID not in left(bridge)
    assert bridge.run_jobs() == []
    assert bridge.record(UUID).forgotten and bridge.record(str(NUMBER)).forgotten


def test_what_cloudtalk_says_of_a_call_that_came_under_its_other_id_ends_it(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(
        id=NUMBER, uuid=UUID, external_number="+441632960304", started_at=ago(minutes=2), talking_time=60
    )
    bridge.receive("call-started", result(call_id=None))
    forget(bridge, UUID)
    # Nothing says yet that this is the same call.
    assert status(bridge, result(uuid=None)) == "accepted"

    bridge.run_jobs_for(30)

    assert sandbox.kustomer.conversations == []
    assert "Ada Example" not in left(bridge) and UUID not in left(bridge) and str(NUMBER) not in left(bridge)


def test_a_round_over_cloudtalks_list_neither_brings_it_back_nor_counts_it_as_missing(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, started_at=ago(minutes=40), contact_name="Ada Example")
    bridge.receive("call-started", result())
    forget(bridge, UUID)

    for n in range(3):
        assert Rounds(bridge.deps, every=timedelta(minutes=5)).go(now() + n * timedelta(minutes=5))
        bridge.run_jobs_for(10)

    assert calls_missing(bridge.ledger) == 0
    assert call_statuses(bridge.ledger, [NUMBER])[NUMBER].stands is CallState.FORGOTTEN
    assert sandbox.kustomer.requests == []
    assert str(NUMBER) not in left(bridge)


def test_another_call_that_a_template_gives_the_same_number_is_not_taken_for_it(bridge: Bridge) -> None:
    bridge.receive("call-ended", result())
    forget(bridge, UUID)

    assert status(bridge, result(uuid=OTHER_UUID)) == "accepted"
    assert status(bridge, result(notes="once more")) == "forgotten"


def test_what_remembers_it_names_nobody_and_ends_with_the_retention(bridge: Bridge) -> None:
    bridge.receive("call-ended", result())
    bridge.run_jobs()
    forget(bridge, UUID)
    client = bridge.ledger.redis

    marks = client.zrange(keys.FORGOTTEN, 0, -1)
    assert marks and all(re.fullmatch("[0-9a-f]{40}", str(one)) for one in marks)
    # The same ids make other marks in another ledger.
    secret = client.hget(keys.META, "forget_secret")
    assert secret and len(str(secret)) == 64

    client.zadd(keys.FORGOTTEN, {str(one): 1 for one in marks})
    bridge.ledger.tidy()
    assert client.zcard(keys.FORGOTTEN) == 0


def test_a_forgotten_call_is_told_as_such(bridge: Bridge) -> None:
    bridge.receive("call-ended", result())
    forget(bridge, UUID)

    for key in (UUID, str(NUMBER), f"uuid:{UUID}", f"id:{NUMBER}"):
        record = bridge.record(key)
        assert record.forgotten and record.fields["reason"] == "forgotten on request"
    assert not bridge.ledger.replay("sync", f"uuid:{UUID}", who="test")
    assert not bridge.ledger.redis.keys("*:call:*")


@pytest.mark.parametrize("which", ["uuid", "id"])
def test_what_an_earlier_version_remembered_still_counts(bridge: Bridge, which: str) -> None:
    client = bridge.ledger.redis
    client.hset(keys.record(f"uuid:{UUID}"), mapping={"forgotten": "1", "id": str(NUMBER)})
    client.hset(keys.record(f"id:{NUMBER}"), mapping={"forgotten": "1", "uuid": UUID})

    body = result(call_id=None) if which == "uuid" else result(uuid=None)

    assert status(bridge, body) == "forgotten"
    assert bridge.record(UUID).forgotten


def test_the_log_of_a_call_lives_no_longer_than_its_record(bridge: Bridge) -> None:
    bridge.receive("call-ended", result())
    bridge.run_jobs_for(5)
    bridge.ledger.replay("sync", f"id:{NUMBER + 1}", who="test")
    client = bridge.ledger.redis

    logs = [str(name) for name in client.scan_iter("*:log:*")]

    assert len(logs) >= 2
    assert all(0 < client.ttl(name) <= 400 * 86_400 for name in logs)
