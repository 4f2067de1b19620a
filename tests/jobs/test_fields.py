"""Values for reports as custom attributes of the conversation: written, updated, left to people, refused."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.fields import FIELDS
from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls import by_hand
from bridge.sandbox.running import RunningSandbox
from tests.jobs.test_missed import contact, conversation, miss, requests, tell, uuid_of
from tests.support import Bridge

ATTRIBUTES = [one.attribute for one in FIELDS.values()]


@pytest.fixture
def bridge(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    sandbox.kustomer.read_as(custom_attributes=ATTRIBUTES)
    return Bridge(redis_client, sandbox, Rules(fields_as="conversation"))


def custom(sandbox: RunningSandbox, number: int) -> dict[str, Any]:
    found: dict[str, Any] = conversation(sandbox, number)["attributes"].get("custom", {})
    return found


def test_values_come_with_the_conversation_and_cost_no_request(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.forget_requests()

    tell(bridge, contact(1, 0))

    fields = custom(sandbox, 1)
    assert (fields["callOutcomeStr"], fields["callTalkSecondsNum"]) == ("answered", 55)
    assert fields["callFirstOfDayBool"] is True
    assert len(requests(sandbox)) == 4 and not sandbox.cloudtalk.requests


@pytest.mark.parametrize("lost", [False, True])
def test_a_rating_that_comes_later_is_added_and_what_a_person_changed_stays(
    bridge: Bridge, sandbox: RunningSandbox, lost: bool
) -> None:
    tell(bridge, contact(1, 0))
    own = {**custom(sandbox, 1), "callAgentStr": "a person"}
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], {"custom": own})
    sandbox.cloudtalk.add_call(id=1000000001, uuid=uuid_of(1), talking_time=55, rating=4)
    if lost:
        sandbox.kustomer.lose_next_reply(method="PATCH", path="/conversations/")

    bridge.receive("call-modified", {"call_id": "1000000001", "call_uuid": uuid_of(1)})
    bridge.run_jobs_for(60, step_s=10)

    fields = custom(sandbox, 1)
    assert (fields["callRatingNum"], fields["callAgentStr"]) == (4, "a person")


def test_a_call_heard_of_later_takes_first_of_the_day_from_the_one_that_had_it(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, contact(2, 5))
    assert custom(sandbox, 2)["callFirstOfDayBool"] is True

    tell(bridge, miss(1, 0))

    assert [custom(sandbox, number)["callFirstOfDayBool"] for number in (1, 2)] == [True, False]


def test_an_attribute_that_kustomer_refuses_is_named_and_not_sent_again_for_an_hour(
    bridge: Bridge, sandbox: RunningSandbox, redis_client: redis.Redis
) -> None:
    sandbox.kustomer.read_as(custom_attributes=["callOutcomeStr"])
    tell(bridge, contact(1, 0))
    # One refusal names all of them.
    assert len([one for one in sandbox.kustomer.requests if one.status == 400]) == 1
    sandbox.kustomer.forget_requests()

    tell(bridge, contact(2, 5))

    assert custom(sandbox, 1) == custom(sandbox, 2) == {"callOutcomeStr": "answered"}
    assert len(requests(sandbox)) == 2
    names = "callAgentStr, callDirectionStr, callEndedAt, callFirstOfDayBool, callLineStr, callStartedAt"
    names += ", callTalkSecondsNum, callWaitSecondsNum of the conversation"
    first, second = (str(bridge.record(uuid_of(number)).reason) for number in (1, 2))
    assert f"Kustomer refused the custom attributes {names}: badparam" in first
    assert first.count("callLineStr") == 1
    assert f"custom attributes {names} left out" in second
    redis_client.delete(f"{keys.TAG}:cache:kustomer:refused-attributes:conversation")
    sandbox.kustomer.read_as(custom_attributes=ATTRIBUTES)

    tell(bridge, contact(3, 10))

    assert custom(sandbox, 3)["callLineStr"] == "+15550100101"


def test_an_attribute_defined_later_is_added_when_a_person_asks_and_to_all_further_calls(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(custom_attributes=["callOutcomeStr"])
    tell(bridge, contact(1, 0))
    sandbox.kustomer.read_as(custom_attributes=["callOutcomeStr", "callTalkSecondsNum"])

    by_hand.sync_again(bridge.ledger, bridge.record(uuid_of(1)), who="a test")
    bridge.run_jobs()
    tell(bridge, contact(2, 5))

    assert [custom(sandbox, number) for number in (1, 2)] == [
        {"callOutcomeStr": "answered", "callTalkSecondsNum": 55}
    ] * 2
    assert "callTalkSecondsNum" not in str(bridge.record(uuid_of(1)).reason)
