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
        }
    )
    unlisted: Mapping[str, tuple[str, str]] = MappingProxyType({})


@click.group(cls=RulesGroup)
def rules() -> None:
    """The rules file: check it, show what is in force, convert an old one."""
