"""`callbridge held`: events that are tied to no call. List them, show one, put one to its call, drop them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from bridge.commands.confirming import confirm, is_at_terminal
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.domain.moments import read_moment, shown_time
from bridge.domain.webhook.events import OTHER_TRIGGERS
from bridge.errors import Rejected
from bridge.ledger import trail
from bridge.ledger.calls import held as desk
from bridge.ledger.calls.held import HeldEvent
from bridge.ledger.ledger import Ledger
from bridge.plain import plain_line
from bridge.reports.views import without_links
from bridge.settings import Settings
from bridge.wording import counted


@click.group()
def held() -> None:
    """Events that match no call: list them, show one, assign one to its call, drop them."""


@held.command()
@click.option(
    "--other", is_flag=True, help="List messages and contact changes instead; these belong to no call."
)
@click.option("--json", "as_json", is_flag=True)
def ls(*, other: bool, as_json: bool) -> int:
    """List held events, oldest first; numbers show their last digits only."""
    with opened_ledger() as (ledger, settings):
        lines = [_line(event, settings) for event in desk.held_events(ledger, other=other)]
        apart = 0 if other else ledger.other_count()
    if as_json:
        say(json.dumps({"held": lines, "other": len(lines) if other else apart}, indent=2))
    else:
        _print(lines, settings)
        if not lines:
            say("Nothing is held.")
        if apart:
            say(
                f"Listed separately, as they belong to no call: {counted(apart, 'message')} or contact "
                "changes (callbridge held ls --other)."
            )
    return 0


@held.command()
@click.argument("fingerprint")
@click.option("--json", "as_json", is_flag=True)
def show(*, fingerprint: str, as_json: bool) -> int:
    """Show one held event with its body; the beginning of its fingerprint is enough."""
    with opened_ledger() as (ledger, settings):
        event = _found(ledger, fingerprint)
        shown = {**_line(event, settings), "body": without_links(event.body)}
    if as_json:
        say(json.dumps(shown, indent=2))
    else:
        for name, value in shown.items():
            text = json.dumps(value, ensure_ascii=False) if name == "body" else value
            say(f"{name:12} {plain_line(text)}")
    return 0


@held.command()
@click.argument("fingerprint")
@click.argument("call")
@click.option("--json", "as_json", is_flag=True)
def assign(*, fingerprint: str, call: str, as_json: bool) -> int:
    """Assign a held event to CALL (its key, call id or uuid) and sync that call."""
    with opened_ledger() as (ledger, settings):
        event = _found(ledger, fingerprint)
        record = ledger.find(call)
        if record is None:
            raise Rejected(f"No call found for {call!r}; callbridge calls ls lists the ids.")
        learnt = desk.assign(ledger, event, record, settings.rules, who=trail.person())
    answer = {"status": learnt.status, "call": learnt.key, "fingerprint": event.fingerprint}
    shown = "added to the call's events" if learnt.status == "accepted" else "was already recorded"
    say(json.dumps(answer) if as_json else f"{learnt.key}: {plain_line(event.trigger)} {shown}.")
    return 0


@held.command()
@click.argument("fingerprints", metavar="[FINGERPRINT]...", nargs=-1)
@click.option("--trigger", help="Only events of this trigger, such as message-received.")
@click.option(
    "--older-than",
    metavar="TIME",
    help="Only events received before this time, or longer ago than 90m, 24h, 7d.",
)
@click.option("--all", "everything", is_flag=True, help="All held events, or all that match the options.")
@click.option("--reason", required=True, help="Why they are not needed; recorded in the trail.")
@click.option("--dry-run", is_flag=True, help="Show what would be dropped; drop nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True)
def drop(
    *,
    fingerprints: tuple[str, ...],
    trigger: str | None,
    older_than: str | None,
    everything: bool,
    reason: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Permanently drop held events: by fingerprint, by trigger, by age, or --all.

    Asks for confirmation before dropping more than one; without a terminal, --all needs --yes.
    """
    if not reason.strip():
        raise click.BadParameter("say why they are not needed", param_hint="--reason")
    if not (fingerprints or trigger or older_than or everything or dry_run):
        raise click.UsageError(
            "Which ones? Give the beginning of their fingerprints, or filter with --trigger or "
            "--older-than; --all drops all held events; --dry-run shows them first."
        )
    with opened_ledger() as (ledger, settings):
        before = older_than and read_moment(
            "--older-than", older_than, now=datetime.now(UTC), zone=settings.time_zone
        )
        named = [_found(ledger, one).fingerprint for one in fingerprints]
        # Messages and changes of contacts are chosen by their names only.
        lists = (False, True) if named or trigger in OTHER_TRIGGERS else (False,)
        chosen = [
            event
            for other in lists
            for event in desk.held_events(ledger, other=other)
            if (not named or event.fingerprint in named)
            and (trigger is None or event.trigger == trigger)
            and (not before or event.at < before)
        ]
        if not as_json:
            say(f"To be dropped: {len(chosen)}")
            _print([_line(event, settings) for event in chosen], settings)
        if len(chosen) > 1 and not dry_run and (everything or is_at_terminal()):
            confirm(f"Permanently drop these {counted(len(chosen), 'held event')}?", yes=yes)
        done = 0 if dry_run else desk.drop(ledger, chosen, who=trail.person(), reason=reason.strip())
    answer = {"chosen": [event.fingerprint for event in chosen], "dropped": done}
    say(json.dumps(answer) if as_json else f"Dropped: {done}")
    return 0


def _print(lines: Sequence[Mapping[str, Any]], settings: Settings) -> None:
    for line in lines:
        when = shown_time(line["received_at"], settings.time_zone)
        parts = (line["fingerprint"], when, line["trigger"], line["number"], line["reason"])
        say("  ".join(map(plain_line, parts)))


def _found(ledger: Ledger, prefix: str) -> HeldEvent:
    found = [
        event
        for other in (False, True)
        for event in desk.held_events(ledger, other=other)
        if event.fingerprint.startswith(prefix.lower())
    ]
    if len(found) != 1:
        many = f"{len(found)} held events match" if found else "No held event matches"
        raise Rejected(f"{many} {prefix!r}; callbridge held ls shows the full fingerprints.")
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
