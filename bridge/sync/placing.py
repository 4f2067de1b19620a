"""Which conversation a call's note goes into: one of its own, or another call's that it is part of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bridge.clients.kustomer import Conversation
from bridge.domain.owners import Owner
from bridge.domain.policy import Plan
from bridge.errors import Rejected
from bridge.ledger.calls.record import Written
from bridge.sync.customers.choice import settle_choice
from bridge.sync.legs import keep_leg
from bridge.sync.missed import Life, keep_joined
from bridge.sync.outputs.conversation import ConversationOutput
from bridge.sync.outputs.customer import ensure_customer, forget_customer
from bridge.sync.shared import Place, shared_before, shared_of
from bridge.sync.writer import CallWriter

# Whose the conversation is, by the customer's id.
OwnerOf = Callable[[str], Owner]


def place_of(writer: CallWriter, want: Plan, life: Life, owner: OwnerOf, there: Conversation | None) -> Place:
    """Where the note goes; the conversation is made if need be, after its customer.

    One that is there comes before its customer: people may have moved the call, merged the customer or
    changed its number since, and none of that is to be undone.

    Args:
        there: the conversation that a ledger which was lost wrote.
    """
    if life.leader is not None:
        return Place(output=None, written=join(writer, want, life))
    if writer.leg is not None and there is None:
        joined = keep_leg(writer.log, writer.record, writer.leg)
        _move_if_assigned(writer, want, joined)
        return Place(output=None, written=joined)
    if (shared := shared_before(writer.record)) is not None:
        _move_if_assigned(writer, want, shared)
        return Place(output=None, written=shared, is_shared=True)
    output = ConversationOutput(
        writer=writer, draft=want.conversation, there=there, is_shared=writer.rules.per == "customer"
    )
    if there is not None and not writer.record.is_assigned_anew:
        return _adopted(writer, want, owner, output, there)
    return _of_customer(writer, want, owner, output)


def join(writer: CallWriter, want: Plan, life: Life) -> Written:
    """The conversation of the missed calls that this one joined."""
    joined = keep_joined(writer, life)
    _move_if_assigned(writer, want, joined)
    return joined


def _move_if_assigned(writer: CallWriter, want: Plan, joined: Written) -> None:
    """The other call's conversation, which this one is part of, goes to the customer whom a person chose."""
    if writer.record.is_assigned_anew:
        settle_choice(writer, joined.id, ensure_customer(writer, want.customer), is_new=False)


def _adopted(
    writer: CallWriter, want: Plan, owner: OwnerOf, output: ConversationOutput, there: Conversation
) -> Place:
    """The call's own conversation, written by a ledger that was lost; its customer is whoever has it now."""
    if there.customer_id and "customer" not in writer.record.outputs:
        sent = {"phone": want.customer.phone, "name": want.customer.name}
        writer.log.keep("customer", there.customer_id, sent, done="found")
    output = replace(output, owner=owner(there.customer_id or ""))
    written, is_new = writer.obtain(output)
    return Place(output=output, written=written, is_new=is_new, is_shared=output.is_shared)


def _of_customer(writer: CallWriter, want: Plan, owner: OwnerOf, output: ConversationOutput) -> Place:
    """A conversation of the call's customer: the one that their calls share, or the call's own."""
    is_assigned_anew = writer.record.is_assigned_anew
    customer_id = ensure_customer(writer, want.customer)
    output = replace(output, owner=owner(customer_id), customer_id=customer_id)
    try:
        with shared_of(writer, customer_id, want.conversation) as place:
            if place is not None:
                if is_assigned_anew:
                    settle_choice(writer, place.written.id, customer_id, is_new=False)
                return place
            written, is_new = writer.obtain(output)
    except Rejected as error:
        if error.status != 404 or "conversation" in writer.record.outputs:
            raise
        # The customer we knew is gone. Find who it is now.
        forget_customer(writer, want.customer)
        writer = replace(writer, verify=True)
        customer_id = ensure_customer(writer, want.customer)
        output = replace(output, writer=writer, customer_id=customer_id)
        written, is_new = writer.obtain(output)
    if is_assigned_anew:
        settle_choice(writer, written.id, customer_id, is_new=is_new)
    return Place(output=output, written=written, is_new=is_new, is_shared=output.is_shared)
