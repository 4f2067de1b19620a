from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from bridge.domain.policy import DetailWait
from bridge.domain.rules.model import Rules
from bridge.ledger.calls.record import KeptEvent, Observation, Record
from bridge.sync.asking import MORE_TO_COME, NEVER_ENDED, WRITE_WITHOUT_AFTER, Asking, asking
from tests.domain.given import CALL_ID, IDS, UUID_TEXT

CAME_AT = datetime(2026, 3, 2, 9, 25, tzinfo=UTC)
WHOLE: dict[str, Any] = {
    **IDS,
    "external_number": "+441632960304",
    "direction": "incoming",
    "talking_time": 97,
    "started_at": "2026-03-02T09:23:00Z",
}
JUST_NOW = CAME_AT + timedelta(seconds=1)


def kept(
    trigger: str, body: dict[str, Any], *, at: datetime = CAME_AT, last_at: datetime | None = None
) -> KeptEvent:
    return KeptEvent(
        fingerprint=f"{trigger}{at}", trigger=trigger, body=body, at=at, last_at=last_at or at, times=1
    )


def record(*events: KeptEvent, **observed: datetime) -> Record:
    """What the ledger holds; `observed`: an observation's name and when it was made."""
    return Record(
        key=f"uuid:{UUID_TEXT}",
        events=events,
        observations={
            name: Observation(name=name, body={}, asked_at=at, at=at) for name, at in observed.items()
        },
    )


def asked(held: Record, now: datetime = JUST_NOW) -> Asking:
    return asking(held, held.call(Rules()), Rules(), now)


def test_a_call_of_which_all_was_told_needs_no_question() -> None:
    assert asked(record(kept("call-ended", WHOLE))) == Asking(patience=DetailWait.FRESH)


def test_a_record_without_events_needs_no_question() -> None:
    assert asked(record()) == Asking(patience=DetailWait.FRESH)


def test_an_end_that_leaves_something_open_is_asked_about_at_once() -> None:
    read = asked(record(kept("call-ended", {**WHOLE, "direction": None})))

    assert (read.job, read.at) == ("detail", JUST_NOW)
    assert (read.patience, read.until) == (DetailWait.FRESH, CAME_AT + WRITE_WITHOUT_AFTER)


@pytest.mark.parametrize(
    ("trigger", "body", "job"),
    [
        ("recording-uploaded", {"call_id": CALL_ID}, "detail"),
        ("call-ended", {**WHOLE, "call_id": None, "direction": None}, "identify"),
    ],
)
def test_a_call_of_which_more_is_likely_to_be_told_is_asked_about_a_little_later(
    trigger: str, body: dict[str, Any], job: str
) -> None:
    read = asked(record(kept(trigger, body)))

    assert (read.job, read.at) == (job, CAME_AT + MORE_TO_COME)


@pytest.mark.parametrize("trigger", ["call-started", "call-ringing", "call-answered", "call-modified"])
def test_a_call_that_never_ended_is_asked_about_two_hours_after_its_first_event(trigger: str) -> None:
    first = kept(trigger, {**WHOLE}, at=CAME_AT - timedelta(minutes=5))

    read = asked(record(first, kept("call-ringing", dict(IDS))))

    assert (read.patience, read.job, read.at) == (
        DetailWait.FRESH,
        "detail",
        first.at + NEVER_ENDED,
    )


def test_a_call_known_by_its_uuid_only_has_to_be_found_first() -> None:
    assert asked(record(kept("call-started", {"call_uuid": UUID_TEXT}))).job == "identify"


def test_an_id_learnt_on_the_way_counts_as_told() -> None:
    held = Record(
        key=f"uuid:{UUID_TEXT}",
        uuid=UUID(UUID_TEXT),
        call_id=CALL_ID,
        events=(kept("call-ended", {**WHOLE, "call_id": None, "direction": None}),),
    )

    read = asked(held)

    assert (read.job, read.at) == ("detail", JUST_NOW)


def test_patience_ends_twenty_seconds_after_the_last_event() -> None:
    held = record(kept("call-ended", {**WHOLE, "direction": None}))

    almost = asked(held, CAME_AT + WRITE_WITHOUT_AFTER - timedelta(milliseconds=1))
    over = asked(held, CAME_AT + WRITE_WITHOUT_AFTER)

    assert (almost.patience, over.patience) == (DetailWait.FRESH, DetailWait.LATE)
    assert over.until is None
    assert over.job == "detail"


def test_a_repeated_event_renews_the_patience() -> None:
    again = CAME_AT + timedelta(minutes=1)

    read = asked(record(kept("call-ended", {**WHOLE, "direction": None}, last_at=again)), again)

    assert read.until == again + WRITE_WITHOUT_AFTER


def test_a_call_that_cloudtalk_does_not_know_is_not_asked_about_again() -> None:
    held = record(
        kept("call-ended", {**WHOLE, "direction": None}), detail_gone=CAME_AT + timedelta(minutes=1)
    )

    assert asked(held) == Asking(patience=DetailWait.GONE)


def test_a_change_after_that_is_a_reason_to_ask_again() -> None:
    gone_at = CAME_AT + timedelta(minutes=1)
    changed = kept("call-modified", dict(IDS), at=gone_at + timedelta(seconds=1))

    read = asked(record(kept("call-ended", WHOLE), changed, detail_gone=gone_at), changed.at)

    assert (read.job, read.patience) == ("detail", DetailWait.FRESH)


def test_an_answer_ends_the_asking() -> None:
    held = record(kept("call-ended", {**WHOLE, "direction": None}), detail=CAME_AT + timedelta(seconds=1))

    assert asked(held) == Asking(patience=DetailWait.FRESH)
