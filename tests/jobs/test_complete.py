"""`write = "complete"`: a call that may have a recording waits for it, and is written once."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk, one_of_each
from tests.jobs.test_exactly_once import Died, die
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
UPLOADED = {"call_id": 1000000500, "external_number": 441632960304}
CHANGED = {"call_id": "1000000500", "call_uuid": UUID}
Told = tuple[tuple[float, str], ...]


@pytest.fixture
def complete(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    _know_the_call(sandbox)
    return Bridge(redis_client, sandbox, Rules(write="complete"))


def _know_the_call(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500,
        uuid=UUID,
        external_number="+441632960304",
        internal_number="+15550100101",
        talking_time=97,
        agent_id=400101,
        started_at=ended()["started_at"],
        tags=["Billing", "VIP"],
        notes=["Wants the March invoice again."],
        recorded=True,
        recording_seconds=1,
    )


def _writes(sandbox: RunningSandbox) -> list[str]:
    """What was written, in that order."""
    return [
        f"{request.method} {request.path.rpartition('/')[2]}"
        for request in sandbox.kustomer.requests
        if request.method != "GET"
    ]


def test_a_call_with_talk_time_is_not_written_before_its_recording(
    complete: Bridge, sandbox: RunningSandbox
) -> None:
    complete.receive("call-ended", ended())
    complete.run_jobs_for(20)
    waiting = complete.record(UUID)
    before = list(sandbox.kustomer.requests)

    complete.receive("recording-uploaded", UPLOADED)
    complete.run_jobs_for(5)

    assert (waiting.state, waiting.reason) == (
        "waiting",
        "waits for the recording, at most 30 s after the call's end",
    )
    assert before == []
    assert _writes(sandbox) == ["POST customers", "POST conversations", "POST attachments", "POST notes"]
    assert "Recording: attached" in one_of_each(sandbox)[2]["attributes"]["body"]


def test_a_recording_of_a_remembered_caller_costs_three_requests(
    complete: Bridge, sandbox: RunningSandbox
) -> None:
    complete.receive("call-ended", ended(call_id=1000000501, uuid=UUID.replace("5500", "5501")))
    complete.run_jobs_for(35)
    sandbox.kustomer.forget_requests()

    complete.receive("call-ended", ended())
    complete.run_jobs_for(20)
    complete.receive("recording-uploaded", UPLOADED)
    complete.run_jobs_for(60)

    assert _writes(sandbox) == ["POST conversations", "POST attachments", "POST notes"]
    assert len(sandbox.kustomer.requests) == 3


def test_a_call_without_a_recording_is_written_once_30_s_have_passed(
    complete: Bridge, sandbox: RunningSandbox
) -> None:
    complete.receive("call-ended", ended())

    complete.run_jobs_for(25)
    before = len(sandbox.kustomer.requests)
    complete.run_jobs_for(7)

    assert before == 0
    assert "Recording" not in one_of_each(sandbox)[2]["attributes"]["body"]


def test_a_recording_after_that_is_added_to_the_note(complete: Bridge, sandbox: RunningSandbox) -> None:
    complete.receive("call-ended", ended())
    complete.run_jobs_for(40)

    complete.receive("recording-uploaded", UPLOADED)
    complete.run_jobs_for(40)

    assert "Recording: attached" in one_of_each(sandbox)[2]["attributes"]["body"]


def test_a_missed_call_is_written_at_once(complete: Bridge, sandbox: RunningSandbox) -> None:
    complete.receive("call-ended", ended(talking_time="0", answered_at=None))

    complete.run_jobs()

    one_of_each(sandbox)


def test_a_recording_that_cloudtalk_does_not_have_at_first_is_waited_for(
    complete: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.fail_next(404, path="/calls/recording/")
    complete.receive("recording-uploaded", UPLOADED)
    complete.receive("call-ended", ended())

    complete.run_jobs_for(20)

    assert _writes(sandbox) == ["POST customers", "POST conversations", "POST attachments", "POST notes"]


def _left_by(bridge: Bridge, sandbox: RunningSandbox, told: Told, call: dict[str, Any]) -> str:
    for kind in ("customer", "conversation", "note", "attachment"):
        sandbox.world.store.clear([kind])
    bridge.ledger.redis.flushall()
    bridge.ledger.redis.hset("{callbridge}:meta", "born_at", "1")
    bodies = {"call-ended": call, "recording-uploaded": UPLOADED, "call-modified": CHANGED}
    for pause, trigger in told:
        bridge.run_jobs_for(pause, step_s=5)
        bridge.receive(trigger, bodies[trigger])
        bridge.run_jobs()
    bridge.run_jobs_for(60, step_s=10)
    assert bridge.ledger.parked() == {}
    assert len([one for one in sandbox.kustomer.attachments if one["referenced"]]) == 1
    one_of_each(sandbox)
    return json.dumps(desk(sandbox), sort_keys=True)


ORDERS = [
    tuple(zip((0, pause, pause), order, strict=False))
    for pause in (0, 10, 40)
    for order in itertools.permutations(("call-ended", "recording-uploaded", "call-modified"))
]
ORDERS += [
    (*((pause, name) for name in ("call-ended", "call-ended", "recording-uploaded")), *order)
    for pause in (5, 20)
    for order in [((30, "call-modified"), (0, "recording-uploaded"))]
]


def test_every_order_and_pause_ends_in_the_same_note_as_without_waiting(
    complete: Bridge, redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.limit(1_000_000)
    sandbox.cloudtalk.limit(1_000_000)
    at_once = Bridge(redis_client, sandbox)
    # One call for all: its start stands in what is written, to the minute.
    call = ended()

    expected = _left_by(
        at_once, sandbox, ((0, "call-ended"), (1, "recording-uploaded"), (40, "call-modified")), call
    )
    states = {_left_by(complete, sandbox, told, call) for told in ORDERS}

    assert states == {expected}


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize("path", ["/conversations$", "/v1/attachments$", "^/_uploads", "/notes$"])
def test_a_worker_that_dies_at_any_write_leaves_one_of_each(
    complete: Bridge, sandbox: RunningSandbox, path: str, at: str
) -> None:
    complete.wire.once(at, "POST", path, die)
    complete.receive("recording-uploaded", UPLOADED)
    complete.receive("call-ended", ended())
    with pytest.raises(Died):
        complete.run_jobs_for(20)

    complete.run_jobs_for(60)

    assert "Recording: attached" in one_of_each(sandbox)[2]["attributes"]["body"]
    assert len([one for one in sandbox.kustomer.attachments if one["referenced"]]) == 1


@pytest.mark.parametrize("lost", ["/conversations$", "/v1/attachments$", "/notes$"])
def test_a_lost_reply_leaves_one_of_each(complete: Bridge, sandbox: RunningSandbox, lost: str) -> None:
    sandbox.kustomer.lose_next_reply(method="POST", path=lost)
    complete.receive("recording-uploaded", UPLOADED)
    complete.receive("call-ended", ended())

    complete.run_jobs_for(60)

    assert "Recording: attached" in one_of_each(sandbox)[2]["attributes"]["body"]


def test_a_person_who_asks_for_the_call_again_writes_nothing_twice(
    complete: Bridge, sandbox: RunningSandbox
) -> None:
    complete.receive("recording-uploaded", UPLOADED)
    complete.receive("call-ended", ended())
    complete.run_jobs_for(40)
    sandbox.kustomer.forget_requests()
    before: list[dict[str, Any]] = desk(sandbox)

    complete.ledger.replay("sync", f"uuid:{UUID}", who="test")
    complete.run_jobs()

    assert desk(sandbox) == before
    assert _writes(sandbox) == []
