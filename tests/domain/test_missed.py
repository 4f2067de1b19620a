"""Which missed calls belong together, what closes them, and what their note says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bridge.domain.hours import read_hours
from bridge.domain.missed import CallerCall, Kind, caller_call, candidate, item_of, note_lines
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.phone import Kind as PhoneKind
from bridge.domain.phone import Phone
from bridge.domain.rules.model import Rules
from tests.domain.given import call

DAY = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
MISSED: dict[str, Any] = {"talk_seconds": 0, "answered_at": None, "recorded": False}


def at(clock: str, day: int = 0) -> datetime:
    hour, minute = clock.split(":")
    return DAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


def miss(key: str, clock: str, *, item: str = "", **more: Any) -> CallerCall:
    return CallerCall(key=key, kind=Kind.MISS, started_at=at(clock), named=key, item=item, **more)


def contact(key: str, clock: str, **more: Any) -> CallerCall:
    told = {"direction": Direction.OUTGOING, "agent": "Ada", "answered_at": at(clock), **more}
    return CallerCall(key=key, kind=Kind.CONTACT, started_at=at(clock), named=key, **told)


def test_a_call_with_talk_time_after_it_closes_a_missed_call() -> None:
    calls = [miss("m", "09:00"), contact("early", "08:59"), contact("c", "09:30"), contact("late", "10:00")]

    item = item_of("m", calls)

    assert item is not None and item.closed_by == calls[2]


def test_a_contact_that_began_before_the_last_miss_closes_nothing() -> None:
    calls = [miss("m1", "09:00", item="m1"), contact("c", "09:30"), miss("m2", "09:40", item="m1")]

    item = item_of("m1", calls)

    assert item is not None and item.closed_by is None
    assert [one.key for one in item.contacts] == ["c"]


def test_a_miss_that_joined_leads_nothing() -> None:
    calls = [miss("m1", "09:00", item="m1"), miss("m2", "09:10", item="m1")]

    assert item_of("m2", calls) is None


@pytest.mark.parametrize(
    ("leader", "joins"),
    [
        ({"item": "m1"}, True),
        ({"item": ""}, False),  # of a time when each call had its own conversation
        ({"item": "m1", "is_over": True}, False),
        ({"item": "m0"}, False),
    ],
)
def test_a_miss_joins_the_leader_of_an_item_that_is_not_over(leader: dict[str, Any], joins: bool) -> None:
    calls = [miss("m1", "09:00", **leader), miss("m2", "20:00")]

    found = candidate("m2", calls, timedelta(hours=24))

    assert (found is not None) is joins


def test_a_miss_joins_no_item_that_is_older_than_the_hours_of_the_rules() -> None:
    calls = [miss("m1", "09:00", item="m1"), miss("m2", "10:00")]

    assert candidate("m2", calls, timedelta(hours=1)) is None
    assert candidate("m2", calls, timedelta(hours=1, minutes=1)) is not None


def test_the_note_counts_the_missed_calls_and_names_who_called_back() -> None:
    calls = [
        miss("m1", "09:12", item="m1"),
        miss("m2", "09:40", item="m1"),
        miss("m3", "11:05", item="m1"),
        contact("1000000111", "14:02"),
    ]

    lines = note_lines(call(**MISSED), Rules(call_back_minutes=60), item_of("m1", calls))

    assert lines == (
        "3 missed calls: 09:12, 09:40, 11:05",
        "Called back: call 1000000111, by Ada at 14:02",
    )


def test_the_times_are_those_of_the_rules_zone() -> None:
    calls = [miss("m1", "23:50", item="m1"), miss("m2", "23:55", item="m1"), contact("7", "23:59")]

    lines = note_lines(call(**MISSED), Rules(zone="Europe/Berlin"), item_of("m1", calls))

    assert lines == ("2 missed calls: 00:50, 00:55", "Called back: call 7, by Ada at 00:59")


def test_a_caller_who_gets_through_is_named_with_who_answered() -> None:
    calls = [miss("m", "09:00"), contact("7", "09:30", direction=Direction.INCOMING, agent="Ada Example")]

    assert note_lines(call(**MISSED), Rules(), item_of("m", calls)) == (
        "Called again: call 7, answered by Ada Example at 09:30",
    )


def test_an_open_missed_call_says_by_when_to_call_back() -> None:
    rules = Rules(call_back_minutes=60, open_hours=read_hours("Mon-Fri 09:00-18:00"))
    late = at("17:45")
    missed = call(**MISSED, started_at=late, ended_at=late)

    assert note_lines(missed, rules, None) == ("Call back by Tue 09:45",)


def test_a_holiday_moves_the_time_to_call_back() -> None:
    rules = Rules(
        call_back_minutes=60,
        open_hours=read_hours("Mon-Fri 09:00-18:00"),
        holidays=frozenset({date(2026, 3, 3), date(2026, 3, 4)}),
    )
    missed = call(**MISSED, started_at=at("17:45"), ended_at=at("17:45"))

    assert note_lines(missed, rules, None) == ("Call back by Thu 09:45",)


def test_an_answered_call_has_no_time_to_call_back() -> None:
    assert note_lines(call(), Rules(call_back_minutes=60), None) == ()


def test_what_the_index_keeps_of_a_call() -> None:
    answered, missed = caller_call("k", call()), caller_call("k", call(**MISSED))
    attempt = caller_call("k", call(**MISSED, direction=Direction.OUTGOING))

    assert answered is not None and (answered.kind, answered.agent) == (Kind.CONTACT, "Bo Sample")
    assert missed is not None and (missed.kind, missed.agent) == (Kind.MISS, "")
    assert attempt is not None and attempt.kind is Kind.ATTEMPT


@pytest.mark.parametrize(
    "changes",
    [
        {"external": Phone(PhoneKind.WITHHELD, "anonymous")},
        {"external": None},
        {"direction": Direction.INTERNAL},
        {"started_at": None, "ended_at": None},
    ],
)
def test_a_call_of_no_number_or_no_time_is_not_in_the_index(changes: dict[str, Any]) -> None:
    assert caller_call("k", call(**changes)) is None


def test_a_call_is_named_by_its_uuid_where_its_number_is_unknown() -> None:
    kept = caller_call("k", call(call_id=None))

    assert kept is not None and kept.named == "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11"


def test_voicemail_counts_as_missed() -> None:
    voicemail = call(talk_seconds=0, is_voicemail=True, answered_at=None)

    assert voicemail.outcome is Outcome.VOICEMAIL
    kept = caller_call("k", voicemail)
    assert kept is not None and kept.kind is Kind.MISS
