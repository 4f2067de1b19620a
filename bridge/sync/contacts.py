"""After a call: its contact in CloudTalk is told whose it is in Kustomer. No request is made here."""

from __future__ import annotations

from bridge.domain.call import Call
from bridge.domain.contacts.to_contact import settled_mark
from bridge.domain.outcome import Outcome
from bridge.domain.phone import Kind
from bridge.domain.synthetic import is_synthetic
from bridge.errors import LeaseLost
from bridge.ledger.calls.contacts import CustomerOf, contact_key, tell_contact
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
    if not (rules.contacts_to_kustomer or rules.contacts_to_cloudtalk) or _is_nobodys(call):
        return {}
    record = deps.ledger.read(writer.record.key)
    known = record.outputs.get("customer")
    phone = call.external if call.external is not None and call.external.kind is Kind.E164 else None
    if known is None or known.sent.get("kept") or (call.contact_id is None and phone is None):
        # The house customer is nobody's contact.
        return {}
    if call.contact_id is None and not rules.contacts_to_cloudtalk:
        return {}
    key = contact_key(contact_id=call.contact_id, customer_id=known.id)
    url = deps.app_links.customer(known.id) if rules.contact_link else ""
    settled = settled_mark(rules, customer_id=known.id, url=url)
    mark = f"{key} {settled}"
    if record.fields.get(Field.CONTACT) == mark:
        return {}
    # A name that this call gave its new customer is the contact's, and may follow it.
    name = call.contact_name if known.created and known.sent.get("name") == call.contact_name else None
    sent = {"name": name} if name else {}
    told = tell_contact(
        deps.ledger,
        writer.log.claim,
        key,
        CustomerOf(customer=known.id, phone="" if phone is None else phone.text),
        first={"customer": {"id": known.id, "sent": sent, "created": known.created}} if sent else None,
        settled=settled if rules.contacts_to_cloudtalk else "",
    )
    if not told:
        raise LeaseLost(f"{writer.log.claim.name}: the lease ran out, another worker may hold it")
    return {Field.CONTACT: mark}


def _is_nobodys(call: Call) -> bool:
    """A colleague, or nobody: the bridge made the call up."""
    return call.outcome is Outcome.INTERNAL or is_synthetic(call.uuid)
