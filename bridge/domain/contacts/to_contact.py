"""What of a customer goes to the contact in CloudTalk: a name where it has none, and a link. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.domain.choosing import is_number
from bridge.domain.contacts.contact import Contact
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.values import read_person

LINK_NAME = "Kustomer"
# Documented of a contact.
MOST_LINKS = 3
_LONGEST_NAME = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Giving:
    """
    Args:
        changes: the body of an edit, in CloudTalk's spelling; the list of links is whole.
        tag: a tag to add; empty: none.
        given: what the contact has from the bridge after that.
        left: sentences about what a person decides.
        is_settled: nothing will be left to do for this customer, whatever calls follow.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    tag: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    is_settled: bool = True


def settled_mark(rules: Rules, *, customer_id: str, url: str) -> str:
    """What a contact has that lacks nothing: another text for another customer, or by other choices."""
    return f"{customer_id} {'link' if url else ''} {rules.contact_tag}".strip()


def giving(
    contact: Contact,
    rules: Rules,
    given: Mapping[str, Any],
    *,
    customer_name: str | None,
    sent_name: str | None,
    url: str,
) -> Giving:
    """What to write to a contact as it was just read.

    The name goes over only where the contact has none, and never one that came from the contact. Each link,
    and the tag, is written once: what a person removed stays removed.

    Args:
        given: `Giving.given` of the last time.
        customer_name: None: nobody has asked Kustomer, or it has none.
        sent_name: the name that the customer has from this contact.
        url: of the customer in Kustomer; empty: none is to be written.
    """
    changes: dict[str, Any] = {}
    kept = dict(given)
    left: list[str] = []
    name = name_for(contact, customer_name, rules)
    is_nameless = contact.is_nameless(rules.region)
    if name and name != sent_name and is_nameless and given.get("name") != name:
        changes["name"] = kept["name"] = name
    if url and given.get("url") != url:
        links = _with_link(contact, given.get("url"), url, left)
        if links is not None:
            changes["ExternalUrl"] = links
        kept["url"] = url
    tag = rules.contact_tag if rules.contact_tag and given.get("tag") != rules.contact_tag else ""
    if tag:
        kept["tag"] = tag
        tag = "" if tag in contact.tags else tag
    return Giving(
        changes=changes,
        tag=tag,
        given=kept,
        left=tuple(left),
        is_settled=not is_nameless or "name" in changes or kept.get("name") is not None,
    )


def name_for(contact: Contact, customer_name: str | None, rules: Rules) -> str:
    """The customer's name as CloudTalk takes it; empty where it is only a number, or a word for nobody."""
    name = read_person(customer_name) or ""
    if any(is_number(name, phone, region=rules.region) for phone in contact.phones):
        return ""
    return name[:_LONGEST_NAME].strip()


def _with_link(contact: Contact, before: Any, url: str, left: list[str]) -> list[dict[str, str]] | None:
    """The whole list with the link in it; None: it is there, or is not to be written."""
    links = contact.links
    if links is None:
        left.append("link: the contact has one that cannot be read, and the list can only be replaced whole")
        return None
    if any(one.url == url for one in links):
        return None
    others = [one for one in links if one.url != before or before is None]
    if any(one.name.casefold() == LINK_NAME.casefold() for one in others):
        left.append(f"link: the contact has another one named {LINK_NAME}, which the bridge did not write")
        return None
    if before is not None and len(others) == len(links):
        left.append("link: removed in CloudTalk, so it is not written again")
        return None
    if len(others) >= MOST_LINKS:
        left.append(f"link: the contact has {MOST_LINKS} links, which is all that CloudTalk takes")
        return None
    return [*({"name": one.name, "url": one.url} for one in others), {"name": LINK_NAME, "url": url}]


def new_contact(*, phone: str, name: str, url: str, tag: str) -> dict[str, Any]:
    """The body of a contact for a customer whom CloudTalk does not know."""
    body: dict[str, Any] = {"name": name or phone, "ContactNumber": [{"public_number": phone}]}
    if url:
        body["ExternalUrl"] = [{"name": LINK_NAME, "url": url}]
    if tag:
        body["ContactsTag"] = [{"name": tag}]
    return body
