"""After a call: its contact in CloudTalk is told whose it is in Kustomer. No request is made here."""

from __future__ import annotations

from typing import Any

from bridge.domain.call import Call
from bridge.domain.contacts.to_contact import settled_mark
from bridge.domain.outcome import Outcome
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.synthetic import is_synthetic
from bridge.errors import LeaseLost
from bridge.ledger.calls.contacts import CustomerOf, contact_key, tell_contact
from bridge.ledger.calls.record import Written
from bridge.ledger.calls.record_fields import Field
from bridge.sync.writer import CallWriter


def tell_contact_of(writer: CallWriter) -> dict[str, object]:
    """Tell the contact once for each customer that the call gets.

    Returns:
        Fields of the call's record, to be written with the end of its sync.

    Raises:
        LeaseLost: the sync is another worker's by now.
    """
    rules, deps, call = writer.rules, writer.log.deps, writer.look_up.call
    phone = _phone_of(call)
    if not _is_wanted(rules, call, phone):
        return {}
    record = deps.ledger.read(writer.record.key)
    known = record.outputs.get("customer")
    if known is None or known.sent.get("kept"):
        # The house customer is nobody's contact.
        return {}
    key = contact_key(contact_id=call.contact_id, customer_id=known.id)
    url = deps.app_links.customer(known.id) if rules.contact_link else ""
    settled = settled_mark(rules, customer_id=known.id, url=url)
    mark = f"{key} {settled}"
    if record.fields.get(Field.CONTACT) == mark:
        return {}
    holds = tell_contact(
        deps.ledger,
        writer.log.claim,
        key,
        CustomerOf(customer=known.id, phone="" if phone is None else phone.text),
        first=_named_by(call, known),
        settled=settled if rules.contacts_to_cloudtalk else "",
    )
    if not holds:
        raise LeaseLost(f"{writer.log.claim.name}: the lease ran out, another worker may hold it")
    return {Field.CONTACT: mark}


def _phone_of(call: Call) -> Phone | None:
    """The customer's number, where a contact can be found by it."""
    return call.external if call.external is not None and call.external.kind is Kind.E164 else None


def _is_wanted(rules: Rules, call: Call, phone: Phone | None) -> bool:
    """Whether the rules ask for anything to be done with the contact of such a call.

    Where the call names no contact, one can only be looked for or created in CloudTalk, by the number.
    """
    # A colleague is no contact, nor is the number of a call that the bridge made up.
    if call.outcome is Outcome.INTERNAL or is_synthetic(call.uuid):
        return False
    if call.contact_id is None:
        return rules.contacts_to_cloudtalk and phone is not None
    return rules.contacts_to_kustomer or rules.contacts_to_cloudtalk


def _named_by(call: Call, known: Written) -> dict[str, Any] | None:
    """A name that this call gave its new customer is the contact's, and may follow it."""
    name = call.contact_name if known.created and known.sent.get("name") == call.contact_name else None
    if not name:
        return None
    return {"customer": {"id": known.id, "sent": {"name": name}, "created": known.created}}
