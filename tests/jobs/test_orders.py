"""Whatever order events come in, and however often: one record, and the same state in Kustomer."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
ENDED = ended()
FIVE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("call-started", {"call_uuid": UUID, "external_number": "441632960304", "direction": "incoming"}),
    ("call-ringing", {"call_uuid": UUID, "agent_id": 400102, "external_number": 441632960304}),
    ("call-answered", {"call_uuid": UUID, "agent_id": 400101, "contact_name": "Ada"}),
    ("call-ended", ENDED),
    ("recording-uploaded", {"call_id": 1000000500, "external_number": 441632960304}),
)
WITH_CHANGE = (*FIVE[1:], ("call-modified", {"call_id": "1000000500", "call_uuid": UUID, "tags": "Refund"}))


def _know_the_call(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500,
        uuid=UUID,
        external_number="+441632960304",
        internal_number="+15550100101",
        talking_time=97,
        holding_time=7,
        agent_id=400101,
        started_at=ENDED["started_at"],
        tags=["Refund"],
        rating=4,
        recorded=True,
        # Much shorter than the call: encoding 97 s for each order took most of this test's time.
        recording_seconds=2,
    )


def _state(bridge: Bridge, sandbox: RunningSandbox, events: list[tuple[str, dict[str, Any]]]) -> str:
    for kind in ("customer", "conversation", "note"):
        sandbox.world.store.clear([kind])
    bridge.ledger.redis.flushall()
    bridge.ledger.redis.hset("{callbridge}:meta", "born_at", "1")
    for trigger, body in events:
        bridge.receive(trigger, body)
        bridge.run_jobs()
    bridge.run_jobs_for(40, step_s=10)
    assert bridge.ledger.parked() == {}
    assert len(sandbox.kustomer.conversations) == len(sandbox.kustomer.notes) == 1
    return json.dumps(desk(sandbox), sort_keys=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "five",
    [
        pytest.param(FIVE, id="with recording"),
        pytest.param(WITH_CHANGE, id="with a change"),
    ],
)
@pytest.mark.parametrize("times", [pytest.param(1, id="each once"), pytest.param(2, id="each twice")])
def test_all_orders_of_five_events_end_in_the_same_state(
    redis_client: redis.Redis,
    sandbox: RunningSandbox,
    five: tuple[tuple[str, dict[str, Any]], ...],
    times: int,
) -> None:
    sandbox.kustomer.limit(1_000_000)
    sandbox.cloudtalk.limit(1_000_000)
    bridge = Bridge(redis_client, sandbox)
    _know_the_call(sandbox)

    states = {
        _state(bridge, sandbox, [event for event in order for _ in range(times)])
        for order in itertools.permutations(five)
    }

    assert len(states) == 1


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations([*FIVE, *WITH_CHANGE]),
    pauses=st.lists(st.integers(0, 30), min_size=10, max_size=10),
)
def test_pauses_between_the_events_make_no_difference(
    redis_client: redis.Redis,
    sandbox: RunningSandbox,
    order: list[tuple[str, dict[str, Any]]],
    pauses: list[int],
) -> None:
    sandbox.kustomer.limit(1_000_000)
    sandbox.cloudtalk.limit(1_000_000)
    bridge = Bridge(redis_client, sandbox)
    _know_the_call(sandbox)
    expected = _state(bridge, sandbox, [*FIVE, *WITH_CHANGE])

    sandbox.world.store.clear(["customer", "conversation", "note"])
    redis_client.flushall()
    redis_client.hset("{callbridge}:meta", "born_at", "1")
    for (trigger, body), pause in zip(order, pauses, strict=False):
        bridge.receive(trigger, body)
        bridge.run_jobs()
        bridge.let_pass(pause)
    bridge.run_jobs_for(60, step_s=10)

    assert json.dumps(desk(sandbox), sort_keys=True) == expected


@pytest.mark.parametrize("uuid_first", [True, False], ids=["uuid first", "number first"])
def test_a_call_told_by_uuid_and_by_number_is_one_record(
    bridge: Bridge, sandbox: RunningSandbox, uuid_first: bool
) -> None:
    _know_the_call(sandbox)
    by_uuid = ("call-ended", ended(call_id=None))
    by_number = ("recording-uploaded", {"call_id": 1000000500, "external_number": 441632960304})

    for trigger, body in (by_uuid, by_number) if uuid_first else (by_number, by_uuid):
        bridge.receive(trigger, body)
        bridge.run_jobs()
    bridge.run_jobs_for(60, step_s=5)

    assert bridge.record("1000000500").key == bridge.record(UUID).key == f"uuid:{UUID}"
    assert len(bridge.record(UUID).events) == 2
    assert [key for key, _ in bridge.ledger.recent(count=10)] == [f"uuid:{UUID}"]
    assert len(sandbox.kustomer.conversations) == len(sandbox.kustomer.notes) == 1


def test_both_at_once_are_one_record_too(bridge: Bridge, sandbox: RunningSandbox) -> None:
    from concurrent.futures import ThreadPoolExecutor

    _know_the_call(sandbox)
    both = [
        ("call-ended", ended(call_id=None)),
        ("recording-uploaded", {"call_id": 1000000500, "external_number": 441632960304}),
        ("call-modified", {"call_id": 1000000500, "call_uuid": UUID}),
    ]

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda event: bridge.receive(*event), both))
    bridge.run_jobs_for(60, step_s=5)

    assert bridge.record("1000000500").key == f"uuid:{UUID}"
    assert len(bridge.record(UUID).events) == 3
    assert len(sandbox.kustomer.conversations) == len(sandbox.kustomer.notes) == 1


def test_ids_that_contradict_each_other_stay_two_calls(bridge: Bridge, sandbox: RunningSandbox) -> None:
    """A test send with a fixed number in the template must not make one call of all calls."""
    for n in range(3):
        bridge.receive("call-ended", ended(uuid=f"11111111-2222-4333-8444-55555555550{n}"))
    bridge.run_jobs_for(30, step_s=5)

    assert len(sandbox.kustomer.conversations) == 3
    assert bridge.record("11111111-2222-4333-8444-555555555502").fields["conflict"] == "1000000500"
