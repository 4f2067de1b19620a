"""`callbridge rules try`: what another rules file would make of calls that were."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from bridge.commands import DONE, WRONG_USE
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.spans import read_span
from bridge.domain.moments import shown_time
from bridge.domain.rules.model import Rules
from bridge.plain import plain_line
from bridge.reports.what_if import WhatIf
from bridge.reports.what_if_in_words import difference_lines, summary_lines
from bridge.setting_sources import read_rules
from bridge.settings import Settings
from bridge.wiring import opened_ledger, shares

_MOST_SHOWN = 100


@click.command("try")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--since",
    required=True,
    help="Calls that began since: 2026-11-20T08:00, 2026-11-20, or how long ago: 90m, 24h, 7d.",
)
@click.option("--until", help="Same format; default: now. Times without a zone are in TIME_ZONE.")
@click.option("--diff", is_flag=True, help=f"Show what differs, call by call; the first {_MOST_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every call that differs.")
def try_(*, file: Path, since: str, until: str | None, diff: bool, as_json: bool) -> int:
    """Compare FILE with the rules in force, for past calls: from what is on record, without any request.

    Nothing is written. Exit code 2: FILE has mistakes, which are shown as `rules check` does.
    """
    settings = load_settings(need=["redis"])
    would = read_file(file, settings)
    if would is None:
        return WRONG_USE
    now = datetime.now(UTC)
    span = read_span(since, until, now=now, zone=settings.time_zone)
    with opened_ledger(settings) as ledger:
        found = WhatIf(
            ledger=ledger, was=settings.rules, would=would, since=span.since, until=span.until, now=now
        )
        if as_json:
            _as_json(found, settings)
            return DONE
        lines = _lines(found, settings) if diff else iter(found)
        shown = 0
        for line in lines:
            shown += 1
            if diff and shown <= _MOST_SHOWN:
                say(str(line))
        if diff and shown > _MOST_SHOWN:
            say(f"and {shown - _MOST_SHOWN:,} more (--json names all)")
    say("\n".join(summary_lines(found, shares(settings))))
    return DONE


def read_file(file: Path, settings: Settings) -> Rules | None:
    """The rules of a file, in the country and zone of the settings; None: mistakes were shown."""
    rules, wrong = read_rules(file)
    for line in wrong:
        say(line, err=True)
    return None if wrong else rules.placed(region=settings.phone_region, zone=settings.time_zone)


def _lines(found: WhatIf, settings: Settings) -> Iterator[str]:
    for one in found:
        at = shown_time(one.started_at, settings.time_zone) if one.started_at else "start unknown"
        name = one.call_id or one.uuid or one.key
        yield "\n".join([f"{name}  {at}", *(f"  {plain_line(line)}" for line in difference_lines(one))])


def _as_json(found: WhatIf, settings: Settings) -> None:
    """Written as it is found: a year of calls need not be in memory at once."""
    say('{"differ": [')
    for number, one in enumerate(found):
        say(f"{',' if number else ''}{json.dumps(one.line())}")
    say(f"], {json.dumps(found.summary(shares(settings)))[1:]}")
