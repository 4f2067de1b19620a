"""The rules file as a text: the commented default, and the tables of the handbook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from bridge.domain.fields import FIELDS
from bridge.domain.rules.choice import Choice
from bridge.domain.rules.choices import CHOICES, NOT_OF_CALLS, SECTIONS, THEN
from bridge.domain.rules.conditions import CONDITIONS
from bridge.domain.template_fields import FIELDS as TEMPLATE_FIELDS

_HEAD = """\
# The rules of callbridge: which calls, for whom, in what state. Name this file in CALLBRIDGE_RULES.
# Every line may be left out. What stands here is the default, so this file changes nothing by itself.
# A line that begins with "# name =" shows what you may write; it costs or changes something once it is there.
# callbridge rules check FILE finds mistakes, callbridge rules try FILE says what would differ."""
_RULES = """\
# Rules: the first one that fits a call and sets a choice wins it; the sections above are the defaults.
# `when` names conditions; all of them must fit, and without `when` every call does. A list fits if one of
# its values does. `then` takes `write` and every choice above by its name{bare}
#
# [[rule]]
# when = {{ outcome = "missed", line = ["+15550100101"], hours = "Mon-Fri 8:00-18:00" }}
# then = {{ status = "open", tags = ["sales"], team = "Sales" }}
#
# [[rule]]
# when = {{ max_talk_s = 5, outcome = "answered" }}
# then = {{ write = false }}
#
# The conditions:"""
# Of these the mere statement costs a request.
_COST_BY_BEING_THERE = ("customer.match", "customer.several", "customer.search")
_WIDTH, _COLUMN = 110, 38


def default_text() -> str:
    """The default file, which means what no file means."""
    parts = [_HEAD, "version = 2"]
    for section, says in SECTIONS.items():
        lines = [f"[{section}]".ljust(_COLUMN) + f"# {says}"]
        if section == "agents":
            lines = [
                f"[{section}]".ljust(_COLUMN) + "# Who owns the conversation.",
                *["# Without this section, and with none, nobody; with it and without `assign`: longest."],
            ]
        if section == "webhook_keys":
            lines.append(_line('external_number = ["Anrufer"]', "for example", commented=True))
        lines += [_choice(choice) for choice in CHOICES if choice.section == section]
        parts.append("\n".join(lines))
    named = [one for one in CHOICES if one.then in THEN and one.then != one.name]
    bare = [f"`{one.then}` is [{one.section}] {one.name}" for one in named]
    rules = _RULES.format(bare=f";\n# {', '.join(bare)}.")
    conditions = [_line(f"#     {one.name} = {one.example}", one.says) for one in CONDITIONS]
    parts.append("\n".join([rules, *conditions]))
    return "\n\n".join(parts) + "\n"


def _choice(choice: Choice) -> str:
    default = choice.default
    if default is None or choice.place in _COST_BY_BEING_THERE:
        value = choice.example if default is None else toml_value(default)
        return _line(f"{choice.name} = {value}", choice.says, commented=True)
    such = f"; such as {choice.example}" if choice.example and default in ("", [], {}) else ""
    return _line(f"{choice.name} = {toml_value(default)}", f"{choice.says}{such}")


def _line(what: str, says: str, *, commented: bool = False) -> str:
    what = f"# {what}" if commented else what
    line = f"{what.ljust(_COLUMN)}# {says}"
    return line if len(line) <= _WIDTH and len(what) < _COLUMN else f"# {says[:1].upper()}{says[1:]}:\n{what}"


def toml_value(value: Any) -> str:
    """A value as TOML writes it, in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {toml_value(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return str(value)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare and not name.isdigit() else json.dumps(name)


def choices_table() -> str:
    """Of the handbook: every choice."""
    rows = ["| choice | value | default | meaning | costs |", "|---|---|---|---|---|"]
    rows += [_row(choice) for choice in CHOICES]
    keys = "other names under which your CloudTalk templates send a value"
    rows.append(
        f'| `webhook_keys.…` | lists of texts, such as `external_number = ["Anrufer"]` | none | {keys} | |'
    )
    return "\n".join(rows)


def _row(choice: Choice) -> str:
    default = "none" if choice.default in (None, "", [], {}) else f"`{toml_value(choice.default)}`"
    name = f"`{choice.place}`"
    if choice.then not in THEN or choice.section in NOT_OF_CALLS:
        name += " (not in `then`)"
    elif choice.then != choice.name:
        name += f" (in `then`: `{choice.then}`)"
    cells = (name, _cell(choice.right), default, _cell(choice.says), _cell(choice.costs))
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("{{ title }}", "`{{ title }}`")


def conditions_table() -> str:
    rows = ["| condition | fits | value | costs |", "|---|---|---|---|"]
    rows += [
        f"| `{one.name} = {one.example}` | {_cell(one.says)} | {_cell(one.right)} | {_cell(one.costs)} |"
        for one in CONDITIONS
    ]
    return "\n".join(rows)


def template_fields_table() -> str:
    """Of the handbook: what templates know of a call."""
    rows = ["| field | type | what it is |", "|---|---|---|"]
    rows += [f"| `{name}` | {one.kind} | {_cell(one.says)} |" for name, one in TEMPLATE_FIELDS.items()]
    return "\n".join(rows)


def fields_table() -> str:
    """Of the handbook: the values for reports."""
    rows = ["| field | usual attribute | value | from | costs |", "|---|---|---|---|---|"]
    for one in FIELDS.values():
        costs = "1 of CloudTalk" if one.needs_path else ""
        rows.append(f"| `{one.name}` | `{one.attribute}` | {_cell(one.says)} | {one.source} | {costs} |")
    return "\n".join(rows)


def sections_of_handbook() -> Iterator[tuple[str, str]]:
    """Name of a mark in the handbook -> what stands there."""
    yield "default rules", f"```toml\n{default_text()}```"
    yield "choices", choices_table()
    yield "conditions", conditions_table()
    yield "fields", fields_table()
    yield "template fields", template_fields_table()
