"""`callbridge listen`: the last webhook and those that come next, variable by variable."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import click

from bridge.commands import DONE, FAILED
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.domain.moments import shown_time
from bridge.ledger.calls.received import newest_mark, received
from bridge.ledger.ledger import Ledger
from bridge.plain import plain_line
from bridge.reports.listener import as_lines, delivery_view
from bridge.rules_source import RulesSource
from bridge.settings import Settings

_LOOK_EVERY_S = 0.5
_AT_ONCE = 50
_REFUSED = "refused:"


@click.command()
@click.option(
    "--once", is_flag=True, help="Exit after one webhook: the last one, or the next if there is none."
)
@click.option("--next", "skips_last", is_flag=True, help="Skip the last webhook; wait for the next one.")
@click.option("--wait-s", type=click.FloatRange(min=0), help="Stop listening after so many seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def listen(*, once: bool, skips_last: bool, wait_s: float | None, as_json: bool) -> int:
    """Show the last webhook, then each one as it comes: its values, what was understood, what is missing.

    Refused webhooks are shown with their cause. Ctrl-C ends it. Exits with 1 if none came within --wait-s.
    """
    with opened_ledger() as (ledger, settings):
        shown = 0
        for delivery in _heard(ledger, settings, skips_last=skips_last, wait_s=wait_s, quiet=as_json):
            say(json.dumps(delivery) if as_json else "\n".join(_lines(delivery, settings)))
            shown += 1
            if once:
                break
    return DONE if shown else FAILED


def _heard(
    ledger: Ledger, settings: Settings, *, skips_last: bool, wait_s: float | None, quiet: bool
) -> Iterator[dict[str, Any]]:
    """The last delivery, then each next one; ends after `wait_s`."""
    pause = threading.Event()
    left_s = wait_s
    refused = _refusals(ledger)
    mark, rules = newest_mark(ledger), RulesSource(settings)
    if not skips_last:
        for one in received(ledger):
            mark = one.mark
            yield delivery_view(one, rules())
    if not quiet:
        say("Listening for webhooks; Ctrl-C ends it.", err=True)
    while left_s is None or left_s > 0:
        pause.wait(_LOOK_EVERY_S)
        left_s = None if left_s is None else left_s - _LOOK_EVERY_S
        for one in reversed(received(ledger, after=mark, most=_AT_ONCE)):
            mark = one.mark
            yield delivery_view(one, rules())
        now = _refusals(ledger)
        for name, count in now.items():
            if count > refused.get(name, 0):
                trigger, _, cause = name.partition(":")
                say(
                    f"Refused: a webhook for {trigger} ({cause}). callbridge templates shows how to send it.",
                    err=True,
                )
        refused = now


def _refusals(ledger: Ledger) -> dict[str, int]:
    counts = ledger.counts()
    return {name.removeprefix(_REFUSED): count for name, count in counts.items() if name.startswith(_REFUSED)}


def _lines(delivery: dict[str, Any], settings: Settings) -> Iterator[str]:
    at = shown_time(delivery["received_at"], settings.time_zone, to="seconds")
    what = delivery["call"] or delivery["reason"]
    again = f", received {delivery['times']} times" if delivery["times"] > 1 else ""
    yield plain_line(f"{at}  {delivery['trigger'] or 'no event named'}  {delivery['answer']}{again}: {what}")
    yield from map(plain_line, as_lines(delivery))
