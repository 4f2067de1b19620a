"""`callbridge backup`: the ledger and what belongs to it, in one file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from bridge.backup.saving import save
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.errors import WrongUse
from bridge.wording import counted


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--recordings", is_flag=True, help="Also the recordings themselves, which may be large.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backup(*, file: Path, recordings: bool, as_json: bool) -> int:
    """Write a backup while the bridge works: ledger, journal, rules, settings without secrets.

    FILE is replaced only once the new backup is whole. It holds names, numbers and what callers said: keep
    it as you keep the ledger.
    """
    if not file.absolute().parent.is_dir():
        raise WrongUse(f"{file.absolute().parent} is no folder")
    with opened_ledger() as (ledger, settings):
        try:
            done = save(settings, ledger, file, recordings=recordings)
        except OSError as error:
            raise WrongUse(f"{file} cannot be written: {error.strerror or error}") from error
    if as_json:
        say(json.dumps({"file": str(file), **asdict(done)}, indent=2))
        return 0
    say(
        f"{file}: {counted(done.calls, 'call')}, {counted(done.keys, 'entry')}, "
        f"{counted(done.journal, 'journal file')}; {done.bytes:,} bytes"
    )
    inside = f"{done.saved} of {counted(done.recordings, 'recording')}" if recordings else "no recordings"
    say(f"It holds {inside} (the ledger names {done.recordings}).")
    return 0
