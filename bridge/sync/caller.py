"""Whether Kustomer had the customer before this call: looked up once, where a rule depends on it."""

from __future__ import annotations

from dataclasses import replace

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.outcome import Outcome
from bridge.domain.phone import Kind
from bridge.domain.rules.when import Caller
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.queue.jobs import Claim


def learn_caller(claim: Claim, deps: Deps, record: Record, call: Call) -> Record:
    """The record with what was found; as it is where no number can be looked up."""
    phone = call.external
    if phone is None or phone.kind is not Kind.E164 or call.outcome is Outcome.INTERNAL:
        return record
    caller = _on_record(record) or _looked_up(deps, phone.text)
    deps.ledger.keep(claim, {Field.CALLER: caller})
    return replace(record, fields={**record.fields, Field.CALLER: caller})


def _on_record(record: Record) -> Caller | None:
    if "customer" in record.outputs:
        return "unknown" if record.outputs["customer"].created else "known"
    # A customer of ours was begun, so there was none before.
    return "unknown" if "customer" in record.intents else None


def _looked_up(deps: Deps, phone: str) -> Caller:
    memory = deps.ledger.memory
    if memory.customer_of(phone):
        return "known"
    there = deps.kustomer.customers.by_phone(phone)
    if there is None:
        return "unknown"
    # So that the customer is not looked up again when it is written.
    memory.remember_customer(phone, there.id, named=bool(there.name))
    return "known"
