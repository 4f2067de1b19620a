"""Calls of one customer in one conversation: which one, and in what state it is left."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import redis

from bridge.domain.outcome import Outcome
from bridge.domain.rules.model import DEFAULT_STATUS, Rules
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk
from tests.jobs.test_missed import contact, conversation, miss, note, requests, status, tell, uuid_of
from tests.support import Bridge


@pytest.fixture
def bridge(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    return Bridge(redis_client, sandbox, Rules(per="customer"))


def test_the_calls_of_a_customer_share_one_conversation_and_have_a_note_each(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, contact(1, 0), contact(2, 5), contact(3, 8))

    (customer,) = desk(sandbox)
    (talk,) = customer["conversations"]
    assert talk["externalId"] == f"cloudtalk:call:{uuid_of(1)}" and talk["status"] == "done"
    assert [one["externalId"][-6] for one in talk["notes"]] == ["1", "2", "3"]
    assert bridge.record(uuid_of(3)).outputs["conversation"].id == conversation(sandbox, 1)["id"]


def test_a_further_call_costs_a_read_and_its_note(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, contact(1, 0))
    first = len(requests(sandbox))

    tell(bridge, contact(2, 5))
    second = len(requests(sandbox)) - first
    tell(bridge, miss(3, 8))

    assert (first, second) == (4, 2)
    # It opens the conversation again.
    assert len(requests(sandbox)) - first - second == 3


def test_the_last_calls_outcome_decides_the_state(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, contact(1, 0))
    assert status(sandbox, 1) == "done"

    tell(bridge, miss(2, 5))
    assert status(sandbox, 1) == "open"

    tell(bridge, contact(3, 8))
    assert status(sandbox, 1) == "done"
    assert "Called back: call 1000000003" in note(sandbox, 2)


@pytest.mark.slow
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_state_is_the_same_in_whatever_order_webhooks_come(
    bridge: Bridge, sandbox: RunningSandbox, order: tuple[int, ...]
) -> None:
    bodies = (contact(1, 0), contact(2, 5), miss(3, 8))

    tell(bridge, *(bodies[n] for n in order))

    (customer,) = desk(sandbox)
    (talk,) = customer["conversations"]
    assert talk["status"] == "open" and len(talk["notes"]) == 3


def test_a_person_who_opened_the_conversation_keeps_it_open(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, miss(1, 0), contact(2, 5))
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], {"status": "open"})

    tell(bridge, contact(3, 8))

    assert status(sandbox, 1) == "open"


def test_a_missed_call_opens_a_conversation_that_a_person_has_ended(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, miss(1, 0))
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], {"status": "done"})

    tell(bridge, contact(2, 5), miss(3, 8))

    assert status(sandbox, 1) == "open"


@pytest.mark.parametrize("change", [{"deleted": True}, {"locked": True}, {"ended": True}])
def test_a_conversation_that_takes_no_more_is_followed_by_a_new_one(
    bridge: Bridge, sandbox: RunningSandbox, change: dict[str, Any]
) -> None:
    tell(bridge, contact(1, 0))
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], change)

    tell(bridge, contact(2, 5), contact(3, 8))

    (customer,) = desk(sandbox)
    assert [len(one["notes"]) for one in customer["conversations"]] == [1, 2]


def test_a_call_later_than_the_hours_of_the_rules_has_a_new_conversation(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(per="customer", within_hours=0.25))

    tell(bridge, contact(1, 0), contact(2, 14), contact(3, 15), contact(4, 20))

    (customer,) = desk(sandbox)
    assert [len(one["notes"]) for one in customer["conversations"]] == [2, 2]


def test_a_later_call_with_a_conversation_of_its_own_leaves_what_a_person_has_taken_up(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, miss(1, 0))
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], {"tags": ["taken-up"]})

    tell(bridge, contact(2, 25 * 60))

    assert conversation(sandbox, 2)["id"] != conversation(sandbox, 1)["id"]
    assert status(sandbox, 1) == "open"


def test_without_hours_calls_share_a_conversation_while_it_is_open(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(per="customer", within_hours=0))

    tell(bridge, miss(1, 0), miss(2, 5), contact(3, 8), contact(4, 20))

    (customer,) = desk(sandbox)
    assert [(len(one["notes"]), one["status"]) for one in customer["conversations"]] == [
        (3, "done"),
        (1, "done"),
    ]


def test_calls_at_once_make_one_conversation(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for body in (contact(1, 0), contact(2, 1), miss(3, 2)):
        bridge.receive("call-ended", body)
    bridge.run_jobs_for(10)

    (customer,) = desk(sandbox)
    assert [len(one["notes"]) for one in customer["conversations"]] == [3]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("path", ["/conversations", "/notes"])
def test_lost_replies_double_nothing(bridge: Bridge, sandbox: RunningSandbox, method: str, path: str) -> None:
    sandbox.kustomer.lose_next_reply(method=method, path=path)

    tell(bridge, contact(1, 0), miss(2, 5))
    bridge.run_jobs_for(60)

    (customer,) = desk(sandbox)
    (talk,) = customer["conversations"]
    assert talk["status"] == "open" and len(talk["notes"]) == 2


def test_forgetting_a_call_forgets_its_shared_conversation(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, contact(1, 0), contact(2, 5))

    for number in (1, 2):
        bridge.ledger.forget(bridge.record(uuid_of(number)))

    left = [str(name) for name in bridge.ledger.redis.scan_iter("*talk*")]
    assert not [name for name in left if ":of:" in name]
    assert not any("call:" in field for name in left for field in bridge.ledger.redis.hkeys(name))


def test_a_status_per_outcome_can_be_snoozed_until_opening_hours(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    snoozed = Rules(status={**DEFAULT_STATUS, Outcome.MISSED: "snoozed"}, snooze_hours=4, sub_status="a" * 24)
    bridge = Bridge(redis_client, sandbox, snoozed)

    tell(bridge, miss(1, 0))

    fields = conversation(sandbox, 1)["attributes"]
    assert fields["status"] == "snoozed" and fields["snooze"]["status"] == "scheduled"
    assert fields["subStatus"] == "a" * 24
    # Customer: look-up and creation; conversation, note, and its state last, unless a rule of theirs set it.
    assert [one.split()[0] for one in requests(sandbox)] == ["GET", "POST", "POST", "POST", "GET", "PATCH"]
    tell(bridge, contact(2, 10))
    assert status(sandbox, 1) == "done"


def test_a_snooze_that_would_be_over_by_now_leaves_the_conversation_open(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    rules = Rules(status={**DEFAULT_STATUS, Outcome.MISSED: "snoozed"}, snooze_hours=0.25)
    bridge = Bridge(redis_client, sandbox, rules)

    tell(bridge, miss(1, 0))

    assert status(sandbox, 1) == "open" and len(requests(sandbox)) == 4


def test_priority_queue_and_custom_attributes_come_with_the_conversation(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(custom_attributes=["callNum", "dueAt"])
    rules = Rules(
        priority=2,
        queue="5f0e000000000000000000aa",
        custom={"callNum": 7, "wrongStr": "x"},
        due_custom="dueAt",
        call_back_minutes=30,
    )
    bridge = Bridge(redis_client, sandbox, rules)

    tell(bridge, miss(1, 0))

    fields = conversation(sandbox, 1)["attributes"]
    assert fields["priority"] == 2 and fields["queue"] == {"id": "5f0e000000000000000000aa"}
    assert fields["custom"]["callNum"] == 7 and fields["custom"]["dueAt"].startswith("20")
    assert "wrongStr" not in fields["custom"]
    reason = str(bridge.record(uuid_of(1)).reason)
    assert "Kustomer refused the custom attribute wrongStr of the conversation" in reason


def test_a_brand_is_written_where_kustomer_takes_one(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(brand="taken")
    bridge = Bridge(redis_client, sandbox, Rules(brand="5f0e000000000000000000bb"))

    tell(bridge, contact(1, 0))

    assert conversation(sandbox, 1)["attributes"]["brand"] == "5f0e000000000000000000bb"
    assert len(requests(sandbox)) == 4


@pytest.mark.parametrize("reading", ["replace", "merge"])
def test_a_changed_custom_attribute_leaves_those_of_others(
    redis_client: redis.Redis, sandbox: RunningSandbox, reading: str
) -> None:
    sandbox.kustomer.read_as(custom_attributes=["callNum", "theirStr"], custom_update=reading)
    bridge = Bridge(redis_client, sandbox, Rules(custom={"callNum": 7}))
    tell(bridge, contact(1, 0))
    id_ = conversation(sandbox, 1)["id"]
    bridge.deps.kustomer.conversations.update(id_, {"custom": {"callNum": 7, "theirStr": "kept"}})

    Bridge(redis_client, sandbox, Rules(custom={"callNum": 8})).sync(f"uuid:{uuid_of(1)}")

    assert conversation(sandbox, 1)["attributes"]["custom"] == {"callNum": 8, "theirStr": "kept"}


def test_a_locked_conversation_is_not_closed(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = Bridge(redis_client, sandbox)
    sandbox.kustomer.read_as(locked="refuse")
    tell(bridge, miss(1, 0))
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], {"locked": True})

    tell(bridge, contact(2, 10))

    assert status(sandbox, 1) == "open" and bridge.record(uuid_of(1)).state == "synced"


def test_a_brand_that_kustomer_does_not_take_is_left_out_and_said(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(brand="5f0e000000000000000000bb"))

    tell(bridge, contact(1, 0))

    assert status(sandbox, 1) == "done"
    assert "Kustomer refused the brand of the conversation" in str(bridge.record(uuid_of(1)).reason)
