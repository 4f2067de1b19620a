"""What the listener says of a webhook: each variable, what it was taken for, and what its template lacks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.explaining import Variable, explain
from bridge.domain.webhook.templates import TEMPLATES

IDS = {"call_id": "1000000110", "call_uuid": "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11"}


def variables(body: dict[str, Any], trigger: str = "call-ended", **rules: Any) -> dict[str, Variable]:
    return {one.name: one for one in explain(trigger, body, Rules(**rules))[0]}


def lacks(body: dict[str, Any], trigger: str = "call-ended") -> dict[str, bool]:
    return {one.name: one.needed for one in explain(trigger, body, Rules())[1]}


@pytest.mark.parametrize(
    ("key", "value", "field", "means"),
    [
        ("External Number", "0044 1632 960304", "customer's number", "+441632960304"),
        ("external_number", "", "customer's number", "number withheld"),
        ("talkingTime", "01:37", "talk time", "97"),
        ("started_at", "2026-03-02T09:23:00.000Z", "start", "2026-03-02 10:23:00 CET"),
        ("call type", "inbound", "direction", "incoming"),
        ("tags", "Billing, VIP", "tags", "Billing, VIP"),
        ("is_voicemail", "false", "voicemail", "no"),
    ],
)
def test_a_variable_is_told_with_what_it_was_taken_for(key: str, value: str, field: str, means: str) -> None:
    one = variables({**IDS, key: value}, zone="Europe/Prague")[key]

    assert (one.value, one.field, one.means, one.state) == (value, field, means, "read")


@pytest.mark.parametrize(
    ("key", "value", "state", "says"),
    [
        ("externl_number", "+441632960304", "unknown", "did you mean external_number?"),
        ("Kundennr", "7", "unknown", "[webhook_keys]"),
        ("talking_time", "{{ event.properties.talking_time }}", "empty", "pick the variable"),
        ("notes", None, "empty", "without a value"),
        ("started_at", "yesterday", "unreadable", "2026-11-20T08:00:00Z"),
        ("recording_url", "https://my.cloudtalk.io/x", "unused", "leave the link out"),
    ],
)
def test_what_is_of_no_use_is_told_with_what_to_do(key: str, value: Any, state: str, says: str) -> None:
    one = variables({**IDS, key: value})[key]

    assert one.state == state
    assert says in one.says


def test_a_name_added_in_the_rules_is_known() -> None:
    one = variables({**IDS, "Anrufer": "+441632960304"}, webhook_keys={"anrufer": "external_number"})

    assert one["Anrufer"].means == "+441632960304"


def test_of_two_keys_for_one_thing_the_other_is_told_as_unused() -> None:
    read = variables({**IDS, "external_number": "+441632960304", "caller_number": "+441632960305"})

    assert read["external_number"].state == "read"
    assert read["caller_number"].says == "another key already gave this value"


def test_values_inside_objects_and_texts_are_found_with_their_place() -> None:
    inside = variables({"data": {**IDS, "contact": {"name": "Ada Example"}}, "source": "a tool"})
    in_text = variables({"payload": json.dumps({**IDS, "contact_name": "Ada Example"})})

    assert inside["data.contact.name"].field == "customer's name"
    assert inside["source"].says == "not part of the call's values"
    assert in_text["contact_name"].means == "Ada Example"


def test_a_native_webhook_is_read_inside_its_data_and_lacks_nothing() -> None:
    line = {"number_e164": "+15550100101"}
    body = {"type": "call.ended", "event_id": "e1", "data": {**IDS, "internal_number": line}}

    read = variables(body)

    assert read["type"].means == "call-ended"
    assert read["data.internal_number.number_e164"].means == "+15550100101"
    assert read["event_id"].state == "unused"
    assert lacks(body) == {}


def test_the_recommended_template_lacks_nothing_and_each_key_is_missed_when_left_out() -> None:
    for trigger, template in TEMPLATES.items():
        full = {key.name: key.fixed or _sample(key.name) for key in template.keys}
        assert lacks(full, trigger) == {}
        for key in template.keys[2:]:
            rest = {name: value for name, value in full.items() if name != key.name}
            missed = lacks(rest, trigger)
            # The other half of the agent's name still tells who it was.
            assert missed == (
                {} if key.name.startswith("agent_") and "name" in key.name else {key.name: key.needed}
            )


def test_a_needed_variable_without_a_value_is_missing_and_an_optional_one_is_not() -> None:
    full = {key.name: key.fixed or _sample(key.name) for key in TEMPLATES["call-ended"].keys}

    assert lacks({**full, "direction": "", "answered_at": ""}) == {"direction": True}


@pytest.mark.parametrize(
    "body", [{}, {"a": [[[]]]}, {"": ""}, {"data": {"data": {}}}, {"x": [1, "y", {"z": 2}]}]
)
def test_any_body_can_be_told(body: dict[str, Any]) -> None:
    read, missing = explain("call-ended", body, Rules())

    assert [one.state for one in read if one.state == "read"] == []
    assert {one.name for one in missing if one.needed} >= {"call_id", "call_uuid"}


def _sample(name: str) -> str:
    if name.endswith("_at"):
        return "2026-03-02T09:23:00Z"
    if name.endswith("_number"):
        return "+441632960304"
    if name == "call_uuid":
        return IDS["call_uuid"]
    return {"direction": "incoming", "is_voicemail": "false", "contact_name": "Ada Example"}.get(
        name, "Bo" if "name" in name else "17"
    )
