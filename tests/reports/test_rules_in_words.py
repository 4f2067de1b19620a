"""The rules in force, in words, each with the line that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.domain.rules.choices import CHOICES
from bridge.reports.rules_in_force import rules_in_force
from bridge.reports.rules_in_words import RuleLine, rules_in_words
from bridge.settings import Settings

FILE = """\
version = 2
[customer]
several = "none"
[conversation]
status.missed = "snoozed"
[agents]
table = { "400101" = "bo@example.com" }
[[rule]]
when = { line = "+15550100101", outcome = ["missed", "voicemail"] }
then = { team = "Sales", status = "open" }
[[rule]]
then.write = false
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "rules.toml"
    path.write_text(FILE)
    return Settings.from_env({"CALLBRIDGE_RULES": str(path)}, dotenv=None)


def lines_of(settings: Settings, *, hides_people: bool = False) -> dict[str, RuleLine]:
    return {line.name: line for line in rules_in_words(settings.rules, settings, hides_people=hides_people)}


def test_each_choice_says_what_happens_and_which_line_says_so(settings: Settings) -> None:
    lines = lines_of(settings)
    path = settings.callbridge_rules

    several, missed = lines["customer.several"], lines["conversation.status.missed"]
    assert several.says == "A call for which several customers fit is parked until a person chooses."
    assert (several.origin, missed.origin) == (f"{path}, line 3", f"{path}, line 5")
    assert missed.says == "The conversation of a missed call starts snoozed."
    assert lines["conversation.status.answered"].is_default
    assert lines["agents.assign"].origin == f"{path}, line 6"
    assert lines["customer.unknown"].says == "A caller whom Kustomer does not know becomes a customer."


def test_a_rule_is_one_line(settings: Settings) -> None:
    lines = lines_of(settings)

    first, second = lines["rule 1 (line 8)"], lines["rule 2 (line 11)"]
    assert first.says == "Missed or voicemail calls on +15550100101 are opened and go to the team Sales."
    assert first.origin == f"{settings.callbridge_rules}, line 8"
    assert second.value == "write false"


def test_numbers_and_addresses_are_hidden_from_those_who_may_not_see_them(settings: Settings) -> None:
    lines = lines_of(settings, hides_people=True)
    masked = rules_in_force(settings.rules, masked=True)

    for shown in (str(lines.values()), str(masked)):
        assert "100101" not in shown.replace("400101", "")
        assert "bo@example.com" not in shown


def test_every_choice_has_a_line(settings: Settings) -> None:
    left_out = {one.place for one in CHOICES if one.field} - lines_of(settings).keys()

    # One line for each outcome.
    assert left_out == {"conversation.status"}
