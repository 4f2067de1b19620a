"""Events that contradict each other about a call: CloudTalk's own word counts, and both stay visible."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger.ledger import Ledger
from bridge.reports.views import call_view
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

NUMBER = 1000000500
TRUE = "11111111-2222-4333-8444-555555555500"
MADE_UP = "99999999-2222-4333-8444-555555555500"


def receive_signed(ledger: Ledger, trigger: str | None, body: dict[str, Any]) -> str:
    event = read_event(trigger, body, Rules())
    assert isinstance(event, Event)
    return ledger.record_event(replace(event, signed=True), body).status


def claim_number(bridge: Bridge) -> None:
    """Somebody guesses the number of a call that has not ended, and makes a uuid up for it."""
    bridge.receive("call-started", {"call_id": NUMBER, "call_uuid": MADE_UP})
    bridge.run_jobs()


@pytest.mark.slow
def test_a_recording_goes_to_the_true_call_though_its_number_was_claimed_before(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=TRUE, recorded=True, recording_seconds=1, talking_time=97)
    claim_number(bridge)

    bridge.receive("call-ended", ended(call_id=NUMBER, uuid=TRUE))
    bridge.receive("recording-uploaded", {"call_id": NUMBER})
    bridge.run_jobs_for(60)

    record = bridge.record(TRUE)
    assert bridge.record(str(NUMBER)).key == record.key == f"uuid:{TRUE}"
    assert "recording" in record.observations
    assert "attachment" in record.outputs
    assert [one["attributes"]["externalId"] for one in sandbox.kustomer.conversations] == [
        f"cloudtalk:call:{TRUE}"
    ]
    assert bridge.ledger.counts()["upstream:cloudtalk:call_detail:200"] == 1
    shown = [
        call_view(bridge.ledger, bridge.rules, bridge.record(uuid))["contradictions"]
        for uuid in (TRUE, MADE_UP)
    ]
    assert shown == [
        [f"an event also gave call {NUMBER} the uuid {MADE_UP}: it belongs to this call"],
        [f"an event said that this is call {NUMBER}, but that is another call"],
    ]
    what = [
        line["what"] for line in call_view(bridge.ledger, bridge.rules, bridge.record(MADE_UP))["timeline"]
    ]
    assert "contradiction settled" in what


@pytest.mark.slow
def test_a_claim_that_comes_second_takes_nothing_away(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=TRUE, recorded=True, recording_seconds=1)
    bridge.receive("call-ended", ended(call_id=NUMBER, uuid=TRUE))
    claim_number(bridge)
    bridge.receive("recording-uploaded", {"call_id": NUMBER, "call_uuid": MADE_UP})
    bridge.receive("recording-uploaded", {"call_id": NUMBER})

    bridge.run_jobs_for(60)

    assert bridge.record(str(NUMBER)).key == f"uuid:{TRUE}"
    assert "recording" in bridge.record(TRUE).observations
    assert "recording" not in bridge.record(MADE_UP).observations
    assert bridge.ledger.counts()["upstream:cloudtalk:call_detail:200"] == 1
    bridge.receive("call-answered", {"call_id": NUMBER, "call_uuid": "88888888-2222-4333-8444-555555555500"})
    bridge.run_jobs_for(60)
    assert bridge.ledger.counts()["upstream:cloudtalk:call_detail:200"] == 1, "settled, and asked again"


def test_a_true_call_told_by_its_number_alone_gets_it_back(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=TRUE)
    claim_number(bridge)

    bridge.receive("call-modified", {"call_id": NUMBER})
    bridge.receive("call-ended", ended(call_id=NUMBER, uuid=None))
    bridge.run_jobs_for(60)

    assert bridge.record(str(NUMBER)).key == f"uuid:{TRUE}"
    assert [one["attributes"]["externalId"] for one in sandbox.kustomer.conversations] == [
        f"cloudtalk:call:{TRUE}"
    ]


def test_what_cloudtalk_signed_needs_no_question(bridge: Bridge, sandbox: RunningSandbox) -> None:
    claim_number(bridge)
    receive_signed(bridge.ledger, "call-ended", ended(call_id=NUMBER, uuid=TRUE))
    bridge.run_jobs_for(30)

    assert bridge.record(str(NUMBER)).key == f"uuid:{TRUE}"
    assert "upstream:cloudtalk:call_detail:404" not in bridge.ledger.counts()
    claim_number(bridge)
    assert bridge.record(str(NUMBER)).key == f"uuid:{TRUE}"
    assert not bridge.record(TRUE).contested


NATIVE = {
    "type": "call.ended",
    "data": {
        "call_uuid": TRUE,
        "external_number": "+441632960304",
        "direction": "incoming",
        "talking_time": 97,
        "started_at": "2026-03-02T09:23:00Z",
        "ended_at": "2026-03-02T09:24:51Z",
    },
}


def test_a_signed_event_is_no_repeat_of_what_somebody_else_sent_in_its_name(bridge: Bridge) -> None:
    junk = {**NATIVE, "data": {**NATIVE["data"], "external_number": "+441632960999", "talking_time": 5}}  # type: ignore[dict-item]
    bridge.receive(None, junk)

    assert receive_signed(bridge.ledger, None, NATIVE) == "accepted"
    assert receive_signed(bridge.ledger, None, {**NATIVE, "event_id": "again"}) == "duplicate"

    record = bridge.record(TRUE)
    assert sorted(event.signed for event in record.events) == [False, True]
    call = record.call(bridge.rules)
    assert call.external is not None
    assert (call.external.text, call.talk_seconds) == ("+441632960304", 97)
    again = bridge.receive(None, junk)
    assert not hasattr(again, "reason")
    assert bridge.record(TRUE).call(bridge.rules) == call


def test_a_repeat_that_is_signed_makes_the_first_one_trusted(bridge: Bridge) -> None:
    bridge.receive(None, NATIVE)

    assert receive_signed(bridge.ledger, None, NATIVE) == "duplicate"

    (event,) = bridge.record(TRUE).events
    assert event.signed


@pytest.mark.parametrize("late_first", [False, True])
def test_a_name_from_the_telephone_network_does_not_replace_a_contacts(
    bridge: Bridge, sandbox: RunningSandbox, late_first: bool
) -> None:
    events: list[tuple[str, dict[str, Any]]] = [
        ("call-ended", ended()),
        ("call-answered", {"call_uuid": TRUE, "contact_name": "WIRELESS CALLER OF SPRINGFIELD"}),
    ]
    for trigger, body in reversed(events) if late_first else events:
        bridge.receive(trigger, body)
        bridge.run_jobs_for(10)

    (customer,) = sandbox.kustomer.customers
    assert customer["attributes"]["name"] == "Ada Example"
