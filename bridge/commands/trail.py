"""`callbridge trail`: what people did by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.commands.spans import read_ends
from bridge.domain.moments import shown_time
from bridge.ledger import trail as ledger_trail
from bridge.plain import plain_line


@click.command()
@click.option(
    "--since", help="Only from this time on: 2026-11-20T08:00, 2026-11-20, or how long ago: 90m, 24h, 7d."
)
@click.option("--until", help="Only before this time; same format. Times without a zone are in TIME_ZONE.")
@click.option("--json", "as_json", is_flag=True)
def trail(*, since: str | None, until: str | None, as_json: bool) -> int:
    """List manual actions (sync, replay, drop, assign, forget), newest first."""
    with opened_ledger() as (ledger, settings):
        first, last = read_ends(since, until, now=datetime.now(UTC), zone=settings.time_zone)
        lines = ledger_trail.read(ledger, since=first, until=last)
    if as_json:
        say(json.dumps({"trail": lines}, indent=2))
    else:
        say(
            "\n".join(_told(line, settings.time_zone) for line in lines)
            if lines
            else f"No manual actions{' in that period' if since or until else ''}."
        )
    return 0


def _told(line: dict[str, str], zone: str) -> str:
    about = ": ".join(part for part in (line["call"], line["more"]) if part)
    at = shown_time(line["at"], zone, to="seconds")
    return plain_line("  ".join(part for part in (at, line["who"], line["what"], about) if part))
