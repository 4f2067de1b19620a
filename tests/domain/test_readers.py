"""Readers of outside values take anything, never raise, and cost no more than the bytes they are given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain import phone
from bridge.domain.call_list_item import read_listed
from bridge.domain.detail import read_detail
from bridge.domain.phone import Kind, read_phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook import values
from bridge.domain.webhook.events import STAGE_OF, Event, Held, read_event
from bridge.domain.webhook.keys import CANONICAL_KEYS

READERS: Mapping[str, Callable[[object], object]] = {
    "call id": values.read_call_id,
    "uuid": values.read_uuid,
    "time": values.read_time,
    "whole": values.read_whole,
    "seconds": values.read_seconds,
    "text": values.read_text,
    "name": values.read_name,
    "email": values.read_email,
    "flag": values.read_flag,
    "tags": values.read_tags,
    "direction": values.read_direction,
    "told": values.has_value,
    "phone": read_phone,
    "phone at home": lambda value: read_phone(value, region="US"),
}
LONG = 65_000
ODD: Mapping[str, object] = {
    "a reference of many digits": "&#" + "9" * 4301 + ";",
    "a hexadecimal reference of many digits": "&#x" + "f" * LONG + ";",
    "a reference beyond Unicode": "&#99999999;",
    "a reference that does not end": "&" * LONG,
    "hours of many digits": "9" * 4301 + ":00:00",
    "hours beyond a call": "9" * 12 + ":00:00",
    "digits of another alphabet": "\u0663:\u0662\u0661",
    "a superscript": "\u00b2",
    "a number of many digits": "9" * LONG,
    "an integer of many digits": 10**5000,
    "a negative integer of many digits": -(10**5000),
    "infinity": float("inf"),
    "no number": float("nan"),
    "a large float": 1.7e308,
    "the end of the calendar": "9999-12-31T23:59:59.999999-12:00",
    "the beginning of the calendar": "0001-01-01T00:00:00+14:00",
    "a time of many digits": "2026-03-02T10:11:12." + "1" * LONG,
    "half a character": "2026-03-02T10:11:\ud800",
    "many commas": "," * LONG,
    "many braces": "{{" * (LONG // 2),
    "many colons": ":" * LONG,
    "many pluses": "+" * LONG,
    "an extension of many digits": "+15550102011 ext " + "9" * LONG,
    "a deep list": [[[[["x"]]]]],
    "a list of large integers": [10**5000],
    "an object": {"name": 10**5000},
}


def _any(odd: Mapping[str, object]) -> st.SearchStrategy[object]:
    # By name: Hypothesis writes examples out, which `repr` refuses for such integers.
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=50)
        | st.sampled_from(sorted(odd)).map(lambda name: odd[name]),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    )


# What `json` refuses to read is in no body.
IN_BODIES = {name: odd for name, odd in ODD.items() if "integer" not in name and name != "an object"}
IN_BODIES["the largest integer"] = 10**4299
BODIES = st.dictionaries(
    st.sampled_from(sorted(CANONICAL_KEYS)) | st.text(max_size=8), _any(IN_BODIES), max_size=8
)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_no_reader_raises_or_takes_long(read: Callable[[object], object], odd: object) -> None:
    before = time.process_time()
    read(odd)
    assert time.process_time() - before < 0.5


@given(_any(ODD))
def test_no_reader_raises_whatever_it_is_given(value: object) -> None:
    for read in READERS.values():
        read(value)


@given(BODIES)
def test_every_body_is_an_event_or_held(body: dict[str, Any]) -> None:
    for trigger in [None, *STAGE_OF]:
        found = read_event(trigger, {"call_id": "1000000500", **body}, Rules())
        assert isinstance(found, Event | Held)
    read_detail(body, asked_at=datetime(2026, 3, 2, tzinfo=UTC))
    read_listed({"id": 1, **body})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1:02:03", 3723),
        ("999999:59:59", None),
        ("9" * 4301 + ":00:00", None),
        ("90", 90),
    ],
)
def test_a_length_is_one_that_a_call_can_have(text: str, says: int | None) -> None:
    assert values.read_seconds(text) == says


def test_what_is_no_character_stays_as_it_was_written() -> None:
    endless = "&#" + "9" * 4301 + ";"
    assert values.read_text(f"a &lt;b&gt; &#65; {endless}") == f"a ‹b> A {endless}"


def test_a_number_of_any_length_is_kept_nowhere() -> None:
    phone._parse_short.cache_clear()
    for last in range(50):
        assert read_phone("+" + "9" * LONG + str(last)) is not None
    assert phone._parse_short.cache_info().currsize == 0
    known = read_phone("+44 1632 960304")
    assert known is not None
    assert known.kind is Kind.E164
    assert phone._parse_short.cache_info().currsize == 1
