"""The job of a text message: write it to Kustomer, once, after those of its number that came before it.

The engine is that of calls (`writer.py`, `write_log.py`): a message has a record of its own, whose outputs
are its customer, the conversation of its number, its files and the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from bridge.deps import Deps, JobResult
from bridge.domain.messages import MessagePlan, as_call, plan_message
from bridge.domain.policy import Skip
from bridge.domain.webhook.messages import Message
from bridge.errors import Conflict, Rejected
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Field, State
from bridge.ledger.messages.records import first_before, let_next, message_of
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.kinds import MESSAGE
from bridge.sync.customers.look_up import CustomerLookUp
from bridge.sync.decide import look_back
from bridge.sync.outputs.customer import NoCustomer, ensure_customer
from bridge.sync.outputs.media import ensure_media
from bridge.sync.outputs.message import MessageOutput, ThreadOutput, ensure_thread
from bridge.sync.write_log import WriteLog
from bridge.sync.writer import CallWriter

# The one that comes first makes the next due once it is written; this is for one that was killed before.
_LOOK_AGAIN_MS = 5_000
_AFTER_EARLIER = "an earlier message of this number is written first"
_NOT_KEPT = "its webhook is no longer kept"


def write_message(claim: Claim, deps: Deps) -> JobResult:
    """One run for one message; safe to repeat."""
    record = deps.ledger.read(claim.key)
    if not record.exists or record.forgotten:
        return JobResult()
    message = message_of(record, deps.rules)
    heard_at = record.heard_at or datetime.now(UTC)
    if message is None:
        return _never(record, deps, "", _NOT_KEPT)
    want = plan_message(message, record.fields.get(Field.NAME, ""), deps.rules, heard_at=heard_at)
    if isinstance(want, Skip):
        return _never(record, deps, message.number, want.reason)
    busy = "another message of this number is being written"
    with deps.ledger.lock(claim, f"messages:{message.number}", busy=busy):
        if first_before(deps.ledger, message.number, claim.key) is not None:
            waits: Mapping[str, object] = {Field.STATE: State.WAITING, Field.REASON: _AFTER_EARLIER}
            return JobResult(again_in_ms=_LOOK_AGAIN_MS, fields=waits)
        return _write(claim, deps, record, message, want)


def _write(claim: Claim, deps: Deps, record: Record, message: Message, want: MessagePlan) -> JobResult:
    now = moment(claim.now_ms) or datetime.now(UTC)
    # A message that another ledger may have written is looked for, as a call is.
    horizon = look_back(record, as_call(message), deps.ledger.reach(), now)
    if horizon.wait is not None and horizon.wait.until is not None and "message" not in record.outputs:
        pause = max(0, int((horizon.wait.until - now).total_seconds() * 1000))
        waits: Mapping[str, object] = {Field.STATE: State.WAITING, Field.REASON: horizon.wait.reason}
        return JobResult(again_in_ms=pause, fields=waits)
    writer = CallWriter(
        record=record,
        log=WriteLog(claim=claim, deps=deps),
        keys=(want.thread.external_id,),
        search_first=horizon.search_first,
        verify=record.verify_requested,
        rules=deps.rules,
        look_up=CustomerLookUp(deps=deps, call=as_call(message)),
    )
    try:
        _write_all(writer, message, want)
    except NoCustomer as error:
        return _never(record, deps, message.number, str(error))
    _let_next(deps, message.number, record.key)
    return JobResult(
        fields={
            Field.STATE: State.SYNCED,
            Field.SYNCED_AT: "now",
            Field.REASON: None,
            Field.RULES: deps.rules.version,
            Field.VERIFY: None,
            **writer.log.also,
        }
    )


def _write_all(writer: CallWriter, message: Message, want: MessagePlan) -> None:
    thread = ThreadOutput(writer=writer, draft=want.thread, number=message.number)
    customer = partial(ensure_customer, writer, want.customer)
    conversation_id, is_new = ensure_thread(thread, customer)
    output = MessageOutput(
        writer=writer, draft=want.message, conversation_id=conversation_id, conversation_is_new=is_new
    )
    if message.media and "message" not in writer.record.outputs:
        attached, lacking = ensure_media(writer, message.media)
        output = replace(output, attachments=attached, lacking=lacking)
    try:
        writer.obtain(output)
    except Rejected as error:
        if error.status != 404 or is_new:
            raise
        # The conversation that was remembered is gone: its number gets another one, with the next run.
        thread.forget()
        raise Conflict(f"conversation {conversation_id} no longer exists in Kustomer") from error


def _never(record: Record, deps: Deps, number: str, reason: str) -> JobResult:
    """Not to be written; what was written before stays."""
    if number:
        _let_next(deps, number, record.key)
    state = State.SYNCED if "message" in record.outputs else State.SKIPPED
    fields: dict[str, object] = {Field.STATE: state, Field.RULES: deps.rules.version, Field.VERIFY: None}
    fields[Field.REASON] = None if state is State.SYNCED else reason
    return JobResult(log="" if state is State.SYNCED else f"not written: {reason}", fields=fields)


def _let_next(deps: Deps, number: str, key: str) -> None:
    following = let_next(deps.ledger, number, key)
    if following is not None:
        deps.ledger.schedule(MESSAGE.name, following, in_ms=0)
