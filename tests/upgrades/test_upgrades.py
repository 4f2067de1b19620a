"""Ledgers of earlier versions, made by their own code (`make_data.py`), under this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.ledger import keys
from bridge.ledger.calls.held import set_other_apart
from bridge.ledger.calls.packing import pack_calls
from bridge.ledger.dump import put_line
from bridge.ledger.schema import VERSION, read_schema, take_up
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

DATA = sorted((Path(__file__).parent / "data").glob("*.json"))
RECORDED, PLAIN, STARTED, ACCEPTED = (f"11111111-2222-4333-8444-5555555555{n:02d}" for n in range(4))


@pytest.fixture(params=DATA, ids=lambda path: path.stem)
def data(request: pytest.FixtureRequest) -> Path:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def old(data: Path, redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    """A bridge of this version on a ledger, and with services, as an earlier one left them."""
    document: dict[str, Any] = json.loads(data.read_text())
    bridge = Bridge(redis_client, sandbox)
    pipe = redis_client.pipeline()
    for line in document["ledger"]:
        put_line(pipe, json.dumps(line).encode(), verify=False)
    pipe.execute()
    with sandbox.world.lock:
        for kind, documents in document["sandbox"].items():
            for id_, one in documents.items():
                sandbox.world.store.put(kind, id_, one)
    return bridge


def _ids(sandbox: RunningSandbox) -> list[set[str]]:
    kustomer = sandbox.kustomer
    return [{one["id"] for one in many} for many in (kustomer.conversations, kustomer.notes)]


def test_the_data_of_the_earlier_versions_is_there() -> None:
    assert [path.stem for path in DATA] == ["2079905", "94b2651", "c84599e"]


def test_an_older_ledger_is_brought_up_to_this_version_once(old: Bridge) -> None:
    client = old.ledger.redis
    assert read_schema(client).version == 1

    take_up(old.ledger)
    kept = {name: client.dump(name) for name in client.scan_iter(match=f"{keys.TAG}:*")}
    take_up(old.ledger)

    assert read_schema(client).version == VERSION
    assert {name: client.dump(name) for name in client.scan_iter(match=f"{keys.TAG}:*")} == kept
    assert (old.ledger.held_count(), old.ledger.other_count()) == (1, 1)


def test_a_migration_that_was_cut_off_may_run_again(old: Bridge) -> None:
    set_other_apart(old.ledger)
    set_other_apart(old.ledger)

    take_up(old.ledger)

    assert (old.ledger.held_count(), old.ledger.other_count()) == (1, 1)


def _pack_all(bridge: Bridge) -> int:
    names = bridge.ledger.redis.zrange(keys.CALLS, 0, -1)
    return pack_calls(bridge.ledger, [str(name) for name in names])


def test_records_of_an_earlier_version_are_packed_and_say_the_same(old: Bridge) -> None:
    take_up(old.ledger)
    before = {key: old.record(key) for key in (RECORDED, PLAIN, STARTED, ACCEPTED)}

    assert _pack_all(old) >= len(before)

    for key, record in before.items():
        packed = old.record(key)
        assert (packed.events, packed.outputs, packed.log) == (record.events, record.outputs, record.log)
        assert packed.call(old.rules) == record.call(old.rules)


@pytest.fixture(params=["as it was", "packed"])
def migrated(request: pytest.FixtureRequest, old: Bridge) -> Bridge:
    """Brought up to this version; the clock may have packed it before anything else comes."""
    take_up(old.ledger)
    if request.param == "packed":
        _pack_all(old)
    return old


def test_the_calls_of_an_earlier_version_can_be_read(old: Bridge) -> None:
    take_up(old.ledger)

    synced, started = old.record(RECORDED), old.record(STARTED)
    assert synced.fields["state"] == "synced"
    assert {"customer", "conversation", "note"} <= set(synced.outputs)
    assert synced.call(old.rules).agent_name == "Bo Sample"
    assert str(old.record("1000000501").uuid) == PLAIN
    assert not started.outputs and started.call(old.rules).ended_at is None


def test_nothing_is_written_twice_and_what_waited_is_written(
    migrated: Bridge, sandbox: RunningSandbox
) -> None:
    old = migrated
    conversations, notes = _ids(sandbox)

    old.run_jobs_for(60)
    for key in (RECORDED, PLAIN):
        old.sync(old.record(key).key)

    now_conversations, now_notes = _ids(sandbox)
    assert conversations < now_conversations and notes < now_notes
    external = [one["attributes"]["externalId"] for one in sandbox.kustomer.conversations]
    assert sorted(external) == [f"cloudtalk:call:{uuid}" for uuid in (RECORDED, PLAIN, ACCEPTED)]
    assert len(now_notes) == 3 and len(sandbox.kustomer.customers) == 3


def test_an_event_after_the_upgrade_is_folded_into_its_call(
    migrated: Bridge, sandbox: RunningSandbox
) -> None:
    old = migrated
    old.run_jobs()

    old.receive("call-modified", {"call_uuid": PLAIN, "call_id": 1000000501, "tags": "Billing,VIP,Refund"})
    body = ended(call_id=1000000502, uuid=STARTED, external_number="+441632960302")
    old.receive("call-ended", body)
    old.run_jobs_for(60)

    external = {one["attributes"]["externalId"] for one in sandbox.kustomer.conversations}
    assert len(external) == len(sandbox.kustomer.conversations) == len(sandbox.kustomer.notes) == 4
    changed = [one.trigger for one in old.record(PLAIN).read_events(old.rules)]
    assert sorted(changed) == ["call-ended", "call-modified"]
    events = [one.trigger for one in old.record(STARTED).read_events(old.rules)]
    assert sorted(events) == ["call-ended", "call-started"]
