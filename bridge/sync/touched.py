"""What a person did to a conversation since the bridge wrote it. Pure."""

from __future__ import annotations

from bridge.clients.kustomer import Conversation, Note
from bridge.ledger.calls.record import Record, Written
from bridge.sync.write_log import last_sent


def is_usable(there: Conversation) -> bool:
    """Whether more may be written into it: not deleted, not locked, not ended."""
    return not any(there.fields.get(name) for name in ("deleted", "locked", "ended"))


def what_a_person_changed(
    record: Record, there: Conversation, note: Note | None, *, by_state: bool = True
) -> str:
    """A sentence that names the first of note, status, owner and tags that differs from what was written.

    Args:
        there: the conversation that the record names, as just read.
        note: the call's note there, as just read; None where it is gone.
        by_state: its status is this call's alone, so that another one is a person's.
    """
    known = record.outputs["conversation"]
    if not is_usable(there):
        return "the conversation is deleted, locked or ended"
    if by_state and _status_differs(record, known, there):
        return "a person changed its status"
    for name, what in (("assignedUsers", "owner"), ("assignedTeams", "team")):
        if _ids(there, name) != set(known.shown.get(name) or known.sent.get(name) or ()):
            return f"a person changed its {what}"
    if not _same_tags(known, there):
        return "a person changed its tags"
    return _changed_note(record, note)


def _status_differs(record: Record, known: Written, there: Conversation) -> bool:
    status = there.fields.get("status")
    begun = record.changes.get("conversation", {})
    sent = last_sent(known, begun, {"status": status}).sent.get("status")
    # A conversation that slept wakes by itself.
    return status != sent and not (sent == "snoozed" and status == "open")


def _same_tags(known: Written, there: Conversation) -> bool:
    sent = known.sent.get("tags") or ()
    if known.shown.get("tags"):
        return set(there.tags) == set(known.shown["tags"])
    # Written by a version that did not keep their ids.
    return len(there.tags) == len(sent)


def _changed_note(record: Record, note: Note | None) -> str:
    written = record.outputs.get("note")
    if written is None:
        return ""
    if note is None:
        return "a person deleted its note"
    body = note.body.strip()
    known = last_sent(written, record.changes.get("note", {}), {"body": body})
    return "" if body == str(known.sent.get("body", "")).strip() else "a person changed its note"


def _ids(there: Conversation, name: str) -> set[str]:
    value = there.fields.get(name)
    return {str(one) for one in value} if isinstance(value, list) else set()
