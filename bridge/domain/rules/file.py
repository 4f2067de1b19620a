"""Reads the operator's rules from the TOML file that `CALLBRIDGE_RULES` names. Imported only if there is one.

The names are in `choices/` and `conditions.py`; version 1 has some of them. Each mistake gets its place
in the file, what is wrong and what to do; all that can be found at once are.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from bridge.domain.outcome import Direction, Outcome
from bridge.domain.rules.choices import THEN, read_webhook_keys
from bridge.domain.rules.complaints import Complaint, complaint, repeated
from bridge.domain.rules.conditions import read_when
from bridge.domain.rules.model import LARGEST_FILE, Rule, Rules
from bridge.domain.rules.positions import Places, TooDeepError, places_of
from bridge.domain.rules.schema import Table, choices_of, file_model
from bridge.domain.webhook.keys import folded

# Each takes a moment to word, and processes read the file while they work.
MOST_COMPLAINTS = 200
_TOMLS_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesFile:
    """What a file says.

    Attributes:
        rules: its choices; the defaults where anything is wrong.
        wrong: its mistakes, in the order of the file.
    """

    rules: Rules = field(default_factory=Rules)
    wrong: tuple[Complaint, ...] = ()
    version: int = 2


def read_rules_bytes(data: bytes) -> RulesFile:
    """The rules in a file's content."""
    if len(data) > LARGEST_FILE:
        said = f"the file is larger than {LARGEST_FILE // 1024} KiB"
        return RulesFile(wrong=(Complaint(1, 1, said, "leave out what is not needed"),))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        line, column = Places(before).line_and_column(len(before))
        return RulesFile(wrong=(Complaint(line, column, "this is not UTF-8", "save the file as UTF-8"),))
    return read_rules_text(text)


def read_rules_text(text: str) -> RulesFile:
    try:
        places = places_of(text)
        table = tomllib.loads(text)
    except (TooDeepError, RecursionError) as error:
        offset = error.offset if isinstance(error, TooDeepError) else 0
        where = Places(text).line_and_column(offset)
        return RulesFile(wrong=(Complaint(*where, "this is nested too deeply", "no rule needs that"),))
    except ValueError as error:
        return RulesFile(wrong=tuple(_not_toml(text, str(error), places_of(text))))
    made = _read(table, places)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return replace(made, rules=replace(made.rules, version=digest), wrong=tuple(sorted(made.wrong)))


def _not_toml(text: str, said: str, places: Places) -> Iterator[Complaint]:
    if places.repeats:
        yield from (repeated(repeat, places) for repeat in places.repeats[:MOST_COMPLAINTS])
        return
    found = _TOMLS_PLACE.search(said)
    where = (1, 1)
    if found is not None:
        where = (int(found[1]), int(found[2])) if found[1] else places.line_and_column(len(text))
        said = said[: found.start()]
    elif "digits" in said:
        said = "a number is too long"
    # TOML says where it gave up, which is far from a bracket that is missing.
    if places.unclosed and (begun := places.line_and_column(places.unclosed[-1])) <= where:
        sign = text[places.unclosed[-1]]
        end = "]" if sign == "[" else "}"
        yield Complaint(
            *begun, f"not TOML: this {sign} has no {end}", f"end it with {end}, and part items by commas"
        )
        return
    remedy = 'write name = value; texts stand in quotes, such as name = "text"'
    yield Complaint(*where, f"not TOML: {said[:1].lower()}{said[1:]}", remedy)


def _read(table: Mapping[str, Any], places: Places) -> RulesFile:
    version = 1 if table.get("version", 1) in (1, True) else 2
    try:
        model = file_model(version).model_validate(table)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        wrong = dict.fromkeys(complaint(fault, places, version) for fault in faults[:MOST_COMPLAINTS])
        return RulesFile(wrong=tuple(wrong), version=version)
    rules = _rules_of(model, version, places)
    lines = dict(_lines_of(model, places))
    stated = frozenset(name for name in lines if not name.startswith("conversation.status."))
    rules = replace(rules, stated=stated, lines=MappingProxyType(lines))
    wrong = dict.fromkeys(_clashes(model, rules, places)) if version == 2 else {}
    return RulesFile(rules=Rules() if wrong else rules, wrong=tuple(wrong), version=version)


def _lines_of(model: Table, places: Places) -> Iterator[tuple[str, int]]:
    for section, value in model.stated().items():
        if isinstance(value, Table):
            if section == "agents":
                # The section alone is a choice.
                yield "agents.assign", places.line_and_column(places.of_key((section,)))[0]
            for name, inner in value.stated().items():
                if name == "assign_agent":
                    yield "agents.assign", places.line_and_column(places.of_key((section, name)))[0]
                    continue
                yield f"{section}.{name}", places.line_and_column(places.of_key((section, name)))[0]
                for key in inner if name == "status" else ():
                    where = places.of_key((section, name, str(key)))
                    yield f"{section}.{name}.{key}", places.line_and_column(where)[0]
        elif section == "webhook_keys" and value:
            yield section, places.line_and_column(places.of_key((section,)))[0]


def _rules_of(model: Table, version: int, places: Places) -> Rules:
    chosen: dict[str, Any] = {}
    sections = model.stated()
    for section, choices in choices_of(version).items():
        table = sections.get(section)
        if isinstance(table, Table):
            for name, value in table.stated().items():
                if field_name := choices[name].field:
                    chosen[field_name] = choices[name].read(value)
    if version == 2 and "agents" in sections:
        chosen.setdefault("assign", "longest")
    return Rules(
        **chosen,
        webhook_keys=read_webhook_keys(sections.get("webhook_keys", {})),
        rules=tuple(_rule(number, rule, places) for number, rule in enumerate(sections.get("rule", ()))),
    )


def _rule(number: int, rule: Any, places: Places) -> Rule:
    when = read_when(rule.when.stated())
    then = {
        THEN[name].field: THEN[name].read(value)
        for name, value in rule.then.stated().items()
        if THEN[name].field
    }
    # A rule that speaks of calls between colleagues, which are not written otherwise, means them.
    is_internal = (
        when.internal or when.outcome == (Outcome.INTERNAL,) or when.direction == (Direction.INTERNAL,)
    )
    if then.get("write") and is_internal:
        then.setdefault("write_internal", True)
    line = places.line_and_column(places.of_key(("rule", number)))[0]
    return Rule(when=when, then=then, number=number + 1, line=line)


def _clashes(model: Table, rules: Rules, places: Places) -> Iterator[Complaint]:
    """What is wrong between values that are each right."""
    sections = model.stated()
    yield from _houses(sections.get("customer"), ("customer",), rules.house, places)
    for number, rule in enumerate(sections.get("rule", ())):
        house = rules.house or any("house" in other.then for other in rules.rules)
        yield from _houses(rule.then, ("rule", number, "then"), house, places)
    seen: dict[str, str] = {}
    for canonical, names in sections.get("webhook_keys", {}).items():
        for number, name in enumerate(names):
            if seen.setdefault(folded(name), canonical) != canonical:
                where = places.line_and_column(places.of_value(("webhook_keys", canonical, number)))
                what = f"{name!r} is read as {seen[folded(name)]} already"
                yield Complaint(*where, what, "leave one of the two out")


def _houses(
    table: Table | None, path: tuple[str | int, ...], house: object, places: Places
) -> Iterator[Complaint]:
    stated = table.stated() if table is not None else {}
    for name in ("several", "unknown"):
        if stated.get(name) == "house" and not (house or stated.get("house")):
            where = places.line_and_column(places.of_value((*path, name)))
            what = f'{name} = "house", and no house customer is named'
            yield Complaint(*where, what, "set house in [customer] to the id of a Kustomer customer")
