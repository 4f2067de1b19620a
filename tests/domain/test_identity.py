"""What a web process reads of a webhook is what the worker reads of it later, as far as it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.events import OTHER_TRIGGERS, STAGE_OF, Event, kept_json
from bridge.domain.webhook.identity import Identity, identify
from bridge.domain.webhook.keys import DEFAULT_KEYS
from bridge.domain.webhook.messages import read_delivery

_PAYLOADS = Path(__file__).parents[1] / "payloads"
_RULES = (Rules(), replace(Rules(), webhook_keys={"our_call": "call_id", "notes": "call_uuid"}))
_TRIGGERS = (None, *STAGE_OF, *OTHER_TRIGGERS, "no such trigger")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_the_one_spelling_is_that_of_the_standard_library(value: object) -> None:
    wanted = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert canonical_json(value) == wanted


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects_in(inner)


def assert_alike(trigger: str | None, body: dict[str, Any], rules: Rules) -> None:
    read, named = read_delivery(trigger, body, rules), identify(trigger, body, rules)
    if isinstance(read, Event):
        wanted = (read.trigger, read.fingerprint, read.uuid, read.call_id, kept_json(read.trigger, body))
        assert isinstance(named, Identity)
        assert (named.trigger, named.fingerprint, named.uuid, named.call_id, named.text) == wanted
    else:
        assert named == read


@pytest.mark.parametrize("rules", _RULES, ids=["no keys of one's own", "keys of one's own"])
def test_of_every_payload_both_read_the_same(rules: Rules) -> None:
    found = [one for file in _PAYLOADS.rglob("*.json") for one in objects_in(json.loads(file.read_bytes()))]

    assert len(found) > 20
    for body in found:
        for trigger in _TRIGGERS:
            assert_alike(trigger, body, rules)


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**64),
    st.sampled_from(
        [
            "", " ", "null", "{{ call_id }}", "1000000110", " 1000000110 ", "1000000110.0", "call_ended",
            "Call Modified", "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11", "{5B0C7F0E-3F5D-4C0E-9A51-8A7F4F6F2D11}",
            '{"call_id": 7}', '"{\\"call_id\\": 7}"', "[1]", "\ufeff{}", "ended", "[object Object]",
            "https://my.cloudtalk.io/pub/r/MTAwMDAwMDExMA==/MGE=.wav",
        ]
    ),
    st.text(max_size=8),
)  # fmt: skip
_NAMES = st.one_of(
    st.sampled_from(sorted(DEFAULT_KEYS)),
    st.sampled_from(
        ["Call ID", "callId", "our_call", "data__call_id", "body[call_id]", "event.properties.call_uuid"]
    ),
    st.text(max_size=6),
)
_NESTED = st.one_of(_VALUES, st.dictionaries(_NAMES, _VALUES, max_size=3), st.lists(_VALUES, max_size=2))
_BODIES = st.one_of(
    st.dictionaries(_NAMES, _NESTED, max_size=8),
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["call.ended", "cidata.ready", "x.y"]),
            "data": st.dictionaries(_NAMES, _NESTED),
        }
    ),
)


@given(trigger=st.sampled_from(_TRIGGERS), body=_BODIES, rules=st.sampled_from(_RULES))
def test_of_any_body_both_read_the_same(trigger: str | None, body: dict[str, Any], rules: Rules) -> None:
    assert_alike(trigger, body, rules)


def test_a_body_of_very_many_or_very_long_names_is_read_all_the_same() -> None:
    many = {**{f"attribute {number}": number for number in range(200)}, "call_id": 7}

    assert_alike("call-ended", many, Rules())
    assert_alike("call-ended", {"x" * 5000: 1, "call_id": 7}, Rules())


_ONE, _OTHER = "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11", "6c1d8f1f-4a6e-4d1f-8b62-9b8a5a7a3e22"


@pytest.mark.parametrize(
    "body",
    [
        {"uuid": _ONE, "data": {"call_uuid": _OTHER}},
        {"uuid": _ONE, "data": [{"call_uuid": _OTHER}]},
        {"uuid": _ONE, "data": f'{{"call_uuid": "{_OTHER}"}}'},
        {"call_id": 7, "data": {"event": "recording_uploaded"}},
    ],
    ids=["an object", "a list", "JSON in a text", "its event"],
)
def test_what_stands_further_in_counts_for_both(body: dict[str, Any]) -> None:
    """The bare uuid of an envelope is that of the delivery, and an envelope's content names the event."""
    assert_alike("call-ended", body, Rules())
