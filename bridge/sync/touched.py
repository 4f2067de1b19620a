"""What a person did to a conversation since the bridge wrote it. Pure."""

from __future__ import annotations

from bridge.clients.kustomer import Conversation
from bridge.clients.kustomer.resources import InConversation
from bridge.domain.outputs import OUTPUTS, TEXTS
from bridge.ledger.calls.record import Record, Written
from bridge.sync.write_log import last_sent


def is_usable(there: Conversation) -> bool:
    """Whether more may be written into it: not deleted, not locked, not ended."""
    return not any(there.fields.get(name) for name in ("deleted", "locked", "ended"))


def what_a_person_changed(
    record: Record, there: Conversation, text: InConversation | None, *, by_state: bool = True
) -> str:
    """A sentence that names the first of status, owner, tags and text that differs from what was written.

    Args:
        there: the conversation that the record names, as just read.
        text: the call's note there, without one its voice message, as just read; None where it is gone.
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
    return _changed_text(record, text)


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


def _changed_text(record: Record, text: InConversation | None) -> str:
    name = next((one for one in TEXTS if one in record.outputs), None)
    if name is None:
        return ""
    kind = OUTPUTS[name]
    if text is None:
        return f"a person deleted its {kind.title.lower()}"
    shown = str(text.fields.get(kind.text) or "").strip()
    known = last_sent(record.outputs[name], record.changes.get(name, {}), {kind.text: shown})
    is_ours = shown == str(known.sent.get(kind.text, "")).strip()
    return "" if is_ours else f"a person changed its {kind.title.lower()}"


def _ids(there: Conversation, name: str) -> set[str]:
    value = there.fields.get(name)
    return {str(one) for one in value} if isinstance(value, list) else set()
