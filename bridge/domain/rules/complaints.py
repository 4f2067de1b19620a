"""What is said of a mistake in a rules file: where, what is wrong, and what to do."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic_core import ErrorDetails

from bridge.domain.outcome import Direction, Outcome
from bridge.domain.rules.choice import Choice
from bridge.domain.rules.choices import BY_PLACE, CHOICES, NOT_OF_CALLS, THEN
from bridge.domain.rules.conditions import BY_NAME, Condition
from bridge.domain.rules.positions import Path, Places, Repeat
from bridge.domain.rules.schema import MOST_RULES, choices_of
from bridge.domain.webhook.keys import CANONICAL_KEYS

_LONGEST_SHOWN = 40
# A number of somebody: a complaint goes to logs and notifications.
_NUMBER = re.compile(r"(?:\d[\s()/.-]*){7,}")
_AGENTS = BY_PLACE["agents.table"]


@dataclass(frozen=True, slots=True, order=True)
class Complaint:
    """One mistake. Line and column count from 1."""

    line: int
    column: int
    what: str
    remedy: str

    def at(self, file: object) -> str:
        """As compilers say it: `rules.toml:4:12: what; remedy`."""
        return f"{file}:{self.line}:{self.column}: {self.what}; {self.remedy}"


def repeated(repeat: Repeat, places: Places) -> Complaint:
    line, column = places.line_and_column(repeat.offset)
    first = places.line_and_column(repeat.first)[0]
    return Complaint(
        line, column, f"{_spelt(repeat.path)} is there twice", f"it stands in line {first} already"
    )


def complaint(fault: ErrorDetails, places: Places, version: int) -> Complaint:
    """What pydantic found, in words."""
    is_key = fault["loc"][-1:] == ("[key]",)
    path: Path = fault["loc"][:-1] if is_key else fault["loc"]
    said: Mapping[str, Any] = fault.get("ctx", {})
    kind = fault["type"]
    if kind == "template":
        return _of_template(path, said, places)
    if kind in ("clash", "attribute"):
        inner = (*path, said["key"]) if said["key"] else path
        where = places.line_and_column(places.of_key(inner))
        return Complaint(*where, f"{_spelt(inner)}: {said['what']}", said["remedy"])
    if kind == "extra_forbidden" or (is_key and _described(path, version) is not _AGENTS):
        where = places.line_and_column(places.of_key(path))
        return Complaint(*where, *_unknown(path, version))
    if kind == "missing":
        where = places.line_and_column(places.of_key(path[:-1]))
        return Complaint(*where, *_missing(path))
    where = places.line_and_column(places.of_key(path) if is_key else places.of_value(path))
    return Complaint(*where, *_wrong(fault, path, version))


def _of_template(path: Path, said: Mapping[str, Any], places: Places) -> Complaint:
    """In the template's own line, at the word that is wrong."""
    start, raw = places.of_value(path), places.raw(path)
    lines = raw.splitlines(keepends=True)
    first = 1 if raw[:3] in ('"""', "'''") and len(lines[0].strip()) == 3 else 0
    number = min(said["line"] - 1 + first, len(lines) - 1)
    before = sum(len(line) for line in lines[:number])
    found = re.search(rf"\b{re.escape(said['word'])}\b", lines[number]) if said["word"] else None
    offset = start + before + (found.start() if found else 0)
    where = places.line_and_column(offset)
    return Complaint(*where, f"{_spelt(path)}: {said['what']}", said["remedy"])


def _spelt(path: Path) -> str:
    """`("rule", 1, "when", "hours")` -> `rule 2: when.hours`."""
    if path[:1] == ("rule",) and len(path) > 1 and isinstance(path[1], int):
        rest = _spelt(path[2:])
        return f"rule {path[1] + 1}: {rest}" if rest else f"rule {path[1] + 1}"
    return ".".join(str(part) for part in path if isinstance(part, str))


def _missing(path: Path) -> tuple[str, str]:
    if path == ("version",):
        return "the file has no version", "write version = 2 at its top"
    return f"{_spelt(path[:-1])} has no {path[-1]}", "add then = { … } with what it chooses"


def _unknown(path: Path, version: int) -> tuple[str, str]:
    name, outer = str(path[-1]), path[:-1]
    sections = choices_of(version)
    if outer == ("webhook_keys",):
        return f"webhook_keys.{name} is unknown", _hint(name, CANONICAL_KEYS)
    if outer[-1:] == ("status",):
        return f"{_spelt(path)} is unknown", _hint(name, [str(one) for one in Outcome])
    if not outer:
        return _unknown_section(name, version)
    if outer[0] == "rule":
        known: Collection[str] = {"when": BY_NAME, "then": THEN}.get(str(outer[-1]), ["when", "then"])
        return f"{_spelt(path)} is unknown", _of_rules(name, known)
    if version == 1 and name in choices_of(2).get(str(outer[0]), {}):
        return f"{_spelt(path)} belongs to version 2", _CONVERT
    if version == 2 and path == ("conversation", "assign_agent"):
        return "conversation.assign_agent belongs to version 1", 'write assign = "longest" in [agents]'
    elsewhere = [section for section, names in sections.items() if name in names]
    hint = f"it belongs in [{elsewhere[0]}]" if elsewhere else _hint(name, sections.get(str(outer[0]), {}))
    return f"{_spelt(path)} is unknown", hint


_CONVERT = "write version = 2 at the top of the file; callbridge rules convert does it for the whole file"


def _unknown_section(name: str, version: int) -> tuple[str, str]:
    sections = choices_of(version)
    if version == 1 and (name in choices_of(2) or name == "rule"):
        shown = "[[rule]]" if name == "rule" else f"[{name}]"
        return f"{shown} belongs to version 2", _CONVERT
    elsewhere = [section for section, names in sections.items() if name in names]
    if elsewhere:
        return f"{name} is unknown here", f"it belongs in [{elsewhere[0]}]"
    known = [*sections, *(["rule"] if version == 2 else [])]
    return f"unknown section [{name}]", _hint(name, known)


def _of_rules(name: str, known: Collection[str]) -> str:
    if name in BY_NAME and "when" not in known and name not in known:
        return "it is a condition: it belongs in when"
    if name in THEN and "when" not in known and name not in known:
        return "it is a choice: it belongs in then"
    if known is not THEN:
        return _hint(name, known)
    by_section = [choice.then for choice in CHOICES if choice.name == name and choice.then in known]
    if by_section:
        return f"did you mean {by_section[0]}?"
    elsewhere = [one.section for one in CHOICES if name in (one.name, one.section)]
    if elsewhere and elsewhere[0] in NOT_OF_CALLS:
        return f"it belongs in [{elsewhere[0]}], which rules of calls do not change"
    by_value = [choice.then for choice in THEN.values() if name in _literals(choice.kind)]
    return f'did you mean {by_value[0]} = "{name}"?' if by_value else _hint(name, known)


def _wrong(fault: ErrorDetails, path: Path, version: int) -> tuple[str, str]:
    """Of a value that is not right."""
    spelt, kind = _spelt(path), fault["type"]
    one = _described(path, version)
    if path[0] == "version":
        return f"version cannot be {_shown(fault['input'])}", "write version = 2"
    if kind == "too_long" and path == ("rule",):
        return f"the file has more than {MOST_RULES} rules", "join some: when takes lists"
    if path[0] == "rule" and one is None:
        return f"{spelt} is not a table", _rule_form(path)
    if one is None and kind in ("model_type", "dict_type"):
        return f"{spelt} must be a table", f"write [{spelt}] on a line of its own and its names below"
    if one is None:
        return f"{spelt} must be a list of texts", f'such as {path[1]} = ["Anrufer"]'
    if path[-1:] != (one.name,) and path[-2:-1] == ("status",):
        choices = ["open", "done"] if version == 1 else ["open", "done", "snoozed"]
        return f"{spelt} cannot be {_shown(fault['input'])}", _use(_any_of(choices), fault["input"], choices)
    shown = "that" if one.private else _shown(fault["input"])
    if kind == "country" and fault.get("ctx", {}).get("near"):
        return f"{spelt} cannot be {shown}", f"did you mean {fault['ctx']['near']}?"
    if kind == "hours":
        return f"{spelt} cannot be {shown}", f"it must {fault['ctx']['hint']}"
    return f"{spelt} cannot be {shown}", _use(one.right, fault["input"], _literals(one.kind))


def _rule_form(path: Path) -> str:
    return (
        f"write it as {path[-1]} = {{ … }}"
        if path[-1] in ("when", "then")
        else "begin each rule with [[rule]]"
    )


def _use(right: str, given: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(given.lower(), list(known), n=1) if isinstance(given, str) else []
    return f"use {right}; did you mean {near[0]}?" if near else f"use {right}"


def _any_of(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} or {texts[-1]}"


def _literals(kind: Any) -> list[str]:
    """The texts among which a value has to be chosen."""
    if isinstance(kind, str):
        return [kind]
    if isinstance(kind, type) and issubclass(kind, Direction | Outcome):
        return [str(one) for one in kind]
    return [text for inner in get_args(kind) for text in _literals(inner)]


def _described(path: Path, version: int) -> Choice | Condition | None:
    match path:
        case ("rule", int(), "when", str(name), *_):
            return BY_NAME.get(name)
        case ("rule", int(), "then", str(name), *_):
            return THEN.get(name)
        case (str(section), str(name), *_) if section != "rule":
            return choices_of(version).get(section, {}).get(name)
    return None


def _shown(value: object) -> str:
    """A value as the file has it, if it is short and nobody's number."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return "that" if len(text) > _LONGEST_SHOWN or _NUMBER.search(text) else text


def _hint(name: str, known: Collection[str]) -> str:
    """The nearest right name; where none is very near, all of them too."""
    there = f"there are {', '.join(sorted(known))}"
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    if not near:
        return there
    sure = difflib.get_close_matches(name.lower(), near, n=1, cutoff=0.75)
    return f"did you mean {near[0]}?" + ("" if sure else f" {there[:1].upper()}{there[1:]}")
