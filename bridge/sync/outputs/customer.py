"""The customer of a call: found by phone or external id, or created; two calls at once create one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bridge.clients.kustomer import Customer, new_customer
from bridge.domain.policy import CustomerDraft
from bridge.errors import Conflict
from bridge.ledger.calls.record import Written
from bridge.sync.refused import send_without_refused
from bridge.sync.writer import CallWriter, Fields, Output

_OPTIONAL = frozenset({"name"})


def ensure_customer(writer: CallWriter, draft: CustomerDraft) -> str:
    """Kustomer's id of the customer."""
    customer = CustomerOutput(writer=writer, draft=draft)
    if "customer" in writer.record.outputs and not writer.verify:
        return writer.ensure(customer)[0]
    # Two calls of one new caller must not both create a customer.
    with writer.log.deps.ledger.lock(writer.log.claim, f"customer:{draft.phone or draft.external_id}"):
        customer_id, created = writer.ensure(customer)
        if created:
            customer.remember(customer_id, named=bool(draft.name))
        return customer_id


def forget_customer(writer: CallWriter, draft: CustomerDraft) -> None:
    """The one we know is gone: merged into another, or deleted."""
    if draft.phone:
        writer.memory.remember_customer(draft.phone, None)
    writer.log.forget("customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOutput(Output[Customer]):
    name: ClassVar[str] = "customer"

    writer: CallWriter
    draft: CustomerDraft

    def fields(self, known: Written | None) -> dict[str, Any]:
        if known is None:
            return {"phone": self.draft.phone, "name": self.draft.name}
        return {**known.sent, "name": self.draft.name or known.sent.get("name")}

    def is_searched(self) -> bool:
        return True

    def exists(self, id_: str) -> bool:
        """Not taken for granted: people merge customers, and the number finds whoever has it now."""
        return False

    def find(self) -> Written | None:
        draft, sent = self.draft, self.fields(None)
        remembered = self.writer.memory.customer_of(draft.phone) if draft.phone else None
        if remembered and not self.writer.verify:
            customer_id, named = remembered
            return Written(id=customer_id, sent=sent if named else {**sent, "name": None})
        there = self._look_up()
        if there is None:
            return None
        self.remember(there.id, named=bool(there.name or draft.name))
        begun = (self.writer.begun(self.name) or {}).get("name")
        known = self.writer.record.outputs.get(self.name)
        # The name is ours where an earlier run of this job, or one whose reply was lost, gave it.
        ours = (begun is not None and begun == there.name) or (known is not None and known.created)
        return Written(id=there.id, sent={**sent, "name": there.name and draft.name}, created=ours)

    def create(self, fields: Fields) -> str:
        def send(body: Mapping[str, Any]) -> str:
            made = new_customer(
                phone=self.draft.phone, name=body.get("name"), external_id=self.draft.external_id
            )
            return self.writer.kustomer.customers.create(made).id

        return send_without_refused(self.writer, self.name, _OPTIONAL, {"name": fields["name"]}, send)

    def create_hidden(self, fields: Fields, conflict: Conflict) -> str:
        raise Conflict(
            "Kustomer refuses a second customer with this number but finds none by it; check shared phones"
        ) from conflict

    def read(self, id_: str) -> Customer | None:
        return self.writer.kustomer.customers.get(id_)

    def editable(self, current: Customer) -> Fields:
        return {"name": current.name}

    def changes(self, fields: Fields, known: Written, current: Customer) -> Fields:
        """A name for a customer that has none, or that still has the one we gave."""
        name = fields["name"]
        ours = known.created and current.name == known.sent.get("name")
        return {"name": name} if name and name != current.name and (ours or not current.name) else {}

    def update(self, current: Customer, changes: Fields) -> None:
        def send(body: Mapping[str, Any]) -> None:
            if body:
                self.writer.kustomer.customers.update(current.id, body, current=current)

        send_without_refused(self.writer, self.name, _OPTIONAL, changes, send)

    def remember(self, customer_id: str, *, named: bool) -> None:
        """For the next calls of this number."""
        if self.draft.phone:
            self.writer.memory.remember_customer(self.draft.phone, customer_id, named=named)

    def _look_up(self) -> Customer | None:
        if self.draft.phone:
            return self.writer.kustomer.customers.by_phone(self.draft.phone)
        return self.writer.kustomer.customers.by_external_id(self.draft.external_id or "")
