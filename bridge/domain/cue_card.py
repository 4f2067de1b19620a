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

from bridge.domain.kustomer_texts.texts import ENGLISH, Texts
from bridge.domain.webhook.values import read_name

# Of CloudTalk's limits nothing is documented; more than this no agent reads while it rings.
LONGEST_TITLE = 80
LONGEST_CONTENT = 8_000
_LONGEST_NAME = 80
_MOST_TAGS = 8
_MOST_NAMES = 5
# How Kustomer's API tells tags; people know them by their names.
_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenConversation:
    """Open or snoozed. `link`: empty where Kustomer's address is not known."""

    name: str = ""
    is_snoozed: bool = False
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
    conversations: Sequence[OpenConversation] = ()
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
    caller: Caller,
    *,
    number: str,
    texts: Texts = ENGLISH,
    zone: str = "UTC",
    tag_names: Mapping[str, str] | None = None,
) -> CueCard:
    """Args: tag_names: id of a tag -> its name; tags known by neither are left out."""
    names = tag_names or {}
    tags = [names.get(tag) or ("" if _ID.fullmatch(tag) else tag) for tag in caller.tags]
    last = caller.last_contact_at
    parts = [
        _tags([tag for tag in tags if tag], texts),
        _conversations(caller, texts, zone),
        _paragraph(texts.say("card_last_contact", moment=_moment(last, texts, zone))) if last else "",
        _link(caller.link, texts.say("card_customer" if caller.in_kustomer else "card_call"), "p"),
    ]
    return CueCard(
        title=_line(caller.name, LONGEST_TITLE) or number,
        subtitle=_line(caller.company, LONGEST_TITLE),
        content=_joined(parts) or _paragraph(number),
    )


def card_of_several(customers: Sequence[tuple[str, str]], *, number: str, texts: Texts = ENGLISH) -> CueCard:
    """A number that several customers have. `customers`: name and link of each."""
    unnamed = texts.say("card_no_name")
    items = [_item(_line(name) or unnamed, link) for name, link in customers[:_MOST_NAMES]]
    more = len(customers) - len(items)
    content = f"<ul>{''.join(items)}</ul>"
    content += _paragraph(texts.say("card_more", count=more)) if more else ""
    title = texts.say("card_several", count=len(customers))
    return CueCard(title=title, subtitle=number, content=content)


def card_of_nobody(*, name: str, number: str, texts: Texts = ENGLISH) -> CueCard:
    """`name`: as CloudTalk's contact has it; may be empty."""
    shown = _line(name, LONGEST_TITLE)
    content = _paragraph(texts.say("card_not_known"))
    return CueCard(title=shown or number, subtitle=number if shown else "", content=content)


def _tags(tags: Sequence[str], texts: Texts) -> str:
    shown = [line for line in (_line(tag, 40) for tag in tags[:_MOST_TAGS]) if line]
    return _paragraph(texts.say("card_tags", tags=", ".join(shown))) if shown else ""


def _conversations(caller: Caller, texts: Texts, zone: str) -> str:
    number = caller.open_conversations
    if number is None:
        number = len(caller.conversations)
    if not number:
        is_told = caller.open_conversations == 0
        return _paragraph(texts.say("card_nothing_open")) if is_told else ""
    items = [_item(_said_of(one, texts, zone), one.link) for one in caller.conversations]
    head = _paragraph(texts.say("card_open", count=number))
    return head + (f"<ul>{''.join(items)}</ul>" if items else "")


def _said_of(one: OpenConversation, texts: Texts, zone: str) -> str:
    said = [
        texts.say("card_snoozed") if one.is_snoozed else "",
        _moment(one.changed_at, texts, zone) if one.changed_at else "",
    ]
    more = ", ".join(part for part in said if part)
    return f"{_line(one.name) or texts.say('card_no_title')}{f' ({more})' if more else ''}"


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


def _moment(at: datetime, texts: Texts, zone: str) -> str:
    local = at.astimezone(ZoneInfo(zone))
    return f"{texts.day(local)} {local:%H:%M}"
