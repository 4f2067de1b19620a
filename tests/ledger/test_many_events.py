"""One call with very many events costs no more than one with some: the first and the newest are kept."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.reports.views import call_view

UUID = "11111111-2222-4333-8444-555555555501"
KEY = f"uuid:{UUID}"
RULES = Rules()


def learn(ledger: Ledger, trigger: str, **body: Any) -> str:
    result = {"call_uuid": UUID, **body}
    event = read_event(trigger, result, RULES)
    assert isinstance(event, Event)
    return ledger.record_event(event, result).status


def test_the_first_and_the_newest_events_of_each_trigger_are_kept_and_the_rest_counted(
    ledger: Ledger,
) -> None:
    learn(ledger, "call-ended", talking_time=97)
    for n in range(400):
        assert learn(ledger, "call-modified", notes=f"n{n}") == "accepted"

    record = ledger.read(KEY)
    kept = [event.body["notes"] for event in record.events if event.trigger == "call-modified"]
    assert sorted(kept) == sorted([f"n{n}" for n in (*range(5), *range(380, 400))])
    assert record.call(RULES).talk_seconds == 97, "an event of another trigger made it give way"
    assert record.left_out == {"call-modified": 375}
    shown = call_view(ledger, RULES, record)
    assert shown["left_out"] == {"call-modified": 375}
    assert "event call-modified: 375 more" in [line["what"] for line in shown["timeline"]]


def test_large_events_are_kept_up_to_a_size(ledger: Ledger) -> None:
    for n in range(60):
        learn(ledger, "transcription-created", transcript=f"{n} " + "x" * 60_000)

    texts = [str(event.body["transcript"])[:3].strip() for event in ledger.read(KEY).events]
    assert texts[0] == "0 x"[:3].strip() or texts[0].startswith("0")
    assert any(text.startswith("59") for text in texts)
    assert (ledger.redis.memory_usage(keys.events(KEY), samples=0) or 0) < 400_000
    assert ledger.read(KEY).left_out == {"transcription-created": 58}


def test_a_repeat_of_what_is_kept_leaves_nothing_out(ledger: Ledger) -> None:
    for _ in range(3):
        for n in range(20):
            learn(ledger, "call-ended", notes=f"n{n}")

    assert len(ledger.read(KEY).events) == 20
    assert ledger.read(KEY).left_out == {}


def test_both_parts_of_a_joined_record_count(ledger: Ledger) -> None:
    for n in range(30):
        learn(ledger, "call-ended", notes=f"n{n}")
        body = {"call_id": "42", "notes": f"m{n}"}
        event = read_event("call-ended", body, RULES)
        assert isinstance(event, Event)
        ledger.record_event(event, body)
    learn(ledger, "call-started", call_id="42")

    assert ledger.read(KEY).left_out == {"call-ended": 10}
    assert len(ledger.read(KEY).events) == 51


def test_events_that_have_expired_make_no_others_give_way(ledger: Ledger) -> None:
    for n in range(25):
        learn(ledger, "call-ended", notes=f"n{n}")
    ledger.redis.delete(keys.events(KEY))

    for n in range(25):
        learn(ledger, "call-ended", notes=f"m{n}")

    assert len(ledger.read(KEY).events) == 25


@pytest.mark.slow
@pytest.mark.parametrize("count", [2_000])
def test_the_cost_of_an_event_does_not_grow_with_their_number(ledger: Ledger, count: int) -> None:
    def took(first: int) -> float:
        began = time.perf_counter()
        for n in range(first, first + 200):
            learn(ledger, "call-ended", notes=f"n{n}")
        return time.perf_counter() - began

    took(0)
    early = took(200)
    for n in range(400, count):
        learn(ledger, "call-ended", notes=f"n{n}")
    assert took(count) < 3 * early + 0.2
