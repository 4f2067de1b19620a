"""Legs of a transferred call that CloudTalk lists as calls of their own: they share one conversation.

Whether CloudTalk does that is not documented; if a transfer stays one call, nothing here happens. Which calls
are legs of one is learnt from call detail (a step with another call's number) or from CloudTalk's list
(`transferred_from`), and kept under the number of each, so that the leg that comes later finds it. Each leg
keeps its own note and recording; the conversation is that of the leg that is written first, which is the
earlier one where both are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.synthetic import is_synthetic
from bridge.errors import Busy
from bridge.ledger.calls.erasing import legs_of
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.calls.record_fields import State
from bridge.ledger.queue.claims import Claim
from bridge.sync.write_log import WriteLog

# In place of what was sent of a conversation: it is that of another leg.
LEG_OF = "leg_of"
_MOST = 6
# Legs follow one another within hours.
_KEPT_S = 7 * 86_400
# How long a leg waits for the one before it, which is about to be written.
_WAITS = timedelta(minutes=2)
_BEING_WRITTEN = "another leg of this transferred call is being written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Whose conversation a call is written into.

    Args:
        key: of the record that the conversation belongs to.
        named: that call's CloudTalk number.
    """

    key: str
    named: str
    conversation_id: str
    customer: Written | None = None

    @property
    def says(self) -> str:
        return f"part of call {self.named}, which was transferred"


@contextmanager
def leg_of(claim: Claim, deps: Deps, record: Record, call: Call, now: datetime) -> Iterator[Leg | None]:
    """The leg whose conversation this call shares; None where it gets one of its own, as most calls do.

    Of the legs of one call only one is written at a time.

    Raises:
        Busy: another one is being written, or the earlier one is about to be.
    """
    numbers = _numbers(deps, record, call)
    known = record.outputs.get("conversation")
    if known is not None or "conversation" in record.intents or len(numbers) < 2:
        yield _joined(known)
        return
    with deps.ledger.lock(claim, f"legs:{numbers[0]}", busy=_BEING_WRITTEN):
        yield _other(deps, record, call, numbers, now)


def keep_leg(log: WriteLog, record: Record, leg: Leg) -> Written:
    """The other leg's conversation, on this call's record."""
    there = Written(id=leg.conversation_id, sent={LEG_OF: leg.key, "named": leg.named})
    # Record the customer first: once the conversation is on record, nobody looks up the other leg again.
    if leg.customer is not None and "customer" not in record.outputs:
        log.keep("customer", leg.customer.id, leg.customer.sent, done="found")
    known = record.outputs.get("conversation")
    if known is None or (known.id, known.sent) != (there.id, there.sent):
        log.keep("conversation", there.id, there.sent, done="found")
    return there


def _joined(known: Written | None) -> Leg | None:
    if known is None or LEG_OF not in known.sent:
        return None
    key = str(known.sent[LEG_OF])
    return Leg(key=key, named=str(known.sent.get("named", key)), conversation_id=known.id)


def _numbers(deps: Deps, record: Record, call: Call) -> list[int]:
    """The numbers of all legs, the call's own among them, the earliest first; kept for the others.

    Webhooks say nothing of legs: where neither detail nor the list was read, nothing is looked up.
    """
    own = record.call_id
    if own is None or is_synthetic(record.uuid):
        return []
    if not (call.legs or call.transferred or record.listed or deps.rules.asks_path):
        return [own]
    memory = deps.ledger.memory
    told = memory.cached(legs_of(own)) or []
    numbers = sorted({own, *call.legs, *(int(one) for one in told)})[:_MOST]
    if own not in numbers or len(numbers) < 2:
        return [own]
    if call.legs and numbers != told:
        for number in numbers:
            memory.cache(legs_of(number), numbers, for_s=_KEPT_S)
    return numbers


def _other(deps: Deps, record: Record, call: Call, numbers: list[int], now: datetime) -> Leg | None:
    """The leg that has a conversation.

    Raises:
        Busy: it is about to have one.
    """
    for number in numbers:
        if number == record.call_id:
            continue
        other = deps.ledger.read(f"id:{number}")
        if not other.exists or other.forgotten or other.key == record.key:
            continue
        # A number in a step need not be that of a leg: the customer is the same one.
        if other.call(deps.rules).external != call.external:
            continue
        known = other.outputs.get("conversation")
        if known is not None:
            leg = _joined(known) or Leg(key=other.key, named=str(number), conversation_id=known.id)
            return replace(leg, customer=other.outputs.get("customer"))
        if _is_coming(deps, other, record, call, now):
            raise Busy(_BEING_WRITTEN, retry_after_s=1)
    return None


def _is_coming(deps: Deps, other: Record, record: Record, call: Call, now: datetime) -> bool:
    if other.state in (State.SKIPPED, State.DROPPED):
        return False
    jobs = [job for job in deps.ledger.job_states(*other.own_keys) if job["kind"] == "sync"]
    if not jobs or jobs[0]["state"] == "parked":
        return False
    if "conversation" in other.intents:
        return True
    ended_at = call.ended_at or now
    return (other.call_id or 0) < (record.call_id or 0) and now - ended_at < _WAITS
