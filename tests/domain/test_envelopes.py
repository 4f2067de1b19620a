"""What no-code tools put around a call's values, and nested objects in any order."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.outcome import Stage
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, fingerprint_of, read_event
from tests.domain.given import ADA, CALL_ID, IDS, UUID_TEXT, held, read

CALL: dict[str, Any] = {
    **IDS,
    "external_number": "+441632960304",
    "talking_time": "60",
    "contact_name": "Ada Example",
}
OTHER = {**CALL, "call_id": str(CALL_ID + 1), "call_uuid": "00000000-0000-4000-8000-000000000001"}
AROUND = {"headers": {"host": "bridge.example.com"}, "params": {}, "query": {}}


@pytest.mark.parametrize(
    "body",
    [
        {**AROUND, "body": CALL},
        {"data": CALL},
        {"payload": {"data": CALL}},
        {"Payload": CALL},
        {"body": json.dumps(CALL)},
        {"body": json.dumps(json.dumps(CALL))},
        {"body": "\ufeff " + json.dumps({"data": CALL})},
        {"data": [CALL]},
        {"events": [{"body": CALL}]},
        {"json": {"body": json.dumps([CALL])}},
        {"body": CALL, "raw": json.dumps(CALL)},
        {"uuid": "99999999-0000-4000-8000-000000000009", "data": CALL},
        {**IDS, "data": {name: value for name, value in CALL.items() if name not in IDS}},
        {f"data__{name}": value for name, value in CALL.items()},
        {f"data.{name}": value for name, value in CALL.items()},
        {f"body[data][{name}]": value for name, value in CALL.items()},
        {f"1.body.{name}": value for name, value in CALL.items()},
        {f"payload_{name}": value for name, value in CALL.items()},
        {"call": {**{n: v for n, v in CALL.items() if n not in IDS}, "id": CALL_ID, "uuid": UUID_TEXT}},
        {"data": {"call": {"uuid": UUID_TEXT, "id": str(CALL_ID)}, **{"contact": {"name": "Ada Example"}},
                  "external_number": "441632960304", "talking_time": 60}},
    ],
)  # fmt: skip
def test_a_call_is_read_inside_what_a_tool_puts_around_it(body: dict[str, Any]) -> None:
    event = read("call-ended", body)

    assert (event.call_id, str(event.uuid), event.external) == (CALL_ID, UUID_TEXT, ADA)
    assert (event.talk_seconds, event.contact_name) == (60, "Ada Example")


@pytest.mark.parametrize(
    "body", [{"event": "call_ended", "body": CALL}, {"body": {"event": "call_ended", **CALL}}]
)
def test_the_event_is_named_outside_or_inside(body: dict[str, Any]) -> None:
    assert read(None, body).stage is Stage.ENDED


def test_a_native_envelope_inside_another_one_is_read_as_such() -> None:
    native = {"type": "call.ended", "data": {"call_uuid": UUID_TEXT, "external_number": "+441632960304"}}

    event = read(None, {"body": native})

    assert (event.trigger, str(event.uuid), event.external) == ("call-ended", UUID_TEXT, ADA)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"previous": CALL}, "previous"),
        ({"data": {"linked_calls": [CALL]}}, "data.linked_calls[0]"),
        ({"data": [CALL, OTHER]}, "data[1]"),
        ({"steps": json.dumps({"trigger": CALL})}, "steps.trigger"),
    ],
)
def test_ids_that_may_be_of_another_call_are_pointed_at(body: dict[str, Any], path: str) -> None:
    assert f"`{path}`" in held("call-ended", body).reason


def test_the_ids_at_the_top_count_before_those_inside() -> None:
    assert read("call-ended", {**CALL, "data": OTHER}).call_id == CALL_ID
    assert read("call-ended", {**IDS, "data": OTHER}).external is None


def test_another_request_around_the_same_call_is_the_same_delivery() -> None:
    first = read("call-ended", {"headers": {"x-request-id": "1"}, "body": CALL})
    again = read("call-ended", {"headers": {"x-request-id": "2"}, "body": CALL})

    assert first.fingerprint == again.fingerprint == fingerprint_of("call-ended", CALL)


@pytest.mark.parametrize("depth", [40, 60_000])
def test_json_in_a_text_is_read_to_a_bounded_depth(depth: int) -> None:
    text = '{"body":' * min(depth, 40) + "[" * max(0, depth - 40)

    assert "no usable call_id" in held("call-ended", {"body": text}).reason


@given(
    st.recursive(
        st.sampled_from([CALL, OTHER, "x", None, 5, json.dumps(CALL), "{", "["]),
        lambda inner: (
            st.dictionaries(st.sampled_from(["body", "data", "call", "contact", "x", "uuid"]), inner)
            | st.lists(inner)
        ),
        max_leaves=8,
    )
)
def test_no_envelope_upsets_the_reader(value: Any) -> None:
    event = read_event("call-ended", {"body": value}, Rules())

    assert not isinstance(event, Event) or event.call_id in (CALL_ID, CALL_ID + 1, None)


# Objects


CONTACT = {"id": 1400000104, "name": "Ada Example", "number": "+441632960304", "country": "GB"}


@pytest.mark.parametrize("key", ["contact", "Contact", "customer", "caller", "call.contact"])
def test_a_contact_may_be_an_object_in_any_order(key: str) -> None:
    for items in permutations(CONTACT.items()):
        event = read("call-ended", {**IDS, key: dict(items)})
        assert (event.contact_id, event.contact_name, event.external) == (1400000104, "Ada Example", ADA)


@pytest.mark.parametrize(
    "contact",
    [
        {"firstName": "Ada", "lastName": "Example"},
        {"first_name": "Ada", "Last Name": "Example", "name": "Unknown"},
        {"Full Name": "Ada Example"},
        [{"name": "Ada Example"}, {"name": "Cy Fictional"}],
        {"first": "Ada", "last": "Example"},
        {"name": {"first": "Ada", "last": "Example"}},
        {"name": {"lastName": "Example", "firstName": "Ada"}, "id": "1400000104"},
    ],
)
def test_a_contacts_name_may_be_spelled_in_any_way(contact: object) -> None:
    assert read("call-ended", {**IDS, "contact": contact}).contact_name == "Ada Example"


@pytest.mark.parametrize(
    "name", [{"first": "Ada", "last": "Example"}, {"firstName": "Ada", "lastName": "Example"}]
)
def test_a_name_may_be_an_object_under_the_names_own_key(name: dict[str, str]) -> None:
    event = read("call-ended", {**IDS, "contact_name": name, "agent_name": name})

    assert (event.contact_name, event.agent_name) == ("Ada Example", "Ada Example")


def test_the_agent_the_line_and_the_recording_may_be_objects() -> None:
    event = read(
        "call-ended",
        {
            **IDS,
            "agent": {"email": "Bo@Example.com", "last_name": "Sample", "first_name": "Bo", "id": "400101"},
            "internal_number": {"name": "Support", "id": 36, "number": "+15550100101"},
            "external_number": {"number": "441632960304", "number_e164": "+441632960304"},
        },
    )

    assert (event.agent_id, event.agent_name, event.agent_email) == (400101, "Bo Sample", "bo@example.com")
    assert (event.internal, event.external) == (Phone(Kind.E164, "+15550100101"), ADA)


def test_what_the_body_says_itself_counts_before_what_is_in_an_object() -> None:
    contact = {"name": "Cy Fictional", "number": "+15550100107"}

    event = read("call-ended", {**CALL, "contact": contact})

    assert (event.contact_name, event.external) == ("Ada Example", ADA)
