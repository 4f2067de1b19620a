"""`callbridge clock`: housekeeping by the minute, and the search for missing calls."""

from __future__ import annotations

import click

from bridge.commands.context import start_process


@click.command()
def clock() -> None:
    """Keep the ledger tidy, and look for calls that no webhook told of. Several may run, one acts."""
    settings = start_process("clock")
    from workers.clock import run

    raise SystemExit(run(settings))
