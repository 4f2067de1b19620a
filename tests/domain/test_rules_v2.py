"""A rules file of version 2: what it says, and each kind of mistake with its place and remedy."""
# ruff: noqa: E501  # a mistake and what is said of it stand in one line

from __future__ import annotations

import json
import time
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest

from bridge.domain.hours import read_hours
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.rules.choices import CHOICES, THEN
from bridge.domain.rules.conditions import CONDITIONS
from bridge.domain.rules.file import read_rules_bytes, read_rules_text
from bridge.domain.rules.model import LARGEST_FILE, Rule, Rules
from bridge.domain.rules.schema import json_schema
from bridge.domain.rules.when import When
from bridge.domain.rules.writing import default_text

CONTRACT = """
version = 2
[customer]
match = ["phone", "shared_phone", "email", "external_id"]
several = "newest"
unknown = "create"
house = ""
[conversation]
per = "call"
name = "{{ title }}"
status = { answered = "done", missed = "open", voicemail = "open" }
close_missed_on_contact = true
[agents]
assign = "longest"
table = { "400101" = "bo@example.com" }
[write]
as = "note"
language = "en"
template = ""
[insights]
summary = true
sentiment = false
smart_notes = false
transcript = "file"
[[rule]]
when = { direction = "incoming", outcome = "missed", line = ["+15550100101"], hours = "Mon-Fri 08:00-18:00" }
then = { write = false }
"""


def rules_of(text: str) -> Rules:
    made = read_rules_text(f"version = 2\n{text}")
    assert made.wrong == ()
    return made.rules


def said_of(text: str) -> list[str]:
    return [complaint.at("F") for complaint in read_rules_text(text).wrong]


def test_the_file_of_the_contract_is_read() -> None:
    made = read_rules_text(CONTRACT)
    rules = made.rules

    assert made.wrong == ()
    assert (rules.several, rules.unknown, rules.per, rules.assign, rules.name) == (
        "newest", "create", "call", "longest", "",
    )  # fmt: skip
    assert rules.agent_table == {"400101": "bo@example.com"}
    assert rules.rules == (
        Rule(
            when=When(
                direction=(Direction.INCOMING,),
                outcome=(Outcome.MISSED,),
                line=("+15550100101",),
                hours=read_hours("Mon-Fri 08:00-18:00"),
            ),
            then={"write": False},
            number=1,
            line=25,
        ),
    )
    assert {"customer.match", "agents.assign"} <= rules.stated


def test_every_condition_takes_what_it_is_shown_with() -> None:
    for condition in CONDITIONS:
        text = f"[[rule]]\nwhen = {{ {condition.name} = {condition.example} }}\nthen = {{ write = false }}"

        assert rules_of(text).rules[0].when != When(), condition.name


def test_every_choice_takes_what_it_is_shown_with_in_its_section_and_in_a_rule() -> None:
    for choice in CHOICES:
        value = choice.example or json.dumps(choice.default)
        if choice.name in ("match", "several", "status", "missed"):
            continue
        made = rules_of(f"[{choice.section}]\n{choice.name} = {value}")
        assert not choice.field or f"{choice.section}.{choice.name}" in made.stated
        if THEN.get(choice.then) == choice and choice.field:
            (rule,) = rules_of(f"[[rule]]\nthen = {{ {choice.then} = {value} }}").rules
            assert rule.then == {choice.field: getattr(made, choice.field)}


def test_every_field_of_the_model_is_a_choice() -> None:
    others = {
        "webhook_keys",
        "region",
        "zone",
        "rules",
        "version",
        "source",
        "stated",
        "lines",
        "set_by",
    }

    assert {one.name for one in fields(Rules)} - others == {one.field for one in CHOICES if one.field}


def test_the_default_file_names_everything_and_changes_nothing() -> None:
    made = read_rules_text(default_text())

    assert made.wrong == ()
    assert replace(made.rules, version="default") == Rules()
    for name in (*(one.name for one in CHOICES), *(one.name for one in CONDITIONS)):
        assert f"{name} = " in default_text(), name


def test_agents_are_assigned_once_the_file_has_their_section() -> None:
    assert rules_of("").assign == "none"
    assert rules_of("[agents]").assign == "longest"
    assert rules_of('[agents]\nassign = "first"').assign == "first"


def test_a_status_in_a_rule_stands_for_every_outcome() -> None:
    (rule,) = rules_of('[[rule]]\nthen = { status = "done" }').rules

    assert rule.then["status"] == dict.fromkeys(Outcome, "done")


def test_one_value_or_a_list_and_ids_without_quotes() -> None:
    (rule,) = rules_of(
        '[[rule]]\nwhen = { agent = 400101, country = "de", type = ["callback"] }\nthen.write = false'
    ).rules

    assert (rule.when.agent, rule.when.country, rule.when.type) == (("400101",), ("DE",), ("callback",))


@pytest.mark.parametrize("when", ["internal = true", 'outcome = "internal"', 'direction = "internal"'])
def test_a_rule_for_calls_between_colleagues_writes_them(when: str) -> None:
    (rule,) = rules_of(f"[[rule]]\nwhen = {{ {when} }}\nthen = {{ write = true }}").rules

    assert rule.then == {"write": True, "write_internal": True}


def test_days_are_read_with_and_without_quotes() -> None:
    rules = rules_of('[calendar]\nholidays = [2026-12-25, "2026-12-26"]\nopen_hours = "Thu 08:00-18:00"')

    assert rules.holidays == {date(2026, 12, 25), date(2026, 12, 26)}
    assert rules.open_hours == read_hours("Thu 08:00-18:00")


def test_the_version_is_that_of_the_text() -> None:
    assert rules_of("").version == rules_of("").version != rules_of(" ").version


MISTAKES = [
    # Not TOML.
    ("version = 2\nx = ", "F:2:5: not TOML: invalid value; write name = value"),
    ("version = 2\n[write]\ninternal = true\ninternal = false", "F:4:1: write.internal is there twice; it stands in line 3"),
    ("x = " + "[" * 200, "F:1:37: this is nested too deeply"),
    ("x = " + "9" * 5000, "F:1:1: not TOML: a number is too long"),
    ('version = 2\n[write]\nas = "note', "F:3:11: not TOML"),
    ("version = 2\n[conversation]\ntags = ['a',\n 'b'\n[agents]\n", "F:3:8: not TOML: this [ has no ]; end it with ]"),
    ("version = 2\n[conversation]\nstatus = { missed = 'open'\n", "F:3:10: not TOML: this { has no }; end it with }"),
    ("version = 2\n[conversation]\ntags = ['a' 'b']\n", "F:3:8: not TOML: this [ has no ]; end it with ], and part items by commas"),
    ("version = 2\n[write]\nshort = yes\n[conversation]\ntags = [\n", "F:3:9: not TOML: invalid value"),
    # The version.
    ("version = 3", "F:1:11: version cannot be 3; write version = 2"),
    ("version = true", "F:1:11: version cannot be true; write version = 2"),
    ("[agents]", "F:1:1: [agents] belongs to version 2; write version = 2 at the top"),
    ("version = 2\n[conversation]\nassign_agent = true", 'F:3:1: conversation.assign_agent belongs to version 1; write assign = "longest" in [agents]'),
    # Names.
    ("version = 2\n[custmer]", "F:2:1: unknown section [custmer]; did you mean customer?"),
    ("version = 2\n[[rules]]", "F:2:1: unknown section [rules]; did you mean rule?"),
    ('version = 2\n[customer]\nsevral = "none"', "F:3:1: customer.sevral is unknown; did you mean several?"),
    ('version = 2\n[customer]\npriority = 3', "F:3:1: customer.priority is unknown; it belongs in [conversation]"),
    ("version = 2\n[conversation]\nstatus.mised = 'open'", "F:3:8: conversation.status.mised is unknown; did you mean missed?"),
    ("version = 2\n[[rule]]\nwehn = {}\nthen.write = true", "F:3:1: rule 1: wehn is unknown; did you mean when?"),
    ("version = 2\n[[rule]]\nwhen = { outcom = 'missed' }\nthen.write = true", "F:3:10: rule 1: when.outcom is unknown; did you mean outcome?"),
    ("version = 2\n[[rule]]\nwhen = { tags = ['x'] }\nthen.write = true", "F:3:10: rule 1: when.tags is unknown; it is a choice: it belongs in then"),
    ("version = 2\n[[rule]]\nthen.send = true", "F:3:6: rule 1: then.send is unknown; it belongs in [messages], which rules of calls do not change"),
    ("version = 2\n[[rule]]\nthen.contacts = true", "F:3:6: rule 1: then.contacts is unknown; it belongs in [contacts], which rules of calls do not change"),
    ("version = 2\n[[rule]]\nthen.voice_message = true", 'F:3:6: rule 1: then.voice_message is unknown; did you mean as = "voice_message"?'),
    ("version = 2\n[fields]\nnames = { outcom = 'aStr' }", "F:3:11: fields.names.outcom: there is no such field; did you mean outcome?"),
    ("version = 2\n[write]\ntemplate = '{{ caller + 1 }}'", "F:3:12: write.template: the template fails on a call: + takes two numbers or two texts; ~ joins anything; values may be missing; test them first, such as {% if rating and rating > 3 %}"),
    ("version = 2\n[[rule]]\nthen = { line = 'x' }", "F:3:10: rule 1: then.line is unknown; it is a condition: it belongs in when"),
    ("version = 2\n[webhook_keys]\nexternal_numbr = ['x']", "F:3:1: webhook_keys.external_numbr is unknown; did you mean external_number?"),
    # Types and values.
    ("version = 2\nwrite = 1", "F:2:9: write must be a table; write [write] on a line of its own"),
    ("version = 2\n[rule]\nthen = { write = false }", "F:2:1: rule is not a table; begin each rule with [[rule]]"),
    ("version = 2\n[[rule]]\nthen = 1", "F:3:8: rule 1: then is not a table; write it as then = { … }"),
    ("version = 2\n[conversation]\n\tpriority = 7", "F:3:13: conversation.priority cannot be 7; use a whole number from 1 to 5"),
    ('version = 2\n[conversation]\nper = "costumer"', 'F:3:7: conversation.per cannot be "costumer"; use one of call, customer, missed_caller; did you mean customer?'),
    ("version = 2\n[conversation]\nstatus = { missed = 'opn' }", 'F:3:21: conversation.status.missed cannot be "opn"; use open, done or snoozed; did you mean open?'),
    ('version = 2\n[agents]\ntable = { "40" = "bo" }', "F:3:18: agents.table.40 cannot be that; use CloudTalk agent ids"),
    ('version = 2\n[agents]\ntable = { "x" = "bo@example.com" }', "F:3:11: agents.table.x cannot be that; use CloudTalk agent ids"),
    ("version = 2\n[conversation]\ncustom = { region = 'x' }", "F:3:12: conversation.custom.region: 'region' is no custom attribute; its name ends in its type"),
    ("version = 2\n[conversation]\ncustom = { nNum = 'x' }", "F:3:12: conversation.custom.nNum: 'nNum' cannot be that value; an attribute that ends in Num is a number"),
    ('version = 2\n[write]\nas = "phone"', 'F:3:6: write.as cannot be "phone"; use one of note, voice_message, both'),
    ('version = 2\n[write]\nlanguage = "DE"', 'F:3:12: write.language cannot be "DE"; use one of en, de, fr, es, pt, it, nl, pl, cs; did you mean de?'),
    ("version = 2\n[cue_card]\ntags = { x = 3 }", "F:3:14: cue_card.tags.x cannot be 3; use ids of Kustomer tags with their names"),
    ("version = 2\n[insights]\nsummary = 1", "F:3:11: insights.summary cannot be 1; use true or false"),
    ("version = 2\n[[rule]]\nwhen.country = 'UK'\nthen.write = false", 'F:3:16: rule 1: when.country cannot be "UK"; did you mean GB?'),
    ("version = 2\n[[rule]]\nwhen.country = ['DE', 'XX']\nthen.write = false", 'F:3:23: rule 1: when.country cannot be "XX"; use an ISO 3166 code'),
    ("version = 2\n[[rule]]\nwhen.line = []\nthen.write = false", "F:3:13: rule 1: when.line cannot be that; use a number of yours"),
    ("version = 2\n[[rule]]\nthen.write = 'no'", 'F:3:14: rule 1: then.write cannot be "no"; use true, false or "complete"'),
    # Hours and days.
    ("version = 2\n[[rule]]\nwhen.hours = 'Mo-Fr 8-18'\nthen.write = false", 'F:3:14: rule 1: when.hours cannot be "Mo-Fr 8-18"; it must look like Mon-Fri 08:00-18:00'),
    ("version = 2\n[calendar]\nopen_hours = 'Mon 8:00-25:00'", "; there is no 25:00"),
    ("version = 2\n[calendar]\nholidays = [\n 2026-12-25,\n '25.12.',\n]", 'F:5:2: calendar.holidays cannot be "25.12."; use a list of days such as [2026-12-25]'),
    # Templates.
    ("version = 2\n[conversation]\nname = 'Hi {{ callr }}'", "F:3:15: conversation.name: unknown field 'callr'; did you mean caller?"),
    ("version = 2\n[conversation]\nname = '''\nHi\n{{ callr }}'''", "F:5:4: conversation.name: unknown field 'callr'; did you mean caller?"),
    ("version = 2\n[customer]\nname = '{{ caller'", "F:3:8: customer.name: not a template: unexpected end of template"),
    ("version = 2\n[[rule]]\nthen.name = '{{ caller.x }}'", "F:3:24: rule 1: then.name: attributes such as .x cannot be used; use the fields by their names"),
    ("version = 2\n[write]\ntemplate = '{{ callr }}'", "F:3:16: write.template: unknown field 'callr'; did you mean caller?"),
    ('version = 2\n[write]\ntemplate = """\n{{ title }}\n\n{% if rating %}\n  {{ ratng }}{% endif %}"""', "F:7:6: write.template: unknown field 'ratng'; did you mean rating?"),
    ('version = 2\n[[rule]]\n[rule.then]\ntemplate = """a\n{% for x in tags %}\n{{ notes.upper }}{% endfor %}"""', "F:6:10: rule 1: then.template: attributes such as .upper cannot be used; use the fields by their names, and filters"),
    # Rules that cannot be meant.
    ("version = 2\n[[rule]]\nwhen.tag = 'x'", "F:2:1: rule 1 has no then; add then"),
    ("version = 2\n[[rule]]\nthen = {}", "F:3:1: rule 1: then: the rule chooses nothing; set something"),
    ("version = 2\n[[rule]]\nwhen = { max_talk_s = 3, min_talk_s = 9 }\nthen.write = false", "F:3:26: rule 1: when.min_talk_s: no call talks at least 9 s and at most 3 s; swap the two"),
    ("version = 2\n[[rule]]\nwhen = { outcome = 'missed', min_talk_s = 9 }\nthen.write = false", "F:3:30: rule 1: when.min_talk_s: a call that nobody answered has no talk time"),
    ("version = 2\n[[rule]]\nwhen = { outcome = 'missed', voicemail = true }\nthen.write = false", "F:3:30: rule 1: when.voicemail: no call with that outcome is voicemail"),
    ("version = 2\n[[rule]]\nwhen = { direction = 'incoming', internal = true }\nthen.write = true", "F:3:34: rule 1: when.internal: no call with that direction is internal"),
    ('version = 2\n[customer]\nseveral = "house"', 'F:3:11: several = "house", and no house customer is named; set house in [customer]'),
    ('version = 2\n[[rule]]\nthen = { unknown = "house" }', 'F:3:20: unknown = "house", and no house customer is named'),
    ("version = 2\n[webhook_keys]\nexternal_number = ['Tel']\ninternal_number = ['x', 'tel']", "F:4:25: 'tel' is read as external_number already; leave one of the two out"),
    ("version = 2\n" + "[[rule]]\nthen.write = true\n" * 201, "F:2:1: the file has more than 200 rules; join some"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=[said[:60] for _, said in MISTAKES])
def test_each_kind_of_mistake_has_its_place_and_remedy(text: str, said: str) -> None:
    found = said_of(text)

    assert len(found) == 1
    assert found[0].startswith(said) or (said.startswith(";") and said in found[0]), found


def test_all_mistakes_are_found_at_once_and_nothing_of_the_file_is_in_force() -> None:
    made = read_rules_text(
        "version = 2\n[write]\ninternal = true\nshort = 1\n[conversation]\nper = 2\n[x]\n[[rule]]\n"
    )

    assert [(one.line, one.column) for one in made.wrong] == [(4, 9), (6, 7), (7, 1), (8, 1)]
    assert made.rules.placed(region=None, zone="UTC") == Rules(version=made.rules.version)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"version = 2\n# \xc3\xa4\xff", "F:2:4: this is not UTF-8; save the file as UTF-8"),
        (b"#" * (LARGEST_FILE + 1), "F:1:1: the file is larger than 256 KiB; leave out what is not needed"),
        (b"\xef\xbb\xbfversion = 2\r\n[write]\r\n\tshort = 1\r\n", "F:3:10: write.short cannot be 1; use true or false"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_rules(data: bytes, said: str) -> None:
    assert [one.at("F") for one in read_rules_bytes(data).wrong] == [said]


def test_no_complaint_repeats_a_persons_number_or_address() -> None:
    text = "version = 2\n[recording]\ndo_not_record = '+15550100101'\n[agents]\ntable = { '1' = 'ada at example' }\n"
    said = " ".join(said_of(text + "[conversation]\nper = '+44 1632 960304'\n"))

    assert "0100101'" not in said
    assert "ada at" not in said
    assert "960304" not in said


def test_the_json_schema_knows_every_name() -> None:
    schema = json_schema()

    def names(table: Any) -> set[str]:
        return set(schema["$defs"][table]["properties"])

    assert names("Then") == set(THEN)
    assert names("When") == {one.name for one in CONDITIONS}
    assert all(one.name in names(one.section.title()) for one in CHOICES)
    assert all(
        not inner.get("additionalProperties", True)
        for inner in schema["$defs"].values()
        if "properties" in inner
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["a{} = 1\n", "[a.b{}]\n", "[[rule]]\nthen.name = '{{{{ caller ~ {} }}}}'\n", "a = 1\n"]
)
def test_the_largest_file_of_mistakes_is_read_in_seconds(line: str) -> None:
    data = b"version = 2\n" + "".join(line.format(number) for number in range(20_000)).encode()
    began = time.monotonic()

    wrong = read_rules_bytes(data[:LARGEST_FILE]).wrong

    assert 1 <= len(wrong) <= 200
    assert time.monotonic() - began < 20
