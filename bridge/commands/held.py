"""`callbridge held`: events that are tied to no call. List them, show one, put one to its call."""

from __future__ import annotations

import json
from typing import Any

import click

from bridge.commands.opening import opened_ledger
from bridge.domain.moments import shown_time
from bridge.errors import Rejected
from bridge.ledger import held as desk
from bridge.ledger import trail
from bridge.ledger.held import HeldEvent
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.views import without_links


@click.group()
def held() -> None:
    """Events that are tied to no call: list them, show one, put one to its call."""


@held.command()
@click.option("--json", "as_json", is_flag=True)
def ls(*, as_json: bool) -> int:
    """List held events, the oldest first; numbers by their last digits."""
    with opened_ledger() as (ledger, settings):
        lines = [_line(event, settings) for event in desk.held_events(ledger)]
    if as_json:
        click.echo(json.dumps({"held": lines}, indent=2))
    else:
        for line in lines:
            when = shown_time(line["received_at"], settings.time_zone)
            click.echo(
                f"{line['fingerprint']}  {when}  {line['trigger']}  {line['number']}  {line['reason']}"
            )
        if not lines:
            click.echo("Nothing is held.")
    return 0


@held.command()
@click.argument("fingerprint")
@click.option("--json", "as_json", is_flag=True)
def show(*, fingerprint: str, as_json: bool) -> int:
    """Show one held event with its body; the beginning of its fingerprint is enough."""
    with opened_ledger() as (ledger, settings):
        event = _found(ledger, fingerprint)
        told = {**_line(event, settings), "body": without_links(event.body)}
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        for name, value in told.items():
            click.echo(f"{name:12} {json.dumps(value, ensure_ascii=False) if name == 'body' else value}")
    return 0


@held.command()
@click.argument("fingerprint")
@click.argument("call")
@click.option("--json", "as_json", is_flag=True)
def assign(*, fingerprint: str, call: str, as_json: bool) -> int:
    """Learn a held event as one of CALL (key, number or uuid); its sync is due then."""
    with opened_ledger() as (ledger, settings):
        event = _found(ledger, fingerprint)
        record = ledger.find(call)
        if record is None:
            raise Rejected(f"No call is known by {call!r}: callbridge calls ls gives their ids.")
        learnt = desk.assign(ledger, event, record, settings.rules, who=trail.person())
    answer = {"status": learnt.status, "call": learnt.key, "fingerprint": event.fingerprint}
    told = "is one of its events now" if learnt.status == "accepted" else "was known there already"
    click.echo(json.dumps(answer) if as_json else f"{learnt.key}: {event.trigger} {told}.")
    return 0


def _found(ledger: Ledger, prefix: str) -> HeldEvent:
    found = [event for event in desk.held_events(ledger) if event.fingerprint.startswith(prefix.lower())]
    if len(found) != 1:
        many = f"{len(found)} held events begin" if found else "No held event begins"
        raise Rejected(f"{many} with {prefix!r}: callbridge held ls gives the whole fingerprints.")
    return found[0]


def _line(event: HeldEvent, settings: Settings) -> dict[str, Any]:
    phone = event.number(settings.rules)
    return {
        "fingerprint": event.fingerprint,
        "trigger": event.trigger,
        "received_at": event.at.isoformat(),
        "number": phone.masked if phone else "",
        "reason": event.reason,
    }
