"""Find in Kustomer what was written of a call before, under whichever of its two ids was known then."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from bridge.clients.kustomer import Conversation, Kustomer, Note
from bridge.domain.note import says_call
from bridge.domain.plan import CustomerDraft, NoteDraft, note_uuid


def find_conversation(external_ids: Iterable[str], kustomer: Kustomer) -> Conversation | None:
    """Under the first of these that there is; one request each."""
    found = (kustomer.conversation_by_external_id(key) for key in external_ids)
    return next((one for one in found if one is not None), None)


def find_note(
    draft: NoteDraft, external_ids: Collection[str], conversation_id: str, kustomer: Kustomer
) -> Note | None:
    """By the id that we choose, else by any of these external ids, among those of the conversation."""
    found = kustomer.note(draft.id)
    if found is not None:
        return found
    notes = kustomer.notes_of(conversation_id)
    return next((note for note in notes if note.external_id in external_ids), None)


def find_uuid(call_id: int, customer: CustomerDraft, kustomer: Kustomer) -> UUID | None:
    """The uuid of a call whose number alone is known now, and that was written under its uuid before.

    Kustomer has no look-up by the number, but our note says it, and has the uuid in its external id.
    Nothing is found where somebody took the line out of the note, or moved the call to another customer,
    and where several calls say this number: one typed into a template.
    """
    there = kustomer.customer_by_phone(customer.phone) if customer.phone else None
    notes = kustomer.notes_of_customer(there.id) if there else ()
    uuids = {note_uuid(note.external_id or "") for note in notes if says_call(note.body, call_id)}
    return uuids.pop() if len(uuids) == 1 else None
