"""A call's custom object (KObject): written once, updated, and nothing that waits for it."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
import redis

from bridge.domain.fields import FIELDS, definition
from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls import by_hand
from bridge.ledger.health import klass_refused
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.jobs.test_missed import contact, conversation, miss, requests, tell, uuid_of
from tests.support import Bridge

READINGS: list[dict[str, str]] = [
    {"external_id": external_id, "error_shape": shape}
    for external_id, shape in itertools.product(("refuse", "duplicate"), ("old", "new"))
]
CREATE = "/klasses/call$"


@pytest.fixture
def bridge(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    sandbox.kustomer.define_klass(definition("call", {}))
    return Bridge(redis_client, sandbox, Rules(fields_as="klass"))


def the_object(sandbox: RunningSandbox) -> dict[str, Any]:
    assert len(sandbox.kustomer.custom_objects) == 1
    return sandbox.kustomer.custom_objects[0]


def test_a_call_becomes_one_custom_object_of_its_customer_for_one_request(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, contact(1, 0))

    customer, *_ = one_of_each(sandbox)
    one = the_object(sandbox)
    fields = one["attributes"]
    assert one["type"] == "kobject.call"
    assert one["relationships"]["customer"]["data"]["id"] == customer["id"]
    assert fields["externalId"] == f"cloudtalk:call:{uuid_of(1)}:klass"
    assert re.fullmatch(r".*, \w{3} \d+ \w{3} \d{4}, \d\d:\d\d", fields["title"])
    assert fields["title"].startswith(f"{conversation(sandbox, 1)['attributes']['name']}, ")
    assert fields["custom"]["callTalkSecondsNum"] == 55 and fields["custom"]["callFirstOfDayBool"] is True
    assert len(requests(sandbox)) == 5


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: "-".join(reading.values()))
def test_a_lost_reply_makes_no_second_one(
    bridge: Bridge, sandbox: RunningSandbox, reading: dict[str, Any]
) -> None:
    sandbox.kustomer.read_as(**reading)
    sandbox.kustomer.lose_next_reply(method="POST", path=CREATE)
    bridge.receive("call-ended", contact(1, 0))

    assert bridge.run_jobs_for(10) == ["sync failed", "sync done"]

    the_object(sandbox)
    one_of_each(sandbox)
    assert bridge.record(uuid_of(1)).intents == {}


@pytest.mark.parametrize("reading", READINGS[::2], ids=lambda reading: "-".join(reading.values()))
def test_a_ledger_that_was_lost_finds_the_one_that_is_there(
    bridge: Bridge, sandbox: RunningSandbox, redis_client: redis.Redis, reading: dict[str, Any]
) -> None:
    sandbox.kustomer.read_as(**reading)
    tell(bridge, contact(1, 0))
    anew = Bridge(redis_client, sandbox, Rules(fields_as="klass"))
    # With it goes since when the ledger remembers.
    redis_client.flushall()

    tell(anew, contact(1, 0))
    anew.run_jobs_for(60)

    assert "klass" in anew.record(uuid_of(1)).outputs
    the_object(sandbox)
    one_of_each(sandbox)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("reading", ["replace", "merge"])
def test_a_rating_that_comes_later_is_added_for_two_requests_and_a_persons_change_stays(
    bridge: Bridge, sandbox: RunningSandbox, reading: str, lost: bool
) -> None:
    sandbox.kustomer.read_as(custom_update=reading)
    tell(bridge, contact(1, 0))
    one = the_object(sandbox)
    changed = {**one["attributes"]["custom"], "callAgentStr": "a person"}
    bridge.deps.kustomer.custom_objects.update("call", one["id"], {"custom": changed})
    sandbox.cloudtalk.add_call(id=1000000001, uuid=uuid_of(1), talking_time=55, rating=4)
    sandbox.kustomer.forget_requests()
    if lost:
        sandbox.kustomer.lose_next_reply(method="PUT", path="/klasses/call/")

    bridge.receive("call-modified", {"call_id": "1000000001", "call_uuid": uuid_of(1)})
    bridge.run_jobs_for(60, step_s=5)

    custom = the_object(sandbox)["attributes"]["custom"]
    assert (custom["callRatingNum"], custom["callAgentStr"]) == (4, "a person")
    asked = [one for one in requests(sandbox) if "klasses" in one]
    assert len(asked) == (3 if lost else 2)


def test_the_sentiment_of_cloudtalks_ai_is_added_once_it_is_there(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.define_klass(definition("call", {}))
    bridge = Bridge(redis_client, sandbox, Rules(fields_as="klass", sentiment=True))
    told = {"sentiment": "positive"}
    sandbox.cloudtalk.add_call(id=1000000001, uuid=uuid_of(1), talking_time=55, insights=told)

    bridge.receive("call-ended", contact(1, 0))
    bridge.run_jobs_for(120, step_s=20)

    assert the_object(sandbox)["attributes"]["custom"]["callSentimentStr"] == "positive"


def test_an_attribute_that_the_class_lacks_is_named_and_left_out(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.define_klass(definition("call", {"outcome": "callOutcomeStr"}))

    tell(bridge, contact(1, 0), contact(2, 5))

    assert [one["attributes"]["custom"] for one in sandbox.kustomer.custom_objects] == [
        {"callOutcomeStr": "answered"}
    ] * 2
    assert "callTalkSecondsNum, callWaitSecondsNum of the custom object" in str(
        bridge.record(uuid_of(1)).reason
    )
    assert "callWaitSecondsNum of the custom object left out" in str(bridge.record(uuid_of(2)).reason)


def test_an_attribute_defined_later_is_added_when_a_person_asks_and_to_all_further_calls(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.define_klass(definition("call", {"outcome": "callOutcomeStr"}))
    tell(bridge, contact(1, 0))
    both = {"outcome": "callOutcomeStr", "talk_s": "callTalkSecondsNum"}
    sandbox.kustomer.define_klass(definition("call", both))

    by_hand.sync_again(bridge.ledger, bridge.record(uuid_of(1)), who="a test")
    bridge.run_jobs()
    tell(bridge, contact(2, 5))

    assert [one["attributes"]["custom"] for one in sandbox.kustomer.custom_objects] == [
        {"callOutcomeStr": "answered", "callTalkSecondsNum": 55}
    ] * 2
    assert "callTalkSecondsNum" not in str(bridge.record(uuid_of(1)).reason)


@pytest.mark.parametrize("status", [404, 400])
def test_a_class_that_is_missing_costs_two_requests_an_hour_and_holds_up_nothing(
    redis_client: redis.Redis, sandbox: RunningSandbox, status: int
) -> None:
    sandbox.kustomer.read_as(unknown_klass=status)
    bridge = Bridge(redis_client, sandbox, Rules(fields_as="klass"))
    tell(bridge, contact(1, 0))

    tell(bridge, contact(2, 5), contact(3, 10))

    tried = [one for one in requests(sandbox) if "klasses" in one]
    assert len(tried) == 1 and len(sandbox.kustomer.notes) == 3
    first, second = (bridge.record(uuid_of(number)) for number in (1, 2))
    assert first.state == second.state == "synced"
    assert "Kustomer has no class call; callbridge kustomer klass prints" in str(first.reason)
    assert "Kustomer refused the class call within the last hour" in str(second.reason)
    assert klass_refused(bridge.ledger) == ("call", "missing")
    # An admin creates it; the calls come by themselves.
    sandbox.kustomer.define_klass(json.loads(json.dumps(definition("call", {}))))
    redis_client.delete(f"{keys.TAG}:cache:kustomer:refused-klass:call")
    bridge.let_pass(3661)

    bridge.run_jobs()

    assert len(sandbox.kustomer.custom_objects) == 3
    assert klass_refused(bridge.ledger) == ("", "") and not bridge.record(uuid_of(1)).reason


def test_once_a_person_has_one_call_written_the_next_ones_do_not_wait_for_the_hour(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(unknown_klass=404)
    bridge = Bridge(redis_client, sandbox, Rules(fields_as="klass"))
    tell(bridge, contact(1, 0))
    sandbox.kustomer.define_klass(definition("call", {"outcome": "callOutcomeStr"}))
    by_hand.sync_again(bridge.ledger, bridge.record(uuid_of(1)), who="a test")
    bridge.run_jobs()

    tell(bridge, contact(2, 5))

    assert len(sandbox.kustomer.custom_objects) == 2 and klass_refused(bridge.ledger) == ("", "")


def test_a_key_without_the_role_holds_up_nothing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    said = '{"errors": [{"title": "Missing role org.permission.kobject.create"}]}'
    sandbox.kustomer.answer_next(said, "application/json", status=401, method="POST", path=CREATE)

    tell(bridge, contact(1, 0))

    record = bridge.record(uuid_of(1))
    assert record.state == "synced" and "the key lacks the role for class call" in str(record.reason)
    assert klass_refused(bridge.ledger) == ("call", "role")
    one_of_each(sandbox)


def test_a_customer_who_was_merged_meanwhile_is_told_from_a_class_that_is_missing(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, miss(1, 0))
    old = one_of_each(sandbox)[0]["id"]
    new = sandbox.kustomer.add_customer(name="Ada Example")
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], {"customer": new})
    sandbox.kustomer.remove("custom_object", the_object(sandbox)["id"])
    sandbox.kustomer.remove("customer", old)
    with_object = keys.record(f"uuid:{uuid_of(1)}")
    bridge.ledger.redis.hdel(with_object, "out:klass")

    bridge.sync(f"uuid:{uuid_of(1)}")

    assert the_object(sandbox)["relationships"]["customer"]["data"]["id"] == new


def test_a_missed_call_that_joins_an_item_has_its_own_object(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.define_klass(definition("call", {}))
    bridge = Bridge(redis_client, sandbox, Rules(fields_as="klass", per="missed_caller"))

    tell(bridge, miss(1, 0), miss(2, 5))

    assert len(sandbox.kustomer.conversations) == 1
    objects = [one["attributes"]["custom"]["callFirstOfDayBool"] for one in sandbox.kustomer.custom_objects]
    assert objects == [True, False]


def test_the_definition_has_every_field_that_the_rules_may_name() -> None:
    attributes = definition("call", {name: one.attribute for name, one in FIELDS.items()})

    assert len(attributes["metadata"]["properties"]) == len(FIELDS)
