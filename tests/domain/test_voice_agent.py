from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.call import Call, fold
from bridge.domain.kustomer_texts.note import note_text
from bridge.domain.outcome import Stage
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, Held, read_event
from bridge.domain.webhook.voice_agent import LONGEST_VALUE, MOST_FIELDS, shown

UUID_TEXT = "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11"


def heard(**body: Any) -> Event:
    event = read_event("voice-agent", {"call_id": 1000000110, **body}, Rules())
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"order": 1234, "sure": True, "total": 7.5}, {"order": 1234, "sure": True, "total": 7.5}),
        ({"extractData": {"order_number": "1234"}}, {"order_number": "1234"}),
        ({"data": {"extracted_data": {"a": 1}}}, {"a": 1}),
        ({"extractData": '{"order_number": 7}'}, {"order_number": 7}),
        ({"extractData": [{"name": "Order No.", "value": "12"}, {"name": "city", "value": "Leeds"}]},
         {"Order No.": "12", "city": "Leeds"}),
        ({"address": {"city": "Leeds", "lines": ["High St 1", None, "2"]}},
         {"address.city": "Leeds", "address.lines": "High St 1, 2"}),
        ({"empty": "", "none": None, "word": "null", "huge": 2**70}, {}),
        ({"deep": {"a": {"b": {"c": {"d": {"e": 1}}}}}}, {}),
        ({"event": "voice_agent", "template": "1", "call_uuid": UUID_TEXT, "x": 1}, {"x": 1}),
    ],
)  # fmt: skip
def test_a_free_form_body_becomes_fields(body: dict[str, Any], fields: dict[str, Any]) -> None:
    assert dict(heard(**body).extracted) == fields


def test_what_a_caller_said_is_not_taken_for_the_call() -> None:
    event = heard(
        customer_phone="+441632960399", direction="outgoing", talking_time=99, contact_name="Cy Example"
    )

    assert (event.external, event.direction, event.talk_seconds, event.contact_name) == (
        None,
        None,
        None,
        None,
    )
    assert event.stage is Stage.ENDED


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"call_id": "1000000110"}, (1000000110, None)),
        ({"callUuid": UUID_TEXT}, (None, UUID_TEXT)),
        ({"call": {"id": 1000000110}}, (1000000110, None)),
        ({"extractData": {"call_uuid": UUID_TEXT}}, (None, UUID_TEXT)),
    ],
)
def test_the_call_is_named_by_any_known_key(body: dict[str, Any], ids: tuple[Any, Any]) -> None:
    event = read_event("voice-agent", {**body, "order_number": 1}, Rules())

    assert isinstance(event, Event)
    assert (event.call_id, str(event.uuid) if event.uuid else None) == ids


@pytest.mark.parametrize("body", [{}, {"order_number": 1}, {"call_id": "soon"}, {"extractData": "x"}])
def test_without_an_id_it_is_held(body: dict[str, Any]) -> None:
    assert isinstance(read_event("voice-agent", body, Rules()), Held)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"voice_agent_name": "Nova"}, "Nova"),
        ({"voiceAgent": {"id": 1, "name": "Nova"}}, "Nova"),
        ({"ai_agent": "Nova"}, "Nova"),
        ({}, None),
    ],
)
def test_the_agent_is_named_where_the_body_names_it(body: dict[str, Any], name: str | None) -> None:
    call = fold([heard(**body, x=1)])

    assert (call.ai_agent, call.ai_agent_name, call.extracted) == (True, name, (("x", 1),))


def test_the_note_shows_the_fields_in_lines_that_nobody_can_forge() -> None:
    name = "order\nCloudTalk call: 7"
    event = heard(**{name: "12\u2028Rating: 5 of 5 <b>", "sure": True, "voice_agent_name": "Nova"})

    lines = note_text(fold([event])).splitlines()

    assert "Answered by the AI voice agent Nova" in lines
    assert "Voice agent, order CloudTalk call: 7: 12 Rating: 5 of 5 \u2039b>" in lines
    assert "Voice agent, sure: yes" in lines
    assert not {"CloudTalk call: 7", "Rating: 5 of 5"} & set(lines)


def test_fields_stand_in_the_order_sent_whichever_webhook_came_first() -> None:
    one, two = heard(reason="late", order="12", city="Leeds"), heard(sure=True, order="1234")

    assert [name for name, _ in one.extracted] == ["reason", "order", "city"]
    for events in ([one, two], [two, one]):
        assert [name for name, _ in fold(events).extracted] == ["reason", "order", "city", "sure"]
    other = heard(city="Leeds", reason="late", order="12")
    assert other.fingerprint == one.fingerprint


def test_fields_are_bounded() -> None:
    event = heard(
        **{f"{number:03}{'n' * 500}": "v" * 10_000 for number in range(300)}, deep=[[[[[[1]]]]]] * 999
    )

    assert len(event.extracted) == MOST_FIELDS
    assert all(len(name) <= 60 and len(shown(value)) <= LONGEST_VALUE for name, value in event.extracted)


NAMES = st.sampled_from(["name", "value", "data", "extractData", "call_id"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(NAMES | st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.slow
@given(body=st.dictionaries(st.text(max_size=9), ANY_JSON, max_size=5))
def test_any_body_is_read(body: dict[str, Any]) -> None:
    event = read_event("voice-agent", body | {"call_uuid": UUID_TEXT}, Rules())

    assert isinstance(event, Event | Held)
    if isinstance(event, Event):
        assert len(event.extracted) <= MOST_FIELDS
        assert all(len(line.splitlines()) == 1 for line in note_text(fold([event])).split("\n") if line)


def test_fields_of_several_webhooks_are_joined_in_any_order() -> None:
    one, two = heard(order="12", city="Leeds"), heard(order="1234", reason="late")
    signed = replace(heard(order="9"), signed=True)

    def fields(*events: Event) -> Any:
        call: Call = fold(events)
        return dict(call.extracted)

    assert fields(one, two) == fields(two, one, one) == {"city": "Leeds", "order": "1234", "reason": "late"}
    assert (
        fields(one, two, signed)
        == fields(signed, two, one)
        == {"city": "Leeds", "order": "9", "reason": "late"}
    )
