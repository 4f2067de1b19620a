"""`callbridge messages`: list text messages, show what became of one and why."""

from __future__ import annotations

import json
from typing import Any

import click

from bridge.commands import DONE
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.commands.tables import show_table
from bridge.domain.moments import shown_time
from bridge.errors import Rejected
from bridge.ledger.messages.records import messages_page
from bridge.plain import plain_line
from bridge.reports.messages import find_message, line_of, message_view


@click.group()
def messages() -> None:
    """Text messages: list them, show one."""


@messages.command()
@click.option("--cursor", default="", help="Next page: the `next` value of the previous answer.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as /api/messages returns it.")
def ls(*, cursor: str, limit: int, as_json: bool) -> int:
    """List text messages, the newest first; numbers show their last digits only."""
    with opened_ledger() as (ledger, settings):
        page = messages_page(ledger, cursor=cursor, limit=limit)
    if as_json:
        say(json.dumps({"messages": [line_of(row) for row in page.items], "next": page.next}, indent=2))
        return DONE
    if not page.items:
        say("No messages yet.")
        return DONE
    heads = ("when", "state", "way", "number", "channel", "conversation", "key", "reason")
    rows = [
        (
            shown_time(row.at, settings.time_zone, to="seconds"),
            row.state,
            row.direction,
            f"…{row.number_tail}" if row.number_tail else "",
            row.channel,
            row.conversation_id or "",
            row.key,
            line_of(row)["reason"] or "",
        )
        for row in page.items
    ]
    show_table(heads, rows, optional=("reason", "channel"))
    if page.next:
        say(f"More: callbridge messages ls --cursor '{page.next}'")
    return DONE


@messages.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as /api/messages/KEY returns it.")
def show(*, key: str, as_json: bool) -> int:
    """Show one message by its KEY (message:…): its text, what was written, what happened."""
    with opened_ledger() as (ledger, settings):
        record = find_message(ledger, key.strip())
        if record is None:
            raise Rejected(f"No message has the key {key!r}; callbridge messages ls lists them.")
        view = message_view(ledger, settings.rules, record)
    say(json.dumps(view, indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(view)))
    return DONE


def _lines(view: dict[str, Any]) -> list[str]:
    names = ("key", "state", "reason", "direction", "channel", "number", "line", "sent_at", "text")
    lines = [f"{name:12} {plain_line(str(view[name]))}" for name in names if view[name]]
    lines += [f"{name:12} {one['id']}" for name, one in view["outputs"].items()]
    lines.append("")
    lines += [
        f"{step['at']}  {plain_line(step['what'])}"
        + (f": {plain_line(step['detail'])}" if step["detail"] else "")
        for step in view["timeline"]
    ]
    return lines
