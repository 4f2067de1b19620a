"""The life of a missed call in Kustomer: closed by a contact, one item for repeated ones, opened again."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from bridge.domain.outcome import Direction
from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.ledger.calls.missed import open_misses
from bridge.ledger.measures import read_measures
from bridge.reconcile.audit import Audit
from bridge.reconcile.compare import Span
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk, one_of_each
from tests.support import Bridge, ended

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=50)


def uuid_of(number: int) -> str:
    return f"11111111-2222-4333-8444-{number:012d}"


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def clock(minute: int) -> str:
    return f"{at(minute):%H:%M}"


def _told(number: int, minute: int, seconds: int, **more: Any) -> dict[str, Any]:
    begun = at(minute)
    times = {"started_at": begun.isoformat(), "ended_at": (begun + timedelta(seconds=seconds)).isoformat()}
    return ended(
        call_id=1000000000 + number, uuid=uuid_of(number), **{**times, "tags": "", "notes": "", **more}
    )


def miss(number: int, minute: int, **more: Any) -> dict[str, Any]:
    nobody = {"agent_id": None, "agent_first_name": None, "agent_last_name": None}
    return _told(number, minute, 20, **{"talking_time": "0", "answered_at": None, **nobody, **more})


def contact(number: int, minute: int, **more: Any) -> dict[str, Any]:
    told = {"direction": "outgoing", "answered_at": (at(minute) + timedelta(seconds=5)).isoformat()}
    return _told(number, minute, 60, **{**told, "talking_time": "55", **more})


def tell(bridge: Bridge, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        bridge.receive("call-ended", body)
        bridge.run_jobs()


def conversation(sandbox: RunningSandbox, number: int) -> dict[str, Any]:
    key = f"cloudtalk:call:{uuid_of(number)}"
    found = [one for one in sandbox.kustomer.conversations if one["attributes"].get("externalId") == key]
    assert len(found) == 1, f"{len(found)} conversations of call {number}"
    return found[0]


def note(sandbox: RunningSandbox, number: int) -> str:
    key = f"cloudtalk:call:{uuid_of(number)}:note"
    found = [one["attributes"] for one in sandbox.kustomer.notes if one["attributes"]["externalId"] == key]
    assert len(found) == 1, f"{len(found)} notes of call {number}"
    return str(found[0]["body"])


def status(sandbox: RunningSandbox, number: int) -> str:
    return str(conversation(sandbox, number)["attributes"]["status"])


def requests(sandbox: RunningSandbox) -> list[str]:
    return [f"{one.method} {one.path}" for one in sandbox.kustomer.requests]


# -- closed on contact


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
def test_a_later_call_with_talk_time_closes_a_missed_call_and_its_note_says_so(
    bridge: Bridge, sandbox: RunningSandbox, direction: str
) -> None:
    tell(bridge, miss(1, 0))
    assert status(sandbox, 1) == "open"

    tell(bridge, contact(2, 10, direction=direction))

    assert status(sandbox, 1) == "done"
    word = "Called back" if direction == "outgoing" else "Called again"
    by = "by" if direction == "outgoing" else "answered by"
    assert f"{word}: call 1000000002, {by} Bo Sample at {clock(10)}" in note(sandbox, 1)
    assert bridge.record(uuid_of(1)).reason == "closed by call 1000000002"


def test_closing_costs_two_reads_and_two_updates(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, miss(1, 0))
    first = len(requests(sandbox))

    tell(bridge, contact(2, 10))

    assert first == 4
    of_the_contact = 2  # its customer is remembered
    assert len(requests(sandbox)) - first - of_the_contact == 4


def test_without_an_open_missed_call_a_contact_costs_nothing_more(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, contact(1, 0), contact(2, 10))

    assert len(requests(sandbox)) == 4 + 2


def test_a_contact_that_began_before_the_missed_call_closes_nothing(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, miss(1, 5), contact(2, 0))

    assert status(sandbox, 1) == "open"


@pytest.mark.parametrize("talked", ["0"])
def test_a_call_back_that_nobody_answers_closes_nothing(
    bridge: Bridge, sandbox: RunningSandbox, talked: str
) -> None:
    tell(bridge, miss(1, 0), contact(2, 10, talking_time=talked, answered_at=None))

    assert status(sandbox, 1) == "open"


def test_every_open_missed_call_of_the_caller_is_closed(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, miss(1, 0), miss(2, 5), miss(3, 8, is_voicemail="true"), contact(4, 10))

    assert [status(sandbox, number) for number in (1, 2, 3)] == ["done"] * 3


def test_another_callers_missed_call_stays_open(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, miss(1, 0, external_number="+441632960999"), contact(2, 10))

    assert status(sandbox, 1) == "open"


def test_the_rules_can_leave_missed_calls_open(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(close_missed_on_contact=False))

    tell(bridge, miss(1, 0), contact(2, 10))

    assert status(sandbox, 1) == "open"
    assert "Called" not in note(sandbox, 1)


def test_a_contact_that_is_not_written_closes_all_the_same(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    no_outgoing = Rule(when=When(direction=(Direction.OUTGOING,)), then={"write": False})
    bridge = Bridge(redis_client, sandbox, Rules(rules=(no_outgoing,)))

    tell(bridge, miss(1, 0), contact(2, 10))

    assert len(sandbox.kustomer.conversations) == 1
    assert status(sandbox, 1) == "done"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"status": "snoozed", "snooze": {"status": "scheduled"}}, "status"),
        ({"assignedUsers": ["5f0e00000000000000000003"]}, "owner"),
        ({"assignedTeams": ["5f0e00000000000000000004"]}, "team"),
        ({"tags": ["complaint"]}, "tags"),
    ],
)
def test_what_a_person_has_touched_is_not_closed(
    bridge: Bridge, sandbox: RunningSandbox, change: dict[str, Any], what: str
) -> None:
    tell(bridge, miss(1, 0))
    bridge.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], change)
    before = note(sandbox, 1), status(sandbox, 1)

    tell(bridge, contact(2, 10))

    assert (note(sandbox, 1), status(sandbox, 1)) == before
    assert bridge.record(uuid_of(1)).reason == f"not closed by call 1000000002: a person changed its {what}"


def test_a_conversation_whose_note_a_person_edited_is_not_closed(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, miss(1, 0))
    bridge.deps.kustomer.notes.update(sandbox.kustomer.notes[0]["id"], {"body": "I will call."})

    tell(bridge, contact(2, 10), contact(3, 20))

    assert (note(sandbox, 1), status(sandbox, 1)) == ("I will call.", "open")


def test_our_own_tags_are_not_taken_for_a_persons(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(tags=("phone", "missed"), assign="longest"))

    tell(bridge, miss(1, 0), contact(2, 10))

    assert status(sandbox, 1) == "done"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_in_which_webhooks_come_makes_no_difference(
    bridge: Bridge, sandbox: RunningSandbox, order: tuple[int, ...]
) -> None:
    bodies = (miss(1, 0), miss(2, 5), contact(3, 10))

    tell(bridge, *(bodies[n] for n in order))

    assert [status(sandbox, number) for number in (1, 2, 3)] == ["done"] * 3
    for number in (1, 2):
        assert f"Called back: call 1000000003, by Bo Sample at {clock(10)}" in note(sandbox, number)
    assert len(sandbox.kustomer.customers) == 1


def test_an_earlier_contact_that_is_heard_of_later_is_the_one_that_is_named(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    tell(bridge, miss(1, 0), contact(3, 20), contact(2, 10))

    assert "call 1000000002" in note(sandbox, 1) and "call 1000000003" not in note(sandbox, 1)


@pytest.mark.parametrize("path", ["/notes/", "/conversations/"])
def test_a_lost_reply_while_closing_changes_nothing(
    bridge: Bridge, sandbox: RunningSandbox, path: str
) -> None:
    tell(bridge, miss(1, 0))
    sandbox.kustomer.lose_next_reply(method="PATCH", path=path)

    tell(bridge, contact(2, 10))
    bridge.run_jobs_for(30)

    assert status(sandbox, 1) == "done"
    assert note(sandbox, 1).count("Called back") == 1
    assert bridge.record(uuid_of(1)).reason == "closed by call 1000000002"


def test_a_ring_group_that_nobody_answers_is_one_missed_call(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for agent in ("400101", "400102", "400103"):
        bridge.receive("call-ringing", {**miss(1, 0), "agent_id": agent, "ended_at": None})
    for agent in ("400101", "400102", "400103"):
        bridge.receive("call-ended", miss(1, 0, agent_id=agent))
    bridge.run_jobs()

    one_of_each(sandbox)
    assert open_misses(bridge.ledger) == 1


# -- one item for repeated missed calls


@pytest.fixture
def items(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    return Bridge(redis_client, sandbox, Rules(per="missed_caller"))


def test_further_missed_calls_join_the_open_item_of_their_caller(
    items: Bridge, sandbox: RunningSandbox
) -> None:
    tell(items, miss(1, 0), miss(2, 5), miss(3, 8))

    one_of_each(sandbox)
    assert f"3 missed calls: {clock(0)}, {clock(5)}, {clock(8)}" in note(sandbox, 1)
    joined = items.record(uuid_of(3))
    assert joined.state == "synced" and joined.reason == "joined to the item of call 1000000001"
    assert joined.outputs["conversation"].id == conversation(sandbox, 1)["id"]


def test_a_miss_that_joins_costs_one_read_and_the_update_of_the_note(
    items: Bridge, sandbox: RunningSandbox
) -> None:
    tell(items, miss(1, 0))
    first = len(requests(sandbox))

    tell(items, miss(2, 5))

    assert len(requests(sandbox)) - first == 3


def test_a_contact_closes_the_item_and_a_new_miss_opens_it_again(
    items: Bridge, sandbox: RunningSandbox
) -> None:
    tell(items, miss(1, 0), miss(2, 5), contact(3, 10))
    assert status(sandbox, 1) == "done" and open_misses(items.ledger) == 0

    tell(items, miss(4, 20))

    assert status(sandbox, 1) == "open" and open_misses(items.ledger) == 1
    assert f"3 missed calls: {clock(0)}, {clock(5)}, {clock(20)}" in note(sandbox, 1)
    assert len(sandbox.kustomer.conversations) == 2

    tell(items, contact(5, 30))

    assert status(sandbox, 1) == "done"
    assert "call 1000000003" in note(sandbox, 1) and "call 1000000005" in note(sandbox, 1)


def test_an_answered_call_has_a_conversation_of_its_own(items: Bridge, sandbox: RunningSandbox) -> None:
    tell(items, miss(1, 0), contact(2, 10), contact(3, 20))

    assert {one["attributes"]["externalId"] for one in sandbox.kustomer.conversations} == {
        f"cloudtalk:call:{uuid_of(number)}" for number in (1, 2, 3)
    }


@pytest.mark.parametrize("change", [{"status": "done"}, {"deleted": True}, {"locked": True}, {"ended": True}])
def test_a_miss_after_a_person_ended_the_item_begins_a_new_one(
    items: Bridge, sandbox: RunningSandbox, change: dict[str, Any]
) -> None:
    tell(items, miss(1, 0))
    items.deps.kustomer.conversations.update(conversation(sandbox, 1)["id"], change)

    tell(items, miss(2, 5), miss(3, 8))

    assert "missed calls" not in note(sandbox, 1)
    assert f"2 missed calls: {clock(5)}, {clock(8)}" in note(sandbox, 2)


def test_an_item_that_a_person_closed_again_after_the_bridge_is_over(
    items: Bridge, sandbox: RunningSandbox
) -> None:
    tell(items, miss(1, 0), contact(2, 10))
    items.deps.kustomer.notes.update(sandbox.kustomer.notes[0]["id"], {"body": "All settled."})

    tell(items, miss(3, 20))

    assert note(sandbox, 1) == "All settled." and status(sandbox, 1) == "done"
    assert status(sandbox, 3) == "open"


def test_a_miss_later_than_the_hours_of_the_rules_begins_a_new_item(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(per="missed_caller", within_hours=0.25))

    tell(bridge, miss(1, 0), miss(2, 14), miss(3, 15))

    assert "2 missed calls" in note(sandbox, 1) and "missed calls" not in note(sandbox, 3)


def test_a_voicemail_that_joins_has_its_own_note_in_the_item(items: Bridge, sandbox: RunningSandbox) -> None:
    tell(items, miss(1, 0), miss(2, 5, is_voicemail="true"))

    assert len(sandbox.kustomer.conversations) == 1
    assert "2 missed calls" in note(sandbox, 1)
    assert note(sandbox, 2).startswith("Voicemail")


@pytest.mark.slow
@pytest.mark.parametrize("voicemail", ["false", "true"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_an_item_is_the_same_in_whatever_order_its_webhooks_come(
    items: Bridge, sandbox: RunningSandbox, order: tuple[int, ...], voicemail: str
) -> None:
    bodies = (miss(1, 0), miss(2, 5, is_voicemail=voicemail), miss(3, 8), contact(4, 10))

    tell(items, *(bodies[n] for n in order))
    items.run_jobs_for(5)

    (customer,) = desk(sandbox)
    own = {one["externalId"][-1]: one for one in customer["conversations"]}
    assert list(own) == ["1", "4"]
    assert own["1"]["status"] == "done"
    bodies_there = {one["externalId"]: one["body"] for one in own["1"]["notes"]}
    assert len(bodies_there) == (2 if voicemail == "true" else 1)
    first = bodies_there[f"cloudtalk:call:{uuid_of(1)}:note"]
    assert f"3 missed calls: {clock(0)}, {clock(5)}, {clock(8)}\nCalled back: call 1000000004" in first
    assert "CloudTalk call: 1000000001" in first


@pytest.mark.parametrize("lost", ["/notes", "/conversations"])
def test_lost_replies_double_no_item(items: Bridge, sandbox: RunningSandbox, lost: str) -> None:
    for method in ("POST", "PATCH"):
        sandbox.kustomer.lose_next_reply(method=method, path=lost)

    tell(items, miss(1, 0), miss(2, 5), contact(3, 10), miss(4, 20))
    items.run_jobs_for(60)

    assert len(sandbox.kustomer.conversations) == 2
    assert f"3 missed calls: {clock(0)}, {clock(5)}, {clock(20)}" in note(sandbox, 1)


def test_missed_calls_at_once_make_one_item(items: Bridge, sandbox: RunningSandbox) -> None:
    for body in (miss(1, 0), miss(2, 1), miss(3, 2)):
        items.receive("call-ended", body)
    items.run_jobs_for(10)

    one_of_each(sandbox)
    assert "3 missed calls" in note(sandbox, 1)


# -- what is measured and erased


def test_open_misses_and_the_time_to_call_back_are_measured(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, miss(1, 0), miss(2, 5, external_number="+441632960999"))
    assert open_misses(bridge.ledger) == 2

    tell(bridge, contact(3, 10))

    assert open_misses(bridge.ledger) == 1
    (measured,) = read_measures(bridge.ledger.redis)["call_back"].values()
    assert sum(measured.buckets) == 1 and measured.sum_s == 605


def test_forgetting_a_number_forgets_its_missed_calls(bridge: Bridge, sandbox: RunningSandbox) -> None:
    tell(bridge, miss(1, 0), contact(2, -5))

    for number in (1, 2):
        bridge.ledger.forget(bridge.record(uuid_of(number)))

    assert open_misses(bridge.ledger) == 0
    assert list(bridge.ledger.redis.scan_iter("*:caller:*")) == []


@pytest.mark.slow
def test_an_audit_finds_no_fault_with_missed_calls_that_joined(
    items: Bridge, sandbox: RunningSandbox
) -> None:
    for number, minute in ((1, 0), (2, 5)):
        begun = at(minute)
        sandbox.cloudtalk.add_call(
            id=1000000000 + number,
            uuid=uuid_of(number),
            external_number="+441632960304",
            talking_time=0,
            answered_at=None,
            started_at=begun.isoformat(),
            ended_at=(begun + timedelta(seconds=20)).isoformat(),
        )
    tell(items, miss(1, 0), miss(2, 5))
    now = datetime.now(UTC)
    span = Span(since=now - timedelta(hours=3), until=now)

    found = Audit(items.deps, span, BudgetWaiter(pause=lambda _: None)).look(now)

    assert found.calls == 2 and found.clean
