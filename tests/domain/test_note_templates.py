"""Templates of notes: what they can say, how long they may be; no text from outside passes for ours."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.call import Call, fold
from bridge.domain.detail import read_detail
from bridge.domain.kustomer_texts.languages import LANGUAGES
from bridge.domain.kustomer_texts.note import LONGEST_NOTE, length, says_call, title
from bridge.domain.kustomer_texts.our_lines import looks_like_ours
from bridge.domain.kustomer_texts.texts import texts_in
from bridge.domain.outcome import Direction
from bridge.domain.policy import DetailWait, NoteDraft, Plan, plan
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import Rules
from bridge.domain.template_engine import compiled
from bridge.domain.template_fields import FIELDS, OURS, SAMPLE
from bridge.domain.template_filters import TemplateProblem
from bridge.domain.templates import check, render_note
from bridge.domain.webhook.values import read_name
from tests.domain.given import CALL_ID, UUID_TEXT, call, said
from tests.web.corpus import HOSTILE


def note(source: str, **values: Any) -> str:
    return render_note(source, {**SAMPLE, **values}, call_id=CALL_ID)


def body_of(want: Plan) -> str:
    return draft_of(want).body


def draft_of(want: Plan) -> NoteDraft:
    assert want.note is not None
    return want.note


def planned(rules: Rules, given: Call | None = None) -> Plan:
    want = plan(given or call(), rules, DetailWait.LATE)
    assert isinstance(want, Plan)
    return want


TEMPLATE = """
{{ title }}
{% if rating %}
Rating: {{ rating }}
{% endif %}

{{ notes }}
"""


def test_a_note_by_template_has_its_lines_and_names_its_call() -> None:
    made = planned(
        Rules(note_template=TEMPLATE), call(rating=4, notes="Wants the invoice.\nCloudTalk call: 7")
    )

    assert body_of(made) == (
        "Call from Ada Example\nRating: 4\n\n"
        "> Wants the invoice.\n> CloudTalk call: 7\nCloudTalk call: 1000000110"
    )
    assert draft_of(made).former_body == body_of(made)
    assert says_call(body_of(made), CALL_ID)
    assert not says_call(body_of(made), 7)


def test_the_call_is_named_once_and_above_texts_of_others() -> None:
    assert (
        note("{{ title }}\nCloudTalk call: {{ call_id }}")
        == "Call from Ada Example\nCloudTalk call: 1000000110"
    )
    titled = note("{{ title }}\nZusammenfassung\n{{ summary }}\nBye")
    assert titled == (
        "Call from Ada Example\nCloudTalk call: 1000000110\n\nZusammenfassung\n"
        "> Ada asks for a copy of an invoice.\nBye"
    )
    assert says_call(titled, CALL_ID)
    assert render_note("{{ title }}", SAMPLE, call_id=None) == "Call from Ada Example"


def test_where_the_template_makes_nothing_or_fails_the_note_is_the_built_in_one() -> None:
    built_in = draft_of(planned(Rules()))

    nothing = planned(Rules(note_template="{% if outcome == 'missed' %}x{% endif %}"))
    assert (nothing.note, nothing.left_out) == (built_in, ())
    failing = planned(Rules(note_template="{{ title }}\n{{ 1 // hold }}".replace("hold", "(wait_s - 14)")))
    assert failing.note == built_in
    assert failing.left_out == ("the note's template failed in line 2, so the note is the built-in one",)


def test_a_rule_has_a_note_of_its_own() -> None:
    made = read_rules_text('version = 2\n[[rule]]\nwhen.outcome = "answered"\nthen.template = "{{ caller }}"')
    assert made.wrong == ()

    assert body_of(planned(made.rules.for_call(call()))).startswith("Ada Example\n")


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("a\n{{ callr }}", 2, "unknown field 'callr'; did you mean caller?"),
        ("{% if tags %}\n{# why #}\n{{ callr }}\n{% endif %}", 3, "unknown field 'callr'"),
        ("a\n\n{{ caller.__class__.__mro__ }}", 3, "attributes such as .__mro__ cannot be used"),
        ("{{ title }}\n{{ caller['__class__'] }}", 2, "the template fails on a call"),
        ("a\n{{ ''.join(tags) }}", 2, "a function such as range() cannot be used here"),
        ("{% for a in tags %}\n{% for b in tags %}{% endfor %}{% endfor %}", 2, "this loop cannot be used"),
        ("a\n{% for a in [1] * 9 %}{% endfor %}", 2, "this loop cannot be used"),
        ("a\n{% macro x() %}{{ x() }}{% endmacro %}", 2, "macro cannot be used here"),
        ("a\n{% import 'os' as x %}", 2, "import cannot be used here"),
        ("a\n{% autoescape true %}x{% endautoescape %}", 1, "cannot be used here"),
        ("a\n{% for uuid in tags %}{{ uuid }}{% endfor %}", 2, "'uuid' is no name for a tag; name it tag"),
        ("a\n{{ caller | _line }}", 2, "unknown filter '_line'"),
        ("a\n{{ caller | attr('x') }}", 2, "unknown filter 'attr'"),
        ("a\n{{ self }}", 2, "unknown field 'self'"),
        ("a\n{{ 'x' * 999999999 }}", 2, "takes numbers only"),
        (
            "a\n{{ notes | replace('', notes) | replace('a', notes) }}{{ notes" + " + notes" * 40 + " }}",
            2,
            "64 KiB",
        ),
        ("a\n{% for t in tags %}\n" + "{{ notes }}" * 20 + "{% endfor %}", 3, "longer than 64 KiB"),
        ("a\n{{ caller" + " | upper" * 60 + " }}", 2, "nested too deeply"),
        ("a\n{% if caller }", 2, "not a template"),
        ("x" * 16_385, 1, "longer than 16384 characters"),
    ],
)
def test_a_template_that_asks_for_more_is_refused_with_its_line(source: str, line: int, says: str) -> None:
    with pytest.raises(TemplateProblem) as problem:
        check(source, "note")

    assert (problem.value.line, says in str(problem.value)) == (line, True), problem.value


SLOW = [
    "{% for t in tags %}{% if (" + "~".join(["notes"] * 2000) + ")|length %}{% endif %}{% endfor %}",
    "{% for t in tags %}{% if notes in summary "
    + "and notes not in summary " * 600
    + "%}{% endif %}{% endfor %}",
    "{% for t in tags %}"
    + "{% if notes | replace('y', 'yyy') | upper | lower %}{% endif %}" * 200
    + "{% endfor %}",
    "{% for t in tags %}" + "{% if notes[1:] == notes[1:] %}{% endif %}" * 300 + "{% endfor %}",
]


@pytest.mark.slow
@pytest.mark.parametrize("source", SLOW)
def test_no_call_makes_a_template_slow(source: str) -> None:
    values = {"notes": "y" * 20_000, "summary": "y" * 19_999 + "z" + "y" * 20_000, "tags": ["x"] * 100}
    with suppress(TemplateProblem):
        compiled(source, "note")
    began = time.process_time()

    with suppress(TemplateProblem):
        note(source, **values)

    # Half a second, and the step that was under way. Not by the clock: a machine may do other things.
    assert time.process_time() - began < 1


def test_a_note_is_cut_to_what_kustomer_takes_and_still_names_its_call() -> None:
    long = note("{{ title }}\n{{ notes }}\nend", notes="\n".join(f"Line {n} \U0001f642" for n in range(2000)))

    assert LONGEST_NOTE - 60 < length(long) <= LONGEST_NOTE
    *_, last, shortened, named = long.split("\n")
    assert re.fullmatch(r"> Line \d+ \U0001f642", last)
    assert (shortened, named) == ("… (shortened)", f"CloudTalk call: {CALL_ID}")
    one_line = note("{{ title }}\n{{ notes }}", notes="A sentence. " * 1600)
    assert LONGEST_NOTE - 300 < length(one_line) <= LONGEST_NOTE
    assert one_line.endswith(f"A sentence. … (shortened)\nCloudTalk call: {CALL_ID}")
    below = note("{{ title }}\nSummary\n{{ notes }}", notes="Words. " * 3000)
    assert says_call(below, CALL_ID)
    assert length(below) <= LONGEST_NOTE


@pytest.mark.parametrize(
    ("source", "values", "body"),
    [
        ("{{ caller }} called", {}, "Ada Example called"),
        ("{{ caller }} called", {"caller": "Recording: attached\nCloudTalk call: 1"},
         "> Recording: attached\n> CloudTalk call: 1 called"),
        ("{{ caller }}: {{ wait_s }}", {"caller": "CloudTalk call"}, "> CloudTalk call: 14"),
        ("Cloud{{ caller }}", {"caller": "Talk call: 1"}, "> CloudTalk call: 1"),
        ("{{ caller }}{{ agent }}", {"caller": "Rec", "agent": "ording: x"}, "> Recording: x"),
        ("{{ caller ~ ': ' ~ agent }}", {"caller": "Aufnahme", "agent": "x"}, "> Aufnahme: x"),
        ("Recording: {{ recording }}", {}, "Recording: attached (1 min 37 s)"),
        ("Recording: {{ caller }}", {"caller": "x\x0bCall back by 9:00"},
         "Recording: x\n> Call back by 9:00"),
        ("Notes: {{ notes }}", {"notes": "one\x85two\u2028three\x0cfour"},
         "Notes: one\n> two\n> three\n> four"),
        ("{{ tags | join('\n') }}", {"tags": ["a", "b"]}, "> a\n> b"),
        ("{% for tag in tags %}- {{ tag }}\n{% endfor %}", {"tags": ["a", "5 verpasste Anrufe: x"]},
         "- a\n> - 5 verpasste Anrufe: x"),
        ("{{ caller }}", {"caller": "Ｒe\u200bcord\u00edng\u2236 x"}, "> Ｒe\u200bcord\u00edng\u2236 x"),
        ("{{ caller }}", {"caller": "\u202eRecоrding: x\u2069"}, "> Recоrding: x"),
        ("{{ caller }}", {"caller": "Verpasster Anruf"}, "> Verpasster Anruf"),
        ("{{ caller | truncate(10, '') }}", {"caller": "Recording:x"}, "> Recording:"),
        ("<{{ caller }}>{{ agent }}b", {"caller": "script", "agent": "x<"}, "<script>x\u2039b"),
        ("{{ notes }}x>", {"notes": "1 < 2 <b> a<"}, "> 1 < 2 \u2039b> a\u2039x>"),
        ("a\x02b\x04{{ caller }}", {"caller": "\x03x\x04"}, "abx"),
        ("{{ notes }}", {"notes": ""}, ""),
        ("{{ caller }}{% if rating %} ({{ rating }}){% endif %}\n\n  {% if tags %}\nx\n{% endif %} {#y#}\nz",
         {},
         "Ada Example (5)\n\nx\nz"),
    ],
)  # fmt: skip
def test_lines_with_text_from_outside_are_never_ours(source: str, values: dict[str, Any], body: str) -> None:
    made = note(source, **values)

    assert made == (f"{body}\nCloudTalk call: {CALL_ID}" if body else "")


def test_the_built_in_titles_are_no_lines_of_ours() -> None:
    """So a template that begins with `{{ title }}` has no mark there."""
    for language in LANGUAGES:
        for direction in (*Direction, None):
            for fields in ({}, {"talk_seconds": 0}, {"talk_seconds": 0, "is_voicemail": True}):
                one = call(direction=direction, **fields)
                assert not looks_like_ours(title(one, texts_in(language))), (
                    language,
                    title(one, texts_in(language)),
                )


# In place of any text that somebody else may write.
FORGED = [
    "Recording: attached\nCloudTalk call: 1",
    "x\u2028CloudTalk call: 1\u2029Aufnahme: x\x0bx\x0cMissed call\x85Répondu : x\x1cRang: x\x1dx\x1ex",
    "\r\nVoicemail\r\rCloudTalk call: 1\n\n\nAgent's notes\nCloudTalk call: 2",
    "\u202eCloudTalk call: 1\u202c\u2066Recording: x\u2069\u200f\u200e\u061c",
    "Transferred to x\nOddzwonić do 9:00\nQuem ligou: x\nOut of hours\n3 missed calls: x",
    *HOSTILE,
]
EVERY_FIELD = "\n".join(
    f"{{% for t in tags %}}{{{{ t }}}}\n{{% endfor %}}{{{{ {name} }}}}"
    if name == "tags"
    else f"{{{{ {name} }}}}"
    for name in FIELDS
)
TEXTS = (
    "contact_name",
    "agent_first_name",
    "agent_last_name",
    "notes",
    "transcript",
    "summary",
    "internal_name",
)


def hostile_call(text: str) -> Call:
    """A call every text of which is this one, as webhooks and call detail bring it."""
    told = {**dict.fromkeys(TEXTS, text), "tags": f"{text},{text} 2", "direction": "incoming"}
    times = {"started_at": "2026-03-02T09:23:00Z", "ended_at": "2026-03-02T09:24:51Z", "talking_time": 97}
    event = said(**told, **times, external_number="+441632960304", internal_number="+15550100101")
    agents = [
        {"type": "agent", "id": n, "name": text, "status": status, "reason": text}
        for n, status in ((1, "answered"), (2, "missed"), (3, "answered"))
    ]
    kinds = ("menu", "ivr", "queue", "agent", "ai_agent", "voice_agent", "transfer", text)
    steps = [
        {"type": kind, "name": text, "option": text, "endpoint": text, "reason": text, "agent_calls": agents}
        for kind in kinds
    ]
    body = {
        "uuid": UUID_TEXT, "cdr_id": CALL_ID, "type": text, "notes": [text, text], "call_tags": [text],
        "internal_number": {"name": text}, "contact": {"name": text}, "call_steps": steps,
    }  # fmt: skip
    detail = read_detail(body, asked_at=datetime(2026, 3, 3, tzinfo=UTC))
    folded = fold([event], detail, needs_path=lambda call: True)
    answers = ((text, text), ("b", text))
    extracted = tuple((read_name(name) or "x", read_name(value) or "x") for name, value in answers)
    return replace(folded, extracted=extracted, ai_agent=True, ai_agent_name=read_name(text), rating=4)


def unmarked(want: Plan) -> list[str]:
    return [line for line in body_of(want).split("\n") if line and not line.startswith(">")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_texts_in_every_field_add_no_line_and_no_markup(language: str) -> None:
    rules = Rules(language=language, note_path=True, call_tags=True)  # type: ignore[arg-type]
    usual = unmarked(planned(rules, hostile_call("qqq")))
    more = texts_in(language).say("more_steps", count=1).partition("1")[0]
    transferred = texts_in(language).say("transferred")
    begin = (more, transferred, *(line.partition("qqq")[0].rstrip() for line in usual))
    assert len(usual) > 15
    assert all(begin)

    for text in FORGED if language == "en" else FORGED[:5]:
        want = planned(rules, hostile_call(text))
        lines = unmarked(want)
        assert len(lines) <= len(usual), (text, lines)
        assert not [line for line in lines if not line.startswith(begin)], lines
        everything = f"{body_of(want)}{want.conversation.name}{want.customer.name}{want.conversation.tags}"
        assert not re.search(r"<[^\s\d=]", everything), everything
        assert not re.search(
            "[\u2028\u2029\x0b\x0c\x1c-\x1e\x85\r\u202a-\u202e\u2066-\u2069\x00]", everything
        )
        assert says_call(body_of(want), CALL_ID)
        assert not says_call(body_of(want), 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_texts_in_every_field_of_a_template_are_no_lines_of_ours(language: str) -> None:
    rules = Rules(language=language, note_path=True, note_template=EVERY_FIELD)  # type: ignore[arg-type]

    for text in FORGED if language == "en" else FORGED[:5]:
        want = planned(rules, hostile_call(text))
        assert want.left_out == ()
        *lines, last = body_of(want).split("\n")
        assert last == f"CloudTalk call: {CALL_ID}"
        assert not [line for line in lines if looks_like_ours(line) and not line.startswith(">")]
        assert not re.search(r"<[^\s\d=]", body_of(want))
        assert says_call(body_of(want), CALL_ID)
        assert not says_call(body_of(want), 1)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", " ", "x", "Recording", "CloudTalk call"]))
def test_whatever_is_in_the_fields_no_line_with_it_is_ours(text: str, own: str) -> None:
    values = {name: text for name in FIELDS if name not in OURS}
    values["tags"] = [text, f"{text}: {text}"]  # type: ignore[assignment]
    source = "\n".join(
        f"{{{{ {name} }}}}: {{{{ caller }}}}{own}{{{{ notes }}}}" for name in values if name != "tags"
    )

    made = note(source + "{% for t in tags %}{{ t }}{{ caller }}\n{% endfor %}", **values)

    *lines, _ = made.split("\n")
    assert not [line for line in lines if looks_like_ours(line) and not line.startswith(">")]
    assert not re.search(r"<[^\s\d=]|<$", made)


def test_the_example_of_the_handbook_makes_what_the_handbook_says() -> None:
    handbook = (Path(__file__).parents[2] / "deploy" / "rules.md").read_text("utf-8")
    example = handbook.partition("A note by template:\n")[2]
    rules, _, made = example.partition("\nmakes of a call of a line without a rule:\n")
    shown = dedent(made.partition("\n- A line")[0]).strip()

    read = read_rules_text(f"version = 2\n{dedent(rules)}")

    assert read.wrong == ()
    assert render_note(read.rules.note_template, SAMPLE, call_id=CALL_ID) == shown
