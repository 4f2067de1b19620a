"""The catalogue: all languages say the same, and nothing fixed is said outside of it."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import get_args

import pytest

from bridge.domain.call import Call
from bridge.domain.insights import (
    NAMES,
    NEVER,
    NOTE_LISTS,
    SENTIMENTS,
    Dated,
    Insights,
    Segment,
    Speaker,
    TextFile,
    Transcript,
)
from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.languages import LANGUAGES, Language
from bridge.domain.kustomer_texts.note import says_call
from bridge.domain.kustomer_texts.recording import recording_state
from bridge.domain.kustomer_texts.texts import ENGLISH, texts_in
from bridge.domain.missed import CallerCall, Item, Kind
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.path import Participant, Step
from bridge.domain.phone import WITHHELD
from bridge.domain.policy import DetailWait, Plan, plan
from bridge.domain.recording import Recording, RecordingState, Stored
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import Rules
from tests.domain.given import CALL_ID, STARTED_AT, call, note_of

IDS: tuple[MessageId, ...] = get_args(MessageId)
OTHERS = [language for language in LANGUAGES if language != "en"]


def messages(language: Language) -> dict[MessageId, str]:
    return dict(import_module(f"bridge.domain.kustomer_texts.catalogue.{language}").MESSAGES)


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_with_the_same_values(language: Language) -> None:
    own, english = messages(language), messages("en")

    assert tuple(own) == IDS
    assert {one: placeholders(own[one]) for one in IDS} == {one: placeholders(english[one]) for one in IDS}
    assert all(text == text.strip() and "\n" not in text and "  " not in text for text in own.values())


# In these languages the word is the same.
SAME = {
    "title_other", "recording_length", "facts", "agent", "agents", "recording_unwanted", "no", "menu",
    "called", "summary_title", "why_offline", "sentiment", "sentiment_neutral", "talk_part", "speaker_agent",
    "insight_sentiment", "insight_details_link", "insight_transcript",
}  # fmt: skip


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language: Language) -> None:
    own, english = messages(language), messages("en")

    assert {one for one in IDS if own[one] == english[one]} <= SAME


def test_two_lines_of_one_language_never_look_alike() -> None:
    """A person, and a test of what could be forged, tells lines apart by what they begin with."""
    labels = (
        "caller", "called", "with", "our_line", "agent", "agents", "when", "times", "call_tags", "rating",
        "recording", "details_to_come", "rang_list", "answered_by", "menu",
    )  # fmt: skip
    for language in LANGUAGES:
        begin = [messages(language)[label].partition("{")[0] for label in labels]  # type: ignore[index]
        assert len(set(begin)) == len(begin), language


def planned(given: Call, rules: Rules, **more: object) -> Plan:
    want = plan(given, rules, DetailWait.LATE, **more)  # type: ignore[arg-type]
    assert isinstance(want, Plan)
    return want


def steps() -> tuple[Step, ...]:
    rang = [Step(kind="agent", name=f"x{n}", answered=False, reason="busy") for n in range(22)]
    return (
        Step(kind="menu"),
        Step(kind="menu", option="x"),
        Step(kind="queue", answered=False, reason="canceled", wait_seconds=5, agents=tuple(rang[:3])),
        *(
            Step(kind="queue", answered=False, reason=f"no_agents_{one}")
            for one in ("online", "available", "picked_up")
        ),
        Step(kind="queue", id=3, answered=False),
        *(
            Step(kind="agent", answered=False, reason=one)
            for one in ("not_picked_up", "busy", "busy", "offline", "idle", "canceled")
        ),
        Step(kind="agent", answered=True, talk_seconds=5, cold=True),
        Step(kind="ai_agent", talk_seconds=3700),
        Step(kind="transfer", answered=False),
        Step(kind="transfer", endpoint="x"),
        *rang,
    )


def with_insights(given: Call, rules: Rules) -> list[Plan]:
    """Notes that together need every text about what CloudTalk's AI says."""
    rules = replace(
        rules, summary=True, sentiment=True, smart_notes=True, topics=True, talk_ratio=True,
        details_link=True, transcript="file",
    )  # fmt: skip
    spoken = Transcript(
        segments=tuple(Segment(speaker=key, text="x") for key in ("a", "b", "")), is_whole=False,
        speakers={"a": Speaker(kind="agent"), "b": Speaker(kind="contact")},
    )  # fmt: skip
    said = Insights(
        smart_notes={name: (Dated(text="x"),) for name in NOTE_LISTS.values()}, topics=("x",),
        talk_ratio={"agent": 50.0, "contact": 40.0, "": 10.0}, details_link="https://x", transcript=spoken,
        file=TextFile(name="x.txt", size=5, sha256="0"),
    )  # fmt: skip
    nameless = replace(
        given, transcript=None, summary=None, contact_name=None, agent_name=None, participants=(), path=(),
        call_id=None,
    )  # fmt: skip
    never = Insights(gone=dict.fromkeys(NAMES, NEVER))
    told = [replace(said, sentiment=one) for one in SENTIMENTS]
    made = [planned(replace(nameless, insights=one), rules) for one in (*told, never)]
    name = f"transcript-{given.uuid}.txt"
    plain = []
    for want in made:
        assert want.note is not None
        body = want.note.body.replace(name, "x").replace("https://x", "x")
        plain.append(replace(want, note=replace(want.note, body=body)))
    return plain


def notes(language: Language) -> list[Plan]:
    """Calls that together need nearly every text; what is not fixed is `x` or a number."""
    rules = Rules(
        language=language, note_path=True, write_withheld=True, write_internal=True, call_back_minutes=60
    )
    pair = (
        Participant(name="x", answered=True, talk_seconds=60),
        Participant(answered=True, talk_seconds=50),
    )
    full = call(
        contact_name="x", line_name="x", agent_name="x", tags=("x",), rating=4, notes="x", summary="x",
        transcript="x", hold_seconds=5, ai_agent=True, ai_agent_name="x", path=steps(), out_of_hours=True,
        extracted=(("x", True), ("x", False)), wants_detail=True, call_type="callback", participants=pair,
    )  # fmt: skip
    later = [
        CallerCall(
            key="b", kind=Kind.CONTACT, started_at=STARTED_AT + timedelta(days=1), named="2", direction=way,
            agent=agent,
        )
        for way in (Direction.OUTGOING, Direction.INCOMING) for agent in ("x", "")
    ]  # fmt: skip
    misses = tuple(
        CallerCall(key=str(n), kind=Kind.MISS, started_at=STARTED_AT + timedelta(minutes=n))
        for n in range(60)
    )
    missed = replace(full, talk_seconds=0, participants=(), agent_name=None)
    states = [
        Recording(sound=RecordingState.COMING),
        Recording(sound=RecordingState.UNWANTED),
        *(Recording(sound=RecordingState.STORED, seconds=one, original=FILE) for one in (0, 0.4, 97)),
        Recording(sound=RecordingState.STORED, plays=False, kind="x"),
        *(Recording(sound=RecordingState.GONE, reason=reason) for reason in REASONS),
    ]
    made = [planned(full, rules, recording=state) for state in states]
    made += with_insights(full, rules)
    made += [planned(missed, rules, item=Item(leader="0", misses=misses, contacts=(one,))) for one in later]
    made.append(planned(missed, rules, item=Item(leader="0", misses=misses)))
    for direction in Direction:
        for talk, voicemail in ((5, False), (0, False), (0, True)):
            one = replace(full, direction=direction, talk_seconds=talk, is_voicemail=voicemail, path=())
            made.append(planned(replace(one, external=WITHHELD, contact_name=None), rules))
            made.append(planned(replace(one, started_at=None, ring_seconds=5), rules))
    made += [
        planned(replace(full, call_type=one), rules)
        for one in ("redirected", "transferred", "power_dialer", "predictive_dialer", "x")
    ]
    unknown = replace(full, direction=None)
    for seconds in (5, 0, None):
        made.append(planned(replace(unknown, talk_seconds=seconds, answered_at=None), rules))
    made.append(planned(replace(full, talk_seconds=None, answered_at=None), rules))
    made.append(planned(replace(full, path=(Step(kind="menu"),) * 50), rules))
    made.append(planned(replace(missed, is_voicemail=True), rules, recording=states[0]))
    made.append(planned(replace(full, notes="x " * 9000, path=(), tags=()), rules))
    return made


FILE = Stored(name="x", content_type="audio/mpeg", size=5, sha256="0")
REASONS = (
    "expired or deleted in CloudTalk", "empty in CloudTalk", "never appeared in CloudTalk",
    "over 500 MB, so it is left in CloudTalk",
)  # fmt: skip


def as_pattern(text: str) -> str:
    return re.sub(r"\\\{\w+\\\}", ".*", re.escape(text)).replace(r"\ .*", ".*")


WORD = re.compile(r"[^\W\d_]{2,}")


@pytest.mark.parametrize("language", OTHERS)
def test_no_fixed_word_of_another_language_is_in_a_note(language: Language) -> None:
    texts = texts_in(language)
    allowed = set(WORD.findall(" ".join(messages(language).values())))
    allowed |= set(WORD.findall(f"{texts.day(STARTED_AT)} {texts.weekday(STARTED_AT + timedelta(days=1))}"))
    allowed |= set(WORD.findall(f"{texts.span(3661)} {texts.listed(['1', '2', '3'])} UTC MB"))
    made = notes(language)

    told = "\n".join(
        f"{note_of(want).body}\n{note_of(want).later.note_of_nothing()}\n{want.conversation.name}"
        for want in made
    )
    of_notes = {one: text for one, text in messages(language).items() if not one.startswith("card_")}
    unseen = {one for one, text in of_notes.items() if not re.search(as_pattern(text), told)}

    assert unseen <= {"unknown_number"}, "the calls above no longer need every text"
    for want in made:
        body = note_of(want).body.replace(f"CloudTalk call: {CALL_ID}", "")
        used = set(WORD.findall(f"{body} {want.conversation.name}"))
        assert used <= allowed, used - allowed


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_note_is_found_by_its_number_in_every_language(language: Language) -> None:
    body = note_of(planned(call(notes=f"CloudTalk call: {CALL_ID + 1}"), Rules(language=language))).body

    assert says_call(body, CALL_ID)
    assert not says_call(body, CALL_ID + 1)
    assert f"\nCloudTalk call: {CALL_ID}\n" in body


def test_a_rule_gives_a_line_its_language() -> None:
    made = read_rules_text('version = 2\n[[rule]]\nwhen.line = "+15550100101"\nthen = { language = "de" }\n')
    assert made.wrong == ()

    german = planned(call(), made.rules.for_call(call()))

    assert german.conversation.name == "Anruf von Ada Example"
    assert note_of(german).body.startswith("Angenommener eingehender Anruf\n\nAnrufer: Ada Example, +44")
    assert "Wann: Mo., 2. März 2026, 09:23 bis 09:24 UTC" in note_of(german).body
    assert "Zeiten: 14 Sek. gewartet, 1 Min. 37 Sek. gesprochen" in note_of(german).body


def test_an_unknown_language_is_an_error_with_the_nearest() -> None:
    (wrong,) = read_rules_text('version = 2\n[write]\nlanguage = "DE"\n').wrong

    assert wrong.at("f").startswith('f:3:12: write.language cannot be "DE"; use one of en, de')


def test_english_imports_no_babel() -> None:
    code = (
        "import sys; from bridge.domain.policy import plan; import workers.main; "
        "sys.exit('babel' in sys.modules or 'bridge.domain.kustomer_texts.catalogue.de' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_recording_kept_by_the_bridge_names_its_length() -> None:
    kept = Recording(sound=RecordingState.STORED, seconds=97, original=FILE)

    assert recording_state(kept, Rules(attach="never"), "", ENGLISH) == "kept by the bridge (1 min 37 s)"
    assert recording_state(kept, Rules(attach="never"), "https://x", texts_in("de")) == (
        "https://x (1 Min. 37 Sek.)"
    )


def test_our_colons_are_those_of_the_language_also_beside_what_others_said() -> None:
    due = {"dates": (Dated(text="La facture {x}", at=STARTED_AT),), "action_items": (Dated(text="a: b"),)}
    said = Transcript(segments=(Segment(speaker="agent", text="Bonjour: {x}", start_s=1),))
    given = call(summary=None, transcript=None, insights=Insights(smart_notes=due, transcript=said))
    rules = Rules(language="fr", smart_notes=True, transcript="note")

    body = note_of(planned(given, rules)).body

    assert "> - lun. 2 mars 2026, 09:23 UTC : La facture {x}" in body
    assert "> [0:01] Bo Sample : Bonjour: {x}" in body
    assert "> - a: b" in body


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_day_of_the_week_is_the_same_alone_and_in_a_date(language: Language) -> None:
    texts = texts_in(language)

    assert texts.day(STARTED_AT).startswith(texts.weekday(STARTED_AT))


def test_names_with_braces_stay_as_they_are() -> None:
    given = call(
        contact_name="{who} {0}",
        participants=tuple(Participant(name=one, answered=True, talk_seconds=5) for one in ("{1}", "{x}")),
    )

    for language in LANGUAGES:
        body = note_of(planned(given, Rules(language=language))).body
        assert "{who} {0}" in body
        assert "{1} (0:05)" in body


def test_the_outcome_is_in_the_first_line_of_every_language() -> None:
    heads = {
        note_of(planned(call(talk_seconds=0), Rules(language=one))).body.partition("\n")[0]
        for one in LANGUAGES
    }

    assert heads == {messages(one)["missed_incoming"] for one in LANGUAGES}
    assert Outcome.MISSED is call(talk_seconds=0).outcome
