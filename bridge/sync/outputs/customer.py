"""The customer of a call: chosen by a person, found in Kustomer, or created; two calls at once create one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bridge.clients.kustomer import Customer, new_customer
from bridge.domain.choosing import Candidate, Choice, choose, is_number
from bridge.domain.external_ids import is_number_key
from bridge.domain.kustomer_texts.tags import tags_that_fit
from bridge.domain.policy import CustomerDraft
from bridge.domain.rules.model import Rules
from bridge.errors import Conflict, Rejected, SeveralCustomers
from bridge.ledger.calls.record import Written
from bridge.ledger.memory import Remembered
from bridge.sync.customers.look_up import Found, candidates, contact_key
from bridge.sync.refused import send_without_refused
from bridge.sync.writer import CallWriter, Fields, Output

# In Kustomer's spelling; phone and external id make the customer what it is.
_OPTIONAL = frozenset({"name", "tags", "locale", "custom", "emails"})


class NoCustomer(Exception):
    """The rules want no customer for a caller whom Kustomer does not know; the text says so to people."""


def ensure_customer(writer: CallWriter, draft: CustomerDraft) -> str:
    """Kustomer's id of the customer.

    Raises:
        SeveralCustomers: a person is to choose; the candidates are on record.
        NoCustomer: none is to be created.
    """
    if writer.record.is_assigned_anew:
        # Whoever it was written for, it is another's now.
        writer = replace(writer, verify=True)
    customer = CustomerOutput(writer=writer, draft=draft)
    if "customer" in writer.record.outputs and not writer.verify:
        return writer.ensure(customer)[0].id
    # Two calls of one new caller must not both create a customer.
    with writer.log.deps.ledger.lock(writer.log.claim, f"customer:{draft.phone or draft.external_id}"):
        written, created = writer.ensure(customer)
        if created:
            customer.remember(written.id, named=bool(draft.name))
        return written.id


def forget_customer(writer: CallWriter, draft: CustomerDraft) -> None:
    """The one we know is gone: merged into another, or deleted."""
    if draft.phone:
        writer.memory.remember_customer(draft.phone, None)
    writer.look_up.again()
    writer.log.forget("customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOutput(Output[Customer]):
    name: ClassVar[str] = "customer"

    writer: CallWriter
    draft: CustomerDraft

    @property
    def rules(self) -> Rules:
        return self.writer.rules

    def fields(self, known: Written | None) -> dict[str, Any]:
        if known is None:
            return {"phone": self.draft.phone, "name": self.draft.name or self.draft.placeholder or None}
        return {**known.sent, "name": self.draft.name or known.sent.get("name")}

    def is_searched(self) -> bool:
        return True

    def exists(self, id_: str) -> bool:
        """Not taken for granted: people merge customers, and the number finds whoever has it now."""
        return False

    def find(self) -> Written | None:
        draft, record, look_up = self.draft, self.writer.record, self.writer.look_up
        if record.is_assigned_anew and record.assigned:
            return self._chosen(record.assigned)
        remembered = self.writer.memory.customer_of(draft.phone) if draft.phone else None
        if remembered and remembered.chosen:
            chosen = self._chosen_for_number(remembered)
            if chosen is not None:
                return chosen
        elif remembered and (look_up.is_done or not self.writer.verify):
            # Also after a look-up before the lock: another call may have created them since.
            self.writer.found(caller="known")
            return self._remembered(remembered)
        found = look_up.find(draft, self.rules) if not draft.house else Found()
        self.writer.found(caller="known" if found.customers else "unknown")
        return self._of(found)

    def create(self, fields: Fields) -> str:
        def send(body: Mapping[str, Any]) -> str:
            made = new_customer(
                phone=self.draft.phone,
                phone_type=self.rules.phone_type,
                name=body.get("name"),
                external_id=self._external_id,
                more={name: value for name, value in body.items() if name != "name" and value},
            )
            return self.writer.kustomer.customers.create_in_batch(made).id

        body = {"name": fields["name"], **self._more}
        try:
            return send_without_refused(self.writer, self.name, _OPTIONAL, body, send)
        except Conflict:
            self.writer.look_up.again(despite_rules=True)
            raise

    def create_hidden(self, fields: Fields, conflict: Conflict) -> str:
        raise Conflict(
            "Kustomer refuses a second customer with this number but finds none by it; check shared phones"
        ) from conflict

    def read(self, id_: str) -> Customer | None:
        return self.writer.kustomer.customers.get(id_)

    def id_of(self, current: Customer, known_id: str) -> str:
        """Another one where it was merged since; the number is that one's from now on."""
        if current.id != known_id:
            self.remember(current.id, named=bool(current.name))
        return current.id

    def editable(self, current: Customer) -> Fields:
        return {"name": current.name}

    def changes(self, fields: Fields, known: Written, current: Customer) -> Fields:
        """A name for a customer that has none, or that still has one we gave for want of a better."""
        if known.sent.get("kept"):
            return {}
        name = fields["name"]
        ours = known.created and current.name == known.sent.get("name")
        gives_way = not current.name or ours or (self.draft.name and self._is_placeholder(current.name))
        return {"name": name} if name and name != current.name and gives_way else {}

    def update(self, current: Customer, changes: Fields) -> None:
        def send(body: Mapping[str, Any]) -> None:
            if body:
                self.writer.kustomer.customers.update(current.id, body, current=current)

        send_without_refused(self.writer, self.name, _OPTIONAL, changes, send)

    def remember(self, customer_id: str, *, named: bool) -> None:
        """For the next calls of this number."""
        if self.draft.phone:
            placeholder = "" if named else self.draft.placeholder
            self.writer.memory.remember_customer(
                self.draft.phone, customer_id, named=named, placeholder=placeholder
            )

    # -- who it is

    def _of(self, found: Found) -> Written | None:
        """Whom the rules choose of those who were found; None: a customer is to be created."""
        with_conversations = self.rules.several == "most_recent_conversation"
        several = candidates(found, self.writer.log.deps, with_conversations=with_conversations)
        choice = self._choice(several, same=found.same)
        names = [{"id": one.id, "name": one.name} for one in several] if len(several) > 1 else []
        said = "; ".join(filter(None, [choice.why, *found.said]))
        self.writer.found(candidates=names, why=said)
        if choice.undecided:
            self.writer.log.flush()
            raise SeveralCustomers(choice.why)
        if choice.id is not None:
            return self._taken(choice, found)
        return self._for_unknown(found)

    def _choice(self, several: Sequence[Candidate], *, same: str) -> Choice:
        """By the rules; a call that is written already is not left to a person any more."""
        rules, known = self.rules, self.writer.record.outputs.get(self.name)
        usual = known.id if known else None
        choice = choose(several, rules.several, house=rules.house, same=same, usual=usual)
        if choice.undecided and self._is_written:
            choice = choose(several, "newest", house="", same=same)
        return choice

    def _for_unknown(self, found: Found) -> Written | None:
        """The house customer in place of one whom Kustomer does not know; None: one is to be created.

        Raises:
            NoCustomer: the rules want none.
        """
        rules = self.rules
        if self.draft.house or (rules.unknown == "house" and rules.house and self._is_caller):
            self.writer.found(why="; ".join(filter(None, [*found.said, "written for the house customer"])))
            return self._house()
        begun = self.writer.begun(self.name) is not None
        if rules.unknown == "skip" and self._is_caller and not self._is_written and not begun:
            raise NoCustomer(
                "no customer in Kustomer has this number, and none is to be created "
                '(customer.unknown = "skip")'
            )
        return None

    def _taken(self, choice: Choice, found: Found) -> Written:
        there = next((one for one in found.customers if one.id == choice.id), None)
        if there is None:
            return self._house()
        draft = self.draft
        has_name = bool(there.name) and not (draft.name and self._is_placeholder(there.name))
        if len(found.customers) == 1:
            self.remember(there.id, named=has_name or bool(draft.name))
        name = (draft.name or draft.placeholder or None) if has_name else None
        sent = {**self.fields(None), "name": name}
        return Written(id=there.id, sent=sent, created=self._is_named_by_us(there))

    def _is_named_by_us(self, there: Customer) -> bool:
        """Whether an earlier run of this job, or one whose reply was lost, gave the name."""
        begun = (self.writer.begun(self.name) or {}).get("name")
        known = self.writer.record.outputs.get(self.name)
        return (begun is not None and begun == there.name) or (known is not None and known.created)

    def _house(self) -> Written:
        """The customer of calls without one of their own; its fields are nobody's to fill."""
        house = self.rules.house or self.draft.house
        if self.writer.verify and self.read(house) is None:
            raise Rejected(f"the house customer {house} of the rules does not exist in Kustomer", status=404)
        return Written(id=house, sent={**self.fields(None), "kept": True})

    def _remembered(self, remembered: Remembered) -> Written:
        sent = self.fields(None)
        is_named = remembered.named or (remembered.placeholder and not self.draft.name)
        return Written(id=remembered.id, sent=sent if is_named else {**sent, "name": None})

    def _chosen(self, customer_id: str) -> Written:
        """The one that a person just chose for this call.

        Raises:
            SeveralCustomers: Kustomer has no such customer.
        """
        self.writer.found(caller="known", why="chosen by a person")
        there = self.read(customer_id)
        if there is None or there.fields.get("deleted"):
            self._correct_choice(customer_id, instead="")
            why = f"the customer {customer_id} that was chosen does not exist in Kustomer; choose another"
            self.writer.found(why=why)
            self.writer.log.flush()
            raise SeveralCustomers(why)
        self._correct_choice(customer_id, instead=there.id)
        return self._with(there)

    def _chosen_for_number(self, remembered: Remembered) -> Written | None:
        """The one that a person chose for this number earlier; None where they are gone."""
        self._correct_choice(remembered.id)
        self.writer.found(caller="known", why="a person chose this customer for this number")
        if not self.writer.verify:
            return Written(id=remembered.id, sent=self.fields(None))
        there = self.read(remembered.id)
        if there is None or there.fields.get("deleted"):
            self._correct_choice(remembered.id, instead="")
            return None
        if there.id != remembered.id:
            self._correct_choice(remembered.id, instead=there.id)
        return self._with(there)

    def _with(self, there: Customer) -> Written:
        has_name = bool(there.name) and not (self.draft.name and self._is_placeholder(there.name))
        sent = self.fields(None)
        return Written(id=there.id, sent=sent if has_name else {**sent, "name": None})

    def _correct_choice(self, customer_id: str, *, instead: str | None = None) -> None:
        number = self.writer.number
        if number:
            now_ms = self.writer.log.claim.now_ms
            self.writer.memory.keep_choice(number, customer_id, now_ms=now_ms, instead=instead)

    # -- what is known of them

    @property
    def _is_written(self) -> bool:
        """Whether the call has a conversation."""
        return "conversation" in self.writer.record.outputs

    @property
    def _is_caller(self) -> bool:
        """A person who called, not one of the bridge's own customers for calls without a number."""
        return self.draft.phone is not None or is_number_key(self.draft.external_id or "")

    @property
    def _external_id(self) -> str | None:
        by_contact = self.rules.states_match and "external_id" in self.rules.match
        return self.draft.external_id or (contact_key(self.writer.look_up.call) if by_contact else None)

    @property
    def _more(self) -> dict[str, Any]:
        """What the rules say of customers who are created."""
        if not self.draft.phone:
            return {}
        rules = self.rules
        wants_emails = rules.states_match and "email" in rules.match
        emails = self.writer.look_up.emails() if wants_emails else ()
        return {
            "tags": tags_that_fit(rules.customer_tags),
            "locale": rules.locale,
            "custom": dict(rules.customer_custom),
            "emails": [{"type": "other", "email": email} for email in emails[:1]],
        }

    def _is_placeholder(self, name: str | None) -> bool:
        """Whether the bridge wrote a name for want of one: its own, or nothing but the number."""
        draft = self.draft
        if not name:
            return True
        if name == draft.placeholder:
            return True
        return draft.phone is not None and is_number(name, draft.phone, region=self.rules.region)
