"""`callbridge rules show`: the choices in force, each with where it comes from."""

from __future__ import annotations

import json

import click

from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.reports.rules_in_force import rules_in_force
from bridge.reports.rules_in_words import groups_of, rules_in_words


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--all", "everything", is_flag=True, help="The defaults too.")
def show(*, as_json: bool, everything: bool) -> None:
    """Show what differs from the defaults, and where it says so."""
    settings = load_settings()
    if as_json:
        in_force = rules_in_force(settings.rules)
        say(json.dumps({"version": settings.rules.version, "rules": in_force}, indent=2, default=str))
        return
    file = settings.callbridge_rules
    say(f"Rules of {file}, version {settings.rules.version}" if file else "No CALLBRIDGE_RULES: defaults")
    lines = [one for one in rules_in_words(settings.rules, settings) if everything or not one.is_default]
    for group, found in groups_of(lines).items():
        say(f"\n{group}")
        rows = [[one.name, one.value, one.origin, one.says] for one in found]
        show_table(["rule", "value", "from", "what happens"], rows)
    if not everything:
        say("\nAll else has its default; --all shows it.")
