"""The customer of a call: known, found by phone or external id, or made; two calls at once make one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.clients.kustomer import Customer
from bridge.domain.plan import CustomerDraft
from bridge.errors import Conflict
from bridge.jobs.refused import send_without_refused
from bridge.jobs.writing import Pen, as_left
from bridge.ledger.record import Output, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """Under one claim.

    Args:
        verify: look at what is on record as well, and at nothing that was remembered.
    """

    record: Record
    pen: Pen
    verify: bool

    def ensure(self, draft: CustomerDraft) -> str:
        """Kustomer's id of the customer: known, found, or made."""
        known = self.record.outputs.get("customer")
        if known is not None and not self.verify:
            if draft.name and draft.name != known.sent.get("name"):
                self._name_customer(known, draft)
            return known.id
        # Two calls of one new caller must not both make a customer.
        with self.pen.deps.ledger.lock(self.pen.claim, f"customer:{draft.phone or draft.external_id}"):
            return self._find_or_create(draft)

    def forget(self, draft: CustomerDraft) -> None:
        """Take the one we know for gone: it is found or made anew."""
        if draft.phone:
            self.pen.deps.ledger.memory.remember_customer(draft.phone, None)
        self.pen.forget("customer")

    def _find_or_create(self, draft: CustomerDraft) -> str:
        sent = {"phone": draft.phone, "name": draft.name}
        remembered = self.pen.deps.ledger.memory.customer_of(draft.phone) if draft.phone else None
        if remembered and not self.verify:
            customer_id, named = remembered
            output = Output(id=customer_id, sent=sent if named else {**sent, "name": None})
            self.pen.keep("customer", customer_id, output.sent, done="found")
            if draft.name and not named:
                self._name_customer(output, draft)
            return customer_id
        found = self._look_up(draft)
        if found is None:
            try:
                made = self.pen.create("customer", sent, lambda: self._create_customer(draft))
            except Conflict as error:
                # Somebody made it between our look and our write, or it is held in a way our look misses.
                found = self._look_up(draft)
                if found is None:
                    raise Conflict(
                        "Kustomer refuses a second customer with this number and finds none by it: "
                        "look for it among shared phones"
                    ) from error
            else:
                self._remember(draft, made, named=bool(draft.name))
                return made
        id_, name = found
        begun = self.record.intents.get("customer", {}).get("name")
        known = self.record.outputs.get("customer")
        # The name is ours where an earlier run of this job, or one whose reply was lost, gave it.
        ours = (begun is not None and begun == name) or (known is not None and known.created)
        self.pen.keep("customer", id_, {**sent, "name": name and sent["name"]}, done="found", created=ours)
        if draft.name and not name:
            self._name_customer(Output(id=id_, sent={**sent, "name": None}), draft)
        self._remember(draft, id_, named=bool(name or draft.name))
        return id_

    def _look_up(self, draft: CustomerDraft) -> tuple[str, str | None] | None:
        kustomer = self.pen.deps.kustomer
        if draft.phone:
            found = kustomer.customer_by_phone(draft.phone)
        else:
            found = kustomer.customer_by_external_id(draft.external_id or "")
        return (found.id, found.name) if found else None

    def _create_customer(self, draft: CustomerDraft) -> str:
        def send(body: Mapping[str, Any]) -> str:
            made = self.pen.deps.kustomer.create_customer(
                phone=draft.phone, name=body.get("name"), external_id=draft.external_id
            )
            return made.id

        return send_without_refused(self.pen, self.record, "customer", {"name": draft.name}, send)

    def _name_customer(self, known: Output, draft: CustomerDraft) -> None:
        """Give a name to a customer that has none, or that still has the one we gave."""
        current = self.pen.deps.kustomer.customer(known.id)
        if current is not None:
            known = as_left(known, self.record.changes.get("customer", {}), {"name": current.name})
            ours = known.created and current.name == known.sent.get("name")
            if (not current.name or ours) and current.name != draft.name:
                there, changed = current, {"name": draft.name}
                self.pen.update(
                    "customer",
                    known,
                    changed,
                    lambda: self._send_name(there, changed),
                )
        sent = {**known.sent, "name": draft.name}
        self.pen.keep("customer", known.id, sent, done="brought up to date", created=known.created)

    def _send_name(self, there: Customer, changed: Mapping[str, Any]) -> None:
        def send(body: Mapping[str, Any]) -> None:
            if body:
                self.pen.deps.kustomer.update_customer(there, **body)

        send_without_refused(self.pen, self.record, "customer", changed, send)

    def _remember(self, draft: CustomerDraft, customer_id: str, *, named: bool) -> None:
        if draft.phone:
            self.pen.deps.ledger.memory.remember_customer(draft.phone, customer_id, named=named)
