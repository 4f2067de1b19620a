"""A call's custom object (KObject) at its customer: its values for reports.

Nothing else of the call waits for it. Where Kustomer lacks its class or refuses it to the key, the call says
so, and no call tries that class again for an hour; then this one does, for a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from bridge.clients.kustomer import Resource
from bridge.domain.external_ids import key_of
from bridge.domain.policy import KlassDraft
from bridge.errors import Conflict, Permanent, Rejected, Unauthorized
from bridge.ledger.calls.record import Written
from bridge.ledger.calls.record_fields import Family
from bridge.sync.outputs.custom import as_sent, custom_changes, custom_of, editable_custom, is_as_sent
from bridge.sync.refused import say_left_out, send_without_refused
from bridge.sync.writer import CallWriter, Fields, Output

_OPTIONAL = frozenset({"custom", "description"})
_EDITABLE = ("title", "description")
_NOT_AGAIN_FOR_S = 3600
# A call that ended longer ago is written with its next sync only.
_TRIED_FOR = timedelta(days=1)
_OBJECT = "object"


class _Refused(Permanent):
    """Why there is no custom object; no other call will have more luck within the hour."""


def ensure_klass(
    writer: CallWriter, draft: KlassDraft | None, *, conversation_id: str, conversation_is_new: bool
) -> None:
    """Bring it up to date, or have the record say why not."""
    if draft is None:
        return
    output = KlassOutput(
        writer=writer,
        draft=draft,
        conversation_id=conversation_id,
        conversation_is_new=conversation_is_new,
    )
    if not writer.verify:
        known = writer.record.outputs.get(output.name)
        if known is not None and output.is_up_to_date(known):
            return
        if known is None and writer.memory.cached(_refused_lately(draft.klass)):
            _say(writer, f"Kustomer refused the class {draft.klass} within the last hour")
            return
    try:
        writer.ensure(output)
    except (_Refused, Unauthorized) as error:
        why = _why_refused(error, draft.klass)
        if why is None:
            raise
        writer.memory.cache(_refused_lately(draft.klass), True, for_s=_NOT_AGAIN_FOR_S)
        writer.memory.klass_refused(draft.klass, "missing" if isinstance(error, _Refused) else "role")
        _say(writer, why)
    except (Rejected, Conflict) as error:
        _say(writer, str(error))
    else:
        writer.memory.klass_refused(draft.klass, None)
        if writer.verify:
            # A person asked, and Kustomer has it now: further calls need not wait for the hour.
            writer.memory.cache(_refused_lately(draft.klass), False, for_s=_NOT_AGAIN_FOR_S)
        if _field() in writer.record.fields:
            writer.log.note(_field(), None)


def _why_refused(error: _Refused | Unauthorized, klass: str) -> str | None:
    """None where the key is of no use at all, or the account is not paid: that stops more than this."""
    if isinstance(error, _Refused):
        return str(error)
    if error.status != 403 and not error.detail:
        return None
    return f"the key lacks the role for class {klass}"


def klass_again_s(writer: CallWriter, now: datetime) -> float | None:
    """When to try again what was refused; None where there is nothing to try, or not by itself any more."""
    ended_at = writer.look_up.call.ended_at
    if writer.rules.fields_as != "klass" or ended_at is None:
        return None
    said = writer.log.noted.get(_field(), writer.record.fields.get(_field()))
    return _NOT_AGAIN_FOR_S + 60 if said and now - ended_at < _TRIED_FOR else None


def _say(writer: CallWriter, why: str) -> None:
    say_left_out(writer.log, KlassOutput.name, _OBJECT, f"custom object not written: {why}")


def _field() -> str:
    return Family.LEFT_OUT.field(f"{KlassOutput.name}:{_OBJECT}")


def _refused_lately(klass: str) -> str:
    return f"kustomer:refused-klass:{klass}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KlassOutput(Output[Resource]):
    name: ClassVar[str] = "klass"

    writer: CallWriter
    draft: KlassDraft
    conversation_id: str
    conversation_is_new: bool

    def fields(self, known: Written | None) -> dict[str, Any]:
        """With its class: an object that is there stays in the one it has, whatever the rules say."""
        draft = self.draft
        return {
            "klass": known.sent.get("klass", draft.klass) if known is not None else draft.klass,
            "externalId": draft.external_id,
            "title": draft.title,
            "description": draft.description,
            "custom": dict(draft.custom),
        }

    def is_up_to_date(self, known: Written) -> bool:
        return self.fields(known) == known.sent and not self.writer.record.changes.get(self.name)

    def is_searched(self) -> bool:
        lost = (self.writer.search_first or self.writer.verify) and not self.conversation_is_new
        return lost or self.writer.begun(self.name) is not None

    def find(self) -> Written | None:
        begun = (self.writer.begun(self.name) or {}).get("externalId")
        current, *others = (key_of(self.name, key) for key in self.writer.keys)
        others = [key for key in others if self.writer.search_first or self.writer.verify or key == begun]
        for key in (current, *others):
            there = self.writer.kustomer.custom_objects.by_external_id(self.draft.klass, key)
            if there is not None:
                return self.writer.adopted(self.name, there.id, self.fields(None), external_id=key)
        return None

    def create(self, fields: Fields) -> str:
        body = {name: value for name, value in fields.items() if name != "klass"}
        customer_id = self._customer_id()
        try:
            return self._send(customer_id, body)
        except Rejected as error:
            # Of class and customer either may be missing.
            instead = self._moved_from(customer_id) if error.status == 404 else None
            if instead is None:
                raise self._explained(error) from error
        try:
            return self._send(instead, body)
        except Rejected as error:
            raise self._explained(error) from error

    def read(self, id_: str) -> Resource | None:
        """By its external id: there is no documented read by id."""
        known = self.writer.record.outputs.get(self.name)
        sent: Mapping[str, Any] = known.sent if known is not None and known.id == id_ else self.fields(known)
        klass = str(sent.get("klass", self.draft.klass))
        return self.writer.kustomer.custom_objects.by_external_id(klass, str(sent["externalId"]))

    def editable(self, current: Resource) -> Fields:
        shown = {name: current.fields.get(name) for name in _EDITABLE}
        return {**shown, **editable_custom(self.draft.custom, current)}

    def changes(self, fields: Fields, known: Written, current: Resource) -> Fields:
        refused = self.writer.refused(self.name)
        changes: dict[str, Any] = {
            name: fields[name]
            for name in _EDITABLE
            if fields[name] != known.sent.get(name)
            and is_as_sent(name, known.sent.get(name), current.fields, name in refused)
        }
        changes |= custom_changes(fields, known, current, refused=refused)
        if fields["externalId"] != known.sent.get("externalId"):
            changes["externalId"] = fields["externalId"]
        return changes

    def update(self, current: Resource, changes: Fields) -> None:
        known = self.writer.record.outputs.get(self.name)
        klass = str(self.fields(known)["klass"])

        def send(body: Mapping[str, Any]) -> None:
            if body:
                self.writer.kustomer.custom_objects.update(klass, current.id, body)

        send_without_refused(
            self.writer, self.name, _OPTIONAL, as_sent(changes), send, shown=custom_of(current)
        )

    def _send(self, customer_id: str, body: Fields) -> str:
        def send(kept: Mapping[str, Any]) -> str:
            given = {name: value for name, value in kept.items() if value}
            return self.writer.kustomer.custom_objects.create(self.draft.klass, customer_id, given).id

        return send_without_refused(self.writer, self.name, _OPTIONAL, body, send)

    def _customer_id(self) -> str:
        """The call's customer; of a call in another one's conversation, whoever has that."""
        record = self.writer.record
        known = self.writer.log.deps.ledger.read(record.key).outputs.get("customer")
        if known is not None:
            return known.id
        holder = self._holder()
        if holder is None:
            raise Rejected(f"conversation {self.conversation_id} has no customer", status=404)
        return holder

    def _moved_from(self, customer_id: str) -> str | None:
        """Who has the conversation now, where the customer was merged or deleted; None where it was not."""
        if self.writer.kustomer.customers.get(customer_id) is not None:
            return None
        holder = self._holder()
        return holder if holder != customer_id else None

    def _holder(self) -> str | None:
        there = self.writer.kustomer.conversations.get(self.conversation_id)
        return None if there is None else there.customer_id

    def _explained(self, error: Rejected) -> Exception:
        """A refusal that is about the class, in words that say what to do."""
        klass = self.draft.klass
        if error.status != 404 and "name" not in error.places and "klass" not in error.detail.lower():
            return error
        return _Refused(
            f"Kustomer has no class {klass}; callbridge kustomer klass prints the definition to create it"
        )
