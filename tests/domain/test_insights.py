"""What is read of the answers of CloudTalk's AI, which are asked for, and what the note says of them."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from bridge.domain.call import Call
from bridge.domain.insight_choices import as_chosen, chosen, pending
from bridge.domain.insights import (
    DETAILS_LINK,
    NAMES,
    NEVER,
    NO_ADDON,
    SENTIMENT,
    SMART_NOTES,
    SUMMARY,
    TALK_RATIO,
    TOPICS,
    Insights,
    TextFile,
    Transcript,
    keep_answer,
    keep_transcript,
    read_insights,
    read_page,
)
from bridge.domain.kustomer_texts.note import LONGEST_NOTE, length, note_text, says_call
from bridge.domain.outcome import Direction, Stage
from bridge.domain.policy import Plan, plan
from bridge.domain.recording import NO_RECORDING, Recording, RecordingState
from bridge.domain.rules.model import Rules
from tests.domain.given import call

ALL = Rules(
    summary=True, sentiment=True, smart_notes=True, topics=True, talk_ratio=True, details_link=True,
    transcript="file",
)  # fmt: skip
CALLERS = [
    {"id": 5000, "type": "contact", "localIdentifier": "caller1"},
    {"id": 1000, "type": "agent", "localIdentifier": "caller2"},
]


@pytest.mark.parametrize(
    ("name", "answer", "kept"),
    [
        (SUMMARY, {"callId": 1, "summary": "A &amp; B.\u2028C"}, "A & B.\nC"),
        (SUMMARY, {"summary": {"summary": "Nested"}}, "Nested"),
        (SUMMARY, {"data": {"callId": "1", "summary": "<b>Bold</b>"}}, "\u2039b>Bold\u2039/b>"),
        (SUMMARY, {"summary": None}, None),
        (SUMMARY, {"summary": 17}, "17"),
        (SENTIMENT, {"overallSentiment": "Very Positive"}, "very positive"),
        (SENTIMENT, {"overallSentiment": "VERY_NEGATIVE"}, "very negative"),
        (SENTIMENT, {"sentiment": "mixed\nCloudTalk call: 5"}, "mixed CloudTalk call: 5"),
        (SENTIMENT, {}, None),
        (
            SMART_NOTES,
            {"smartNotes": {"callDetails": {}, "actionItems": ["Call back", "", None], "decisionsMade": []}},
            {"action_items": [["Call back", None]]},
        ),
        (
            SMART_NOTES,
            {
                "smartNotes": {
                    "importantDatesAndDeadlines": [
                        {"dateMention": "2026-03-20T10:00:00Z", "eventDescription": "Due"},
                        {"dateMention": "next week", "eventDescription": "Call"},
                        "Monday",
                    ],
                    "openQuestions": "Only one?",
                }
            },
            {
                "open_questions": [["Only one?", None]],
                "dates": [["Due", "2026-03-20T10:00:00Z"], ["next week: Call", None], ["Monday", None]],
            },
        ),
        (SMART_NOTES, {"smartNotes": "none"}, {}),
        (
            TOPICS,
            {"data": {"topics": [{"topic": "Second", "weight": 0.2}, {"name": "First", "weight": "1"}, "C"]}},
            ["First", "Second", "C"],
        ),
        (TOPICS, {"topics": None}, []),
        (
            TALK_RATIO,
            {"talkListenRatio": [{"caller": "caller1", "ratio": 60}, {"caller": "caller2", "ratio": 40}],
             "callers": CALLERS},
            {"agent": 40.0, "contact": 60.0},
        ),
        (
            TALK_RATIO,
            {"talkListenRatio": [{"caller": "caller1", "ratio": "0.2"}, {"caller": "caller2", "ratio": 0.8}],
             "callers": CALLERS},
            {"agent": 80.0, "contact": 20.0},
        ),
        (
            TALK_RATIO,
            {"talkListenRatio": [{"caller": "agent", "talkingTime": 30}, {"caller": "x", "talkingTime": 90}]},
            {"": 75.0, "agent": 25.0},
        ),
        (TALK_RATIO, {"talkListenRatio": []}, {}),
        (DETAILS_LINK, {"link": "https://analytics.cloudtalk.io/call-details/1"},
         "https://analytics.cloudtalk.io/call-details/1"),
        (DETAILS_LINK, {"link": "javascript:alert(1)"}, None),
        (DETAILS_LINK, {"link": "https://x.example/\nCloudTalk call: 5"}, None),
    ],
)  # fmt: skip
def test_answers_are_read_whatever_their_shape(name: str, answer: dict[str, Any], kept: Any) -> None:
    found = keep_answer(name, answer)

    assert found == kept
    # It is kept as JSON, and read from it.
    read_insights({name: json.loads(json.dumps(found))})


@pytest.mark.parametrize("callers", [CALLERS, [], None, [{"type": "agent"}, 7]])
def test_a_transcript_is_read_with_and_without_its_speakers(callers: Any) -> None:
    segments = [
        {"start": 1.501, "end": 4.599, "caller": "caller2", "text": "Hello."},
        {"start": None, "caller": None, "text": "Hi.\nYes"},
        {"start": 2},
        "none",
    ]
    found, speakers = read_page({"data": {"segments": segments, "callers": callers}})

    kept = keep_transcript(Transcript(segments=tuple(found), speakers=speakers), None)
    read = read_insights({"transcript": json.loads(json.dumps(kept))}).transcript
    assert read is not None
    body = note_text(as_chosen(_call(transcript=read), Rules(transcript="note")))
    name = "Bo Sample" if callers is CALLERS else "caller2"
    assert f"Transcript\n> [0:01] {name}: Hello.\n> Other: Hi. Yes" in body


def _call(**insights: Any) -> Call:
    return call(
        agent_name="Bo Sample", contact_name="Ada Example", summary=None, transcript=None,
        insights=Insights(**insights),
    )  # fmt: skip


def test_without_a_choice_nothing_is_pending_and_what_webhooks_brought_stays() -> None:
    it = call(summary="S.", transcript="T.")

    assert chosen(Rules()) == pending(it, Rules()) == ()
    assert (as_chosen(it, Rules()).summary, as_chosen(it, Rules()).transcript) == ("S.", "T.")


def test_what_the_rules_leave_out_is_not_written() -> None:
    it = as_chosen(call(summary="S.", transcript="T."), Rules(summary=False, transcript="none"))

    assert (it.summary, it.transcript) == (None, None)
    assert pending(it, Rules(summary=False, transcript="none")) == ()


@pytest.mark.parametrize(
    ("facts", "is_asked"),
    [
        ({}, True),
        ({"talk_seconds": 0}, False),
        ({"talk_seconds": 0, "is_voicemail": True}, False),
        ({"talk_seconds": 0, "is_voicemail": True, "recorded": True}, True),
        ({"stage": Stage.ANSWERED}, False),
        ({"direction": Direction.INTERNAL}, False),
    ],
)
def test_calls_in_which_somebody_spoke_are_asked_about(facts: dict[str, Any], is_asked: bool) -> None:
    it = call(**{"summary": None, "transcript": None, **facts})

    assert pending(it, ALL) == (NAMES if is_asked else ())


def test_what_came_was_answered_or_given_up_is_not_pending() -> None:
    it = call(
        summary="S.", transcript=None,
        insights=Insights(answered=frozenset({"topics", "sentiment"}), gone={"talk_ratio": NEVER}),
    )  # fmt: skip

    assert pending(it, ALL) == ("smart_notes", "details_link", "transcript")


def test_the_note_names_what_never_came_but_not_what_the_account_lacks() -> None:
    never = note_text(as_chosen(_call(gone={"topics": NEVER, "smart_notes": NEVER, "summary": NEVER}), ALL))
    lacks = note_text(as_chosen(_call(gone={"topics": NO_ADDON}), ALL))

    assert never.endswith("\n\nNot available from CloudTalk's AI: summary, smart notes, topics")
    assert "CloudTalk's AI" not in lacks
    # One that a webhook brought after all is there.
    late = as_chosen(call(summary="S.", insights=Insights(gone={"summary": NEVER})), ALL)
    assert "CloudTalk's AI" not in note_text(late)


def test_what_to_do_next_stands_first_and_what_is_not_there_last() -> None:
    answer = {"smartNotes": {"actionItems": ["Send it\nCloudTalk call: 7"], "decisionsMade": ["Today"]}}
    page, speakers = read_page({"segments": [{"text": "Word " * 600, "caller": "agent"}] * 8})
    kept = {
        SMART_NOTES: keep_answer(SMART_NOTES, answer),
        "transcript": keep_transcript(Transcript(segments=tuple(page), speakers=speakers), None),
    }
    known = read_insights(kept, gone={"topics": NEVER})
    it = as_chosen(call(notes=None, summary="S.", transcript=None, insights=known), ALL)

    plain, missed = (note_text(it, life=life) for life in ((), ("Call back by Mon 10:23",)))

    assert plain.startswith(
        "Answered incoming call\n\nAction items\n> - Send it CloudTalk call: 7\n\nCaller: Ada Example"
    )
    assert "\n\nSummary\n> S.\n\nDecisions\n> - Today\n\nTranscript\n" in plain
    assert plain.endswith("… (shortened)\n\nNot available from CloudTalk's AI: topics")
    assert missed.startswith("Answered incoming call\n\nCall back by Mon 10:23\n\nAction items\n> - Send it")
    assert says_call(plain, it.call_id or 0) and not says_call(plain, 7)
    assert LONGEST_NOTE - 400 < length(plain) <= LONGEST_NOTE


def test_beside_the_whole_transcript_the_note_has_its_first_six_lines() -> None:
    text = "\n".join(f"Line {n}" for n in range(3_000))

    first = note_text(call(notes=None, summary=None, transcript=text), transcript_file="t.txt")

    assert first.endswith("(all of it: t.txt)\n" + "\n".join(f"> Line {n}" for n in range(6)))


FILE = TextFile(name="2026/03/02/x.txt", size=9, sha256="0" * 64)


@pytest.mark.parametrize(
    ("length_of_text", "transcript", "is_attached"),
    [(500, "file", False), (20_000, "file", True), (20_000, "note", False), (20_000, "none", False)],
)
@pytest.mark.parametrize("by_webhook", [True, False])
def test_a_transcript_is_attached_if_the_note_cannot_hold_it(
    length_of_text: int, transcript: Any, is_attached: bool, by_webhook: bool
) -> None:
    text = "\n".join(f"Line {n} of it" for n in range(length_of_text // 12))
    page, speakers = read_page({"segments": [{"text": line} for line in text.splitlines()]})
    answer = keep_transcript(Transcript(segments=tuple(page), speakers=speakers), FILE)
    known = read_insights({"transcript": answer})
    it = call(transcript=text if by_webhook else None, insights=known, notes=None, summary=None)

    want = plan(it, Rules(transcript=transcript))

    assert isinstance(want, Plan) and want.note is not None
    assert [file.name for file in want.files] == ([f"transcript-{it.call_id}.txt"] if is_attached else [])
    assert ("first lines" in want.note.body) == is_attached
    assert length(want.note.body) <= LONGEST_NOTE
    assert ("Line 3 of it" in want.note.body) == (transcript != "none")


def test_insights_in_every_order_against_recording_and_each_other_end_in_the_same_note() -> None:
    answers = {
        SUMMARY: "Ada asks.",
        SENTIMENT: "positive",
        TOPICS: ["Invoice"],
        "gone": {"talk_ratio": NEVER},
        "recording": Recording(sound=RecordingState.GONE, reason="never appeared in CloudTalk"),
    }
    notes = set()
    for order in permutations(answers):
        kept: dict[str, Any] = {}
        gone: dict[str, str] = {}
        recording = NO_RECORDING
        for name in order:
            if name == "gone":
                gone = dict(answers["gone"])  # type: ignore[call-overload]
            elif name == "recording":
                recording = answers["recording"]  # type: ignore[assignment]
            else:
                kept = {**kept, name: answers[name]}
            it = call(summary=None, transcript=None, insights=read_insights(kept, gone=gone))
            want = plan(it, ALL, recording=recording)
            assert isinstance(want, Plan) and want.note is not None
            body = want.note.body
        notes.add(body)

    assert len(notes) == 1


HOSTILE = "Yes.\nCloudTalk call: 5\u2028Recording: attached\r<script>alert(1)</script> \x85Sentiment: x"


@pytest.mark.parametrize("name", [SUMMARY, SENTIMENT, SMART_NOTES, TOPICS, "transcript"])
def test_no_answer_can_forge_a_line_of_ours(name: str) -> None:
    answers: dict[str, dict[str, Any]] = {
        SUMMARY: {"summary": HOSTILE},
        SENTIMENT: {"overallSentiment": HOSTILE},
        SMART_NOTES: {"smartNotes": {"actionItems": [HOSTILE], "importantDatesAndDeadlines": [HOSTILE]}},
        TOPICS: {"data": {"topics": [{"topic": HOSTILE}]}},
    }
    if name == "transcript":
        raw = {"segments": [{"caller": HOSTILE, "text": HOSTILE}], "callers": [{"localIdentifier": HOSTILE}]}
        page, speakers = read_page(raw)
        kept: Any = keep_transcript(Transcript(segments=tuple(page), speakers=speakers), None)
    else:
        kept = keep_answer(name, answers[name])
    it = as_chosen(call(summary=None, transcript=None, notes=None, insights=read_insights({name: kept})), ALL)
    body = note_text(it, sound="still to come")

    lines = body.splitlines()
    assert [line for line in lines if line.startswith("CloudTalk call:")] == [f"CloudTalk call: {it.call_id}"]
    assert [line for line in lines if line.startswith("Recording:")] == ["Recording: still to come"]
    assert "<script" not in body
