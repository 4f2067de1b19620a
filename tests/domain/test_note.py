from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import (
    LONGEST_NOTE,
    cut,
    headline,
    length,
    note_before_change,
    note_text,
    says_call,
    who,
)
from bridge.domain.kustomer_texts.spans import span
from bridge.domain.outcome import Direction, Outcome, Stage
from bridge.domain.path import Participant
from bridge.domain.phone import WITHHELD, Kind, Phone
from tests.domain.given import ADA, CALL_ID, OUR_LINE, STARTED_AT, call, said

ANSWERED = """\
Answered incoming call

Caller: Ada Example, +44 1632 960304
Our line: Support, +1 555-010-0101
Agent: Bo Sample
When: Mon 2 Mar 2026, 09:23 to 09:24 UTC
Times: waited 14 s, talked 1 min 37 s, on hold 10 s
Call tags: Billing, VIP
Rating: 4 of 5
Recording: attached (1 min 37 s)
CloudTalk call: 1000000110

Agent's notes
> Wants the March invoice again.

Summary
> The caller asked for the March invoice."""

MISSED = """\
Missed incoming call

Caller: +44 1632 960304
Our line: +1 555-010-0101
When: Mon 2 Mar 2026, 09:23 UTC
Times: waited 31 s
CloudTalk call: 1000000110"""

VOICEMAIL = """\
Voicemail

Caller: number withheld
Our line: +1 555-010-0101
When: Mon 2 Mar 2026, 09:23 to 09:24 UTC
Times: waited 31 s
Voicemail: still to come
CloudTalk call: 1000000110"""

OUTGOING_NO_ANSWER = """\
Outgoing call, no answer

Called: Ada Example, +44 1632 960304
Our line: +1 555-010-0101
Agent: no. 400101
When: Mon 2 Mar 2026, 09:23 UTC
Times: rang 25 s
CloudTalk call: 1000000110"""

INTERNAL = """\
Internal call

With: 1002
Our line: 1001
Agent: Bo Sample
When: Mon 2 Mar 2026, 09:23 UTC
Times: talked 5 s"""


def test_the_note_of_an_answered_call() -> None:
    answered = call(
        line_name="Support",
        hold_seconds=10,
        tags=("Billing", "VIP"),
        rating=4,
        recorded=True,
        notes="Wants the March invoice again.",
        summary="The caller asked for the March invoice.",
    )

    assert note_text(answered, sound="attached (1 min 37 s)") == ANSWERED


def test_the_note_of_a_missed_call() -> None:
    missed = call(
        contact_name=None,
        agent_id=None,
        agent_name=None,
        talk_seconds=0,
        wait_seconds=31,
        answered_at=None,
        ended_at=STARTED_AT + timedelta(seconds=31),
    )

    assert note_text(missed) == MISSED


def test_the_note_of_a_voicemail() -> None:
    voicemail = call(
        contact_name=None,
        external=WITHHELD,
        agent_id=None,
        agent_name=None,
        talk_seconds=0,
        wait_seconds=31,
        recorded=True,
    )

    assert note_text(voicemail, sound="still to come") == VOICEMAIL


def test_the_note_of_a_call_that_nobody_took() -> None:
    no_answer = call(
        direction=Direction.OUTGOING,
        agent_name=None,
        talk_seconds=0,
        wait_seconds=25,
        ended_at=STARTED_AT + timedelta(seconds=25),
    )

    assert note_text(no_answer) == OUTGOING_NO_ANSWER


def test_the_note_of_an_internal_call() -> None:
    internal = call(
        direction=Direction.INTERNAL,
        contact_name=None,
        external=Phone(Kind.INTERNAL, "1002"),
        internal=Phone(Kind.INTERNAL, "1001"),
        talk_seconds=5,
        wait_seconds=None,
        ended_at=STARTED_AT + timedelta(seconds=5),
        call_id=None,
    )

    assert note_text(internal) == INTERNAL
    # One that was written before is left as it is.
    assert note_before_change(internal, zone="UTC", sound="") == INTERNAL.replace("With", "Caller")


def test_a_note_written_early_says_that_more_is_to_come() -> None:
    assert "Still to come: details from CloudTalk" in note_text(call(wants_detail=True))
    assert "Still to come" not in note_text(call())


def test_a_call_of_which_nothing_is_known_has_a_note_too() -> None:
    assert note_text(Call()).strip() == "Call"


@pytest.mark.parametrize(
    ("outcome", "direction", "words"),
    [
        (Outcome.ANSWERED, None, "Answered call"),
        (Outcome.ANSWERED, Direction.OUTGOING, "Outgoing call, answered"),
        (Outcome.MISSED, None, "Missed call"),
        (Outcome.VOICEMAIL, None, "Voicemail"),
        (Outcome.VOICEMAIL, Direction.OUTGOING, "Outgoing call, reached voicemail"),
        (Outcome.UNKNOWN, Direction.INCOMING, "Incoming call"),
        (Outcome.UNKNOWN, Direction.OUTGOING, "Outgoing call"),
        (Outcome.UNKNOWN, None, "Call"),
    ],
)
def test_the_first_line_says_how_it_went(outcome: Outcome, direction: Direction | None, words: str) -> None:
    facts: dict[Outcome, dict[str, Any]] = {
        Outcome.ANSWERED: {"talk_seconds": 5},
        Outcome.MISSED: {"talk_seconds": 0},
        Outcome.VOICEMAIL: {"is_voicemail": True},
        Outcome.UNKNOWN: {},
    }

    assert headline(Call(direction=direction, **facts[outcome])) == words


# When


def when(started_at: datetime | None, ended_at: datetime | None, zone: str) -> str:
    text = note_text(Call(started_at=started_at, ended_at=ended_at), zone=zone)
    return next((line.removeprefix("When: ") for line in text.splitlines() if line.startswith("When: ")), "")


@pytest.mark.parametrize(
    ("started_at", "seconds", "zone", "text"),
    [
        ("2026-01-15T09:23:00", 90, "Europe/Prague", "Thu 15 Jan 2026, 10:23 to 10:24 CET"),
        ("2026-07-15T09:23:00", 90, "Europe/Prague", "Wed 15 Jul 2026, 11:23 to 11:24 CEST"),
        (
            "2026-03-02T22:59:00",
            120,
            "Europe/Prague",
            "Mon 2 Mar 2026, 23:59 to Tue 3 Mar 2026, 00:01 CET",
        ),
        ("2026-03-02T23:30:00", 120, "Europe/Prague", "Tue 3 Mar 2026, 00:30 to 00:32 CET"),
        ("2026-03-02T09:23:00", 59, "Europe/Prague", "Mon 2 Mar 2026, 10:23 CET"),
        ("2026-03-02T09:23:00", 0, "UTC", "Mon 2 Mar 2026, 09:23 UTC"),
        ("2026-03-02T09:23:00", 86_400, "UTC", "Mon 2 Mar 2026, 09:23 to Tue 3 Mar 2026, 09:23 UTC"),
        ("2026-10-25T00:50:00", 1200, "Europe/Prague", "Sun 25 Oct 2026, 02:50 CEST to 02:10 CET"),
        ("2026-03-29T00:50:00", 1200, "Europe/Prague", "Sun 29 Mar 2026, 01:50 CET to 03:10 CEST"),
        ("2026-10-25T00:50:00", 3600, "Europe/Prague", "Sun 25 Oct 2026, 02:50 CEST to 02:50 CET"),
        ("2026-03-02T09:23:00", 90, "Asia/Kathmandu", "Mon 2 Mar 2026, 15:08 to 15:09 UTC+05:45"),
        ("2026-03-02T09:23:00", 90, "America/Sao_Paulo", "Mon 2 Mar 2026, 06:23 to 06:24 UTC-03:00"),
    ],
)
def test_the_time_is_told_in_the_teams_zone(started_at: str, seconds: int, zone: str, text: str) -> None:
    start = datetime.fromisoformat(started_at).replace(tzinfo=UTC)

    assert when(start, start + timedelta(seconds=seconds), zone) == text


def test_an_end_without_a_start_is_told_as_such() -> None:
    assert when(None, STARTED_AT, "UTC") == "ended Mon 2 Mar 2026, 09:23 UTC"
    assert when(STARTED_AT, None, "UTC") == "Mon 2 Mar 2026, 09:23 UTC"
    assert when(None, None, "UTC") == ""


def test_an_end_before_the_start_is_left_out() -> None:
    assert when(STARTED_AT, STARTED_AT - timedelta(hours=1), "UTC") == "Mon 2 Mar 2026, 09:23 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (97, "1 min 37 s"), (3600, "1 h"), (3661, "1 h 1 min 1 s")],
)
def test_a_length_of_time_is_told_in_words(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_the_other_side_has_a_name_or_a_number() -> None:
    assert who(call()) == "Ada Example"
    assert who(call(contact_name=None)) == "+44 1632 960304"
    assert who(call(contact_name=None, external=WITHHELD)) == "number withheld"
    assert who(Call()) == "unknown number"


# Length


def test_length_counts_as_javascript_does() -> None:
    assert length("añ☎") == 3
    assert length("😀") == 2


def test_a_long_text_ends_with_a_sentence() -> None:
    text = "The first sentence. The second one is about nothing in particular. " * 4

    assert cut(text, 101) == (
        "The first sentence. The second one is about nothing in particular. The first sentence. … (shortened)"
    )


def test_a_sentence_keeps_its_closing_quote() -> None:
    text = 'Ada said "not before the end of the month." ' + "and then a great deal more " * 9

    assert cut(text, 80) == 'Ada said "not before the end of the month." … (shortened)'


def test_a_text_without_sentences_ends_with_a_word() -> None:
    assert cut("invoice " * 40, 60) == "invoice invoice invoice invoice invoice … (shortened)"


def test_a_text_of_emoji_is_not_thrown_away() -> None:
    kept = cut("😀" * 10_000, 100)

    assert length(kept) <= 100
    assert kept.count("😀") == 43


def test_a_text_that_fits_is_left_alone() -> None:
    assert cut("😀" * 50, 100) == "😀" * 50


# Lines of other people

BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
FORGED = ("CloudTalk call: 4242", "Recording: attached", "Summary", "Agent: Mo Missed")


@pytest.mark.parametrize("end", BREAKS)
@pytest.mark.parametrize("field", ["notes", "summary", "transcript", "agent_name", "contact_name", "tags"])
def test_no_line_of_other_peoples_text_is_one_of_ours(field: str, end: str) -> None:
    text = end.join(("hello", *FORGED))
    outcome_text = said(**{field: text, "external_number": "+441632960304"})
    value = getattr(outcome_text, field)
    forged = note_text(call(**{field: value, "recorded": True}), sound="still to come")

    lines = forged.splitlines()
    assert [line for line in lines if line in FORGED] == (["Summary"] if field == "summary" else [])
    assert not says_call(forged, 4242)
    assert says_call(forged, CALL_ID)


def test_a_note_of_an_earlier_version_is_known_by_its_number_and_not_by_a_forged_one() -> None:
    old = note_before_change(call(notes="hello\nCloudTalk call: 4242", summary="x"), zone="UTC", sound="")

    assert "\nCloudTalk call: 4242" in old
    assert says_call(old, CALL_ID)
    assert not says_call(old, 4242)
    assert says_call(f"A person wrote this.\r\n\r\n{old}", CALL_ID)


def test_a_note_without_text_of_others_is_as_it_was_before() -> None:
    assert note_before_change(call(), zone="UTC", sound="attached") == note_text(call(), sound="attached")


@given(st.lists(st.sampled_from(["CloudTalk call: 4242", "", " ", "a" * 900, *BREAKS]), max_size=40))
def test_lines_are_marked_also_where_a_text_is_cut(parts: list[str]) -> None:
    body = note_text(call(notes="".join(parts), transcript="\n".join(parts)))
    foreign = body.partition("\nAgent's notes\n")[2] or body.partition("\nTranscript\n")[2]

    assert all(line[:1] == ">" for line in foreign.splitlines() if line and line != "Transcript")


PROSE = st.text(st.sampled_from("ab . !😀\n☎"), max_size=400) | st.text(max_size=60)
LONG = st.builds(lambda text, times: text * times, PROSE, st.integers(min_value=1, max_value=400))


@pytest.mark.slow
@given(LONG, st.integers(min_value=16, max_value=500))
@example("😀" * 300, 16)
def test_a_cut_text_is_never_too_long(text: str, longest: int) -> None:
    kept = cut(text, longest)

    assert length(kept) <= longest
    assert kept == text or kept.endswith("… (shortened)")


@settings(max_examples=60, deadline=None)
@given(
    parts=st.fixed_dictionaries(
        {
            "notes": st.none() | LONG,
            "summary": st.none() | LONG,
            "transcript": st.none() | LONG,
            "contact_name": st.none() | st.text(max_size=256),
            "agent_name": st.none() | st.text(max_size=256),
            "line_name": st.none() | st.text(max_size=256),
            "tags": st.lists(st.text(max_size=256), max_size=40).map(tuple),
            "talk_seconds": st.none() | st.integers(min_value=0, max_value=2**31),
        }
    ),
    zone=st.sampled_from(["UTC", "Europe/Prague", "Pacific/Kiritimati", "America/Sao_Paulo"]),
)
def test_a_note_is_never_too_long_nor_empty_and_always_the_same(parts: dict[str, Any], zone: str) -> None:
    outcome_text = call(**parts)

    text = note_text(outcome_text, zone=zone)

    assert 1 <= length(text) <= LONGEST_NOTE
    assert text == note_text(call(**parts), zone=zone)
    assert text.splitlines()[0] == headline(outcome_text)


def test_a_long_transcript_leaves_everything_else_in_the_note() -> None:
    text = note_text(
        call(notes="N. " * 5000, summary="S. " * 5000, transcript="T. " * 9000, wrapup_seconds=5)
    )

    assert [text.count(title) for title in ("Agent's notes", "Summary", "Transcript")] == [1, 1, 1]
    assert length(text) <= LONGEST_NOTE
    assert f"CloudTalk call: {CALL_ID}" in text


@given(
    st.datetimes(min_value=datetime(2000, 1, 2), max_value=datetime(2199, 12, 30), timezones=st.just(UTC)),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=2)),
    st.sampled_from(["UTC", "Europe/Prague", "Pacific/Kiritimati", "America/Los_Angeles"]),
)
def test_one_time_is_told_where_both_are_in_the_same_minute(
    start: datetime, lasted: timedelta, zone: str
) -> None:
    outcome_text = when(start, start + lasted, zone)

    minutes = {start.replace(second=0, microsecond=0), (start + lasted).replace(second=0, microsecond=0)}
    assert (" to " in outcome_text) == (len(minutes) == 2)


def test_what_a_note_is_made_of_is_the_call_alone() -> None:
    one = Call(stage=Stage.ENDED, external=ADA, internal=OUR_LINE, talk_seconds=5)
    other = Call(stage=Stage.ENDED, external=ADA, internal=OUR_LINE, talk_seconds=5)

    assert note_text(one, zone="Europe/Prague") == note_text(other, zone="Europe/Prague")


def test_all_who_answered_are_named_where_they_are_several() -> None:
    ada = Participant(agent_id=1, name="Ada Example", answered=True, talk_seconds=97)
    bo = Participant(agent_id=2, name="Bo Example", answered=True, talk_seconds=20)
    rang = Participant(agent_id=3, name="Cy Example")

    both = note_text(call(participants=(rang, ada, bo)))
    untimed = note_text(call(participants=(ada, replace(bo, name=None, talk_seconds=0))))
    alone = note_text(call(participants=(rang, ada)))

    assert "Agents: Ada Example (1:37), Bo Example (0:20)" in both.splitlines()
    assert "Agents: Ada Example, no. 2" in untimed.splitlines()
    assert "Agents:" not in alone
