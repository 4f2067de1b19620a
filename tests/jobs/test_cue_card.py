"""While a call rings, CloudTalk shows who calls according to Kustomer: at most one card, never late."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.jobs.erasure import Erasure
from bridge.ledger.measures import read_measures
from bridge.sandbox.running import RunningSandbox
from tests.jobs.test_exactly_once import Died, die
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
NUMBER = "+441632960304"
SHOWN = Rules(cue_card=True)
RINGS: dict[str, Any] = {
    "event": "call_started",
    "call_uuid": UUID,
    "external_number": NUMBER,
    "internal_number": "+15550100101",
    "direction": "incoming",
}


@pytest.fixture
def ringing(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    """A bridge that shows cards; a call of somebody whom Kustomer knows rings in CloudTalk."""
    sandbox.cloudtalk.add_call(id=1000000500, uuid=UUID, external_number=NUMBER, in_progress=True)
    company = sandbox.kustomer.add_company("Example Ltd")
    customer = sandbox.kustomer.add_customer(
        name="Ada Example", phones=[{"phone": NUMBER}], company=company, tags=["VIP"]
    )
    sandbox.kustomer.add_conversation(customer, name="March invoice")
    sandbox.kustomer.add_conversation(customer, name="Old order", status="done")
    return Bridge(redis_client, sandbox, SHOWN, also={"KUSTOMER_APP_URL": "https://example.kustomerapp.com"})


def says(bridge: Bridge) -> list[str]:
    """What the call's record says of its card, oldest first."""
    log = reversed(bridge.record(UUID).log)
    return [str(entry["what"]) for entry in log if "cue card" in str(entry["what"])]


def test_the_card_says_who_calls_and_costs_four_requests_of_kustomer_and_cloudtalk(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()

    (card,) = sandbox.cloudtalk.cue_cards
    assert (card["call_uuid"], card["title"], card["subtitle"]) == (UUID, "Ada Example", "Example Ltd")
    assert "<p>Open conversations: 1</p>" in card["content"]
    assert '<a href="https://example.kustomerapp.com/app/conversations/' in card["content"]
    assert "March invoice (" in card["content"]
    assert "Old order" not in card["content"]
    assert says(ringing) == ["cue card shown"]
    assert sum(read_measures(ringing.ledger.redis)["ring_to_card"][()].buckets) == 1
    # The customer, the open conversations, the company; and the card.
    assert [request.method for request in sandbox.kustomer.requests] == ["GET"] * 3
    assert len(sandbox.cloudtalk.requests) == 1


def test_without_the_choice_a_ringing_call_costs_no_request(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-started", RINGS)
    bridge.run_jobs_for(20, step_s=5)

    assert sandbox.cloudtalk.requests == sandbox.kustomer.requests == []


def test_several_ringing_agents_a_repeat_and_an_answer_make_one_card(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    for trigger, agent in (("started", "1"), ("ringing", "1"), ("ringing", "2"), ("answered", "2")):
        ringing.receive(f"call-{trigger}", {**RINGS, "event": f"call_{trigger}", "agent_id": agent})
        ringing.run_jobs_for(2)
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()

    assert len(sandbox.cloudtalk.cue_cards) == 1
    assert len(sandbox.cloudtalk.requests) == 1


def test_while_cloudtalk_does_not_know_the_call_it_is_tried_again_in_seconds_without_asking_kustomer_again(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.fail_next(424, path="/cuecards", times=2)
    ringing.receive("call-started", RINGS)
    ringing.run_jobs_for(2.5, step_s=0.5)
    assert sandbox.cloudtalk.cue_cards == []

    ringing.run_jobs_for(1)

    assert len(sandbox.cloudtalk.cue_cards) == 1
    assert len(sandbox.kustomer.requests) == 3
    assert says(ringing)[-1] == "cue card shown"


def test_a_call_that_is_never_active_is_given_up_after_five_tries_and_tried_again_when_another_agent_is_rung(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.fail_next(424, path="/cuecards", times=5)
    ringing.receive("call-started", RINGS)
    ringing.run_jobs_for(20, step_s=2)
    assert len(sandbox.cloudtalk.requests) == 5
    assert says(ringing)[-1].endswith("; given up")
    assert "card" not in ringing.record(UUID).fields["cue_card"].replace('"card": {}', "")

    ringing.receive("call-ringing", {**RINGS, "event": "call_ringing", "agent_id": "400101"})
    ringing.run_jobs()

    assert len(sandbox.cloudtalk.cue_cards) == 1


@pytest.mark.parametrize("ends", ["while it waits", "while Kustomer is asked", "in time"])
def test_no_card_is_sent_once_the_call_has_ended_or_rang_a_while_ago(
    ringing: Bridge, sandbox: RunningSandbox, ends: str
) -> None:
    if ends == "while Kustomer is asked":
        ringing.wire.once("after", "GET", "/conversations$", lambda: ringing.receive("call-ended", ended()))
    ringing.receive("call-started", RINGS)
    if ends == "while it waits":
        ringing.receive("call-ended", ended())
    if ends == "in time":
        ringing.let_pass(31)
    ringing.run_jobs_for(40, step_s=5)

    assert sandbox.cloudtalk.cue_cards == []
    assert not [one for one in sandbox.cloudtalk.requests if one.path.endswith("/cuecards")]
    assert ringing.ledger.parked_count() == 0


def test_a_card_whose_reply_was_lost_is_not_sent_again(ringing: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.lose_next_reply(path="/cuecards")
    ringing.receive("call-started", RINGS)
    ringing.run_jobs_for(10, step_s=2)

    assert len(sandbox.cloudtalk.cue_cards) == 1
    assert "not sent again" in says(ringing)[-1]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_with_the_card_does_not_send_a_second_one(
    ringing: Bridge, sandbox: RunningSandbox, when: str
) -> None:
    ringing.wire.once(when, "POST", "/cuecards$", die)
    ringing.receive("call-started", RINGS)
    with pytest.raises(Died):
        ringing.run_jobs()

    ringing.run_jobs_for(15, step_s=3)

    assert len(sandbox.cloudtalk.cue_cards) == (1 if when == "after" else 0)
    assert says(ringing) == ["cue card sent, its reply was lost: not sent again"]


def test_however_often_its_worker_dies_it_is_not_parked(bridge: Bridge) -> None:
    bridge.receive("call-started", RINGS)
    bridge.run_jobs()
    bridge.ledger.schedule("cue-card", f"uuid:{UUID}", in_ms=0)

    for _ in range(7):
        assert bridge.ledger.claim("cue-card", f"uuid:{UUID}") is not None
        # Longer than any pause after a dead worker.
        bridge.let_pass(600)


@pytest.mark.parametrize(
    ("service", "status", "path", "said"),
    [
        ("cloudtalk", 400, "/cuecards", "no cue card: cloudtalk answered 400"),
        ("cloudtalk", 401, "/cuecards", "no cue card: cloudtalk answered 401"),
        ("cloudtalk", 500, "/cuecards", "not sent again"),
        ("kustomer", 403, "/customers/phone", "cue-card given up: kustomer answered 403"),
    ],
)
def test_a_card_that_fails_ends_with_a_line_and_the_call_is_written_all_the_same(
    ringing: Bridge, sandbox: RunningSandbox, service: str, status: int, path: str, said: str
) -> None:
    here = sandbox.cloudtalk if service == "cloudtalk" else sandbox.kustomer
    here.fail_next(status, path=path)
    ringing.receive("call-started", RINGS)
    ringing.run_jobs_for(2)
    log = [str(entry["what"]) for entry in ringing.record(UUID).log]
    assert any(said in line for line in log), log

    ringing.receive("call-ended", ended())
    ringing.run_jobs_for(30, step_s=6)

    assert ringing.ledger.parked_count() == 0
    assert len(sandbox.kustomer.notes) == 1


@pytest.mark.slow
def test_a_slow_kustomer_costs_the_card_what_else_it_says_and_not_its_moment(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.delay_next(1.1, path="/customers/phone")
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()

    (card,) = sandbox.cloudtalk.cue_cards
    assert (card["title"], card["subtitle"]) == ("Ada Example", None)
    assert "<p>Open conversations: 1</p>" in card["content"]
    assert len(sandbox.kustomer.requests) == 1


def test_a_kustomer_that_fails_for_a_moment_is_asked_again(ringing: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.fail_next(503, path="/conversations")
    ringing.receive("call-started", RINGS)
    ringing.run_jobs_for(2)

    assert len(sandbox.cloudtalk.cue_cards) == 1


def test_without_the_right_to_read_companies_the_card_has_none_and_it_is_not_asked_for_again(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    other = "22222222-2222-4333-8444-555555555500"
    sandbox.cloudtalk.add_call(id=1000000501, uuid=other, external_number=NUMBER, in_progress=True)
    sandbox.kustomer.fail_next(403, path="/companies/")
    for uuid in (UUID, other):
        ringing.receive("call-started", {**RINGS, "call_uuid": uuid})
        ringing.run_jobs()

    assert [card["subtitle"] for card in sandbox.cloudtalk.cue_cards] == [None, None]
    assert len([one for one in sandbox.kustomer.requests if "/companies/" in one.path]) == 1


@pytest.mark.parametrize(("wanted", "cards"), [(False, []), (True, ["+441632960399"])])
def test_a_caller_whom_kustomer_does_not_know_gets_a_card_if_the_rules_want_one(
    ringing: Bridge, sandbox: RunningSandbox, wanted: bool, cards: list[str]
) -> None:
    ringing.use(rules=Rules(cue_card=True, cue_card_unknown=wanted))
    ringing.receive("call-started", {**RINGS, "external_number": "+441632960399"})
    ringing.run_jobs_for(5)

    assert [card["title"] for card in sandbox.cloudtalk.cue_cards] == cards
    assert len(sandbox.kustomer.requests) == 1


def test_a_remembered_customer_is_read_by_id_and_looked_up_again_once_merged(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    ringing.ledger.memory.remember_customer(NUMBER, "5f0e00000000000000009999", named=True)
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()

    paths = [one.path for one in sandbox.kustomer.requests][:2]
    assert paths == ["/v1/customers/5f0e00000000000000009999", f"/v1/customers/phone={NUMBER}"]
    assert len(sandbox.cloudtalk.cue_cards) == 1


def test_the_card_speaks_the_language_of_the_rules(ringing: Bridge, sandbox: RunningSandbox) -> None:
    ringing.use(rules=Rules(cue_card=True, language="de"))
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()

    assert "<p>Offene Konversationen: 1</p>" in sandbox.cloudtalk.cue_cards[0]["content"]


def test_a_rule_can_want_a_card_for_callers_whom_kustomer_knows_only(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    rule = Rule(when=When(caller="known"), then={"cue_card": True})
    ringing.use(rules=Rules(rules=(rule,)))
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()

    assert len(sandbox.cloudtalk.cue_cards) == 1


@pytest.mark.parametrize(
    "body",
    [
        {**RINGS, "direction": "outgoing"},
        {**RINGS, "external_number": "anonymous"},
        {**RINGS, "call_uuid": "", "call_id": "1000000500"},
    ],
)
def test_no_card_and_no_request_for_a_call_that_cannot_have_one(
    ringing: Bridge, sandbox: RunningSandbox, body: dict[str, Any]
) -> None:
    ringing.receive("call-started", body)
    ringing.run_jobs_for(5)

    assert sandbox.cloudtalk.requests == sandbox.kustomer.requests == []


def test_the_first_seconds_of_a_call_are_not_active_by_the_sandboxs_own_clock(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.read_as(cue_card_after_s=60)
    now = datetime.now(UTC).isoformat()
    sandbox.cloudtalk.add_call(id=1000000500, uuid=UUID, started_at=now, in_progress=True)
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()

    assert sandbox.cloudtalk.cue_cards == []
    assert "not shown yet" in says(ringing)[-1]


def test_a_call_that_is_forgotten_while_its_card_is_tried_leaves_nothing_of_it(
    ringing: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.fail_next(424, path="/cuecards")
    ringing.receive("call-started", RINGS)
    ringing.run_jobs()
    assert "Ada Example" in ringing.record(UUID).fields["cue_card"]

    Erasure(
        ledger=ringing.ledger,
        storage=ringing.deps.open_storage(),
        rules=ringing.rules,
        journal=ringing.data_dir / "journal",
        who="a test",
    ).of_call(ringing.record(UUID))
    ringing.run_jobs_for(5)

    assert sandbox.cloudtalk.cue_cards == []
    names = ringing.ledger.redis.scan_iter()
    assert not [name for name in names if "Ada Example" in str(everything(ringing, str(name)))]


def everything(bridge: Bridge, name: str) -> object:
    """What Redis holds under a name."""
    client = bridge.ledger.redis
    match client.type(name):
        case "hash":
            return client.hgetall(name)
        case "list":
            return client.lrange(name, 0, -1)
        case "zset":
            return client.zrange(name, 0, -1)
        case "string":
            return client.get(name)
    return None
