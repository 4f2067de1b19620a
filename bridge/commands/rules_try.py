"""`callbridge rules try`: what another rules file would make of calls that were."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bridge.commands import DONE, WRONG_USE
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.commands.rules_apply import bring_up_to_date, check_applicable, is_in_force, put_in_force
from bridge.commands.spans import read_span
from bridge.domain.moments import shown_time
from bridge.domain.rules.model import Rules
from bridge.plain import plain_line
from bridge.reports.what_if import Difference, WhatIf
from bridge.reports.what_if_in_words import difference_lines, summary_lines
from bridge.setting_sources import read_rules
from bridge.settings import Settings
from bridge.wiring import opened_ledger, shares
from bridge.wording import counted

_MOST_SHOWN = 100


@click.command("try")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--since",
    required=True,
    help="Calls that began since: 2026-11-20T08:00, 2026-11-20, or how long ago: 90m, 24h, 7d.",
)
@click.option("--until", help="Same format; default: now. Times without a zone are in TIME_ZONE.")
@click.option("--against", help="Compare with this file, or `default`; without it, with the rules in force.")
@click.option("--diff", is_flag=True, help=f"Show what differs, call by call; the first {_MOST_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every call that differs.")
@click.option(
    "--apply",
    "applies",
    is_flag=True,
    help="Put FILE in force and bring the calls up to date: five, a tenth, all; stops on failures.",
)
@click.option("--yes", is_flag=True, help="With --apply: do not ask for confirmation.")
@click.option(
    "--wait-s",
    type=click.FloatRange(min=0),
    default=300,
    show_default=True,
    help="With --apply: seconds to wait for each phase.",
)
def try_(
    *,
    file: Path,
    since: str,
    until: str | None,
    against: str | None,
    diff: bool,
    as_json: bool,
    applies: bool,
    yes: bool,
    wait_s: float,
) -> int:
    """Compare FILE with the rules in force, for past calls: from what is on record, without any request.

    Without --apply nothing is written. Exit code 2: FILE has mistakes, which are shown as `rules check` does;
    3: with --apply, a sync failed or did not end in time.
    """
    settings = load_settings(need=["redis"])
    would = read_file(file, settings)
    was = settings.rules if against is None else read_file(against, settings)
    if would is None or was is None:
        return WRONG_USE
    if applies:
        check_applicable(file, would, settings, against=against is not None)
    now = datetime.now(UTC)
    span = read_span(since, until, now=now, zone=settings.time_zone)
    with opened_ledger(settings) as ledger:
        found = WhatIf(ledger=ledger, was=was, would=would, since=span.since, until=span.until, now=now)
        show = _Json(found, settings) if as_json else _Screen(found, settings, diff=diff)
        moving = [one.key for one in show.differences() if one.moves]
        if not applies:
            show.end()
            return DONE
        show.counts()
        if not is_in_force(would, settings):
            put_in_force(file, settings, calls=len(moving), yes=yes)
        code, run = bring_up_to_date(
            ledger,
            moving,
            about=f"{file.name}: {counted(len(moving), 'call')}",
            wait_s=wait_s,
            tell=show.tell,
        )
        show.end(None if run is None else {"state": run.state, "done": run.done, "failed": run.failed})
        return code


def read_file(file: Path | str, settings: Settings) -> Rules | None:
    """The rules of a file, in the country and zone of the settings; None: mistakes were shown."""
    rules, wrong = read_rules(None if file == "default" else Path(file))
    for line in wrong:
        say(line, err=True)
    return None if wrong else rules.placed(region=settings.phone_region, zone=settings.time_zone)


class _Screen:
    """For people."""

    def __init__(self, found: WhatIf, settings: Settings, *, diff: bool) -> None:
        self._found, self._settings, self._diff = found, settings, diff
        self._counted = False

    def differences(self) -> Iterator[Difference]:
        shown = 0
        for one in self._found:
            shown += 1
            if self._diff and shown <= _MOST_SHOWN:
                self._show(one)
            yield one
        if self._diff and shown > _MOST_SHOWN:
            say(f"and {shown - _MOST_SHOWN:,} more (--json names all)")

    def _show(self, one: Difference) -> None:
        at = shown_time(one.started_at, self._settings.time_zone) if one.started_at else "start unknown"
        lines = [f"{one.call_id or one.uuid or one.key}  {at}", *difference_lines(one)]
        say("\n  ".join(plain_line(line) for line in lines))

    def counts(self) -> None:
        self._counted = True
        say("\n".join(summary_lines(self._found, shares(self._settings))))

    def tell(self, text: str) -> None:
        say(text)

    def end(self, applied: Mapping[str, Any] | None = None) -> None:
        if not self._counted:
            self.counts()


class _Json:
    """For programs: written as it is found, as a year of calls need not be in memory at once."""

    def __init__(self, found: WhatIf, settings: Settings) -> None:
        self._found, self._settings = found, settings

    def differences(self) -> Iterator[Difference]:
        say('{"differ": [')
        for number, one in enumerate(self._found):
            say(f"{',' if number else ''}{json.dumps(one.line())}")
            yield one

    def counts(self) -> None:
        """At the end."""

    def tell(self, text: str) -> None:
        say(text, err=True)

    def end(self, applied: Mapping[str, Any] | None = None) -> None:
        rest = self._found.summary(shares(self._settings)) | ({"applied": applied} if applied else {})
        say(f"], {json.dumps(rest)[1:]}")
