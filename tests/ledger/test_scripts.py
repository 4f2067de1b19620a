"""What Redis is given to run: each script with what it uses in front, and nothing else."""

from __future__ import annotations

import re

import pytest

from bridge.ledger import scripts

ALL = (*scripts.NAMES, *scripts.APART, "rehearse_learn", "rehearse_hold")
# Those that also erase; learn only where a call was forgotten, so within that branch.
ERASING = ("forget", "forget_message", "forget_contact")


# Those of a budget share planner.lua as it is.
@pytest.mark.parametrize("name", sorted({*ALL} - scripts.OF_A_BUDGET))
def test_a_script_makes_no_function_that_it_does_not_use(name: str) -> None:
    code = re.sub(r"--.*", "", scripts.source(name))

    for function in re.findall(r"^local function (\w+)", code, re.MULTILINE):
        assert len(re.findall(rf"\b{function}\b", code)) > 1, f"{name}.lua does not use {function}"


@pytest.mark.parametrize("name", sorted({*ALL} - {*ERASING}))
def test_only_a_script_that_erases_makes_functions_for_it(name: str) -> None:
    made = re.findall(r"^local function (erase\w*)", scripts.source(name), re.MULTILINE)

    assert made == []


@pytest.mark.parametrize("name", ALL)
def test_no_name_of_ours_is_left_for_redis_to_look_up(name: str) -> None:
    code = re.sub(r"--.*", "", scripts.source(name))

    assert not re.search(r"\b(ROOT|SYNTHETIC|KINDS_OF_CALLS|FIELD|FAMILY|STATE)\b", code)


def test_what_an_unusual_case_needs_stands_where_it_is_used() -> None:
    text = scripts.source("learn")

    assert text.index("if was_forgotten then") < text.index("local function erase(")
    assert text.index("local function erase(") < text.index("erase(uuid, number, marks, secret, now)")


def test_a_definition_comes_after_those_that_it_uses() -> None:
    above: set[str] = set()
    for name, one in scripts.definitions().items():
        assert {*one.needs} <= above | {name} | {*_beside(name)}
        above.add(name)


def _beside(name: str) -> list[str]:
    known = scripts.definitions()
    return [other for other, one in known.items() if one is known[name]]
