"""What people read of the rules: a sentence for each, and how they judge one call."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.domain.rules.file import read_rules_bytes
from bridge.domain.rules.model import Rules
from bridge.domain.rules.writing import default_text
from bridge.reports.masking import masked_view
from bridge.reports.rule_sentences import sentence_of
from bridge.reports.rules_explained import explained
from tests.domain.given import call


def rules_of(text: str) -> Rules:
    found = read_rules_bytes(f"version = 2\n{text}".encode())
    assert found.wrong == ()
    return found.rules


@pytest.mark.parametrize(
    ("when", "then", "says"),
    [
        (
            'direction = "incoming", outcome = "missed", line = "+15550100101", hours = "Mon-Fri 8:00-18:00"',
            "write = false",
            "Incoming missed calls on +15550100101 during Mon-Fri 8:00-18:00 are not written.",
        ),
        ("", 'tags = ["phone"]', "All calls are tagged phone."),
        (
            'group = ["Sales", "Support"], min_talk_s = 60',
            'status = "done", tags = ["a", "b"], team = "Front desk"',
            "Calls of the group Sales or Support of at least 60 s of talk are set to done, "
            "go to the team Front desk and are tagged a, b.",
        ),
        (
            'caller = "unknown", country = ["DE", "AT"]',
            'unknown = "skip", priority = 2',
            "Calls with numbers of DE or AT with customers whom Kustomer did not know are left out for an "
            "unknown caller and get priority 2.",
        ),
        (
            "internal = true, max_talk_s = 5",
            "write = true",
            "Internal calls of at most 5 s of talk are written.",
        ),
        ("voicemail = true", "snooze_hours = 2", "Calls that went to voicemail have snooze_hours 2."),
    ],
)
def test_a_rule_is_one_sentence(when: str, then: str, says: str) -> None:
    rules = rules_of(f"[[rule]]\nwhen = {{ {when} }}\nthen = {{ {then} }}\n")

    assert sentence_of(rules.rules[0]) == says


def test_people_are_left_out_of_the_sentence_for_who_may_not_see_them() -> None:
    when = 'agent = "Bo Sample", line = "+15550100101"'
    rules = rules_of(f"[[rule]]\nwhen = {{ {when} }}\nthen = {{ write = false }}\n")

    assert sentence_of(rules.rules[0], hides_people=True) == "Calls on …101 of agent B… are not written."


def test_each_rule_has_its_verdict_and_each_choice_its_origin() -> None:
    rules = rules_of(
        '[conversation]\ntags = ["phone"]\nstatus = { answered = "open" }\n'
        "[[rule]]\nwhen = { min_talk_s = 600 }\nthen = { write = false }\n"
        '[[rule]]\nwhen = { direction = "incoming" }\nthen = { tags = ["in"], priority = 1 }\n'
        '[[rule]]\nwhen = {}\nthen = { tags = ["all"] }\n'
    )

    found = explained(call(talk_seconds=97), None, rules)

    assert found["rules"] == [
        "rule 1 (line 5): talk time is 97 s, below 600 s",
        "rule 2 (line 8): fits",
        "rule 3 (line 11): fits",
    ]
    assert {one["name"]: (one["value"], one["origin"]) for one in found["choices"]} == {
        "status": ("open", "[conversation]"),
        "tags": (["in"], "rule 2 (line 8)"),
        "priority": (1, "rule 2 (line 8)"),
    }


def test_without_a_file_there_is_nothing_to_explain() -> None:
    assert explained(call(), None, Rules()) == {"rules": [], "choices": []}


def test_who_sees_no_names_does_not_see_the_agents_that_a_rule_names() -> None:
    rules = rules_of('[[rule]]\nwhen = { agent = "cy@example.com" }\nthen = { write = false }\n')
    view: dict[str, Any] = {
        "reason": None,
        "events": [],
        "observations": {},
        "outputs": {},
        "jobs": [],
        "timeline": [],
    }

    judged = explained(call(agent_name="Bo Sample"), None, rules)
    masked = masked_view({**view, "explained": judged}, call(agent_name="Bo Sample"))["explained"]

    assert judged["rules"] == ["rule 1 (line 2): agent is Bo Sample, not cy@example.com"]
    assert masked["rules"] == ["rule 1 (line 2): agent is another"]


def test_the_default_file_can_be_explained() -> None:
    found = explained(call(), None, read_rules_bytes(default_text().encode()).rules)

    assert "status" in {one["name"] for one in found["choices"]}
