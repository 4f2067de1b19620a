"""A contact of CloudTalk as one value, from either form in which CloudTalk answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.domain.choosing import is_number
from bridge.domain.phone import Kind, read_phone
from bridge.domain.webhook.values import read_email, read_name, read_person, read_text, unescaped

# What no contact has more of, so that one which does costs no more.
_MOST = 50
_LONGEST = 1024
# Fields of a contact that may be carried over, beside its lists and its attributes.
TEXTS = ("name", "title", "company", "industry", "website", "address", "city", "zip", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One external URL of a contact, as it is sent back."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """
    Args:
        name: of a person; None where CloudTalk has none, or nothing but a number or a word for nobody.
        raw_name: as people see it in CloudTalk.
        phones: in E.164; numbers that cannot be called from abroad are left out.
        texts: field or title of an attribute, folded -> its text.
        links: None: a link is there that cannot be read, so the list must not be replaced.
    """

    name: str | None = None
    raw_name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] | None = ()
    tags: tuple[str, ...] = ()

    def is_nameless(self, region: str | None) -> bool:
        """Whether CloudTalk shows no name, or only the number."""
        name = self.raw_name
        return not name or any(is_number(name, phone, region=region) for phone in self.phones)


def read_contact(body: Mapping[str, Any], *, region: str | None) -> Contact:
    """`responseData` of "Get contact", in both forms: tags as `ContactsTag` or `Tag`, no list as null."""
    own = _mapping(body.get("Contact")) or body
    phones = (_e164(one.get("public_number"), region) for one in _items(body, "ContactNumber"))
    emails = (read_email(one.get("email")) for one in _items(body, "ContactEmail"))
    tags = (read_name(one.get("name")) for one in [*_items(body, "ContactsTag"), *_items(body, "Tag")])
    return Contact(
        name=read_person(own.get("name")),
        raw_name=_shown(own.get("name"), 256),
        phones=_once(phones),
        emails=_once(emails),
        texts=_texts(own, body),
        links=_links(body.get("ExternalUrl")),
        tags=_once(tags),
    )


def folded_title(text: str) -> str:
    """Titles of attributes are typed by hand."""
    return " ".join(text.split()).casefold()


def _texts(own: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, str]:
    found = {name: text for name in TEXTS if (text := read_text(own.get(name), _LONGEST))}
    for one in _items(body, "ContactAttribute"):
        title, value = read_name(one.get("title")), read_text(one.get("value"), _LONGEST)
        if title and value:
            found.setdefault(folded_title(title), value)
    return found


def _links(value: Any) -> tuple[Link, ...] | None:
    items = value if isinstance(value, list) else [] if not value else [value]
    links = []
    for one in items[:_MOST]:
        name, url = _mapping(one).get("name"), _mapping(one).get("url")
        if not isinstance(name, str) or not isinstance(url, str) or not url:
            return None
        links.append(Link(name=unescaped(name), url=unescaped(url)))
    return tuple(links)


def _e164(value: object, region: str | None) -> str | None:
    phone = read_phone(value, region=region)
    return phone.text if phone is not None and phone.kind is Kind.E164 else None


def _items(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = body.get(name)
    items = value if isinstance(value, list) else [value]
    return [one for one in items[:_MOST] if isinstance(one, Mapping)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _shown(value: object, longest: int) -> str:
    return unescaped(value).strip()[:longest] if isinstance(value, str) else ""


def _once(values: Any) -> tuple[str, ...]:
    found: Sequence[str] = list(dict.fromkeys(one for one in values if one))
    return tuple(found[:_MOST])
