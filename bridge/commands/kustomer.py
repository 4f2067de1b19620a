"""`callbridge kustomer`: what to set up in Kustomer."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click

from bridge.commands.arguments import ONE_LINE
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.domain.fields import FIELDS, attributes_of, definition
from bridge.domain.rules.model import Rules
from bridge.domain.rules.values import is_klass_name
from bridge.errors import WrongUse

_TYPES: Mapping[str, str] = {
    "Str": "single line text",
    "Txt": "multi-line text",
    "Num": "number",
    "At": "date and time",
    "Bool": "yes or no",
}


@click.group()
def kustomer() -> None:
    """What to set up in Kustomer."""


@kustomer.command()
@click.option("--name", type=ONE_LINE, help="The class; default: [fields] klass of the rules.")
@click.option("--json", "as_json", is_flag=True, help="Print the definition alone, as JSON.")
def klass(*, name: str | None, as_json: bool) -> None:
    """Print the class of custom objects that [fields] as = "klass" writes, for Kustomer's admin.

    Lists the fields that the rules name, or every field if they name none.
    """
    rules = load_settings().rules
    name = name or rules.klass
    if not is_klass_name(name):
        raise WrongUse(f"{name} cannot be the name of a class: use letters, digits, - and _, at most 64")
    made = definition(name, _named(rules))
    say(json.dumps(made, indent=2) if as_json else as_text(made, rules))


def _named(rules: Rules) -> dict[str, str]:
    """The fields of the file and of all its rules; empty: none is named."""
    found: dict[str, str] = {}
    for names in (rules.field_names, *(rule.then.get("field_names", {}) for rule in rules.rules)):
        found |= dict(names)
    return {field: found[field] for field in FIELDS if field in found}


def as_text(made: Mapping[str, object], rules: Rules) -> str:
    name, named = str(made["name"]), _named(rules)
    attributes = attributes_of(named) if named else {field: one.attribute for field, one in FIELDS.items()}
    wide = max(map(len, attributes.values()))
    rows = [
        f"  {attribute:<{wide}}  {_type_of(attribute):<16}  {FIELDS[field].label}"
        for field, attribute in attributes.items()
    ]
    names = [f'     {field} = "{attribute}"' for field, attribute in attributes.items()]
    return "\n".join(
        [
            f'The class "{name}" of custom objects: one for each call, at its customer.',
            "",
            "1. In Kustomer, an admin creates the class: in the settings, under Klasses, with this name and",
            "   these attributes; or in an app, with the definition below as an entry of `klasses`.",
            *rows,
            "2. The bridge's API key gets the roles org.permission.kobject.read, .create and .update.",
            "3. The rules:",
            "     [fields]",
            '     as = "klass"',
            f'     klass = "{name}"',
            "     [fields.names]",
            *names,
            "   Leave out what you do not need; queue, menu and missed_reason cost a request of CloudTalk",
            '   for each call. With as = "conversation", define the attributes for conversations instead.',
            "4. callbridge doctor asks for the class. An attribute that it lacks shows with the first call:",
            "   it is left out, and the call's page names it.",
            "",
            json.dumps(made, indent=2),
        ]
    )


def _type_of(attribute: str) -> str:
    return next(words for ending, words in _TYPES.items() if attribute.endswith(ending))
