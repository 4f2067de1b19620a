from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.call import Call
from bridge.domain.external_ids import external_ids, object_id
from bridge.domain.kustomer_texts.note import length
from bridge.domain.outcome import Direction, Outcome, Stage
from bridge.domain.phone import WITHHELD, Kind, Phone
from bridge.domain.policy import CustomerDraft, DetailWait, Plan, Skip, Wait, plan
from bridge.domain.rules.model import Rules
from tests.domain.given import CALL_ID, UUID_TEXT, call, note_of

A_TAG = re.compile(r"^[0-9a-zA-ZÀ-ÿ_/<>.-][0-9a-zA-ZÀ-ÿ _/<>.-]{0,63}$")
SHORT = Phone(Kind.SHORT, "112233")
BY_OUTCOME: dict[Outcome, dict[str, Any]] = {
    Outcome.ANSWERED: {},
    Outcome.MISSED: {"talk_seconds": 0},
    Outcome.VOICEMAIL: {"talk_seconds": 0, "is_voicemail": True},
    Outcome.UNKNOWN: {"talk_seconds": None, "answered_at": None},
}


def planned(some_call: Call, rules: Rules | None = None, patience: DetailWait = DetailWait.FRESH) -> Plan:
    want = plan(some_call, rules or Rules(), patience)
    assert isinstance(want, Plan), want
    return want


def reason(some_call: Call, rules: Rules | None = None, patience: DetailWait = DetailWait.FRESH) -> str:
    want = plan(some_call, rules or Rules(), patience)
    assert isinstance(want, Skip | Wait), want
    return want.reason


# Customer


def test_the_customer_is_found_by_phone() -> None:
    assert planned(call()).customer == CustomerDraft(phone="+441632960304", name="Ada Example")


def test_a_customer_whose_name_is_not_known_gets_none() -> None:
    assert planned(call(contact_name=None)).customer == CustomerDraft(phone="+441632960304")


@pytest.mark.parametrize(
    ("fields", "rules", "explained", "external_id"),
    [
        ({"external": WITHHELD}, Rules(write_withheld=True), "write.withheld", "cloudtalk:withheld"),
        ({"external": SHORT}, Rules(write_short=True), "write.short", "cloudtalk:number:112233"),
        (
            {"external": Phone(Kind.OTHER, "sip:bo@example.com")},
            Rules(write_short=True),
            "write.short",
            "cloudtalk:number:sip:bo@example.com",
        ),
        (
            {"direction": Direction.INTERNAL, "external": Phone(Kind.INTERNAL, "1001")},
            Rules(write_internal=True),
            "write.internal",
            "cloudtalk:internal",
        ),
    ],
)
def test_calls_without_a_number_to_call_back_are_explained_or_written_by_rule(
    fields: dict[str, Any], rules: Rules, explained: str, external_id: str
) -> None:
    some_call = call(**fields)

    assert isinstance(plan(some_call, Rules()), Skip)
    assert explained in reason(some_call)
    written = planned(some_call, rules)
    assert (written.customer.phone, written.customer.external_id) == (None, external_id)
    assert written.customer.name


def test_an_explanation_does_not_show_the_number() -> None:
    assert "112233" not in reason(call(external=SHORT))


def test_a_call_whose_number_nobody_told_is_explained() -> None:
    assert reason(call(external=None)) == "the webhook contained no customer number"


def test_an_internal_call_is_explained_before_it_has_ended() -> None:
    assert isinstance(plan(Call(direction=Direction.INTERNAL), Rules()), Skip)


# Conversation


@pytest.mark.parametrize("outcome", BY_OUTCOME)
def test_the_rules_say_how_a_conversation_stands_after_each_outcome(outcome: Outcome) -> None:
    some_call = call(**BY_OUTCOME[outcome])
    turned = Rules(status={**Rules().status, outcome: "done" if outcome is not Outcome.ANSWERED else "open"})

    assert some_call.outcome is outcome
    assert planned(some_call).conversation.status == ("done" if outcome is Outcome.ANSWERED else "open")
    assert planned(some_call, turned).conversation.status != planned(some_call).conversation.status


@pytest.mark.parametrize(
    ("direction", "word"), [(Direction.INCOMING, "in"), (Direction.OUTGOING, "out"), (None, None)]
)
def test_a_conversation_has_the_direction_of_the_call(direction: Direction | None, word: str | None) -> None:
    assert planned(call(direction=direction)).conversation.direction == word


def test_an_internal_conversation_has_no_direction() -> None:
    assert (
        planned(call(direction=Direction.INTERNAL), Rules(write_internal=True)).conversation.direction is None
    )


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "Call from Ada Example"),
        ({"direction": Direction.OUTGOING}, "Call to Ada Example"),
        ({"talk_seconds": 0}, "Missed call from Ada Example"),
        ({"talk_seconds": 0, "is_voicemail": True}, "Voicemail from Ada Example"),
        ({"talk_seconds": 0, "direction": Direction.OUTGOING}, "Outgoing call, no answer: Ada Example"),
        ({"contact_name": None}, "Call from +44 1632 960304"),
        ({"talk_seconds": None, "answered_at": None}, "Incoming call: Ada Example"),
    ],
)
def test_a_conversation_is_named_after_what_happened(fields: dict[str, Any], name: str) -> None:
    assert planned(call(**fields)).conversation.name == name


@given(st.text(min_size=1, max_size=300) | st.text("😀", min_size=200, max_size=300))
def test_names_have_at_most_256_characters(name: str) -> None:
    want = planned(call(contact_name=name))

    assert length(want.conversation.name) <= 256
    assert want.customer.name is not None
    assert length(want.customer.name) <= 256


@pytest.mark.parametrize(
    ("tag", "clean"),
    [
        ("Billing", "Billing"),
        ("#VIP", "VIP"),
        ("Re: invoice", "Re invoice"),
        ("  late  ", "late"),
        ("Überfällig", "Überfällig"),
        ("a" * 70, "a" * 64),
        ("a" * 63 + " b", "a" * 63),
    ],
)
def test_a_tag_is_cleaned_to_what_kustomer_takes(tag: str, clean: str) -> None:
    want = planned(call(tags=(tag,)), Rules(call_tags=True))

    assert want.conversation.tags == (clean,)


@given(st.lists(st.text(max_size=90), max_size=8), st.lists(st.text(max_size=90), max_size=3))
def test_every_tag_is_one_that_kustomer_takes(of_call: list[str], of_rules: list[str]) -> None:
    want = planned(call(tags=tuple(of_call)), Rules(call_tags=True, tags=tuple(of_rules)))

    assert all(A_TAG.match(tag) for tag in want.conversation.tags)
    assert len(set(want.conversation.tags)) == len(want.conversation.tags)


def test_the_calls_own_tags_are_added_only_by_rule() -> None:
    some_call = call(tags=("Billing",))

    assert planned(some_call, Rules(tags=("phone",))).conversation.tags == ("phone",)
    assert planned(some_call, Rules(tags=("phone",), call_tags=True)).conversation.tags == (
        "Billing",
        "phone",
    )


# Keys


def test_external_ids_come_from_the_uuid_in_lower_case() -> None:
    want = planned(call())

    assert want.conversation.external_id == f"cloudtalk:call:{UUID_TEXT}"
    assert note_of(want).external_id == f"cloudtalk:call:{UUID_TEXT}:note"


def test_a_call_that_has_no_uuid_is_known_by_its_number() -> None:
    want = planned(call(uuid=None), patience=DetailWait.GONE)

    assert want.conversation.external_id == f"cloudtalk:call:id:{CALL_ID}"


def test_the_id_of_a_note_is_made_from_the_call() -> None:
    want = planned(call())

    assert (
        note_of(want).id == note_of(planned(call(talk_seconds=5))).id == object_id(note_of(want).external_id)
    )
    assert re.fullmatch("[0-9a-f]{24}", note_of(want).id)
    # Once written to Kustomer it must stay so: another one would make a second note.
    assert object_id("cloudtalk:call:5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11:note") == "7c0ffb23b69c44e087e4450d"


def test_the_same_call_gives_the_same_plan() -> None:
    assert plan(call(), Rules()) == plan(call(), Rules())


# Patience


def test_a_call_that_has_not_ended_waits_unless_nobody_knows_it() -> None:
    running = call(stage=Stage.ANSWERED)

    assert "the end of the call" in reason(running)
    assert isinstance(plan(running, Rules(), DetailWait.LATE), Wait)
    assert isinstance(plan(running, Rules(), DetailWait.GONE), Skip)


@pytest.mark.parametrize("uuid", [True, False])
def test_a_fresh_call_waits_for_what_was_left_out(uuid: bool) -> None:
    some_call = call(wants_detail=True) if uuid else call(wants_detail=True, uuid=None)

    assert "waiting for call details" in reason(some_call)


def test_a_late_call_is_written_with_what_is_known_and_the_promise_of_more() -> None:
    want = planned(call(wants_detail=True), patience=DetailWait.LATE)

    assert "Still to come" in note_of(want).body


def test_a_late_call_without_a_uuid_waits_on() -> None:
    assert "uuid" in reason(call(wants_detail=True, uuid=None), patience=DetailWait.LATE)


def test_a_late_call_without_a_number_waits_on() -> None:
    some_call = call(wants_detail=True, external=None)

    assert isinstance(plan(some_call, Rules(), DetailWait.LATE), Wait)
    assert isinstance(plan(some_call, Rules(), DetailWait.GONE), Skip)


@pytest.mark.parametrize("uuid", [True, False])
def test_a_call_that_cloudtalk_does_not_know_is_written_without_any_promise(uuid: bool) -> None:
    some_call = call(wants_detail=True) if uuid else call(wants_detail=True, uuid=None)

    want = planned(some_call, patience=DetailWait.GONE)

    assert "Still to come" not in note_of(want).body
    assert want.conversation.external_id == external_ids(uuid=some_call.uuid, call_id=CALL_ID)[0]


def test_the_note_is_told_in_the_zone_of_the_rules() -> None:
    assert "10:23" in note_of(planned(call(), Rules().placed(region=None, zone="Europe/Prague"))).body
