"""What a person's choice of a customer changes: where the conversation is, and calls that waited for it."""

from __future__ import annotations

from functools import partial

from bridge.deps import Deps
from bridge.errors import Rejected, SeveralCustomers
from bridge.ledger.calls.reading import read_all
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import split_job
from bridge.sync.writer import CallWriter


def settle_choice(writer: CallWriter, conversation_id: str, customer_id: str, *, is_new: bool) -> None:
    """Have the conversation at the customer whom a person chose, and run the number's other calls that wait.

    May be repeated: the conversation is read before it is moved, and the move says the same each time. The
    conversation's notes go with it.

    Args:
        is_new: it was just created for that customer.
    """
    conversations, says = writer.kustomer.conversations, ""
    if not is_new:
        current = conversations.get(conversation_id)
        if current is None:
            raise Rejected(f"conversation {conversation_id} no longer exists in Kustomer", status=404)
        if current.customer_id != customer_id:
            writer.log.repeat(partial(_move, writer, conversation_id, customer_id))
            says = "conversation moved"
    _run_waiting(writer.log.deps, writer.number, besides=writer.record.own_keys)
    writer.log.note(Field.MOVED, writer.record.assigned, says=says)


def _move(writer: CallWriter, conversation_id: str, customer_id: str) -> None:
    writer.kustomer.conversations.update(conversation_id, {"customer": customer_id})


def _run_waiting(deps: Deps, number: str, *, besides: tuple[str, ...]) -> None:
    """The calls of the same number that were parked as nobody had chosen."""
    if not number:
        return
    ledger = deps.ledger
    cause = SeveralCustomers.__name__
    names = [split_job(name) for name, job in ledger.parked().items() if job.get("cause") == cause]
    waiting = [key for kind, key in names if kind == "sync" and key not in besides]
    for key, record in zip(waiting, read_all(ledger, waiting), strict=True):
        phone = record.call(deps.rules).external
        if phone is not None and phone.text == number:
            ledger.replay("sync", key, who="an assignment", if_parked=True)
