"""`callbridge rules explain`: which rules fit one call, why the others do not, and what follows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from bridge.commands import DONE
from bridge.commands.forget import found_call
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.ledger.calls.record import Record
from bridge.plain import plain_line
from bridge.reports.rules_explained import explained


@click.command()
@click.argument("name", metavar="CALL")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(*, name: str, as_json: bool) -> int:
    """Show for each rule whether it fits CALL (key, id or uuid) or why not, and the choices that follow."""
    with opened_ledger() as (ledger, settings):
        record = found_call(ledger, name)
        rules = settings.rules
        found = explained(record.call(rules), record.caller, rules)
    if as_json:
        versions = {"version": rules.version, "written_by": record.rules_version}
        say(json.dumps({"call": record.key, **versions, **found}, indent=2))
        return DONE
    for line in found["rules"] or ["There is no [[rule]]: all calls get the same choices."]:
        say(plain_line(line))
    say()
    _show_choices(found)
    say("\n".join(_about(record, rules.version)))
    return DONE


def _show_choices(found: Mapping[str, Any]) -> None:
    if not found["choices"]:
        say("All choices have their defaults.")
        return
    rows = [(one["name"], as_text(one["value"]), one["origin"]) for one in found["choices"]]
    show_table(("choice", "value", "from"), rows)
    say("All other choices have their defaults.")


def as_text(value: object) -> str:
    if isinstance(value, list):
        return plain_line(", ".join(map(str, value))) or "none"
    return plain_line(value if isinstance(value, str) else json.dumps(value)) or "none"


def _about(record: Record, version: str) -> Iterator[str]:
    if record.rules_version is None:
        yield f"Rules in force: version {version}. The call was not judged by any yet."
    elif record.rules_version == version:
        yield f"The call was judged by these rules, version {version}."
    else:
        yield f"The call was judged by version {record.rules_version}; in force is {version}."
        yield "callbridge calls sync CALL judges it again."
