"""`callbridge journal`: the files of webhooks that wait for Redis, and those set aside for a person."""

from __future__ import annotations

import json

import click

from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.errors import Rejected
from bridge.journal.shelf import Shelved, put_back, shelved
from bridge.wording import counted

_HINT = "callbridge journal ls lists them."


@click.group()
def journal() -> None:
    """Webhooks accepted while Redis was unavailable, waiting in DATA_DIR/journal."""


@journal.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls(*, as_json: bool) -> int:
    """List the journal files: waiting for Redis, refused by Redis, or damaged. Shows no content."""
    found = shelved(load_settings().data_dir / "journal")
    if as_json:
        rows = [
            {
                "file": one.path.name,
                "state": one.state,
                "events": one.events,
                "oldest_at_ms": one.oldest_at_ms,
            }
            for one in found
        ]
        say(json.dumps({"journal": rows, "next": None}, indent=2))
    elif found:
        show_table(
            ("file", "state", "events"), [(one.path.name, one.state, _count(one.events)) for one in found]
        )
    else:
        say("The journal is empty.")
    return 0


@journal.command()
@click.argument("names", nargs=-1, metavar="[FILE]...")
@click.option("--dry-run", is_flag=True, help="Only show what would be replayed.")
def replay(*, names: tuple[str, ...], dry_run: bool) -> int:
    """Replay what Redis refused, once the cause is fixed: all of it, or the FILEs given.

    `web` picks it up within 5 s, or when it starts. What Redis refuses again is set aside again; repeats are
    recognized, so nothing is processed twice.
    """
    files = _chosen(names)
    for one in files:
        if not dry_run:
            put_back(one)
        say(f"{'Would replay' if dry_run else 'Queued for replay'}: {one.path.name} ({_events(one)})")
    if not files:
        say("No file was refused.")
    return 0


def _chosen(names: tuple[str, ...]) -> list[Shelved]:
    found = shelved(load_settings().data_dir / "journal")
    if not names:
        return [one for one in found if one.state == "refused"]
    by_name = {one.path.name: one for one in found}
    for name in names:
        if name not in by_name:
            raise Rejected(f"The journal has no file {name!r}. {_HINT}")
        if by_name[name].state != "refused":
            raise Rejected(f"{name} is {by_name[name].state}; only refused files can be replayed. {_HINT}")
    return [by_name[name] for name in dict.fromkeys(names)]


def _events(one: Shelved) -> str:
    if one.events is None:
        return "number of events unknown"
    return counted(one.events, "event")


def _count(events: int | None) -> str:
    return "?" if events is None else str(events)
