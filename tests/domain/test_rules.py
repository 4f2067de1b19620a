"""A rules file becomes `Rules`: version 1."""

from __future__ import annotations

import pytest

from bridge.domain.outcome import Outcome
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import DEFAULT_STATUS, Rules

GOOD = """
[write]
internal = true
withheld = true
short = true

[conversation]
status = { answered = "open", missed = "done" }
tags = ["phone"]
call_tags = true
assign_agent = true

[webhook_keys]
external_number = ["Anrufer", "phone of caller"]
"""


def complaints(text: str) -> list[str]:
    return [complaint.at("F").removeprefix("F:") for complaint in read_rules_text(text).wrong]


@pytest.mark.parametrize("version", ["", "version = 1\n"])
def test_a_good_file_is_read(version: str) -> None:
    made = read_rules_text(version + GOOD)
    rules = made.rules

    assert made.wrong == ()
    assert (rules.write_internal, rules.write_withheld, rules.write_short) == (True, True, True)
    assert (rules.tags, rules.call_tags, rules.assign) == (("phone",), True, "longest")
    assert rules.webhook_keys == {"anrufer": "external_number", "phone_of_caller": "external_number"}


def test_outcomes_that_a_file_leaves_out_keep_their_status() -> None:
    rules = read_rules_text(GOOD).rules

    assert rules.status == {**DEFAULT_STATUS, Outcome.ANSWERED: "open", Outcome.MISSED: "done"}


@pytest.mark.parametrize("text", ["", "version = 1", "version = 2", "# nothing\r\n"])
def test_an_empty_file_says_what_no_file_says(text: str) -> None:
    made = read_rules_text(text)

    assert made.wrong == ()
    assert made.rules.placed(region=None, zone="UTC") == Rules(version=made.rules.version)


def test_the_zone_and_the_country_come_from_elsewhere() -> None:
    placed = Rules(tags=("phone",)).placed(region="GB", zone="Europe/Prague")

    assert (placed.region, placed.zone, placed.tags) == ("GB", "Europe/Prague", ("phone",))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[wirte]\ninternal = true", ["[wirte]", "write"]),
        ("[write]\nextern = true", ["write.extern", "internal, short, withheld"]),
        ('[write]\ninternal = "yes"', ["write.internal", "true or false"]),
        ("[write]\nshort = 1", ["write.short", "true or false"]),
        ("write = true", ["write must be a table"]),
        ("[conversation]\npriority = 1", ["conversation.priority", "version = 2"]),
        ('[conversation]\nstatus = "open"', ["conversation.status", "outcomes with open or done"]),
        ('[conversation.status]\nanswered = "snoozed"', ["conversation.status.answered", "open or done"]),
        ('[conversation.status]\nlost = "open"', ["conversation.status.lost", "voicemail"]),
        ("[conversation.status]\nmissed = 1", ["conversation.status.missed"]),
        ("[conversation.status]\nmissed = []", ["conversation.status.missed"]),
        ('[conversation]\ntags = "phone"', ["conversation.tags", "list of texts"]),
        ("[conversation]\ntags = [1]", ["conversation.tags"]),
        ("[conversation]\ncall_tags = []", ["conversation.call_tags"]),
        ('[conversation]\nassign_agent = "x"', ["conversation.assign_agent"]),
        ('[webhook_keys]\ncaller = ["Anrufer"]', ["webhook_keys.caller", "external_number"]),
        ('[webhook_keys]\nexternal_number = "Anrufer"', ["webhook_keys.external_number", "list of texts"]),
        ("[webhook_keys]\nexternal_number = [1]", ["webhook_keys.external_number"]),
        ("webhook_keys = []", ["webhook_keys must be a"]),
        ("[customer]\nseveral = 'none'", ["[customer] belongs to version 2", "rules convert"]),
        ("[[rule]]\nthen = { write = false }", ["[[rule]] belongs to version 2", "version = 2"]),
    ],
)
def test_each_wrong_thing_is_named(text: str, named: list[str]) -> None:
    wrong = complaints(text)

    assert len(wrong) == 1
    assert all(part in wrong[0] for part in named), wrong


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("[wirte]\ninternal = true", "did you mean write?"),
        ("[Write]\ninternal = true", "did you mean write?"),
        ("[write]\ninternl = true", "did you mean internal?"),
        ("[write]\nInternal = true", "did you mean internal?"),
        ('tags = ["phone"]', "it belongs in [conversation]"),
        ("[write]\ntranscode = true", "it belongs in [recording]"),
        ('[conversation.status]\nmised = "open"', "did you mean missed?"),
        ('[recording]\nattach = "Speach"', "did you mean speech?"),
        ('[recording]\nlink = "operator"', "did you mean operators?"),
        ('[webhook_keys]\nexternal_numbr = ["Anrufer"]', "did you mean external_number?"),
    ],
)
def test_a_misspelt_name_gets_the_right_one(text: str, remedy: str) -> None:
    (wrong,) = complaints(text)

    assert remedy in wrong


@pytest.mark.parametrize("name", ["link_days", "largest_attachment_mb"])
@pytest.mark.parametrize("number", ["0", "-1", "10000", "nan", "inf", "true", '"5"'])
def test_a_number_of_the_recordings_is_above_0(name: str, number: str) -> None:
    (said,) = complaints(f"[recording]\n{name} = {number}")

    assert (
        said
        == f"2:{len(name) + 4}: recording.{name} cannot be {number}; use a number above 0 and below 10000"
    )


def test_numbers_may_have_a_fraction_or_none() -> None:
    made = read_rules_text("[recording]\nlink_days = 7\nlargest_attachment_mb = 2.5")

    assert (made.rules.link_days, made.rules.largest_attachment, made.wrong) == (7, 2_500_000, ())


def test_everything_wrong_is_named_at_once_in_the_order_of_the_file() -> None:
    wrong = complaints(
        '[write]\ninternal = 1\nshort = true\n[conversation]\ntags = 1\nstatus.lost = "open"\n[other]'
    )

    assert [line.split(":")[0] for line in wrong] == ["2", "5", "6", "7"]
