"""The call's note, under an id and an external id made from the call; what a person did to it stays.

Once a person has edited its text, nothing of it is changed any more: what is new since is said in a second
note (`later.py`). A deleted note is not written again, and a file that was removed is not attached again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from bridge.clients.kustomer import Kustomer, Note
from bridge.domain.kustomer_texts.note import says_call
from bridge.domain.policy import CustomerDraft, NoteDraft, note_key, note_uuid
from bridge.errors import Conflict, Rejected
from bridge.ledger.calls.record import Written
from bridge.sync.outputs.attachment import all_attachments
from bridge.sync.writer import CallWriter, Fields, Output

_NO_NOTE_IDS = "kustomer:no-note-ids"
_NO_NOTE_IDS_FOR_S = 86_400
# Of a note that a person edited: what it was last sent before, which the second note is compared with.
EDITED = "edited"
# The name of the second note among a call's outputs.
SECOND = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOutput(Output[Note]):
    name: ClassVar[str] = "note"

    writer: CallWriter
    draft: NoteDraft
    conversation_id: str
    conversation_is_new: bool
    # How it refers to its files.
    attachments: Sequence[Fields] = ()
    # As just read, where somebody has read it.
    current: Note | None = None

    def fields(self, known: Written | None) -> Fields:
        # An upgrade alone is no reason to rewrite a note.
        as_before = known is not None and known.sent.get("body") == self.draft.former_body
        body = self.draft.former_body if as_before else self.draft.body
        edited = {EDITED: known.sent[EDITED]} if known is not None and EDITED in known.sent else {}
        return {"externalId": self.draft.external_id, "body": body, **self._attached(), **edited}

    def _attached(self) -> Fields:
        return {"attachments": list(self.attachments)} if self.attachments else {}

    def is_searched(self) -> bool:
        writer = self.writer
        lost = (writer.search_first or writer.verify) and not self.conversation_is_new
        return lost or writer.begun(self.name) is not None

    def there(self) -> Note | None:
        """The note that Kustomer has, whether it is on record or not."""
        known = self.writer.record.outputs.get(self.name)
        return self.writer.kustomer.notes.get(known.id) if known is not None else self._look_up()

    def find(self) -> Written | None:
        there = self._look_up()
        if there is None:
            return None
        return self.writer.adopted(self.name, there.id, self.fields(None), external_id=there.external_id)

    def create(self, fields: Fields) -> str:
        memory = self.writer.memory
        if memory.cached(_NO_NOTE_IDS):
            return self._send(fields, note_id=None)
        try:
            return self._send(fields, note_id=self.draft.id)
        except Rejected as error:
            if error.status != 400 or not names_id(error.detail):
                raise
            # An org that lets nobody choose ids (documented as allowed, never seen): the external id and the
            # search before writing remain.
            memory.cache(_NO_NOTE_IDS, True, for_s=_NO_NOTE_IDS_FOR_S)
            return self._send(fields, note_id=None)

    def create_hidden(self, fields: Fields, conflict: Conflict) -> str:
        """The id is taken and the note is not there: a person deleted it, and it is wanted again."""
        return self._send(fields, note_id=None)

    def read(self, id_: str) -> Note | None:
        if self.current is not None and self.current.id == id_:
            return self.current
        return self.writer.kustomer.notes.get(id_)

    def editable(self, current: Note) -> Fields:
        return {"body": current.body.strip()}

    def changes(self, fields: Fields, known: Written, current: Note) -> Fields:
        changes: dict[str, Any] = {}
        if fields["externalId"] != known.sent.get("externalId"):
            changes["externalId"] = fields["externalId"]
        is_edited = self.is_edited(known, current)
        if not is_edited:
            changes["body"] = fields["body"].strip()
        elif known.created:
            return changes
        whole = all_attachments(current, _new_files(fields, known.sent), self.writer.kustomer)
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

    def _send(self, fields: Fields, *, note_id: str | None) -> str:
        body = {**fields, "id": note_id} if note_id else fields
        return self.writer.kustomer.notes.create(self.conversation_id, body).id

    def _keys(self) -> Iterable[str]:
        """The external ids that it may have."""
        return map(note_key, self.writer.keys)

    def _look_up(self) -> Note | None:
        """By the id that we choose, else by any external id of the call, among those of the conversation."""
        found = self.writer.kustomer.notes.get(self.draft.id)
        if found is not None:
            return found
        ours = set(self._keys())
        notes = self.writer.kustomer.notes.every(conversation_id=self.conversation_id)
        return next((note for note in notes if note.external_id in ours), None)


def find_uuid(call_id: int, customer: CustomerDraft, kustomer: Kustomer) -> UUID | None:
    """The uuid of a call that was written under it before, and of which only the number is known now.

    Kustomer cannot be searched by the number, but our note contains it, and has the uuid in its external id.
    Nothing is found where a person removed that line from the note, or moved the call to another customer,
    and where several calls have this number: one typed into a template.
    """
    there = kustomer.customers.by_phone(customer.phone) if customer.phone else None
    notes = kustomer.notes.every(customer_id=there.id) if there else ()
    uuids = {note_uuid(note.external_id or "") for note in notes if says_call(note.body, call_id)}
    return uuids.pop() if len(uuids) == 1 else None


def _new_files(fields: Fields, sent: Fields) -> list[Fields]:
    """The files that it was never sent: one that is gone was removed by a person."""
    old = {item["_id"] for item in sent.get("attachments", ())}
    return [item for item in fields.get("attachments", ()) if item["_id"] not in old]


def names_id(detail: str) -> bool:
    """Whether a refusal is about the property `id`."""
    return "id" in re.findall(r"[A-Za-z_]+", detail)
