from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.call import Call, fold, newest_hint
from bridge.domain.detail import Detail, read_detail
from bridge.domain.outcome import Direction, Outcome, Stage
from bridge.domain.phone import WITHHELD, Kind, Phone
from bridge.domain.webhook.events import Event
from tests.domain.given import ADA, CALL_ID, IDS, STARTED_AT, UUID_TEXT, read, said

ASKED_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NUMBERS = {"external_number": "+441632960304", "internal_number": "+15550100101", "direction": "incoming"}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("call-started", {"call_uuid": UUID_TEXT, **NUMBERS, "started_at": "2026-03-02T09:23:00Z"}),
    ("call-ringing", {"call_uuid": UUID_TEXT, "agent_id": 400101}),
    ("call-ringing", {"call_uuid": UUID_TEXT, "agent_id": 400103}),
    ("call-answered", {"call_uuid": UUID_TEXT, "agent_id": 400102, "answered_at": "2026-03-02T09:23:14Z"}),
    (
        "call-ended",
        {
            **IDS,
            **NUMBERS,
            "agent_id": 400102,
            "agent_name": "Cy Fictional",
            "contact_name": "Ada Example",
            "talking_time": 97,
            "waiting_time": 14,
            "started_at": "2026-03-02T09:23:00Z",
            "ended_at": "2026-03-02T09:24:51Z",
            "tags": "Billing",
            "notes": "Wants the March invoice again.",
        },
    ),
    ("call-modified", {**IDS, "tags": "Billing,VIP"}),
    ("recording-uploaded", {"call_id": CALL_ID}),
]
EVENTS = [read(trigger, body, received_at=ASKED_AT - timedelta(minutes=1)) for trigger, body in BODIES]
DETAIL_BODY: dict[str, Any] = {
    "cdr_id": CALL_ID,
    "uuid": UUID_TEXT,
    "date": "2026-03-02T09:23:00.000Z",
    "contact": {"id": 1400000104, "name": "Ada Example", "number": "+441632960304"},
    "internal_number": {"id": 36, "name": "Support", "number": "+15550100101"},
    "call_tags": [{"id": 1, "label": "Billing"}, {"id": 2, "label": "VIP"}],
    "call_rating": 4,
    "call_times": {
        "total_time": 141,
        "talking_time": 97,
        "wrap_up_time": 20,
        "ringing_time": 5,
        "waiting_time": 14,
        "holding_time": 10,
    },
    "direction": "incoming",
    "type": "regular",
    "status": "answered",
    "call_steps": [],
    "notes": ["Wants the March invoice again."],
    "recorded": True,
}
DETAIL = read_detail(DETAIL_BODY, asked_at=ASKED_AT)


def ended(**more: Any) -> Event:
    """`call-ended` with everything that makes asking needless."""
    return read(
        "call-ended",
        {**IDS, **NUMBERS, "talking_time": 97, "started_at": "2026-03-02T09:23:00Z", **more},
        received_at=ASKED_AT - timedelta(minutes=1),
    )


# Order and repeats


@given(st.permutations(EVENTS * 2), st.sets(st.integers(0, len(EVENTS) - 1)))
def test_what_is_signed_wins_in_any_order(order: list[Event], signed: set[int]) -> None:
    trusted = [EVENTS[number] for number in signed]
    other = replace(trusted[0], talk_seconds=99_999, contact_name="x" * 99) if trusted else order[0]
    mixed = [replace(event, signed=True) if event in trusted else event for event in [*order, other]]

    assert fold(mixed) == fold(reversed(mixed))
    talk_times = [event.talk_seconds for event in trusted if event.talk_seconds is not None]
    if talk_times:
        assert fold(mixed).talk_seconds == max(talk_times)


@given(st.permutations(EVENTS * 2), st.integers(min_value=0, max_value=len(EVENTS)))
@pytest.mark.parametrize("detail", [None, DETAIL])
def test_late_repeated_and_reordered_events_end_in_the_same_call(
    detail: Detail | None, events: list[Event], twice: int
) -> None:
    assert fold(events[:twice] + events, detail) == fold(EVENTS, detail)


@pytest.mark.parametrize("detail", [None, DETAIL])
def test_all_orders_of_five_events_end_in_the_same_call(detail: Detail | None) -> None:
    five = [EVENTS[0], EVENTS[1], EVENTS[3], EVENTS[4], EVENTS[6]]

    calls = {fold(order, detail) for order in permutations(five)}

    assert len(calls) == 1


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "agent_id": st.sampled_from([None, 0, 1, 2]),
    "agent_name": st.sampled_from([None, "", "Bo", "Cy"]),
    "agent_email": st.sampled_from([None, "bo.sample@example.com", "cy.fictional@example.com"]),
    "contact_name": st.sampled_from([None, "Ada", "Eve"]),
    "direction": st.sampled_from([None, "incoming", "outgoing", "internal"]),
    "external_number": st.sampled_from([None, "", "112", "+441632960304", "+441632960305"]),
    "talking_time": st.sampled_from([None, 0, 5]),
    "is_voicemail": st.sampled_from([None, True, False]),
    "tags": st.sampled_from([None, "", "a", "b,a"]),
    "notes": st.sampled_from([None, "one", "two"]),
    "started_at": st.sampled_from([None, 1772443380, 1772443381]),
    "transcript": st.sampled_from([None, "ab", "cd"]),
}
ANY_EVENT = st.builds(
    lambda trigger, body: read(trigger, {**IDS, **body}, received_at=ASKED_AT),
    st.sampled_from(sorted({trigger for trigger, _ in BODIES})),
    st.fixed_dictionaries(VALUES),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(ANY_EVENT, min_size=2, max_size=5), st.randoms(), st.sampled_from([None, DETAIL]))
def test_events_that_contradict_each_other_end_in_the_same_call_too(
    events: list[Event], random: Any, detail: Detail | None
) -> None:
    turned = [*events, events[0]]
    random.shuffle(turned)

    assert fold(turned, detail) == fold(events, detail)


def test_no_event_at_all_is_a_call_of_which_nothing_is_known() -> None:
    assert fold([]) == Call(wants_detail=True)


# What wins


def test_a_late_ringing_cannot_undo_the_end() -> None:
    call = fold([EVENTS[4], EVENTS[1], EVENTS[0]])

    assert call.ended
    assert call.stage is Stage.ENDED


def test_the_agent_of_a_later_stage_wins() -> None:
    answered = read("call-answered", {**IDS, "agent_id": 400199, "agent_name": "Di Madeup"})

    call = fold([answered, ended(agent_id=400101, agent_first_name="Bo")])

    assert (call.agent_id, call.agent_name) == (400101, "Bo")


BO, MO = {"agent_id": 400101, "agent_first_name": "Bo"}, {"agent_id": 400199, "agent_first_name": "Mo"}


@pytest.mark.parametrize(("who", "other"), [(BO, MO), (MO, BO)])
def test_the_agent_is_the_one_who_talked_not_the_one_with_the_larger_number(
    who: dict[str, Any], other: dict[str, Any]
) -> None:
    missed = ended(**other, talking_time=0, answered_at="")
    longer = ended(**who, talking_time=60, answered_at="2026-03-02T09:23:14Z")
    shorter = ended(**other, talking_time=12, answered_at="2026-03-02T09:24:20Z")

    for legs in permutations([missed, longer, shorter]):
        call = fold(legs)
        assert (call.agent_id, call.agent_name) == (who["agent_id"], who["agent_first_name"])


@pytest.mark.parametrize(("who", "other"), [(BO, MO), (MO, BO)])
def test_where_nobody_talked_longer_the_last_to_answer_before_the_end_counts(
    who: dict[str, Any], other: dict[str, Any]
) -> None:
    first = read("call-answered", {**IDS, **other, "answered_at": "2026-03-02T09:23:14Z"})
    last = read("call-answered", {**IDS, **who, "answered_at": "2026-03-02T09:24:00Z"})
    too_late = read("call-answered", {**IDS, **other, "answered_at": "2026-03-02T10:30:00Z"})
    end = read("call-ended", {**IDS, **other, "talking_time": 0, "ended_at": "2026-03-02T09:24:51Z"})

    for events in permutations([first, last, too_late, end]):
        assert fold(events).agent_id == who["agent_id"]


def test_detail_tells_who_answered_where_the_events_tell_only_who_did_not() -> None:
    missed = ended(**MO, agent_email="mo@example.com", talking_time=0, answered_at="", direction=None)
    detail = Detail(asked_at=ASKED_AT, agent_id=400101, agent_name="Bo Sample", talk_seconds=60)

    call = fold([missed], detail)

    assert (call.agent_id, call.agent_name, call.agent_email) == (400101, "Bo Sample", None)


def test_nobody_is_responsible_by_ringing_alone() -> None:
    assert fold(EVENTS[:3]).agent_id is None


def test_an_agents_name_is_never_joined_to_another_agents_number() -> None:
    call = fold([ended(agent_id=400101), replace(DETAIL_EVENT, agent_name="Di Madeup", agent_id=400102)])

    assert (call.agent_id, call.agent_name) == (400101, None)


def test_of_two_events_of_one_stage_the_one_with_an_agents_number_counts() -> None:
    both = [ended(agent_id="0", agent_first_name="Bo"), ended(agent_first_name="Bo")]

    assert fold(both).agent_id == fold(both[::-1]).agent_id == 0


DETAIL_EVENT = read("call-answered", dict(IDS))


def test_a_number_wins_over_withheld_and_a_known_one_over_a_short_one() -> None:
    talk_times = ["", "112", "+441632960304", "sip:bo@example.com"]

    for order in permutations(talk_times):
        assert fold([said(external_number=number) for number in order]).external == ADA
    assert fold([said(external_number="")]).external == WITHHELD


def test_zero_seconds_is_a_fact() -> None:
    call = fold([ended(talking_time="0", waiting_time="0")])

    assert (call.talk_seconds, call.wait_seconds, call.outcome) == (0, 0, Outcome.MISSED)


def test_what_modified_says_of_tags_is_asked_for_instead() -> None:
    call = fold([ended(tags="Billing"), read("call-modified", {**IDS, "tags": "Other", "notes": "Other"})])

    assert (call.tags, call.notes) == (("Billing",), None)
    assert call.wants_detail


# How it went


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"talk_seconds": 97}, Outcome.ANSWERED),
        ({"talk_seconds": 97, "is_voicemail": True}, Outcome.ANSWERED),
        ({"answered_at": STARTED_AT}, Outcome.ANSWERED),
        ({"detail_says": Outcome.ANSWERED}, Outcome.ANSWERED),
        ({"talk_seconds": 0}, Outcome.MISSED),
        ({"detail_says": Outcome.MISSED}, Outcome.MISSED),
        ({"talk_seconds": 0, "answered_at": STARTED_AT}, Outcome.MISSED),
        ({"talk_seconds": 0, "is_voicemail": True}, Outcome.VOICEMAIL),
        ({"is_voicemail": True}, Outcome.VOICEMAIL),
        ({"talk_seconds": 0, "recorded": True}, Outcome.VOICEMAIL),
        ({"talk_seconds": 0, "recorded": True, "is_voicemail": False}, Outcome.VOICEMAIL),
        ({"talk_seconds": 0, "recorded": True, "direction": Direction.OUTGOING}, Outcome.MISSED),
        ({"talk_seconds": 0, "direction": Direction.OUTGOING}, Outcome.MISSED),
        ({"talk_seconds": 97, "direction": Direction.INTERNAL}, Outcome.INTERNAL),
        ({"direction": Direction.INTERNAL}, Outcome.INTERNAL),
        ({}, Outcome.UNKNOWN),
        ({"recorded": True}, Outcome.UNKNOWN),
    ],
)
def test_how_a_call_went_is_derived(fields: dict[str, Any], outcome: Outcome) -> None:
    assert Call(**{"direction": Direction.INCOMING, **fields}).outcome is outcome


def test_a_missed_call_with_a_recording_is_a_voicemail_in_either_order() -> None:
    missed, recording = ended(talking_time=0), EVENTS[6]

    assert fold([missed, recording]).outcome is fold([recording, missed]).outcome is Outcome.VOICEMAIL


# Whether to ask


def test_nothing_is_asked_when_all_was_told() -> None:
    assert not fold([ended()]).wants_detail
    assert not fold([ended(), EVENTS[6]]).wants_detail


@pytest.mark.parametrize(
    "missing", ["call_uuid", "direction", "started_at", "talking_time", "external_number"]
)
def test_what_the_events_leave_open_is_asked_for(missing: str) -> None:
    call = fold([ended(**{missing: None})])

    assert call.wants_detail


def test_a_withheld_number_is_not_asked_for() -> None:
    assert not fold([ended(external_number="")]).wants_detail


def test_an_answer_ends_the_asking_even_where_it_leaves_something_open() -> None:
    empty = read_detail({}, asked_at=ASKED_AT)

    assert not fold([ended(direction=None)], empty).wants_detail


def test_a_change_after_the_answer_is_asked_for_again() -> None:
    def modified(minutes: int) -> Event:
        return read("call-modified", dict(IDS), received_at=ASKED_AT + timedelta(minutes=minutes))

    assert not fold([ended(), modified(-1)], DETAIL).wants_detail
    assert fold([ended(), modified(0)], DETAIL).wants_detail
    assert fold([ended(), modified(1)], DETAIL).wants_detail
    assert newest_hint([ended(), modified(-1), modified(1)]) == ASKED_AT + timedelta(minutes=1)


def test_an_answer_nobody_needed_changes_nothing() -> None:
    assert fold([ended()], DETAIL) == fold([ended()])


def test_an_answer_is_the_last_word_on_what_it_tells() -> None:
    call = fold([ended(tags="Old", notes="Old"), EVENTS[5]], DETAIL)

    assert call.tags == ("Billing", "VIP")
    assert call.notes == "Wants the March invoice again."
    assert (call.line_name, call.rating, call.ring_seconds, call.hold_seconds) == ("Support", 4, 5, 10)


def test_what_an_answer_leaves_out_stays_as_the_events_told_it() -> None:
    event = ended(direction=None, contact_name="Ada Example", agent_id=400101, agent_first_name="Bo")

    call = fold([event], read_detail({"direction": "incoming"}, asked_at=ASKED_AT))

    assert (call.contact_name, call.agent_name, call.talk_seconds, call.external) == (
        "Ada Example",
        "Bo",
        97,
        ADA,
    )


def test_a_call_known_by_its_recording_only_becomes_whole_by_the_answer() -> None:
    call = fold([EVENTS[6]], DETAIL)

    assert (call.uuid, call.outcome, call.ended) == (UUID(UUID_TEXT), Outcome.ANSWERED, True)
    assert call.ended_at == datetime(2026, 3, 2, 9, 25, 1, tzinfo=UTC)
    assert not call.wants_detail


def test_an_answer_that_knows_a_status_says_that_the_call_has_ended() -> None:
    assert fold([EVENTS[0]], DETAIL).ended
    assert not fold([EVENTS[0]], read_detail({**DETAIL_BODY, "status": None}, asked_at=ASKED_AT)).ended


# Reading what CloudTalk answers


def test_detail_is_read() -> None:
    assert DETAIL.uuid == UUID(UUID_TEXT)
    assert DETAIL.call_id == CALL_ID
    assert DETAIL.status is Outcome.ANSWERED
    assert DETAIL.external == ADA
    assert DETAIL.internal == Phone(Kind.E164, "+15550100101")
    assert DETAIL.tags == ("Billing", "VIP")
    assert (DETAIL.talk_seconds, DETAIL.wrapup_seconds, DETAIL.recorded) == (97, 20, True)
    # total_time counts the wrap-up, after which nobody is on the line.
    assert DETAIL.ended_at == STARTED_AT + timedelta(seconds=121)


def test_detail_may_have_text_for_numbers_and_integers_for_text() -> None:
    body = {
        **DETAIL_BODY,
        "cdr_id": str(CALL_ID),
        "contact": {"id": "1400000104", "name": "Ada &amp; Sons", "number": 441632960304},
        "call_times": {name: str(value) for name, value in DETAIL_BODY["call_times"].items()},
        "call_rating": "4",
    }

    detail = read_detail(body, asked_at=ASKED_AT)

    assert detail == replace(DETAIL, contact_name="Ada & Sons")


@pytest.mark.parametrize(
    "name", ["contact", "internal_number", "call_times", "call_steps", "call_tags", "notes"]
)
def test_detail_may_lack_any_object(name: str) -> None:
    without = {key: value for key, value in DETAIL_BODY.items() if key != name}

    left_out = read_detail(without, asked_at=ASKED_AT)

    assert left_out == read_detail({**DETAIL_BODY, name: None}, asked_at=ASKED_AT)
    assert left_out.uuid == DETAIL.uuid


@pytest.mark.parametrize("number", ["", "null", "undefined", None, {"a": 1}, "anonymous"])
def test_a_number_that_detail_does_not_tell_stays_as_the_events_told_it(number: object) -> None:
    detail = read_detail({**DETAIL_BODY, "contact": {"number": number}}, asked_at=ASKED_AT)

    assert detail.external is None


def test_values_of_later_years_are_not_told() -> None:
    body = {**DETAIL_BODY, "status": "cold_transfer", "direction": "sideways", "call_rating": 9}

    detail = read_detail(body, asked_at=ASKED_AT)

    assert (detail.status, detail.direction, detail.rating) == (None, None, None)


def test_a_missed_call_without_times_lasted_no_time() -> None:
    body = {**DETAIL_BODY, "status": "missed", "call_times": {"talking_time": None, "waiting_time": 31}}

    detail = read_detail(body, asked_at=ASKED_AT)

    assert (detail.talk_seconds, detail.wait_seconds) == (0, 31)


def agent(
    agent_id: object, seconds: object, *, status: str = "answered", name: str = "Bo Sample"
) -> dict[str, Any]:
    return {
        "type": "agent",
        "id": agent_id,
        "name": name,
        "status": status,
        "call_times": {"talking_time": seconds},
    }


def test_the_agent_is_found_in_the_calls_of_a_queue() -> None:
    queue = {
        "type": "queue",
        "id": 10,
        "agent_calls": [agent(400102, None, status="missed"), agent("400101", "97")],
    }

    detail = read_detail({**DETAIL_BODY, "call_steps": [{"type": "ivr"}, queue]}, asked_at=ASKED_AT)

    assert (detail.agent_id, detail.agent_name) == (400101, "Bo Sample")


def test_of_several_agents_the_one_who_talked_longest_counts() -> None:
    steps = [agent(400101, 5), agent(400102, 80, name="Cy Fictional"), agent(400103, 12)]

    for order in permutations(steps):
        detail = read_detail({"call_steps": list(order)}, asked_at=ASKED_AT)
        assert (detail.agent_id, detail.agent_name) == (400102, "Cy Fictional")


@pytest.mark.parametrize(("first", "last"), [(400101, 400199), (400199, 400101)])
def test_of_steps_as_long_as_each_other_the_last_one_counts(first: int, last: int) -> None:
    steps = [agent(first, 30), agent(last, 30)]
    at = ["2026-03-02T09:23:20Z", "2026-03-02T09:24:00Z"]
    dated = [{**agent(first, 30), "date": at[0]}, {**agent(last, 30), "date": at[1]}]

    assert read_detail({"call_steps": steps}, asked_at=ASKED_AT).agent_id == last
    assert read_detail({"call_steps": dated[::-1]}, asked_at=ASKED_AT).agent_id == last


def test_a_queue_that_holds_itself_ends() -> None:
    queue: dict[str, Any] = {"type": "queue"}
    queue["agent_calls"] = [queue]

    assert read_detail({"call_steps": [queue]}, asked_at=ASKED_AT).agent_id is None


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    | st.sampled_from(["answered", "agent", "9999-12-31T23:59:59Z", "2026-03-02", 2**31 - 1, 10**300]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "id", "status", "name", "number", "label", "agent_calls", "call_times"])
        | st.sampled_from(["talking_time", "total_time", "wrap_up_time"]),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(DETAIL_BODY, ANY)))
def test_no_answer_upsets_the_reader_of_detail(body: dict[str, Any]) -> None:
    detail = read_detail(body, asked_at=ASKED_AT, region="GB")

    assert repr(detail) == repr(read_detail(body, asked_at=ASKED_AT, region="GB"))
    fold(EVENTS, detail)
