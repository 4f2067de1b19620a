"""A transfer that CloudTalk lists as two calls: one conversation, a note and a recording for each leg."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.erasing import erase_caches, legs_of
from bridge.ledger.sharing import flush
from bridge.sandbox.running import RunningSandbox
from bridge.sync.write_log import WriteLog
from tests.jobs.listing import ago, webhook_of
from tests.jobs.test_audit import audited
from tests.jobs.test_exactly_once import Died
from tests.support import Bridge, ended

FIRST, SECOND = 1000000500, 1000000501
UUIDS = {number: f"11111111-2222-4333-8444-555555{number % 1000000:06}" for number in (FIRST, SECOND)}
WITH_PATH = Rules(note_path=True)


def add_legs(sandbox: RunningSandbox, **more: Any) -> None:
    """As the two may be listed: the first one names the second in its steps, the list names the first."""
    for number, leg in ((FIRST, {"next_leg": SECOND}), (SECOND, {"first_leg": FIRST, "agent_id": 400102})):
        sandbox.cloudtalk.add_call(**{"id": number, "uuid": UUIDS[number], "talking_time": 30, **leg, **more})


def hang_up(bridge: Bridge, number: int, **more: Any) -> None:
    bridge.receive("call-ended", ended(call_id=number, uuid=UUIDS[number], **more))


def keys_of_notes(sandbox: RunningSandbox) -> list[str]:
    return sorted(note["attributes"]["externalId"] for note in sandbox.kustomer.notes)


BOTH = [f"cloudtalk:call:{UUIDS[number]}:note" for number in (FIRST, SECOND)]


def test_both_legs_are_in_one_conversation_with_a_note_and_a_recording_each(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox, recorded=True, recording_seconds=1)

    for number in (FIRST, SECOND):
        hang_up(bridge, number)
        bridge.receive("recording-uploaded", {"call_id": number, "call_uuid": UUIDS[number]})
        bridge.run_jobs_for(30, step_s=5)

    (conversation,) = sandbox.kustomer.conversations
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{UUIDS[FIRST]}"
    assert len(sandbox.kustomer.customers) == 1
    assert keys_of_notes(sandbox) == BOTH
    assert [len(note["relationships"]["attachments"]["data"]) for note in sandbox.kustomer.notes] == [1, 1]
    assert bridge.record(UUIDS[SECOND]).reason == f"part of call {FIRST}, which was transferred"


@pytest.mark.parametrize("kept", ["customer", "conversation"])
def test_a_leg_whose_worker_dies_while_it_joins_the_other_has_its_customer_and_conversation_all_the_same(
    redis_client: redis.Redis, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox)
    hang_up(bridge, FIRST)
    bridge.run_jobs_for(30, step_s=5)
    keep = WriteLog.keep

    def keep_and_die(log: WriteLog, name: str, *args: Any, **options: Any) -> None:
        keep(log, name, *args, **options)
        if name == kept:
            flush()
            monkeypatch.undo()
            raise Died

    monkeypatch.setattr(WriteLog, "keep", keep_and_die)
    hang_up(bridge, SECOND)
    with pytest.raises(Died):
        bridge.run_jobs_for(30, step_s=5)

    bridge.run_jobs_for(60, step_s=5)

    assert {"customer", "conversation", "note"} <= bridge.record(UUIDS[SECOND]).outputs.keys()
    assert len(sandbox.kustomer.customers) == len(sandbox.kustomer.conversations) == 1
    assert keys_of_notes(sandbox) == BOTH


@pytest.mark.slow
@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
@pytest.mark.parametrize("at_once", [True, False])
def test_the_order_in_which_legs_come_makes_no_second_conversation(
    redis_client: redis.Redis, sandbox: RunningSandbox, order: tuple[int, int], at_once: bool
) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox)

    for number in order:
        hang_up(bridge, number)
        if not at_once:
            bridge.run_jobs_for(30, step_s=5)
    bridge.run_jobs_for(180, step_s=5)

    assert len(sandbox.kustomer.conversations) == 1
    assert keys_of_notes(sandbox) == BOTH
    for number in order:
        bridge.sync(f"uuid:{UUIDS[number]}")
    assert keys_of_notes(sandbox) == BOTH


def test_a_number_in_a_step_joins_no_calls_of_different_customers(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox)

    hang_up(bridge, FIRST)
    hang_up(bridge, SECOND, external_number="+441632960377", contact_id=None, contact_name=None)
    sandbox.cloudtalk.add_call(
        id=SECOND, uuid=UUIDS[SECOND], talking_time=30, external_number="+441632960377"
    )
    bridge.run_jobs_for(60, step_s=5)

    assert len(sandbox.kustomer.conversations) == 2


def test_a_leg_that_the_rules_keep_out_leaves_the_other_alone(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox)

    hang_up(bridge, FIRST, direction="internal")
    hang_up(bridge, SECOND)
    sandbox.cloudtalk.add_call(
        id=FIRST, uuid=UUIDS[FIRST], talking_time=30, direction="internal", next_leg=SECOND
    )
    bridge.run_jobs_for(180, step_s=5)

    (conversation,) = sandbox.kustomer.conversations
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{UUIDS[SECOND]}"


def test_without_rules_about_the_path_nothing_is_asked_and_nothing_is_joined(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox)
    add_legs(sandbox)
    sandbox.cloudtalk.forget_requests()

    for number in (FIRST, SECOND):
        hang_up(bridge, number)
    bridge.run_jobs()

    assert sandbox.cloudtalk.requests == []
    assert len(sandbox.kustomer.conversations) == 2


def test_an_audit_finds_a_leg_in_the_conversation_of_the_other(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox, started_at=ago(hours=2))
    for number in (SECOND, FIRST):
        call = sandbox.world.store.get("call", str(number))
        assert call is not None
        bridge.receive("call-ended", webhook_of(call))
        bridge.run_jobs_for(30, step_s=5)

    findings = audited(bridge)

    assert findings.clean, findings
    assert findings.calls == 2
    first = bridge.record(UUIDS[FIRST]).outputs
    assert first["customer"].id == bridge.record(UUIDS[SECOND]).outputs["customer"].id


def test_forgetting_one_leg_leaves_nothing_that_names_it(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox)
    hang_up(bridge, FIRST)
    bridge.run_jobs_for(30, step_s=5)

    erase_caches(bridge.ledger, [], [SECOND])

    assert [bridge.ledger.memory.cached(legs_of(number)) for number in (FIRST, SECOND)] == [None, None]


def test_what_is_kept_of_legs_expires(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = Bridge(redis_client, sandbox, WITH_PATH)
    add_legs(sandbox)
    hang_up(bridge, FIRST)
    bridge.run_jobs_for(30, step_s=5)

    for number in (FIRST, SECOND):
        assert 0 < bridge.ledger.redis.ttl(f"{keys.TAG}:cache:{legs_of(number)}") <= 7 * 86_400
