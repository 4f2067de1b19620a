"""The texts of a cue card: who calls, according to Kustomer. Pure.

The content is HTML of few tags: `p`, `ul`, `li` and `a` to our own addresses. Whatever comes from outside is
escaped, on one line, and bounded, so that a name can neither be markup nor fill the screen.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bridge.domain.webhook.values import read_name
from bridge.wording import counted

# Of CloudTalk's limits nothing is documented; more than this no agent reads while it rings.
LONGEST_TITLE = 80
LONGEST_CONTENT = 8_000
_LONGEST_NAME = 80
_MOST_TAGS = 8
_MOST_NAMES = 5
# How Kustomer's API tells tags; people know them by their names.
_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """An open one. `link`: empty where Kustomer's address is not known."""

    name: str = ""
    status: str = ""
    changed_at: datetime | None = None
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls.

    Args:
        open_conversations: how many are open or snoozed; None: not known.
        conversations: the newest of them.
        tags: names, or ids where Kustomer tells no more.
        link: to the customer in Kustomer, else to the call's page in the bridge.
        in_kustomer: the link leads to Kustomer.
    """

    name: str = ""
    company: str = ""
    tags: Sequence[str] = ()
    open_conversations: int | None = None
    conversations: Sequence[Conversation] = ()
    last_contact_at: datetime | None = None
    link: str = ""
    in_kustomer: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CueCard:
    """`content` is HTML, the others are plain text."""

    title: str
    content: str
    subtitle: str = ""


def card_of_caller(
    caller: Caller, *, number: str, zone: str = "UTC", tag_names: Mapping[str, str] | None = None
) -> CueCard:
    """Args: tag_names: id of a tag -> its name; tags known by neither are left out."""
    names = tag_names or {}
    tags = [names.get(tag) or ("" if _ID.fullmatch(tag) else tag) for tag in caller.tags]
    parts = [
        _tags([tag for tag in tags if tag]),
        _conversations(caller, zone),
        _paragraph(f"Last contact: {_day(caller.last_contact_at, zone)}") if caller.last_contact_at else "",
        _link(caller.link, "Open in Kustomer" if caller.in_kustomer else "Open this call", "p"),
    ]
    return CueCard(
        title=_line(caller.name, LONGEST_TITLE) or number,
        subtitle=_line(caller.company, LONGEST_TITLE),
        content=_joined(parts) or _paragraph("In Kustomer, with nothing open."),
    )


def card_of_several(customers: Sequence[tuple[str, str]], *, number: str) -> CueCard:
    """A number that several customers have. `customers`: name and link of each."""
    items = [_item(_line(name) or "No name", link) for name, link in customers[:_MOST_NAMES]]
    more = len(customers) - len(items)
    content = f"<ul>{''.join(items)}</ul>" + (_paragraph(f"And {more} more.") if more else "")
    return CueCard(title=f"{len(customers)} customers have this number", subtitle=number, content=content)


def card_of_nobody(*, name: str, number: str) -> CueCard:
    """`name`: as CloudTalk's contact has it; may be empty."""
    return CueCard(
        title=_line(name, LONGEST_TITLE) or number,
        subtitle=number if name else "",
        content=_paragraph("Not in Kustomer yet."),
    )


def _tags(tags: Sequence[str]) -> str:
    shown = [line for line in (_line(tag, 40) for tag in tags[:_MOST_TAGS]) if line]
    return _paragraph(f"Tags: {', '.join(shown)}") if shown else ""


def _conversations(caller: Caller, zone: str) -> str:
    number = caller.open_conversations
    if number is None:
        number = len(caller.conversations)
    if not number:
        return _paragraph("No open conversation.") if caller.open_conversations == 0 else ""
    items = [_item(_said_of(one, zone), one.link) for one in caller.conversations]
    head = _paragraph(f"{counted(number, 'open conversation')}{':' if items else '.'}")
    return head + (f"<ul>{''.join(items)}</ul>" if items else "")


def _said_of(one: Conversation, zone: str) -> str:
    said = [_line(one.status, 20), _day(one.changed_at, zone) if one.changed_at else ""]
    more = ", ".join(part for part in said if part)
    return f"{_line(one.name) or 'No title'}{f' ({more})' if more else ''}"


def _joined(parts: Sequence[str]) -> str:
    """As many of the parts as fit: HTML is never cut in the midst of a tag."""
    found = ""
    for part in parts:
        if len(found) + len(part) <= LONGEST_CONTENT:
            found += part
    return found


def _item(text: str, link: str) -> str:
    return _link(link, text, "li") or f"<li>{html.escape(text)}</li>"


def _link(link: str, text: str, tag: str) -> str:
    if not link.startswith(("https://", "http://")):
        return ""
    return f'<{tag}><a href="{html.escape(link)}">{html.escape(text)}</a></{tag}>'


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _line(text: str, longest: int = _LONGEST_NAME) -> str:
    """One line of other people's text, without control characters and markup."""
    line = read_name(text) or ""
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _day(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
