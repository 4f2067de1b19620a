"""Whether Kustomer had the customer before this call: looked up once, where a rule depends on it."""

from __future__ import annotations

from dataclasses import replace

from bridge.domain.outcome import Outcome
from bridge.domain.phone import Kind
from bridge.domain.policy import CustomerDraft
from bridge.domain.rules.model import Rules
from bridge.domain.rules.when import Caller
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.queue.claims import Claim
from bridge.sync.customers.look_up import CustomerLookUp


def learn_caller(claim: Claim, look_up: CustomerLookUp, record: Record, rules: Rules) -> Record:
    """The record with what was found; as it is where no number can be looked up.

    Args:
        look_up: keeps what it finds for the step that writes the customer.
        rules: say by what customers are looked up.
    """
    phone = look_up.call.external
    if phone is None or phone.kind is not Kind.E164 or look_up.call.outcome is Outcome.INTERNAL:
        return record
    caller = _on_record(record) or _looked_up(look_up, phone.text, rules)
    look_up.deps.ledger.keep(claim, {Field.CALLER: caller})
    return replace(record, fields={**record.fields, Field.CALLER: caller})


def _on_record(record: Record) -> Caller | None:
    if record.assigned is not None:
        return "known"
    if "customer" in record.outputs:
        return "unknown" if record.outputs["customer"].created else "known"
    # A customer of ours was begun, so there was none before.
    return "unknown" if "customer" in record.intents else None


def _looked_up(look_up: CustomerLookUp, phone: str, rules: Rules) -> Caller:
    if look_up.deps.ledger.memory.customer_of(phone):
        return "known"
    return "known" if look_up.find(CustomerDraft(phone=phone), rules).customers else "unknown"
