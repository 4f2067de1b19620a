"""The call's note, under an id and an external id made from the call; what a person did to it stays.

Once a person has edited its text, nothing of it is changed any more: what is new since is said in a second
note (`later.py`). A deleted note is not written again, and a file that was removed is not attached again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from bridge.clients.kustomer import Kustomer, Note
from bridge.domain.external_ids import uuid_in_key
from bridge.domain.kustomer_texts.note import says_call
from bridge.domain.outputs import OUTPUTS
from bridge.domain.policy import CustomerDraft, NoteDraft
from bridge.domain.rules.model import Rules
from bridge.ledger.calls.record import Written
from bridge.sync.outputs.attachment import all_attachments
from bridge.sync.outputs.text import TextOutput, new_files
from bridge.sync.writer import Fields

# Of a note that a person edited: what it was last sent before, which the second note is compared with.
EDITED = "edited"
# The name of the second note among a call's outputs.
SECOND = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOutput(TextOutput[Note]):
    name: ClassVar[str] = "note"
    text_field: ClassVar[str] = "body"

    draft: NoteDraft

    def fields(self, known: Written | None) -> Fields:
        # An upgrade alone is no reason to rewrite a note.
        former = self.draft.former_body if known is not None else None
        body = former if known is not None and known.sent.get("body") == former else self.draft.body
        edited = {EDITED: known.sent[EDITED]} if known is not None and EDITED in known.sent else {}
        return {"externalId": self.draft.external_id, "body": body, **self.attached(), **edited}

    def get(self, id_: str) -> Note | None:
        return self.writer.kustomer.notes.get(id_)

    def every(self) -> Iterable[Note]:
        return self.writer.kustomer.notes.every(conversation_id=self.conversation_id)

    def send(self, fields: Fields) -> str:
        return self.writer.kustomer.notes.create_in_batch(self.conversation_id, fields).id

    def changes(self, fields: Fields, known: Written, current: Note) -> Fields:
        changes: dict[str, Any] = {}
        if fields["externalId"] != known.sent.get("externalId"):
            changes["externalId"] = fields["externalId"]
        is_edited = self.is_edited(known, current)
        if not is_edited:
            changes["body"] = fields["body"].strip()
        elif known.created:
            return changes
        whole = all_attachments(current, new_files(fields, known.sent), self.writer.kustomer)
        if whole is not None:
            changes["attachments"] = whole
        return changes

    def kept(self, fields: Fields, known: Written, current: Note | None) -> Fields:
        kept = {name: value for name, value in fields.items() if name != EDITED}
        if current is None:
            has_second = SECOND in self.writer.record.outputs or self.writer.begun(SECOND) is not None
            return fields if has_second else kept
        if not known.created or not self.is_edited(known, current):
            # What a lost ledger sent is not known: a second note might repeat it all.
            return kept
        before = {name: known.sent[name] for name in ("body", "attachments") if name in known.sent}
        return {**kept, EDITED: known.sent.get(EDITED, before)}

    def is_edited(self, known: Written, current: Note) -> bool:
        """Whether its text is neither what was last sent, nor what it was before a person edited it."""
        texts = (known.sent, known.sent.get(EDITED, {}))
        ours = {str(sent["body"]).strip() for sent in texts if "body" in sent}
        return current.body.strip() not in ours

    def update(self, current: Note, changes: Fields) -> None:
        self.writer.kustomer.notes.update(current.id, changes)


def find_uuid(call_id: int, customer: CustomerDraft, kustomer: Kustomer, rules: Rules) -> UUID | None:
    """The uuid of a call that was written under it before, and of which only the number is known now.

    Kustomer cannot be searched by the number, but our note contains it, and has the uuid in its external id;
    so has a voice message without a note. Nothing is found where a person removed that line, or moved the
    call to another customer, and where several calls have this number: one typed into a template.
    """
    there = kustomer.customers.by_phone(customer.phone) if customer.phone else None
    if there is None:
        return None
    uuids = set(_uuids("note", call_id, kustomer.notes.every(customer_id=there.id)))
    if not uuids and "note" not in rules.written_as:
        uuids = set(_uuids("voice", call_id, kustomer.messages.every(customer_id=there.id)))
    return uuids.pop() if len(uuids) == 1 else None


def _uuids(output: str, call_id: int, written: Iterable[Any]) -> Iterator[UUID | None]:
    for one in written:
        if says_call(str(one.fields.get(OUTPUTS[output].text) or ""), call_id):
            yield uuid_in_key(output, one.external_id or "")
