"""`callbridge journal`: the files of webhooks that wait for Redis, and those set aside for a person."""

from __future__ import annotations

import json

import click

from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.errors import Rejected
from bridge.journal.shelf import Shelved, put_back, shelved

_HINT = "callbridge journal ls lists them."


@click.group()
def journal() -> None:
    """Webhooks that were accepted while Redis took nothing, and wait in DATA_DIR/journal."""


@journal.command()
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
def ls(*, as_json: bool) -> int:
    """List the files: waiting to be handed on, refused by Redis, or damaged; nothing of their content."""
    found = shelved(load_settings().data_dir / "journal")
    if as_json:
        told = [
            {
                "file": one.path.name,
                "state": one.state,
                "events": one.events,
                "oldest_at_ms": one.oldest_at_ms,
            }
            for one in found
        ]
        say(json.dumps({"journal": told, "next": None}, indent=2))
    elif found:
        show_table(
            ("file", "state", "events"), [(one.path.name, one.state, _count(one.events)) for one in found]
        )
    else:
        say("The journal is empty.")
    return 0


@journal.command()
@click.argument("names", nargs=-1, metavar="[FILE]...")
@click.option("--dry-run", is_flag=True, help="Only say what would be handed back.")
def replay(*, names: tuple[str, ...], dry_run: bool) -> int:
    """Hand back what Redis refused, once that is mended: all of it, or the FILEs named.

    `web` takes it up within 5 s, or when it starts. What Redis refuses again is set aside again, and nothing
    is doubled: the ledger knows a repeat.
    """
    files = _chosen(names)
    for one in files:
        if not dry_run:
            put_back(one)
        say(f"{'Would hand back' if dry_run else 'Handed back'} {one.path.name}: {_events(one)}")
    if not files:
        say("Nothing was set aside as refused.")
    return 0


def _chosen(names: tuple[str, ...]) -> list[Shelved]:
    found = shelved(load_settings().data_dir / "journal")
    if not names:
        return [one for one in found if one.state == "refused"]
    by_name = {one.path.name: one for one in found}
    for name in names:
        if name not in by_name:
            raise Rejected(f"There is no file {name!r} in the journal. {_HINT}")
        if by_name[name].state != "refused":
            raise Rejected(f"{name} is {by_name[name].state}: only refused files are handed back. {_HINT}")
    return [by_name[name] for name in dict.fromkeys(names)]


def _events(one: Shelved) -> str:
    if one.events is None:
        return "its events cannot be counted"
    return "1 event" if one.events == 1 else f"{one.events} events"


def _count(events: int | None) -> str:
    return "?" if events is None else str(events)
