from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.call import Call, fold
from bridge.domain.detail import read_detail
from bridge.domain.path import MOST_STEPS, Participant, Path, read_path
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event

ASKED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ADA: dict[str, Any] = {
    "type": "agent", "id": 11, "name": "Ada Example", "group_ids": [10, 20], "date": "2026-03-02T09:23:10Z",
    "call_times": {"talking_time": None, "ringing_time": 5}, "status": "missed", "reason": "not_picked_up",
}  # fmt: skip
BO: dict[str, Any] = {
    "type": "agent", "id": "12", "name": "Bo Example", "group_ids": ["10"], "date": "2026-03-02T09:23:20Z",
    "call_times": {"talking_time": "60", "ringing_time": 5}, "status": "answered", "reason": None,
}  # fmt: skip
MENU: dict[str, Any] = {"type": "ivr", "id": 1, "date": "2026-03-02T09:23:00Z", "option": "2"}
SALES: dict[str, Any] = {
    "type": "queue", "id": 10, "name": "Sales", "date": "2026-03-02T09:23:05Z", "status": "answered",
    "call_times": {"waiting_time": 42}, "agent_calls": [ADA, BO],
}  # fmt: skip
HAND_OVER: dict[str, Any] = {
    "type": "transfer", "id": 3, "date": "2026-03-02T09:24:00Z", "endpoint": "1002", "status": "answered",
}  # fmt: skip


def detail(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "cdr_id": 1000000110, "uuid": "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11", "direction": "incoming",
        "date": "2026-03-02T09:23:00Z", "status": "answered", "type": "regular", "out_of_office": False,
        "contact": {"number": "+441632960304"}, "internal_number": {"number": "+15550100101"},
        "call_times": {"talking_time": 60, "waiting_time": 42, "total_time": 112}, "call_steps": list(steps),
    } | more  # fmt: skip


def path_of(*steps: dict[str, Any], **more: Any) -> Path:
    return read_path(detail(*steps, **more))


def call_of(*steps: dict[str, Any], events: tuple[Event, ...] = (), **more: Any) -> Call:
    return fold(events, read_detail(detail(*steps, **more), asked_at=ASKED))


def event(trigger: str, **fields: Any) -> Event:
    found = read_event(trigger, {"call_id": 1000000110, **fields}, Rules())
    assert isinstance(found, Event)
    return found


def test_a_path_names_menus_queues_agents_and_transfers_in_their_order() -> None:
    menu, queue, hand_over = path_of(MENU, SALES, HAND_OVER).steps

    assert (menu.kind, menu.option) == ("menu", "2")
    assert (queue.kind, queue.name, queue.wait_seconds, queue.answered) == ("queue", "Sales", 42, True)
    assert [(one.name, one.answered, one.reason) for one in queue.agents] == [
        ("Ada Example", False, "not_picked_up"),
        ("Bo Example", True, None),
    ]
    assert (hand_over.kind, hand_over.endpoint) == ("transfer", "1002")


def test_a_call_has_the_facts_that_rules_ask_for() -> None:
    call = call_of(MENU, SALES, HAND_OVER, type="Callback", out_of_office=True)

    assert (call.call_type, call.out_of_hours, call.transferred, call.ai_agent) == (
        "callback",
        True,
        True,
        False,
    )
    assert call.groups == ("Sales", "10", "20")
    assert call.participants == (
        Participant(agent_id=11, name="Ada Example", reason="not_picked_up"),
        Participant(agent_id=12, name="Bo Example", answered=True, talk_seconds=60),
    )


def test_without_detail_the_participants_come_from_the_events() -> None:
    heard = (
        event("call-ringing", agent_id=14, agent_email="cy@example.com"),
        event("call-answered", agent_id=12, answered_at="2026-03-02T09:23:20Z"),
        event("call-ended", agent_id=11, agent_name="Ada Example", talking_time=40),
    )

    assert [(one.agent_id, one.email, one.answered) for one in fold(heard).participants] == [
        (14, "cy@example.com", False),
        (11, None, True),
        (12, None, True),
    ]


def test_detail_knows_the_parts_and_the_events_the_addresses() -> None:
    (ada, bo) = call_of(
        SALES, events=(event("call-answered", agent_id=12, agent_email="bo@example.com"),)
    ).participants

    assert (ada.email, bo.email, bo.talk_seconds) == (None, "bo@example.com", 60)


@pytest.mark.parametrize(
    ("steps", "more", "transferred"),
    [
        ((SALES,), {}, False),
        ((SALES, HAND_OVER), {}, True),
        ((SALES | {"status": "cold_transfer"},), {}, True),
        ((SALES,), {"type": "transferred"}, True),
        ((), {"type": "transferred"}, True),
        ((), {}, None),
    ],
)
def test_a_transfer_shows_in_the_type_or_the_steps(
    steps: tuple[dict[str, Any], ...], more: dict[str, Any], transferred: bool | None
) -> None:
    assert path_of(*steps, **more).transferred is transferred


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ({"resolved_by": 1000000150}, 1000000150),
        ({"resolved_by": "1000000150"}, 1000000150),
        ({"resolved_by": None, "resolved_by_call": {"id": 1000000150, "agent": {"id": 12}}}, 1000000150),
        ({"resolved_by": {"id": 1000000150}}, 1000000150),
        ({"resolved_by": None, "resolved_by_call": {"id": None}}, None),
        ({"resolved_by": "soon", "resolved_by_call": "no"}, None),
        ({}, None),
    ],
)
def test_a_missed_call_names_the_call_that_settled_it(by: dict[str, Any], found: int | None) -> None:
    assert (
        call_of(SALES | {"status": "missed", "agent_calls": [ADA]} | by, status="missed").resolved_by == found
    )
    assert call_of(ADA | by, status="missed").resolved_by == found


@pytest.mark.parametrize(
    ("steps", "more", "is_ai", "name"),
    [
        (({"type": "voice_agent", "name": "Nova", "status": "answered"},), {}, True, "Nova"),
        (({"type": "VoiceAgent", "status": "answered"},), {}, True, None),
        ((BO | {"agent_type": "ai", "name": "Nova"},), {}, True, "Nova"),
        # Answered, and nobody is named who did it.
        ((MENU,), {}, True, None),
        ((MENU, SALES | {"status": "missed", "agent_calls": [ADA]}), {}, True, None),
        # No steps at all say nothing, and what is unknown may be anything.
        ((), {}, None, None),
        ((MENU, {"type": "forward", "status": "answered"}), {}, False, None),
        ((MENU, HAND_OVER), {}, False, None),
        ((SALES,), {}, False, None),
        ((MENU,), {"status": "missed", "call_times": {}}, False, None),
        ((MENU,), {"direction": "outgoing"}, False, None),
    ],
)  # fmt: skip
def test_an_ai_voice_agent_is_recognised(
    steps: tuple[dict[str, Any], ...], more: dict[str, Any], is_ai: bool | None, name: str | None
) -> None:
    call = call_of(*steps, **more)

    assert (call.ai_agent, call.ai_agent_name) == (is_ai, name)


@pytest.mark.parametrize(
    "steps",
    [
        None, "steps", 7, {}, {"type": "queue"}, [None, 1, "x", [], [[]]], [{}], [{"type": None}],
        [{"type": "queue", "agent_calls": {"type": "agent"}, "call_times": "1", "name": {}}],
        [{"type": "agent", "id": "x", "group_ids": "10", "call_times": None, "name": ["a"], "date": "then"}],
        [{"type": "transfer", "endpoint": {"number": 7}, "status": []}], [{"type": "ivr", "option": 2**80}],
    ],
)  # fmt: skip
def test_nothing_in_the_steps_breaks_a_call(steps: object) -> None:
    call = call_of(call_steps=steps)

    assert call.ended


def test_a_path_has_a_bounded_number_of_steps() -> None:
    many = SALES | {"agent_calls": [BO] * 150}

    path = path_of(*[many] * 50)

    assert len(list(path.every)) == MOST_STEPS


def test_steps_within_steps_are_read_only_so_deep() -> None:
    deep: dict[str, Any] = BO
    for _ in range(10_000):
        deep = BO | {"agent_calls": [deep]}

    assert 1 < len(list(path_of(deep).every)) < 10


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["type", "id", "name", "agent_calls", "status", "call_times", "date"]) | st.text(),
        inner,
    ),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.slow
@given(steps=ANY_JSON, kind=ANY_JSON)
def test_any_answer_gives_a_path(steps: Any, kind: Any) -> None:
    path = read_path({"call_steps": steps, "type": kind})

    assert len(list(path.every)) <= MOST_STEPS


EVENTS = [
    event("call-ringing", agent_id=11, external_number="+441632960304"),
    event("call-ringing", agent_id=12),
    event("call-answered", agent_id=12, agent_email="bo@example.com", answered_at="2026-03-02T09:23:20Z"),
    event("recording-uploaded"),
]


@given(events=st.permutations(EVENTS * 2), steps=st.permutations([MENU, SALES, HAND_OVER]))
def test_events_in_any_order_and_detail_make_the_same_call(
    events: list[Event], steps: list[dict[str, Any]]
) -> None:
    answer = read_detail(detail(MENU, SALES, HAND_OVER), asked_at=ASKED)
    shuffled = read_detail(detail(*steps), asked_at=ASKED)

    assert fold(events, shuffled) == fold(EVENTS, answer)
    assert replace(fold(events), wants_detail=False) == replace(fold(EVENTS), wants_detail=False)
