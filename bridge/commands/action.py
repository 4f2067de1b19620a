"""`callbridge action`: what can be done at the services by name, found and run.

`cloudtalk` and `kustomer`, or no connection at all, mean the bridge's own table of actions, in its own
spelling, by whichever road the service's setting says. Any other connection is Membrane's: its own actions,
their input as it serves the schema, their output as it comes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bridge.actions import OPERATIONS, Operation, Services, check_input, find, preview, rank, run, stream
from bridge.commands.arguments import ONE_LINE, connection_option, read_object
from bridge.commands.files import Progress, pour, whole_file
from bridge.commands.membrane_actions import list_theirs, run_theirs, their_row
from bridge.commands.printing import say
from bridge.commands.service_access import ServiceAccess, is_service, open_service_access
from bridge.commands.tables import indented, show, show_file, show_table
from bridge.errors import NeedsAPerson, WrongUse

_RECORDING = "get-call-recording"


@click.group()
def action() -> None:
    """Find and run actions of CloudTalk and Kustomer by name."""


@action.command(name="list")
@connection_option("Only actions of this connection; a Membrane connection has its own.")
@click.option(
    "--intent", metavar="TEXT", help="What you want to do, such as 'text a customer'; best match first."
)
@click.option("--limit", type=click.IntRange(1), help="Show at most this many; default: all.")
@click.option("--all", "with_ours", is_flag=True, help="Include look-ups that Membrane's catalogue lacks.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the schema of each input and output.")
def list_actions(
    *, connection: str | None, intent: str | None, limit: int | None, with_ours: bool, as_json: bool
) -> int:
    """List the actions: all 32 in the catalogue, or those that match an intent."""
    if connection is None or is_service(connection):
        rows = _ours(connection, intent, with_ours=with_ours)
    else:
        with open_service_access() as reach:
            rows = list_theirs(reach, connection, intent, limit)
    rows = rows[:limit]
    if as_json:
        say(json.dumps(rows, indent=2))
    elif rows:
        show_table(
            ("key", "connection", "effect", "needs", "what it does"),
            [
                (r["key"], r["connectionId"], r["effect"] or "?", _fields(r["inputSchema"]), r["description"])
                for r in rows
            ],
        )
        say(
            "(+N) is the number of optional fields; --json lists them. To run one: callbridge action run "
            "KEY --input '{…}'"
        )
    else:
        say("No action matches. Leave --intent out to list all.")
    return 0


@action.command(name="get")
@click.argument("key")
@connection_option("A Membrane connection: show its own action.")
@click.option("--json", "as_json", is_flag=True)
def get_action(*, key: str, connection: str | None, as_json: bool) -> int:
    """Show one action: what it does, its input and its output."""
    if connection is None or is_service(connection):
        row = _row(find(key))
    else:
        with open_service_access() as reach:
            row = their_row(reach, connection, key)
    if as_json:
        say(json.dumps(row, indent=2))
        return 0
    lines = [
        f"{row['key']} ({row['connectionId']}, {row['effect'] or 'effect unknown'}): {row['description']}"
    ]
    lines += ["", "Input", indented(row["inputSchema"]), "", "Output", indented(row["outputSchema"])]
    say("\n".join(lines))
    return 0


@action.command(name="run")
@click.argument("key", type=ONE_LINE)
@connection_option("A Membrane connection: run its own action.")
@click.option("--input", "given", default="{}", metavar="JSON|@FILE|-", help="The input, as a JSON object.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent; write nothing.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the returned bytes (a recording) to this file.",
)
@click.option("--json", "as_json", is_flag=True, help='{"output": …}')
def run_action(
    *, key: str, connection: str | None, given: str, dry_run: bool, output: Path | None, as_json: bool
) -> int:
    """Run one action, once.

    Exit codes: 0 done; 1 refused, or a read got no reply; 2 invalid input, nothing was sent; 3 needs a
    person: a key is missing, a connection is down, or the reply to a write was lost, so it may have been
    done.
    """
    wanted = read_object("--input", given)
    if connection is not None and not is_service(connection):
        with open_service_access() as reach:
            return run_theirs(reach, connection, key, wanted, dry_run=dry_run, file=output, as_json=as_json)
    operation = find(key)
    if connection is not None and connection != operation.service:
        raise WrongUse(
            f"{key} belongs to {operation.service}: omit --connectionId, or set it to {operation.service}"
        )
    # Before any key is asked for: a slip in the input is reported first.
    check_input(operation, wanted)
    if output is not None and operation.key != _RECORDING:
        raise WrongUse(f"-o: {key} returns JSON, not a file; use --json > FILE")
    with open_service_access() as reach:
        if dry_run:
            return _rehearse(reach, operation, wanted, as_json=as_json)
        services = reach.services(operation.service)
        if output is not None:
            most_mb = reach.settings.recording_max_mb
            return _download(operation, wanted, services, output, as_json=as_json, most_mb=most_mb)
        if operation.key == _RECORDING and not as_json:
            raise WrongUse(f"{key} returns audio: save it with -o FILE, or print it as base64 with --json")
        show(run(operation, wanted, services), as_json=as_json)
    return 0


def _ours(connection: str | None, intent: str | None, *, with_ours: bool) -> list[dict[str, Any]]:
    known = [one for one in OPERATIONS.values() if connection in (None, one.service)]
    if intent is not None:
        found = rank(intent, known)
    else:
        found = [one for one in known if one.catalogue or with_ours]
    return [_row(one) for one in found]


def _row(one: Operation) -> dict[str, Any]:
    return {
        "id": one.key,
        "key": one.key,
        "name": one.name,
        "description": one.description,
        "effect": one.effect,
        "inputSchema": one.input_schema(),
        "outputSchema": one.output_schema(),
        "connectionId": one.service,
    }


def _fields(schema: Mapping[str, Any]) -> str:
    """What has to be given, and how much more may be."""
    needed = [str(name) for name in schema.get("required") or ()]
    more = len(schema.get("properties") or {}) - len(needed)
    return ", ".join(needed) + (f" (+{more})" if needed and more else f"(+{more})" if more else "")


def _rehearse(reach: ServiceAccess, operation: Operation, wanted: Mapping[str, Any], *, as_json: bool) -> int:
    if operation.effect == "read":
        preview_of: dict[str, Any] = {"effect": "read", "service": operation.service, "input": dict(wanted)}
        lines = [f"{operation.key} only reads. Nothing was sent; run it without --dry-run."]
    else:
        try:
            services: Services | None = reach.services(operation.service)
        except NeedsAPerson:
            # What it would send can be shown without keys, save for what it would read first.
            services = None
        seen = preview(operation, wanted, services)
        preview_of = {"effect": operation.effect, "service": operation.service, **asdict(seen)}
        lines = [
            f"{operation.key} would {_VERBS[operation.effect]} at {operation.service}; nothing was written:"
        ]
        lines += [f"  first      {read}" for read in seen.read_first]
        lines += [f"  {seen.method:<10} {seen.url}"]
        lines += ["" if seen.body is None else indented(seen.body)]
        if not operation.may_repeat:
            lines += ["Every run repeats the effect; the bridge never retries it."]
    say(
        json.dumps({"dryRun": preview_of}, indent=2) if as_json else "\n".join(line for line in lines if line)
    )
    return 0


_VERBS = {"write": "write", "delete": "delete"}


def _download(
    operation: Operation,
    wanted: Mapping[str, Any],
    services: Services,
    file: Path,
    *,
    as_json: bool,
    most_mb: int,
) -> int:
    with whole_file(file) as out, stream(operation, wanted, services) as download:
        size = pour(download.chunks, out, download.size, Progress(download.size), most_mb=most_mb)
    show_file(file, size, download.content_type, as_json=as_json)
    return 0
