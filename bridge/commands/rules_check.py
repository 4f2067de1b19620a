"""`callbridge rules check`: every mistake in a rules file, with its place and the remedy."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bridge.commands import DONE, WRONG_USE
from bridge.commands.printing import say
from bridge.setting_sources import read_rules
from bridge.settings import Settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check(*, file: Path | None) -> int:
    """Check FILE, or without one the file of CALLBRIDGE_RULES. Exit code 2: something is wrong."""
    path = file or Settings.read(os.environ).settings.callbridge_rules
    _, wrong = read_rules(path)
    for line in wrong:
        say(line, err=True)
    if wrong:
        return WRONG_USE
    say(f"{path}: no mistakes" if path else "CALLBRIDGE_RULES is not set: all rules have their defaults")
    return DONE
