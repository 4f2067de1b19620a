"""`callbridge rules convert`: a rules file of version 1 as version 2, on standard output."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.commands import DONE, WRONG_USE
from bridge.commands.printing import say
from bridge.setting_sources import read_rules


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def convert(*, file: Path) -> int:
    """Print FILE as version 2, which means the same; its comments stay. FILE is left as it is."""
    _, wrong = read_rules(file)
    if wrong:
        say("\n".join(wrong), err=True)
        return WRONG_USE
    from bridge.domain.rules.converting import as_version_2

    text = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    say(as_version_2(text).rstrip("\n"))
    return DONE
