"""`callbridge rules default|schema`: the commented default file, and the JSON Schema for editors."""

from __future__ import annotations

import json

import click

from bridge.commands.printing import say


@click.command()
def default() -> None:
    """Print the commented default file: callbridge rules default > rules.toml"""
    from bridge.domain.rules.writing import default_text

    say(default_text().rstrip("\n"))


@click.command()
def schema() -> None:
    """Print the JSON Schema of version 2; editors complete and check a file with it."""
    from bridge.domain.rules.schema import json_schema

    say(json.dumps(json_schema(), indent=2))
