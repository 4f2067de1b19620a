"""Makes Kustomer hold one output of a call, exactly once. The steps are the same for every output:

1. Known: its id is on record. Where a person asked for a check, Kustomer must still have it.
2. Find: after a lost reply, or where a ledger that was lost may have written it, look for it by our key and
   adopt it.
3. Create it, with the intent on record first. Where Kustomer says that it exists, find and adopt it.
4. Update what the plan changed, except what a person changed since.
5. Record its id and what was sent.

What is special about one output is in its own file in `outputs/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from bridge.clients.kustomer import Kustomer
from bridge.domain.phone import Kind
from bridge.domain.rules.model import Rules
from bridge.domain.rules.when import Caller
from bridge.errors import Busy, Conflict
from bridge.ledger.bulk import ends_in_s
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.calls.record_fields import Family, Field
from bridge.ledger.memory import Memory
from bridge.sync.customers.look_up import CustomerLookUp
from bridge.sync.legs import Leg
from bridge.sync.write_log import WriteLog, last_sent

Fields = Mapping[str, Any]
Current = TypeVar("Current")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWriter:
    """Writes the outputs of one call, under one claim."""

    record: Record
    log: WriteLog
    # The external ids that the call's conversation may have, the current one first.
    keys: tuple[str, ...]
    # A ledger that was lost may have written this call.
    search_first: bool
    # A person asked for this run: check that what is on record is still there.
    verify: bool
    # The choices for this call.
    rules: Rules
    # Who has the caller's number: asked once a run.
    look_up: CustomerLookUp

    @property
    def number(self) -> str:
        """The customer's, as it is remembered whose it is; empty where it is withheld."""
        phone = self.look_up.call.external
        return "" if phone is None or phone.kind is Kind.WITHHELD else phone.text

    def found(
        self,
        *,
        caller: Caller | None = None,
        why: str | None = None,
        candidates: Sequence[Mapping[str, str | None]] | None = None,
    ) -> None:
        """Have the record say who was found, and why it is this customer. The first look-up says if they were
        known: later ones may find whom the bridge created."""
        record, also = self.record, self.log.also
        if caller is not None and record.caller is None and Field.CALLER not in also:
            also[Field.CALLER] = self._caller_at_first(caller)
        if why is not None and (why != record.customer_why or Field.CUSTOMER_WHY in also):
            also[Field.CUSTOMER_WHY] = why or None
        if candidates is not None and list(candidates) != record.candidates:
            also[Field.CANDIDATES] = list(candidates) or None

    def _caller_at_first(self, caller: Caller) -> Caller:
        """Written by an earlier run, or begun by one: whom it created was not known before."""
        known = self.record.outputs.get("customer")
        if known is not None:
            return "unknown" if known.created else "known"
        return "unknown" if "customer" in self.record.intents else caller

    # Another leg of the same transferred call, whose conversation this call shares.
    leg: Leg | None = None

    @property
    def may_be_written(self) -> bool:
        """Nothing on record says that the call was written, and what would may be lost."""
        return "conversation" not in self.record.outputs and (self.search_first or self.verify)

    @property
    def kustomer(self) -> Kustomer:
        return self.log.deps.kustomer

    @property
    def memory(self) -> Memory:
        return self.log.deps.ledger.memory

    def begun(self, name: str) -> Fields | None:
        """The fields of a create that is not known to have ended."""
        return self.record.intents.get(name)

    def ensure(self, output: Output[Any]) -> tuple[Written, bool]:
        """What is on record of it now, and whether it was created just now."""
        known, is_new = self.obtain(output)
        return (known if is_new else self.update(output, known)), is_new

    def obtain(self, output: Output[Any]) -> tuple[Written, bool]:
        """What is there of it, found or created but not updated, and whether it was created just now.

        Raises:
            Busy: an earlier bulk request may still create it.
        """
        known = self.record.outputs.get(output.name)
        if known is not None:
            self.log.shown.setdefault(output.name, known.shown)
        if known is not None and self.verify and not output.exists(known.id):
            known = None
        # Before the look: what a request made and ended while the look was answered would be seen by neither.
        left_s = self._bulk_ends_in_s(output.name) if known is None else 0.0
        if known is None and output.is_searched():
            known = self._adopt(output)
        if known is None:
            if left_s > 0:
                raise Busy("an earlier bulk request may still create it", retry_after_s=min(left_s, 30.0))
            fields = output.fields(None)
            try:
                return self._create(output, fields, partial(output.create, fields)), True
            except Conflict as error:
                known = self._adopt(output)
                if known is None:
                    retry = partial(output.create_hidden, fields, error)
                    return self._create(output, fields, retry), True
        return known, False

    def _bulk_ends_in_s(self, name: str) -> float:
        """For how long a bulk request of an earlier run may still create it, though a look finds nothing."""
        begun = self.begun(name)
        if begun is None or not begun.get("externalId"):
            return 0.0
        return ends_in_s(self.log.deps.ledger, str(begun["externalId"]))

    def _create(self, output: Output[Any], fields: Fields, send: Callable[[], str]) -> Written:
        return Written(id=self.log.create(output.name, fields, send), sent=fields, created=True)

    def adopted(self, name: str, id_: str, fields: Fields, *, external_id: str | None) -> Written:
        """Something of ours that was found, as it was last sent.

        Begun by an earlier run: what the intent says. Written by a ledger that was lost: nobody knows what a
        person changed since, so it is left as it is, except for our key.
        """
        begun = self.begun(name)
        if begun is not None:
            return Written(id=id_, sent=begun, created=True)
        return Written(id=id_, sent={**fields, "externalId": external_id or fields["externalId"]})

    def _adopt(self, output: Output[Any]) -> Written | None:
        found = output.find()
        if found is not None:
            self.log.keep(output.name, found.id, found.sent, done="found", created=found.created)
        return found

    def update(self, output: Output[Any], known: Written) -> Written:
        """Send what the plan changed of it, except what a person changed since; what is on record then."""
        if self.verify:
            known = self._without_refused(output.name, known)
        fields, begun = output.fields(known), self.record.changes.get(output.name, {})
        if known.sent == fields and not begun:
            return known
        current = output.read(known.id)
        if current is None:
            output.gone(known.id)
        else:
            known = replace(known, id=output.id_of(current, known.id))
            editable = output.editable(current)
            known = last_sent(known, begun, editable)
            changes = output.changes(fields, known, current)
            if changes:
                compared_later = {name: changes[name] for name in editable if name in changes}
                self.log.update(output.name, known, compared_later, partial(output.update, current, changes))
        kept = output.kept(fields, known, current)
        self.log.keep(output.name, known.id, kept, done="updated", created=known.created)
        return replace(known, sent=kept)

    def refused(self, name: str) -> frozenset[str]:
        """The fields of an output that Kustomer refused, as `custom.nameStr` those of custom attributes."""
        ours = (field.partition(":") for field in Family.LEFT_OUT.of(self.record.fields))
        return frozenset(field for output, _, field in ours if output == name)

    def _without_refused(self, name: str, known: Written) -> Written:
        """Custom attributes that Kustomer refused count as not sent: an admin may have defined them since."""
        refused = self.refused(name)
        custom = known.sent.get("custom")
        if not isinstance(custom, Mapping) or not any(one.split(".")[0] == "custom" for one in refused):
            return known
        kept = {
            key: value for key, value in custom.items() if {"custom", f"custom.{key}"}.isdisjoint(refused)
        }
        return replace(known, sent={**known.sent, "custom": kept})


class Output(ABC, Generic[Current]):
    """One kind of thing that a call is written as. `Current`: what the client returns when it is read."""

    # Also its name on the record: `out:note`, `intent:note`, `change:note`.
    name: ClassVar[str]

    @abstractmethod
    def fields(self, known: Written | None) -> Fields:
        """What to send; kept, and compared with what a later plan wants."""

    @abstractmethod
    def is_searched(self) -> bool:
        """Whether to look for it before creating it."""

    @abstractmethod
    def find(self) -> Written | None:
        """Look for it by our key; what was found, as it was last sent."""

    @abstractmethod
    def create(self, fields: Fields) -> str:
        """Create it and return its id.

        Raises:
            Conflict: it exists.
        """

    def create_hidden(self, fields: Fields, conflict: Conflict) -> str:
        """Kustomer says that it exists, and `find` does not find it."""
        raise conflict

    @abstractmethod
    def read(self, id_: str) -> Current | None:
        """What Kustomer holds now; None: nothing."""

    def exists(self, id_: str) -> bool:
        return self.read(id_) is not None

    def gone(self, id_: str) -> None:
        """It is to be updated and is not there. By default, what a person deleted stays deleted."""

    def id_of(self, current: Current, known_id: str) -> str:
        """The id of what was read; another one where Kustomer merged it."""
        return known_id

    def editable(self, current: Current) -> Fields:
        """The current values of the fields that people change as well."""
        return {}

    def changes(self, fields: Fields, known: Written, current: Current) -> Fields:
        """What to change. By default nothing: once written, it stays as it is."""
        return {}

    def kept(self, fields: Fields, known: Written, current: Current | None) -> Fields:
        """What to record as sent after an update: `fields`, and what later runs have to know of it.

        Args:
            known: as it was before the update.
            current: what Kustomer held before it; None: nothing.
        """
        return fields

    def update(self, current: Current, changes: Fields) -> None:
        """Send what `changes` returned, if that was anything; by default it never is."""
