"""`callbridge clock`: housekeeping by the minute, and the search for missing calls."""

from __future__ import annotations

import click

from bridge.commands.context import start_process


@click.command()
def clock() -> None:
    """Do housekeeping and look for calls without a webhook. Several may run; one is active."""
    settings = start_process("clock")
    from workers.clock import run

    raise SystemExit(run(settings))
