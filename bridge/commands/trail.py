"""`callbridge trail`: what people did by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from bridge.commands.opening import opened_ledger
from bridge.ledger import trail as ledger_trail


@click.command()
@click.option("--since", type=click.DateTime(), help="UTC; only what was done from then on.")
@click.option("--json", "as_json", is_flag=True)
def trail(*, since: datetime | None, as_json: bool) -> int:
    """Who ran something again, dropped, assigned or forgot it, and when; newest first."""
    with opened_ledger() as (ledger, _):
        lines = ledger_trail.read(ledger, since=since.replace(tzinfo=UTC) if since else None)
    if as_json:
        click.echo(json.dumps({"trail": lines}, indent=2))
    else:
        click.echo("\n".join(map(_told, lines)) if lines else "Nobody did anything by hand.")
    return 0


def _told(line: dict[str, str]) -> str:
    more = f": {line['more']}" if line["more"] else ""
    return f"{line['at'][:19].replace('T', ' ')}  {line['who']}  {line['what']}  {line['call']}{more}"
