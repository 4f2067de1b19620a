"""`callbridge rules`: what a team decides in the file of CALLBRIDGE_RULES."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from bridge.commands import LazyGroup


class RulesGroup(LazyGroup):
    """One module a command: `rules_NAME.py`."""

    table: Mapping[str, tuple[str, str]] = MappingProxyType(
        {
            "check": ("bridge.commands.rules_check:check", "Find every mistake in a rules file"),
            "show": ("bridge.commands.rules_show:show", "The choices in force, and where each comes from"),
            "convert": ("bridge.commands.rules_convert:convert", "Print a file of version 1 as version 2"),
            "default": ("bridge.commands.rules_default:default", "Print the commented default file"),
            "schema": ("bridge.commands.rules_default:schema", "Print the JSON Schema, for editors"),
            "try": ("bridge.commands.rules_try:try_", "What another rules file would make of past calls"),
            "preview": (
                "bridge.commands.rules_preview:preview",
                "The exact text and requests that one call would be written with",
            ),
            "explain": ("bridge.commands.rules_explain:explain", "Which rules fit one call, and why not"),
        }
    )
    unlisted: Mapping[str, tuple[str, str]] = MappingProxyType({})


@click.group(cls=RulesGroup)
def rules() -> None:
    """The rules file: check it, show what is in force, convert an old one."""
