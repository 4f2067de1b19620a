"""`callbridge restore`: a backup, put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bridge import wiring
from bridge.backup.archive import Backup
from bridge.backup.restoring import Outcome, describe, obstacles
from bridge.backup.restoring import restore as restore_backup
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.errors import Unavailable
from bridge.ledger.faults import RedisError, why
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.wording import counted

_WRONG_USE = 2


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Delete what the ledger holds now.")
@click.option("--dry-run", is_flag=True, help="Only show what is in it, and whether it could be restored.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def restore(*, file: Path, replace: bool, dry_run: bool, as_json: bool) -> int:
    """Restore a backup into the ledger at REDIS_URL and the folder DATA_DIR, with the bridge stopped.

    Kustomer may already have what happened after the backup, so the bridge looks there before it writes. Then
    run `callbridge backfill` from the time of the backup, for calls that the backup does not know.
    """
    found = Backup(file)
    with _opened() as (ledger, settings):
        if dry_run:
            blocked = obstacles(found, ledger, settings, replace=replace)
            _show(describe(found), blocked, as_json=as_json)
            return _WRONG_USE if blocked else 0
        done = restore_backup(found, ledger, settings, replace=replace)
    began_at = found.header["began_at"]
    if as_json:
        say(json.dumps({**asdict(done), "began_at": began_at}, indent=2))
    else:
        _report(done, began_at)
    return 0


@contextmanager
def _opened() -> Iterator[tuple[Ledger, Settings]]:
    """As `open_ledger`, also where a restore was cut off."""
    settings = load_settings(need=["redis"])
    with closing(wiring.open_ledger(settings, timeout_s=60.0, patience=1)) as ledger:
        try:
            yield ledger, settings
        except (RedisError, OSError) as error:
            raise Unavailable(f"{why(error)}. Run the same command again once that is repaired") from error


def _show(inside: dict[str, Any], blocked: list[str], *, as_json: bool) -> None:
    if as_json:
        say(json.dumps({**inside, "blocked": blocked}, indent=2))
        return
    settings = inside.pop("settings")
    for name, value in inside.items():
        shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        say(f"{name.replace('_', ' '):<18} {shown}")
    secrets = [name for name, value in settings.items() if "(set)" in json.dumps(value)]
    say(f"{'secrets to set':<18} {', '.join(secrets) or 'none'}")
    say("\n".join(blocked) if blocked else "It can be restored here.")


def _report(done: Outcome, began_at: str) -> None:
    again = f", {done.ledger.scheduled} to be synced again" if done.ledger.scheduled else ""
    say(f"Restored: {counted(done.ledger.calls, 'call')}, {counted(done.ledger.keys, 'entry')}{again}.")
    if done.journal:
        say(f"{counted(done.journal, 'journal file')}: `callbridge web` hands them on when it starts.")
    if done.recordings:
        say(f"{counted(done.recordings, 'recording')} written to the storage.")
    if done.recordings_missing:
        lost = counted(done.recordings_missing, "recording")
        say(f"{lost} of the ledger not in the storage at RECORDINGS_URL.")
    for line in done.says:
        say(line)
    say(f"Now start web, worker and clock, and run: callbridge backfill --since {began_at}")
