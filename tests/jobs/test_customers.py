"""Whose call it is: found by the rules' order, chosen among several, or said by a person."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.ledger import keys
from bridge.ledger.calls import by_hand
from bridge.ledger.calls.retention import enforce_retention
from bridge.ledger.keys import Lane, split_job
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"
NUMBER = "+441632960304"
STATED = frozenset({"customer.match", "customer.several"})


def other(last: int, **more: Any) -> dict[str, Any]:
    """Another call."""
    return ended(call_id=1000000500 + last, uuid=f"{UUID[:-1]}{last}", **more)


def bridge_with(client: redis.Redis, sandbox: RunningSandbox, **choices: Any) -> Bridge:
    return Bridge(client, sandbox, Rules(**{"stated": STATED, "region": "GB", **choices}))


def owners(sandbox: RunningSandbox) -> list[str]:
    """The customer of each conversation."""
    return [one["relationships"]["customer"]["data"]["id"] for one in sandbox.kustomer.conversations]


def assign(bridge: Bridge, customer_id: str, key: str = KEY) -> None:
    record = bridge.record(key)
    by_hand.assign(
        bridge.ledger, record, customer_id, number=record.call(bridge.rules).external, who="a test"
    )


def two_at_one_number(sandbox: RunningSandbox) -> tuple[str, str]:
    """Two customers who share a number, the older first."""
    shared = [{"phone": NUMBER}]
    old = sandbox.kustomer.add_customer(
        name="Ada Example", sharedPhones=shared, createdAt="2024-01-01T08:00:00.000Z"
    )
    new = sandbox.kustomer.add_customer(
        name="Cy Example", sharedPhones=shared, createdAt="2025-01-01T08:00:00.000Z"
    )
    return old, new


def requests(sandbox: RunningSandbox) -> list[str]:
    return [f"{one.method} {one.path.partition('/v1')[2]}" for one in sandbox.kustomer.requests]


# -- who it is


def test_the_newest_of_several_is_taken_and_the_record_says_so(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    old, new = two_at_one_number(sandbox)
    bridge = bridge_with(redis_client, sandbox, several="newest")
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert owners(sandbox) == [new]
    record = bridge.record(KEY)
    assert (
        record.customer_why
        == '2 customers have this number: the newest was taken (customer.several = "newest")'
    )
    assert {one["id"] for one in record.candidates} == {old, new}
    assert record.caller == "known"


def test_of_several_the_one_with_the_most_recent_conversation_may_be_taken(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    old, _ = two_at_one_number(sandbox)
    bridge = bridge_with(redis_client, sandbox, several="most_recent_conversation")
    bridge.deps.kustomer.conversations.create({"customer": old, "name": "A letter"})
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert owners(sandbox) == [old, old]


@pytest.mark.parametrize("reading", [{"phone_lookup": "one"}, {"phone_lookup": "list"}])
def test_several_may_come_from_the_look_up_itself(
    redis_client: redis.Redis, sandbox: RunningSandbox, reading: dict[str, Any]
) -> None:
    sandbox.kustomer.read_as(shared_phone_lookup=True, **reading)
    old, new = two_at_one_number(sandbox)
    bridge = bridge_with(redis_client, sandbox, several="newest")
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    # Where Kustomer names one only, that one is taken.
    assert owners(sandbox) == [new if reading["phone_lookup"] == "list" else old]


def test_a_number_stored_in_another_spelling_is_found_by_search(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(phone_match="text")
    there = sandbox.kustomer.add_customer(name="Ada Example", phones=[{"phone": "01632960304"}])
    bridge = bridge_with(redis_client, sandbox)
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert owners(sandbox) == [there]


def test_the_contacts_e_mail_finds_a_customer_whose_number_is_new(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    there = sandbox.kustomer.add_customer(name="Ada Example", emails=[{"email": "ada@example.com"}])
    bridge = bridge_with(redis_client, sandbox)
    bridge.receive("call-ended", ended(contact_email="Ada@example.com"))

    bridge.run_jobs()

    assert owners(sandbox) == [there]


def test_the_contacts_e_mail_is_asked_for_where_no_webhook_told_it(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    there = sandbox.kustomer.add_customer(name="Ada Example", emails=[{"email": "ada@example.com"}])
    bridge = bridge_with(redis_client, sandbox)
    made = bridge.deps.cloudtalk.contacts.create(
        {"name": "Ada Example", "ContactEmail": [{"email": "ada@example.com"}]}
    )
    bridge.receive("call-ended", ended(contact_id=str(made["id"])))
    sandbox.cloudtalk.forget_requests()

    bridge.run_jobs()

    assert owners(sandbox) == [there]
    assert len(sandbox.cloudtalk.requests) == 1


def test_the_contacts_id_finds_a_customer_whose_number_is_new(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    there = sandbox.kustomer.add_customer(externalId="cloudtalk:contact:1400000104")
    bridge = bridge_with(redis_client, sandbox, match=("phone", "external_id"))
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert owners(sandbox) == [there]


def test_a_key_that_may_not_search_writes_calls_all_the_same(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(search_role=False)
    bridge = bridge_with(redis_client, sandbox, match=("phone", "shared_phone"))
    bridge.receive("call-ended", ended())
    bridge.receive("call-ended", other(1, external_number="+441632960305"))

    assert bridge.run_jobs() == ["sync done", "sync done"]

    assert len(sandbox.kustomer.conversations) == 2
    # It is tried once, not for each call.
    assert requests(sandbox).count("POST /customers/search") == 1
    assert "role org.permission.search.create" in bridge.record(KEY).customer_why


# -- when nobody can tell


def test_with_none_the_call_waits_for_a_person_and_nothing_is_written(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    two_at_one_number(sandbox)
    bridge = bridge_with(redis_client, sandbox, several="none")
    bridge.receive("call-ended", ended())

    assert bridge.run_jobs() == ["sync parked"]

    assert sandbox.kustomer.writes == []
    [job] = bridge.ledger.job_states(KEY)
    assert job["cause"] == "SeveralCustomers"
    assert {one["name"] for one in bridge.record(KEY).candidates} == {"Ada Example", "Cy Example"}


def test_an_assignment_settles_all_calls_of_the_number_and_is_remembered(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    old, _ = two_at_one_number(sandbox)
    bridge = bridge_with(redis_client, sandbox, several="none")
    for body in (ended(), other(1), other(2, external_number="+441632960305")):
        bridge.receive("call-ended", body)
    assert sorted(bridge.run_jobs()) == ["sync done", "sync parked", "sync parked"]

    assign(bridge, old)
    bridge.run_jobs()
    bridge.receive("call-ended", other(3))
    bridge.run_jobs()

    assert owners(sandbox).count(old) == 3
    assert bridge.ledger.parked() == {}


@pytest.mark.parametrize("trouble", ["", "lost", "refused"])
def test_an_assignment_moves_a_conversation_once(
    bridge: Bridge, sandbox: RunningSandbox, trouble: str
) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    chosen = sandbox.kustomer.add_customer(name="Cy Example")
    if trouble == "lost":
        sandbox.kustomer.lose_next_reply(method="PATCH", path="/conversations/")
    elif trouble == "refused":
        sandbox.kustomer.fail_next(503, method="PATCH", path="/conversations/")
    sandbox.kustomer.forget_requests()

    assign(bridge, chosen)
    bridge.run_jobs_for(5)

    assert owners(sandbox) == [chosen]
    moves = [one for one in requests(sandbox) if one.startswith("PATCH /conversations/")]
    assert len(moves) == (2 if trouble == "refused" else 1)
    # After a lost reply it is there already.
    said = [line["what"] for line in bridge.record(KEY).log]
    assert said.count("conversation moved") == (trouble != "lost")
    assert len(sandbox.kustomer.notes) == 1


def test_an_assignment_of_a_missed_call_that_joined_others_moves_their_conversation(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = bridge_with(redis_client, sandbox, per="missed_caller", stated=frozenset())
    missed = {"talking_time": "0", "answered_at": None, "agent_id": None}
    for last in (0, 1):
        bridge.receive("call-ended", other(last, **missed))
        bridge.run_jobs()
    chosen = sandbox.kustomer.add_customer(name="Cy Example")

    assign(bridge, chosen, f"uuid:{UUID[:-1]}1")
    bridge.run_jobs()

    assert owners(sandbox) == [chosen]


def test_a_conversation_that_a_person_moves_afterwards_stays_there(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    assign(bridge, sandbox.kustomer.add_customer(name="Cy Example"))
    bridge.run_jobs()
    moved_to = sandbox.kustomer.add_customer(name="Di Example")
    [conversation] = sandbox.kustomer.conversations
    bridge.deps.kustomer.conversations.update(conversation["id"], {"customer": moved_to})

    by_hand.sync_again(bridge.ledger, bridge.record(KEY), who="a test")
    bridge.run_jobs()

    assert owners(sandbox) == [moved_to]


def test_a_customer_that_kustomer_does_not_have_is_refused_and_another_may_be_chosen(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    [before] = owners(sandbox)

    assign(bridge, "0" * 24)
    assert bridge.run_jobs() == ["sync parked"]
    bridge.receive("call-ended", other(1))
    bridge.run_jobs()

    assert owners(sandbox) == [before, before]
    assert "does not exist in Kustomer" in bridge.record(KEY).customer_why
    chosen = sandbox.kustomer.add_customer(name="Cy Example")
    assign(bridge, chosen)
    bridge.run_jobs()
    assert owners(sandbox) == [chosen, before]


def test_an_assignment_made_while_the_call_is_looked_up_is_not_lost(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    old, _ = two_at_one_number(sandbox)
    bridge = bridge_with(redis_client, sandbox, several="none")
    bridge.wire.once("after", "POST", "/customers/search$", lambda: assign(bridge, old))
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert owners(sandbox) == [old]


def test_a_later_assignment_replaces_the_earlier_one(bridge: Bridge, sandbox: RunningSandbox) -> None:
    first, second = (sandbox.kustomer.add_customer(name=name) for name in ("Cy", "Di"))
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    assign(bridge, first)
    bridge.run_jobs()
    assign(bridge, second)
    bridge.run_jobs()
    bridge.receive("call-ended", other(1))

    bridge.run_jobs()

    assert owners(sandbox) == [second, second]


# -- callers whom Kustomer does not know


def test_unknown_callers_may_be_left_out(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = bridge_with(redis_client, sandbox, unknown="skip")
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert (sandbox.kustomer.customers, sandbox.kustomer.conversations) == ([], [])
    record = bridge.record(KEY)
    assert record.state == "skipped"
    assert record.caller == "unknown"
    assert "customer.unknown" in str(record.reason)


def test_unknown_and_withheld_callers_may_go_to_a_house_customer(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    house = sandbox.kustomer.add_customer()
    bridge = bridge_with(redis_client, sandbox, unknown="house", house=house, write_withheld=True)
    bridge.receive("call-ended", ended())
    bridge.receive("call-ended", other(1, external_number="anonymous", contact_id=None, contact_name=None))

    bridge.run_jobs()

    assert owners(sandbox) == [house, house]
    [customer] = sandbox.kustomer.customers
    # Its fields are nobody's to fill.
    assert customer["attributes"]["name"] is None


def test_a_new_customer_has_what_the_rules_say_and_what_is_refused_is_said(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(custom_attributes=["sourceStr"])
    bridge = bridge_with(
        redis_client,
        sandbox,
        phone_type="mobile",
        customer_tags=("Phone: caller",),
        locale="de",
        customer_custom={"sourceStr": "CloudTalk", "tierStr": "gold"},
    )
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    [customer] = sandbox.kustomer.customers
    attributes = customer["attributes"]
    assert [(one["type"], one["phone"]) for one in attributes["phones"]] == [("mobile", NUMBER)]
    assert attributes["custom"] == {"sourceStr": "CloudTalk"}
    assert attributes["locale"] == "de"
    assert len(attributes["tags"]) == 1
    assert "custom attribute tierStr" in str(bridge.record(KEY).reason)


def test_a_name_that_is_nothing_but_the_number_gives_way_to_a_contacts(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.add_customer(name="+44 1632 960304", phones=[{"phone": NUMBER}])
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert [one["attributes"]["name"] for one in sandbox.kustomer.customers] == ["Ada Example"]


@pytest.mark.parametrize("remembers", [True, False])
def test_a_name_by_template_gives_way_to_a_contacts_once(
    redis_client: redis.Redis, sandbox: RunningSandbox, remembers: bool
) -> None:
    bridge = bridge_with(redis_client, sandbox, customer_name="Caller {{ number }}", stated=frozenset())

    def name_after(body: dict[str, Any]) -> str:
        if not remembers:
            bridge.ledger.memory.remember_customer(NUMBER, None)
        bridge.receive("call-ended", body)
        bridge.run_jobs()
        [customer] = sandbox.kustomer.customers
        return str(customer["attributes"]["name"])

    nameless = {"contact_name": None, "contact_id": None}
    assert name_after(ended(**nameless)) == name_after(other(1, **nameless)) == f"Caller {NUMBER}"
    assert name_after(other(2)) == "Ada Example"
    assert name_after(other(3, contact_name="Cy Example")) == "Ada Example"


def test_any_other_name_stays(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.add_customer(name="Grandma", phones=[{"phone": NUMBER}])
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    assert [one["attributes"]["name"] for one in sandbox.kustomer.customers] == ["Grandma"]


# -- merged customers


@pytest.mark.parametrize("reading", ["gone", "target"])
def test_a_merged_customer_is_followed(bridge: Bridge, sandbox: RunningSandbox, reading: str) -> None:
    sandbox.kustomer.read_as(merged=reading)
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    [source], target = owners(sandbox), sandbox.kustomer.add_customer(name="Ada Example")
    merge(bridge, source, target)
    bridge.receive("call-ended", other(1))

    bridge.run_jobs()

    assert owners(sandbox) == [target, target]


@pytest.mark.parametrize("reading", ["gone", "target"])
def test_a_merged_customer_that_a_person_chose_is_followed_or_looked_up_anew(
    bridge: Bridge, sandbox: RunningSandbox, reading: str
) -> None:
    sandbox.kustomer.read_as(merged=reading)
    chosen, target = (sandbox.kustomer.add_customer(name=name) for name in ("Cy", "Di"))
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    [own] = owners(sandbox)
    assign(bridge, chosen)
    bridge.run_jobs()
    merge(bridge, chosen, target)
    bridge.receive("call-ended", other(1))

    bridge.run_jobs()

    # With the id gone nobody can tell whom it was merged into: the number finds who has it.
    assert owners(sandbox) == [target, target if reading == "target" else own]


def merge(bridge: Bridge, source: str, target: str) -> None:
    service = bridge.deps.kustomer.service
    url = f"{bridge.deps.kustomer.url}/v1/customers/merges"
    service.request("merge", "POST", url, json={"source": source, "target": target})


# -- many at once


@pytest.mark.slow
def test_new_calls_of_one_new_caller_from_several_workers_make_one_customer(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.read_as(search_delay_s=60)
    bridge = bridge_with(redis_client, sandbox)
    for last in range(6):
        bridge.receive("call-ended", other(last, contact_email="ada@example.com"))

    with ThreadPoolExecutor(6) as workers:
        while (lane := bridge.ledger.queue()[Lane.LIVE]).due or lane.waiting:
            _, names = bridge.ledger.dispatch(6)
            list(workers.map(lambda name: bridge.runner.run(*split_job(name)), names))
            bridge.let_pass(1)

    assert len(sandbox.kustomer.customers) == 1
    assert len(sandbox.kustomer.conversations) == 6
    assert [bridge.record(f"uuid:{UUID[:-1]}{last}").caller for last in range(6)].count("unknown") == 1


# -- what is remembered


def test_a_number_that_nobody_calls_from_any_more_is_forgotten_after_the_retention(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    assign(bridge, sandbox.kustomer.add_customer(name="Cy Example"))
    enforce_retention(bridge.ledger)
    assert bridge.ledger.redis.hlen(keys.ASSIGNED) == 1

    bridge.ledger.redis.zadd(keys.ASSIGNED_AT, {NUMBER: 1})
    enforce_retention(bridge.ledger)

    assert bridge.ledger.redis.hlen(keys.ASSIGNED) == bridge.ledger.redis.zcard(keys.ASSIGNED_AT) == 0


@pytest.mark.slow
def test_of_more_numbers_than_may_be_kept_those_used_last_stay(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())
    ledger = bridge.ledger
    ledger.redis.hset(keys.ASSIGNED, mapping={f"+1555{n:07}": "0" * 24 for n in range(keys.MOST_ASSIGNED)})
    ledger.redis.zadd(keys.ASSIGNED_AT, {f"+1555{n:07}": n for n in range(keys.MOST_ASSIGNED)})

    assign(bridge, "1" * 24)

    assert ledger.redis.hlen(keys.ASSIGNED) == keys.MOST_ASSIGNED
    assert ledger.redis.hget(keys.ASSIGNED, NUMBER) == "1" * 24
    assert not ledger.redis.hexists(keys.ASSIGNED, "+15550000000")


# -- what it costs


def test_without_a_rules_file_no_request_is_added(bridge: Bridge, sandbox: RunningSandbox) -> None:
    """What the other choices cost is measured by `tests.day.costs`."""
    sandbox.kustomer.add_customer(name="Di Example", phones=[{"phone": "+441632960305"}])

    def cost(last: int, number: str) -> int:
        sandbox.kustomer.forget_requests()
        bridge.receive("call-ended", other(last, external_number=number))
        bridge.run_jobs()
        return len(sandbox.kustomer.requests)

    assert [cost(1, NUMBER), cost(2, "+441632960305"), cost(3, "+441632960305")] == [4, 3, 2]


# -- rules for single calls


def test_a_rule_may_choose_for_its_calls_over_what_is_remembered(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    two_at_one_number(sandbox)
    waits = Rule(when=When(min_talk_s=300), then={"several": "none"})
    bridge = bridge_with(redis_client, sandbox, rules=(waits,))
    bridge.receive("call-ended", ended())
    assert bridge.run_jobs() == ["sync done"]
    bridge.receive("call-ended", other(1, talking_time=400))

    assert bridge.run_jobs() == ["sync parked"]


def test_a_call_that_shares_its_customers_conversation_may_be_given_to_another_and_moves_it(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    two_at_one_number(sandbox)
    bridge = bridge_with(redis_client, sandbox, per="customer", several="none")
    for last in (0, 1):
        bridge.receive("call-ended", other(last))
    assert bridge.run_jobs() == ["sync parked", "sync parked"]
    first, second = (one["id"] for one in sandbox.kustomer.customers)

    assign(bridge, first)
    bridge.run_jobs()
    assert owners(sandbox) == [first]
    assign(bridge, second)
    bridge.run_jobs()

    assert owners(sandbox) == [second]
    assert not bridge.record(KEY).is_assigned_anew
