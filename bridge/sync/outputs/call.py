"""What a call is written as: customer, conversation, recording and note, in that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.clients.kustomer import Conversation
from bridge.domain.plan import Plan
from bridge.domain.recording import Sound
from bridge.errors import Rejected
from bridge.sync.outputs.attachment import ensure_attachment, find_attachment
from bridge.sync.outputs.conversation import ConversationOutput
from bridge.sync.outputs.customer import ensure_customer, forget_customer
from bridge.sync.outputs.note import NoteOutput
from bridge.sync.writer import CallWriter


def write_call(writer: CallWriter, want: Plan, assigned: Sequence[str], there: Conversation | None) -> bool:
    """Bring everything up to date.

    Args:
        assigned: Kustomer's users to assign to a new conversation.
        there: the conversation that a ledger which was lost wrote.

    Returns:
        False where the note is left to the run that follows.
    """
    conversation_id, is_new = _conversation(writer, want, assigned, there)
    if "note" not in writer.record.outputs and _recording_was_announced(writer):
        return False
    note = NoteOutput(
        writer=writer, draft=want.note, conversation_id=conversation_id, conversation_is_new=is_new
    )
    if wanted := want.note.attachment:
        lost = (writer.search_first or writer.verify) and "attachment" not in writer.record.outputs
        attachment = find_attachment(writer, note.there(), wanted) if lost and not is_new else None
        attachment = attachment or ensure_attachment(writer, wanted)
        if attachment is None:
            return False
        note = replace(note, attachment=attachment)
    writer.ensure(note)
    return True


def _conversation(
    writer: CallWriter, want: Plan, assigned: Sequence[str], there: Conversation | None
) -> tuple[str, bool]:
    """Its id, and whether it was created just now.

    One that is there comes before its customer: people may have moved the call, merged the customer or
    changed its number since, and none of that is to be undone.
    """
    output = ConversationOutput(writer=writer, draft=want.conversation, assigned=assigned, there=there)
    if there is not None:
        if there.customer_id and "customer" not in writer.record.outputs:
            sent = {"phone": want.customer.phone, "name": want.customer.name}
            writer.log.keep("customer", there.customer_id, sent, done="found")
        return writer.ensure(output)
    customer_id = ensure_customer(writer, want.customer)
    try:
        return writer.ensure(replace(output, customer_id=customer_id))
    except Rejected as error:
        if error.status != 404 or "conversation" in writer.record.outputs:
            raise
    # The customer we knew is gone. Find who it is now.
    forget_customer(writer, want.customer)
    anew = replace(writer, verify=True)
    return writer.ensure(replace(output, writer=anew, customer_id=ensure_customer(anew, want.customer)))


def _recording_was_announced(writer: CallWriter) -> bool:
    """Whether a recording was announced since this run began: then one note can say both."""
    record, deps = writer.record, writer.log.deps
    if record.recording(deps.rules, record.call(deps.rules)).sound is not Sound.NONE:
        return False
    fresh = deps.ledger.read(record.key)
    return fresh.recording(deps.rules, fresh.call(deps.rules)).sound is Sound.COMING
