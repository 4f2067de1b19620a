"""Calls of one customer in one conversation (`per = "customer"`): which one, and in what state it is left.

The conversation belongs to the call that it was made for. Each call has its own note in it; the call that
began last decides its state, unless a person did.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from bridge.clients.kustomer import Conversation, Kustomer
from bridge.domain.policy import ConversationDraft
from bridge.errors import Busy
from bridge.ledger.calls import talks
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.talks import Latest
from bridge.sync.outputs.conversation import ConversationOutput
from bridge.sync.touched import is_usable
from bridge.sync.writer import CallWriter

# In place of what was sent of a conversation: it was made for another call.
SHARED = "shared"
_BUSY = "another call of this customer is being written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a call's note goes.

    Args:
        output: of the call's own conversation; None where that is another call's.
        read: as just read.
        is_shared: its state is decided by several calls.
    """

    output: ConversationOutput | None
    written: Written
    is_new: bool = False
    read: Conversation | None = None
    is_shared: bool = False


def shared_before(record: Record) -> Written | None:
    """The other call's conversation that this one was written into by an earlier run."""
    known = record.outputs.get("conversation")
    return known if known is not None and SHARED in known.sent else None


@contextmanager
def shared_of(writer: CallWriter, customer_id: str, draft: ConversationDraft) -> Iterator[Place | None]:
    """The conversation that the customer's calls share; None: one is to be made, also for later ones.

    Calls of one customer choose one after the other.

    Raises:
        Busy: another call is choosing, or has chosen to make one and has not made it yet.
    """
    record, log = writer.record, writer.log
    if writer.rules.per != "customer" or "conversation" in record.outputs:
        yield None
        return
    ledger = log.deps.ledger
    with ledger.lock(log.claim, f"talk:{customer_id}", busy=_BUSY):
        latest = talks.latest(ledger, customer_id)
        place = _usable(writer, draft, latest) if latest is not None else None
        if place is not None:
            log.keep("conversation", place.written.id, place.written.sent, done="found")
        elif latest is None or latest.root != record.key:
            log.note(Field.SHARED, customer_id)
            talks.remember(ledger, customer_id, Latest(root=record.key, began_ms=_began_ms(writer, draft)))
        yield place


def _usable(writer: CallWriter, draft: ConversationDraft, latest: Latest) -> Place | None:
    record, deps, rules = writer.record, writer.log.deps, writer.rules
    if latest.root in record.own_keys:
        return None
    hours = abs(_began_ms(writer, draft) - latest.began_ms) / 3_600_000
    if rules.within_hours and hours >= rules.within_hours:
        return None
    root = deps.ledger.read(latest.root)
    made = root.outputs.get("conversation")
    if made is None:
        states = deps.ledger.job_states(*root.own_keys)
        if any(job["kind"] == "sync" and job["state"] != "parked" for job in states):
            raise Busy(_BUSY, retry_after_s=0.5)
        return None
    there = deps.kustomer.conversations.get(made.id)
    if there is None or not is_usable(there):
        return None
    if not rules.within_hours and there.fields.get("status") == "done":
        return None
    named = str(root.call_id or root.uuid or root.key)
    sent = {SHARED: root.key, "named": named, "first": made.sent.get("status", "open")}
    return Place(output=None, written=Written(id=made.id, sent=sent), read=there, is_shared=True)


def finish(writer: CallWriter, place: Place, draft: ConversationDraft) -> None:
    """Leave the conversation in the state that its last call wants, once everything else is there."""
    ledger, log, kustomer = writer.log.deps.ledger, writer.log, writer.kustomer
    conversation_id = place.written.id
    with ledger.lock(log.claim, f"talk:{conversation_id}", busy=_BUSY):
        talk = talks.enter(ledger, conversation_id, writer.record.key, _began_ms(writer, draft))
        sent = talk.status or str(place.written.sent.get("first") or place.written.sent.get("status"))
        if talk.newest != writer.record.key or sent == draft.status:
            return
        there = place.read or kustomer.conversations.get(conversation_id)
        if there is None or not is_usable(there):
            return
        status = there.fields.get("status")
        # Nobody sees a missed call in a conversation that is done, whoever ended it.
        reopens = status == "done" and draft.status != "done"
        if status != draft.status:
            if status != sent and not reopens:
                return
            output = ConversationOutput(writer=writer, draft=draft)
            log.repeat(partial(_send, kustomer, conversation_id, output.state()))
        talks.keep_status(ledger, conversation_id, draft.status)


def _send(kustomer: Kustomer, conversation_id: str, state: dict[str, Any]) -> None:
    kustomer.conversations.update(conversation_id, state)


def _began_ms(writer: CallWriter, draft: ConversationDraft) -> int:
    began = draft.began_at
    return writer.log.claim.now_ms if began is None else round(began.timestamp() * 1000)
