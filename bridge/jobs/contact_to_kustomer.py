"""A contact of CloudTalk is carried over to its customer: found, created or updated, exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bridge.clients.kustomer import Customer
from bridge.clients.kustomer.conflicts import says_taken
from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.choosing import choose
from bridge.domain.contacts.contact import Contact
from bridge.domain.contacts.to_customer import Merged, Wanted, carried_out, merge, of_changes, wanted_of
from bridge.domain.kustomer_texts.tags import tags_that_fit
from bridge.domain.phone import Kind, Phone
from bridge.domain.policy import CustomerDraft
from bridge.domain.rules.model import Rules
from bridge.errors import Conflict, Rejected, SeveralCustomers
from bridge.ledger.calls.contacts import customer_of
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.queue.claims import Claim
from bridge.sync.customers.look_up import CustomerLookUp, Found, candidates, contact_key
from bridge.sync.refused import send_without_refused
from bridge.sync.write_log import Done, WriteLog
from bridge.sync.writer import CallWriter

_CUSTOMER = "customer"
# A look-up for each of so many numbers of a contact, until one finds somebody.
_MOST_LOOKED_UP = 3
_OPTIONAL = frozenset({"name", "custom", "tags", "locale"})
_NOBODY = "it has neither number nor e-mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """
    Args:
        says: what was done, for whoever reads what happened to the contact.
        left: sentences about what a person decides.
    """

    says: str
    left: tuple[str, ...] = ()


def carry_over(claim: Claim, deps: Deps, record: Record, contact: Contact, contact_id: int) -> Carried:
    """
    Raises:
        SeveralCustomers: a person is to choose (customer.several = "none").
    """
    wanted = wanted_of(contact, deps.rules)
    run = _Run(claim=claim, deps=deps, record=record, contact_id=contact_id, wanted=wanted, contact=contact)
    there = run.known()
    if there is not None:
        return run.update(*there)
    if wanted.is_nobody:
        return Carried(says=f"nothing, as {_NOBODY}")
    with ExitStack() as locks:
        # A call of a number and its contact must not both create a customer.
        for phone in sorted(wanted.phones):
            locks.enter_context(deps.ledger.lock(claim, f"customer:{phone}"))
        try:
            there = run.found()
        except _NotCarriedOver as error:
            return Carried(says=f"nothing: {error}", left=(f"{error}; a person decides",))
        if there is not None:
            return run.update(*there)
        if deps.rules.unknown != "create" and _CUSTOMER not in record.intents:
            return Carried(
                says=f'nothing, as Kustomer has no customer (customer.unknown = "{deps.rules.unknown}")'
            )
        try:
            return run.create()
        except Conflict:
            there = run.found(despite_rules=True)
            if there is None:
                raise
    return run.update(*there)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    claim: Claim
    deps: Deps
    record: Record
    contact_id: int
    contact: Contact
    wanted: Wanted

    @property
    def rules(self) -> Rules:
        return self.deps.rules

    @property
    def external_id(self) -> str:
        return contact_key(Call(contact_id=self.contact_id)) or ""

    def writer(self) -> CallWriter:
        """What sends without the fields that Kustomer refuses."""
        return CallWriter(
            record=self.record,
            log=WriteLog(claim=self.claim, deps=self.deps),
            keys=(),
            search_first=False,
            verify=False,
            rules=self.rules,
            look_up=CustomerLookUp(deps=self.deps, call=Call()),
        )

    # -- whose contact it is

    def known(self) -> tuple[Customer, Written] | None:
        """Whom it was carried over to before, else the customer of its last call; merged ones too."""
        written, whose = self.record.outputs.get(_CUSTOMER), customer_of(self.record)
        ids = [written.id] if written is not None else []
        if whose is not None and whose.customer not in ids:
            ids.append(whose.customer)
        for id_ in ids:
            there = self.deps.kustomer.customers.get(id_)
            if there is not None and not there.fields.get("deleted"):
                return there, replace(written, id=there.id) if written else Written(id=there.id, sent={})
        return None

    def found(self, *, despite_rules: bool = False) -> tuple[Customer, Written] | None:
        """By our key after a lost reply, by a person's choice, else as the caller of a call is."""
        begun = self.record.intents.get(_CUSTOMER)
        if begun is not None or despite_rules:
            there = self.deps.kustomer.customers.by_external_id(self.external_id)
            if there is not None:
                return there, Written(id=there.id, sent=begun or {}, created=begun is not None)
        for phone in self.wanted.phones:
            remembered = self.deps.ledger.memory.customer_of(phone)
            there = self.deps.kustomer.customers.get(remembered.id) if remembered else None
            if there is not None and not there.fields.get("deleted"):
                return there, Written(id=there.id, sent={})
        there = next(iter(self._matched() if not despite_rules else self._holders()), None)
        return None if there is None else (there, Written(id=there.id, sent={}))

    def _matched(self) -> Iterator[Customer]:
        """By the rules' criteria, number by number."""
        email = self.wanted.emails[0] if self.wanted.emails else None
        call = Call(contact_id=self.contact_id, contact_email=email)
        for phone in self.wanted.phones[:_MOST_LOOKED_UP]:
            of_phone = replace(call, external=Phone(Kind.E164, phone))
            found = CustomerLookUp(deps=self.deps, call=of_phone).find(CustomerDraft(phone=phone), self.rules)
            if found.customers:
                yield self._chosen(found.customers, found.same)
        if not self.wanted.phones:
            # A call always has a number; of a contact without one the e-mail is all that tells who it is.
            for email in self.wanted.emails[:_MOST_LOOKED_UP]:
                there = self.deps.kustomer.customers.by_email(email)
                if there is not None:
                    yield there

    def _chosen(self, customers: Sequence[Customer], same: str) -> Customer:
        rules = self.rules
        with_conversations = rules.several == "most_recent_conversation"
        found = Found(customers=tuple(customers))
        several = candidates(found, self.deps, with_conversations=with_conversations)
        choice = choose(several, rules.several, house="", same=same)
        if choice.undecided and rules.several == "house":
            # What a contact says is not the house customer's.
            raise _NotCarriedOver(f"{len(customers)} customers have {same}")
        if choice.undecided:
            raise SeveralCustomers(f"{len(customers)} customers have {same}; merge them, then replay")
        return next(one for one in customers if one.id == choice.id)

    def _holders(self) -> Iterator[Customer]:
        """Who has a number or e-mail of it, whatever the rules say: Kustomer refused a second customer."""
        customers = self.deps.kustomer.customers
        for phone in self.wanted.phones:
            if (there := customers.by_phone(phone)) is not None:
                yield there
        for email in self.wanted.emails:
            if (there := customers.by_email(email)) is not None:
                yield there

    # -- writing

    def create(self) -> Carried:
        merged = merge(self.wanted, {}, {}, region=self.rules.region)
        writer, rules = self.writer(), self.rules
        more = {
            **{
                name: merged.changes[name]
                for name in ("phones", "emails", "custom")
                if name in merged.changes
            },
            **({"tags": tags_that_fit(rules.customer_tags)} if rules.customer_tags else {}),
            **({"locale": rules.locale} if rules.locale else {}),
        }
        if rules.customer_custom:
            more["custom"] = {**rules.customer_custom, **more.get("custom", {})}

        def send(body: Mapping[str, Any]) -> str:
            return self.deps.kustomer.customers.create({**body, "externalId": self.external_id}).id

        body = {**({"name": merged.changes["name"]} if "name" in merged.changes else {}), **more}
        begun = partial(send_without_refused, writer, _CUSTOMER, _OPTIONAL, body, send)
        made = writer.log.create(_CUSTOMER, merged.sent, begun)
        self._remember(made)
        return Carried(says="customer created", left=merged.left)

    def _remember(self, customer_id: str) -> None:
        for phone in self.wanted.phones:
            self.deps.ledger.memory.remember_customer(phone, customer_id, named=bool(self.wanted.name))

    def update(self, there: Customer, known: Written) -> Carried:
        """Send what is empty in Kustomer, or the bridge's own; again without what is another customer's."""
        sent = carried_out(known.sent, self.record.changes.get(_CUSTOMER, {}), there.fields)
        known = replace(known, sent=sent)
        merged = self._merged(there, known)
        if not merged.changes:
            self._keep(known, merged, is_written=False)
            return Carried(says="nothing new", left=merged.left)
        try:
            self._send(there, known, merged)
        except (Conflict, Rejected) as error:
            if isinstance(error, Rejected) and not says_taken(error):
                raise
            taken = self._taken(there, merged)
            again = self.deps.kustomer.customers.get(there.id)
            if not taken or again is None:
                raise
            merged = self._merged(again, known, taken=taken)
            if merged.changes:
                self._send(again, known, merged)
        self._keep(known, merged, is_written=bool(merged.changes))
        return Carried(says="customer updated" if merged.changes else "nothing new", left=merged.left)

    def _merged(self, there: Customer, known: Written, *, taken: Sequence[str] = ()) -> Merged:
        given = self.record.outputs.get("contact")
        begun = self.record.changes.get("contact", {})
        given_name = begun.get("name") or (given.sent.get("name") if given is not None else None)
        remembered = (self.deps.ledger.memory.customer_of(one) for one in self.wanted.phones[:1])
        placeholder = next((one.placeholder for one in remembered if one is not None), "")
        return merge(
            self.wanted,
            there.fields,
            known.sent,
            given_name=given_name,
            placeholder=placeholder,
            taken=taken,
            region=self.rules.region,
        )

    def _send(self, there: Customer, known: Written, merged: Merged) -> None:
        writer = self.writer()

        def send(body: Mapping[str, Any]) -> None:
            if body:
                self.deps.kustomer.customers.update(there.id, body, current=there)

        begun = partial(send_without_refused, writer, _CUSTOMER, _OPTIONAL, merged.changes, send)
        writer.log.update(_CUSTOMER, known, of_changes(merged.changes, merged.sent), begun)

    def _keep(self, known: Written, merged: Merged, *, is_written: bool) -> None:
        before = self.record.outputs.get(_CUSTOMER)
        begun = _CUSTOMER in self.record.changes or _CUSTOMER in self.record.intents
        if not is_written and not begun and before == replace(known, sent=merged.sent):
            return
        log = WriteLog(claim=self.claim, deps=self.deps)
        done: Done = "updated" if is_written else "found"
        log.keep(_CUSTOMER, known.id, merged.sent, done=done, created=known.created)

    def _taken(self, there: Customer, merged: Merged) -> list[str]:
        """The new numbers and e-mails that are another customer's: a request each, only after a refusal."""
        customers = self.deps.kustomer.customers
        stored = {str(one.get("phone")) for one in there.phones} | {
            str(one.get("email")) for one in there.emails
        }
        found = []
        for name, part, by in (
            ("phones", "phone", customers.by_phone),
            ("emails", "email", customers.by_email),
        ):
            for entry in merged.changes.get(name, ()):
                value = str(entry[part])
                holder = by(value) if value not in stored else None
                if holder is not None and holder.id != there.id:
                    found.append(value)
        return found


class _NotCarriedOver(Exception):
    """The rules leave it to people; the text says why."""
