"""A connection of Membrane's that drops: its jobs wait without wearing out, and go on when it is back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import redis

from bridge.errors import Disconnected
from bridge.ledger import keys
from bridge.ledger.keys import Lane
from bridge.ledger.queue.connections import CONNECTION_CHECK
from bridge.reconcile.periodic import Rounds
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk, one_of_each
from tests.support import Bridge, ended

NUMBER = 1000000500
DAY_S = 86_400


@pytest.fixture
def bridge(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    return Bridge(redis_client, sandbox, through_membrane=("cloudtalk", "kustomer"))


def call(n: int) -> dict[str, Any]:
    return ended(call_id=NUMBER + n, uuid=str(UUID(int=NUMBER + n)), external_number=f"+4416329603{n:02d}")


def receive(bridge: Bridge, count: int, *, first: int = 0) -> None:
    for n in range(first, first + count):
        bridge.receive("call-ended", call(n))


def job(bridge: Bridge, n: int = 0) -> dict[str, Any]:
    (found,) = bridge.ledger.job_states(f"uuid:{UUID(int=NUMBER + n)}")
    return found


def asked(sandbox: RunningSandbox) -> int:
    """How many requests Membrane has had since this was asked last."""
    count = len(sandbox.membrane.requests)
    sandbox.membrane.forget_requests()
    return count


def test_a_job_whose_connection_is_down_waits_and_has_not_failed(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.membrane.disconnect("kustomer")
    receive(bridge, 1)

    assert bridge.run_jobs() == ["sync paused"]

    waits = job(bridge)
    assert (waits["state"], waits["attempts"], waits["deliveries"]) == ("waiting", 0, 0)
    assert waits["cause"] == "Disconnected"
    assert "Sign in to Kustomer" in waits["error"]
    down = bridge.deps.connections.down("kustomer")
    assert down is not None
    assert (down.connection, down.state) == ("kustomer", "CLIENT_ACTION_REQUIRED")
    assert down.link is not None
    assert "/connect?" in down.link
    assert bridge.deps.connections.down("cloudtalk") is None


@pytest.mark.slow
def test_after_two_days_without_it_nothing_is_given_up_and_all_is_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(503)
    receive(bridge, 1)
    assert bridge.run_jobs() == ["sync failed"]
    sandbox.membrane.disconnect("kustomer")
    bridge.run_jobs_for(2 * DAY_S, step_s=DAY_S / 24)

    sandbox.membrane.reconnect("kustomer")
    sandbox.kustomer.fail_next(503)
    ends = bridge.run_jobs_for(60, step_s=5)

    # One that had failed before is not given up at its next failure, two days later.
    assert "sync failed" in ends
    assert bridge.ledger.parked() == {}
    one_of_each(sandbox)


@pytest.mark.slow
def test_however_many_wait_one_question_a_beat_is_asked(bridge: Bridge, sandbox: RunningSandbox) -> None:
    receive(bridge, 20)
    sandbox.membrane.disconnect("kustomer")
    ends = bridge.run_jobs()
    assert ends.count("sync paused") == 20
    # The one that found it down, and the look at its state that says what to do.
    assert asked(sandbox) == 2

    bridge.run_jobs_for(90, step_s=5)
    receive(bridge, 5, first=20)
    bridge.run_jobs()

    # One a beat of 10 s, however many wait; the time runs in steps of 5 s.
    assert 3 < (first := asked(sandbox)) <= 2 + 90 / 10
    bridge.run_jobs_for(900, step_s=30)
    # Jobs that try by themselves meanwhile ask nothing either.
    assert asked(sandbox) <= first + 900 / 30 + 1
    assert bridge.deps.connections.state()["kustomer"]["jobs_waiting"] == 25


def test_all_are_due_at_once_when_it_is_back_live_calls_first(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.membrane.disconnect("kustomer")
    receive(bridge, 4)
    bridge.run_jobs()
    for n in (0, 1):
        name = keys.job("sync", f"uuid:{UUID(int=NUMBER + n)}")
        _to_the_backfill(bridge, name)
    bridge.ledger.redis.delete(keys.paused("kustomer"))
    bridge.let_pass(400)
    assert bridge.run_jobs() == ["connection again"] + ["sync paused"] * 4

    sandbox.membrane.reconnect("kustomer")
    bridge.let_pass(30)
    (look,) = bridge.ledger.dispatch(8)[1]
    assert look == f"{CONNECTION_CHECK}|kustomer"
    assert bridge.runner.run(CONNECTION_CHECK, "kustomer") == "done"

    _, first = bridge.ledger.dispatch(2)
    assert {name.partition("|")[2] for name in first} == {f"uuid:{UUID(int=NUMBER + n)}" for n in (2, 3)}
    bridge.let_pass(3)
    bridge.run_jobs()
    assert len(desk(sandbox)) == 4
    assert bridge.ledger.redis.hkeys(keys.JOBS) == []


def _to_the_backfill(bridge: Bridge, name: str) -> None:
    """As if it had been learnt by looking over past calls."""
    bridge.ledger.cancel(*name.split("|", 1))
    bridge.ledger.schedule(*name.split("|", 1), in_ms=400_000, lane=Lane.BACKFILL)


def test_a_webhook_has_it_looked_at_at_once(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.membrane.disconnect("kustomer")
    receive(bridge, 1)
    bridge.run_jobs()
    sandbox.membrane.reconnect("kustomer")

    bridge.deps.connections.look("kustomer")

    assert bridge.run_jobs() == ["connection done", "sync done"]
    one_of_each(sandbox)


def test_a_webhook_that_says_what_is_not_so_changes_nothing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.deps.connections.look("kustomer")
    assert bridge.run_jobs() == ["connection done"]
    assert bridge.deps.connections.down("kustomer") is None

    sandbox.membrane.disconnect("kustomer")
    bridge.deps.connections.look("kustomer")
    assert bridge.run_jobs() == ["connection again"]
    assert bridge.deps.connections.down("kustomer") is not None


def test_only_jobs_that_need_it_wait(bridge: Bridge, sandbox: RunningSandbox) -> None:
    uuid = str(UUID(int=NUMBER))
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=uuid, talking_time=3, recorded=True, recording_seconds=1)
    sandbox.membrane.disconnect("cloudtalk")
    bridge.receive("call-ended", call(0))
    bridge.receive("recording-uploaded", {"call_id": str(NUMBER), "call_uuid": uuid})

    ends = bridge.run_jobs_for(60, step_s=5)

    assert {"recording paused", "sync done"} <= set(ends)
    assert len(sandbox.kustomer.notes) == 1
    sandbox.membrane.reconnect("cloudtalk")
    bridge.run_jobs_for(60, step_s=5)
    one_of_each(sandbox)
    assert [one["referenced"] for one in sandbox.kustomer.attachments] == [True]


def test_it_is_looked_at_for_as_long_as_membrane_itself_does_not_answer(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.membrane.disconnect("kustomer")
    receive(bridge, 1)
    bridge.run_jobs()
    sandbox.membrane.fail_next(503, times=3)
    sandbox.membrane.reconnect("kustomer")

    ends = bridge.run_jobs_for(125, step_s=5)

    assert ends == ["connection again"] * 3 + ["connection done", "sync done"]


def test_one_that_is_archived_is_told_as_gone(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.membrane.forget_connections()
    receive(bridge, 1)

    bridge.run_jobs_for(40, step_s=5)

    down = bridge.deps.connections.down("kustomer")
    assert down is not None
    assert (down.state, down.link) == ("GONE", None)
    assert "connection list" in down.text


def test_the_search_for_calls_finds_it_down_as_well(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.membrane.disconnect("cloudtalk")

    Rounds(bridge.deps, every=timedelta(minutes=5)).go(datetime.now(UTC))

    assert bridge.deps.connections.down("cloudtalk") is not None
    bridge.let_pass(30)
    sandbox.membrane.reconnect("cloudtalk")
    assert bridge.run_jobs() == ["connection done"]


def test_a_job_that_met_it_down_just_before_it_came_back_is_not_left_behind(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    receive(bridge, 1)
    (name,) = bridge.ledger.dispatch(1)[1]
    claim = bridge.ledger.claim(*name.split("|", 1))
    assert claim is not None
    error = Disconnected("down", connection="kustomer", service="kustomer")
    bridge.deps.connections.mark_down("kustomer", error)
    bridge.deps.connections.mark_up("kustomer")

    assert bridge.deps.connections.pause(claim, error) == "waiting"

    bridge.let_pass(30)
    assert sorted(bridge.run_jobs()) == ["connection done", "sync done"]


def test_a_look_whose_workers_died_is_taken_up_again_by_whoever_needs_the_connection(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.membrane.disconnect("kustomer")
    receive(bridge, 1)
    bridge.run_jobs()
    bridge.let_pass(30)
    for _ in range(6):
        bridge.ledger.dispatch(1)
        bridge.ledger.claim(CONNECTION_CHECK, "kustomer")
        # Longer than the longest pause after workers that died.
        bridge.let_pass(400)
    assert list(bridge.ledger.parked()) == [f"{CONNECTION_CHECK}|kustomer"]
    sandbox.membrane.reconnect("kustomer")

    bridge.run_jobs_for(450, step_s=10)

    assert bridge.ledger.parked() == {}
    one_of_each(sandbox)
