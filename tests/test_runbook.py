"""deploy/runbook.md: each alert and each problem has its entry, and what the entries name exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from bridge.reports.problem_kinds import KINDS
from tests.documents import ROOT, commands, is_metric, metrics, sections, slug, unknown_in

PAGE = (ROOT / "deploy" / "runbook.md").read_text()
ENTRIES = {name: text for name, text in sections(PAGE).items() if "one minute on duty" not in name}
POINTS = ("It means:", "Look at:", "Do:", "It is over")


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((ROOT / "deploy" / "monitoring" / "callbridge.rules.yml").read_text())
    return [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_each_alert_leads_to_its_entry(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    heading = re.search(rf"^\| `{alert['alert']}` \| \[(.+)\]\(#{anchor}\) \|$", PAGE, re.MULTILINE)

    assert page == "deploy/runbook.md"
    assert heading is not None, "the table at the top has a row for each alert"
    assert heading[1] in ENTRIES
    assert slug(heading[1]) == anchor
    # It says how to see by a number that this is over, or that it is.
    assert list(metrics(ENTRIES[heading[1]]))


def test_the_table_has_no_alert_that_is_gone() -> None:
    assert re.findall(r"(?m)^\| `(Callbridge\w+)` \|", PAGE) == [alert["alert"] for alert in alerts()]


def test_each_problem_that_is_notified_has_its_entry() -> None:
    assert {kind.heading for kind in KINDS.values()} <= ENTRIES.keys()


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_what_it_means_where_to_look_what_to_do_and_when_it_is_over(entry: str) -> None:
    points = re.findall(r"(?m)^- \*\*(.+?)\*\*", ENTRIES[entry])

    assert points == list(POINTS)


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_commands_and_metrics_of_an_entry_exist(entry: str) -> None:
    shown = list(commands(ENTRIES[entry]))

    assert shown
    assert [(words, wrong) for words in shown if (wrong := unknown_in(words))] == []
    assert [one for one in metrics(ENTRIES[entry]) if not is_metric(*one)] == []
