"""`callbridge clock`: housekeeping by the minute, and the search for missing calls."""

from __future__ import annotations

import click

from bridge import logs
from bridge.commands.context import load_settings


@click.command()
def clock() -> None:
    """Keep the ledger tidy, and look for calls that no webhook told of. Several may run, one acts."""
    settings = load_settings().need("redis")
    logs.configure(format=settings.log_format, level=settings.log_level)
    from workers.clock import run

    raise SystemExit(run(settings))
