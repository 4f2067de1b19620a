"""`callbridge contacts`: what became of contacts. List them, show one, read one again."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.domain.moments import shown_time
from bridge.errors import Rejected
from bridge.ledger import keys, trail
from bridge.ledger.calls.contacts import (
    PREFIX,
    contact_key,
    contact_keys,
    contact_story,
    is_told_elsewhere,
)
from bridge.ledger.calls.reading import read_all
from bridge.plain import plain_line
from bridge.settings import Settings

_MOST = 500
_CUSTOMER = re.compile(r"[0-9a-fA-F]{24}")


@click.group()
def contacts() -> None:
    """Contacts carried over to Kustomer and back; see [contacts] in the rules file."""


@contacts.command()
@click.option("--left", is_flag=True, help="Only contacts that need a person's decision.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, _MOST), help="At most so many."
)
@click.option("--json", "as_json", is_flag=True)
def ls(*, left: bool, limit: int, as_json: bool) -> int:
    """List contacts, most recently changed first; shows no names."""
    with opened_ledger() as (ledger, settings):
        # What is left to people is rare: it is looked for further down.
        names = contact_keys(ledger, most=_MOST if left else limit)
        stories = [contact_story(one) for one in read_all(ledger, names) if not is_told_elsewhere(one)]
    shown = [one for one in stories if one["left"] or not left][:limit]
    if as_json:
        say(json.dumps({"contacts": shown}, indent=2))
    elif not shown:
        say("No contact needs a decision." if left else "No contacts.")
    else:
        heads = ("when", "contact", "customer", "left to people")
        show_table(heads, [_row(one, settings) for one in shown], optional=("customer",))
    return 0


@contacts.command()
@click.argument("contact")
@click.option("--json", "as_json", is_flag=True)
def show(*, contact: str, as_json: bool) -> int:
    """Show one contact, by its id in CloudTalk or, if it has none, its customer's id in Kustomer."""
    with opened_ledger() as (ledger, settings):
        record = ledger.read(_key(contact))
        if record.forgotten:
            raise Rejected(f"{record.key} was forgotten on request; it is not carried over any more.")
        if not record.exists:
            raise Rejected(f"No contact found for {contact!r}; callbridge contacts ls lists them.")
        story = contact_story(record)
        jobs = [name for name in ledger.parked() if name == keys.job("contact", record.key)]
    if as_json:
        say(json.dumps({**story, "parked": bool(jobs)}, indent=2))
        return 0
    say(plain_line(f"{story['key']}  customer {story['customer_id'] or 'unknown'}"))
    for text in story["left"]:
        say(plain_line(f"  left to people: {text}"))
    if jobs:
        say("  parked (callbridge parked ls --kind contact)")
    for line in story["log"]:
        more = f": {line['more']}" if line["more"] else ""
        say(plain_line(f"  {shown_time(line['at'], settings.time_zone, to='seconds')}  {line['what']}{more}"))
    return 0


@contacts.command()
@click.argument("contact")
def sync(*, contact: str) -> int:
    """Read CONTACT again and write what differs, both ways as the rules say."""
    with opened_ledger() as (ledger, _):
        key = _key(contact)
        if not ledger.read(key).exists:
            raise Rejected(f"No contact found for {contact!r}; callbridge contacts ls lists them.")
        who = trail.person()
        ledger.replay("contact", key, who=who)
        trail.leave(ledger, who=who, what="contact read again", call=key)
    say(f"{key}: queued.")
    return 0


def _key(text: str) -> str:
    text = text.strip().removeprefix(PREFIX)
    if _CUSTOMER.fullmatch(text):
        return contact_key(contact_id=None, customer_id=text.lower())
    return PREFIX + text


def _row(story: dict[str, Any], settings: Settings) -> tuple[str, ...]:
    return (
        shown_time(story["last_at"], settings.time_zone, to="seconds") if story["last_at"] else "-",
        str(story["contact_id"] or "none known"),
        story["customer_id"] or "-",
        "; ".join(story["left"]),
    )
