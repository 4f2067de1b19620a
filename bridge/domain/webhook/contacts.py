"""Webhooks of contacts: which contact has news. What is new is asked of CloudTalk, as it may change again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.envelopes import is_native, unwrap
from bridge.domain.webhook.events import Held
from bridge.domain.webhook.fields import fields_of
from bridge.domain.webhook.keys import DEFAULT_KEYS, folded
from bridge.domain.webhook.values import read_call_id

TRIGGERS = frozenset({"contact-created", "contact-updated", "contact-deleted"})
DELETED = "contact-deleted"
_NO_ID = "names no contact (add the key `contact_id` to the workflow's body)"


def with_contact(event: Held, body: Mapping[str, Any], rules: Rules) -> Held:
    """The delivery with the key of its contact, where it is of one and the rules want it carried over."""
    if event.trigger not in TRIGGERS or not rules.contacts_to_kustomer:
        return event
    number = contact_id_in(body, rules)
    if number is None:
        return replace(event, reason=_NO_ID)
    # The same words for each contact: pages group by them.
    says = "deleted in CloudTalk; the customer stays, a person decides"
    reason = says if event.trigger == DELETED else "read for the contact (see Contacts)"
    return replace(event, key=f"contact:{number}", reason=reason)


def contact_id_in(body: Mapping[str, Any], rules: Rules) -> int | None:
    """The contact's number: under its own name, as the `id` of the body, or of an object named `contact`."""
    keys = {**DEFAULT_KEYS, **rules.webhook_keys}
    found = unwrap(body, keys)
    bodies = [found.body, *found.others, body]
    if is_native(found.body):
        bodies.insert(0, found.body["data"])
    number = read_call_id(fields_of(*bodies, keys=keys).get("contact_id"))
    if number is not None:
        return number
    return next((number for one in bodies if (number := _id_of(one)) is not None), None)


def _id_of(body: Mapping[str, Any]) -> int | None:
    by_name = {folded(name): value for name, value in body.items()}
    inner = by_name.get("contact")
    if isinstance(inner, Mapping) and (number := _id_of(inner)) is not None:
        return number
    return read_call_id(by_name.get("id"))
