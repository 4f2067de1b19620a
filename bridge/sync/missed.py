"""The life of a missed call in a sync: which item it is part of, and whether a later call closes it.

Each call writes only what is its own; what other calls mean for it stands in the index of its number
(`bridge.ledger.calls.missed`). A call that changes another's plan has that one's sync run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bridge.clients.kustomer import Conversation
from bridge.clients.kustomer.resources import InConversation
from bridge.deps import Deps, JobResult
from bridge.domain.call import Call
from bridge.domain.fields import attributes_of
from bridge.domain.missed import (
    CallerCall,
    Item,
    Kind,
    caller_call,
    candidate,
    is_first_of_day,
    item_of,
    leads,
    next_of_day,
)
from bridge.domain.outcome import Outcome
from bridge.domain.rules.model import Rules
from bridge.domain.synthetic import is_synthetic
from bridge.errors import Busy
from bridge.ledger.calls import missed as index
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.calls.record_fields import Family, Field
from bridge.ledger.measures import Milestone
from bridge.ledger.queue.claims import Claim
from bridge.sync.touched import is_usable, what_a_person_changed
from bridge.sync.write_log import WriteLog
from bridge.sync.writer import CallWriter

# In place of what was sent of a conversation: the call's is another's.
JOINED = "joined"
_BEING_WRITTEN = "the first missed call of this caller is being written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What other calls of the number mean for one call.

    Args:
        record: as it was read last.
        calls: all of the number that the index has, by their start.
        known: the item as the index has it; None where the call is no missed one, or joined another's.
        item: the same, as far as the note and the conversation are to show it.
        leader: of the item that the call joined.
        leader_conversation: where that is.
        refused: why the conversation is not closed although somebody talked with the customer.
        conversation: as just read, and so the text: its note, without one its voice message.
    """

    record: Record
    phone: str = ""
    own: CallerCall | None = None
    calls: Sequence[CallerCall] = ()
    known: Item | None = None
    item: Item | None = None
    leader: CallerCall | None = None
    leader_conversation: str = ""
    refused: str = ""
    conversation: Conversation | None = None
    text: InConversation | None = None

    @property
    def closed_by(self) -> CallerCall | None:
        return self.item.closed_by if self.item is not None else None

    @property
    def says(self) -> str:
        """For the reason on the call's record; empty where there is nothing to say."""
        if self.leader is not None:
            return f"joined to the item of call {self.leader.named}"
        if self.refused:
            return self.refused
        return f"closed by call {self.closed_by.named}" if self.closed_by is not None else ""

    @property
    def fields(self) -> dict[str, object]:
        """Of the record, with the end of the run."""
        if self.refused:
            told = json.loads(self.record.fields.get(Field.CLOSED, "{}"))
            return (
                {} if "refused" in told else {Field.CLOSED: {"refused": self.refused, "at": self._contact_ms}}
            )
        if self.closed_by is None:
            return {Field.CLOSED: None} if Field.CLOSED in self.record.fields else {}
        return {Field.CLOSED: {"by": self.closed_by.key}}

    @property
    def _contact_ms(self) -> int:
        by = self.known.closed_by if self.known is not None else None
        return 0 if by is None else round(by.started_at.timestamp() * 1000)


def first_of_day(life: Life, rules: Rules) -> bool | None:
    """Whether it is the first call of its number that day; None where the number has no index."""
    return None if life.own is None else is_first_of_day(life.own, life.calls, rules.zone)


def tell_the_next_of_day(claim: Claim, deps: Deps, life: Life, rules: Rules) -> None:
    """The call that was the first of the day until this one was heard of says so no more."""
    if (
        life.own is None
        or rules.fields_as == "none"
        or "first_of_day" not in attributes_of(rules.field_names)
    ):
        return
    if is_first_of_day(life.own, life.calls, rules.zone):
        following = next_of_day(life.own, life.calls, rules.zone)
        if following is not None:
            deps.ledger.schedule("sync", following.key, in_ms=0, under=claim)


def enter_contact(claim: Claim, deps: Deps, record: Record, call: Call) -> None:
    """Somebody talked with the customer: that ends their missed calls, also where it is not written."""
    own = _entry(record, call)
    if own is not None and own.kind is Kind.CONTACT and call.external is not None:
        index.enter(deps.ledger, claim, call.external.text, own, other_key=_other_key(record))


@contextmanager
def life_of(claim: Claim, deps: Deps, record: Record, call: Call, rules: Rules) -> Iterator[Life | JobResult]:
    """What the other calls of its number mean for a call that is about to be written; or how its run ends.

    A missed call that may join others, or be joined, is written by one job of its number at a time.
    """
    own = _entry(record, call)
    if own is None or call.external is None:
        yield Life(record=record)
        return
    phone = call.external.text
    if has_joined(record) and own.kind is not Kind.MISS:
        # It turned out that somebody answered: it gets a conversation of its own.
        record = _without_conversation(claim, deps, record)
    if has_joined(record):
        rules = replace(rules, per="missed_caller")
    if rules.per != "missed_caller" or own.kind is not Kind.MISS:
        calls = _enter(claim, deps, phone, own, record)
        yield _judged(deps, rules, Life(record=record, phone=phone, own=own), calls)
        return
    with deps.ledger.lock(claim, f"missed:{phone}", busy=_BEING_WRITTEN):
        fresh = deps.ledger.read(claim.key, number=claim.number)
        if fresh.outputs != record.outputs:
            # Another call has taken over what this one wrote, or the other way round.
            yield JobResult(again_in_ms=0)
            return
        yield _with_item(claim, deps, rules, Life(record=fresh, phone=phone, own=own))


def needs_own_note(life: Life, call: Call) -> bool:
    """Of a call that joined an item: one with a recording has its own note there, the others have none."""
    return call.outcome is Outcome.VOICEMAIL or "note" in life.record.outputs


def keep_joined(writer: CallWriter, life: Life) -> Written:
    """The conversation of the item that the call joined, on the call's own record."""
    assert life.leader is not None  # noqa: S101  # asked for such calls alone
    sent = {JOINED: life.leader.key}
    there = Written(id=life.leader_conversation, sent=sent)
    known = writer.record.outputs.get("conversation")
    if known is None or (known.id, known.sent) != (there.id, there.sent):
        writer.log.keep("conversation", there.id, sent, done="found")
    return there


def has_joined(record: Record) -> bool:
    known = record.outputs.get("conversation")
    return known is not None and JOINED in known.sent


def settle(claim: Claim, deps: Deps, life: Life) -> None:
    """Keep how the missed call stands, once it is written."""
    if life.known is None or life.own is None:
        return
    by = life.known.closed_by
    is_miss = life.own.kind is Kind.MISS
    stands: index.Stands = "closed" if by is not None else "open" if is_miss else ""
    index.settle_soon(deps.ledger, claim, life.phone, life.own, stands=stands, closed_by=by)
    mark = Family.COUNTED.field("call_back")
    if by is not None and is_miss and mark not in life.record.fields:
        waited_s = ((by.answered_at or by.started_at) - _waiting_since(life.known)).total_seconds()
        counted = Milestone("call_back", "call_back", took_ms=max(0, round(waited_s * 1000)))
        deps.ledger.keep_soon(claim, {}, milestones=[counted])


def _waiting_since(item: Item) -> datetime:
    """The first miss that the last contact answered."""
    before = item.contacts[-2].started_at if item.contacts[1:] else None
    return next(one.started_at for one in item.misses if before is None or one.started_at > before)


def _without_conversation(claim: Claim, deps: Deps, record: Record) -> Record:
    WriteLog(claim=claim, deps=deps).forget("conversation")
    return replace(
        record, outputs={name: one for name, one in record.outputs.items() if name != "conversation"}
    )


def _entry(record: Record, call: Call) -> CallerCall | None:
    return None if is_synthetic(record.uuid) else caller_call(record.key, call)


def _other_key(record: Record) -> str:
    """Under which it was known before its two records were joined."""
    return next((key for key in record.own_keys if key != record.key), "")


def _enter(claim: Claim, deps: Deps, phone: str, own: CallerCall, record: Record) -> Sequence[CallerCall]:
    return index.enter(deps.ledger, claim, phone, own, other_key=_other_key(record))


# -- one item for repeated missed calls


def _with_item(claim: Claim, deps: Deps, rules: Rules, life: Life) -> Life:
    """The item that the call leads from now on, or has joined; decided once."""
    assert life.own is not None  # noqa: S101  # a missed call
    phone = life.phone
    calls = _enter(claim, deps, phone, life.own, life.record)
    own = next(one for one in calls if one.key == life.own.key)
    while True:
        joined = _with_leader(deps, life, own, calls)
        if joined is not None:
            return joined
        to_join = _to_join(rules, life.record, own, calls)
        if to_join is None:
            own = replace(own, item=own.key)
            calls = _enter(claim, deps, phone, own, life.record)
            return _judged(deps, rules, replace(life, own=own), calls)
        if not _is_open(deps, to_join):
            index.end_item(deps.ledger, phone, to_join)
        elif not leads(own, to_join):
            own = replace(own, item=to_join.key)
        elif _take_over(claim, deps, phone, own, to_join):
            own = replace(own, item=own.key)
            life = replace(life, record=deps.ledger.read(claim.key, number=claim.number))
        else:
            index.end_item(deps.ledger, phone, to_join)
        calls = _enter(claim, deps, phone, own, life.record)


def _with_leader(deps: Deps, life: Life, own: CallerCall, calls: Sequence[CallerCall]) -> Life | None:
    """The call in the item that it has joined; None where it leads, or the leader has no conversation."""
    if own.item in ("", own.key):
        return None
    leader = next((one for one in calls if one.key == own.item), None)
    there = _conversation_of(deps, leader) if leader is not None else ""
    return replace(life, own=own, calls=calls, leader=leader, leader_conversation=there) if there else None


def _to_join(rules: Rules, record: Record, own: CallerCall, calls: Sequence[CallerCall]) -> CallerCall | None:
    """The leader of the item that the call may join; None where it has its place, or nobody fits."""
    if own.item or "conversation" in record.outputs or "conversation" in record.intents:
        return None
    return candidate(own.key, calls, timedelta(hours=rules.within_hours))


def _is_open(deps: Deps, leader: CallerCall) -> bool:
    """Whether a further miss may join: nobody has ended the conversation, unless that was the bridge.

    Raises:
        Busy: it is about to be written.
    """
    record = deps.ledger.read(leader.key)
    known = record.outputs.get("conversation")
    if known is None:
        states = deps.ledger.job_states(*record.own_keys)
        if any(job["kind"] == "sync" and job["state"] != "parked" for job in states):
            raise Busy(_BEING_WRITTEN, retry_after_s=0.5)
        return False
    there = deps.kustomer.conversations.get(known.id)
    if there is None or not is_usable(there):
        return False
    if there.fields.get("status") != "done":
        return True
    # Closed by the rules, or on contact: a further miss opens it again. By a person: that is their last word.
    return not what_a_person_changed(record, there, _text_of(deps, record))


def _take_over(claim: Claim, deps: Deps, phone: str, own: CallerCall, former: CallerCall) -> bool:
    """Lead the item of a later miss that came in first, so that the order of webhooks makes no difference."""
    other = deps.ledger.read(former.key)
    is_voicemail = "attachment" in other.outputs or _outcome(deps, other) is Outcome.VOICEMAIL
    return index.hand_over(deps.ledger, claim, phone, to=own.key, former=former.key, keeps_note=is_voicemail)


def _outcome(deps: Deps, record: Record) -> Outcome:
    return record.call(deps.rules).outcome


def _conversation_of(deps: Deps, leader: CallerCall) -> str:
    known = deps.ledger.read(leader.key).outputs.get("conversation")
    return known.id if known is not None else ""


# -- closed by a later call


def _judged(deps: Deps, rules: Rules, life: Life, calls: Sequence[CallerCall]) -> Life:
    """The item of a missed call, as far as the rules and what people did let it be shown."""
    assert life.own is not None  # noqa: S101  # only its item is asked for
    known = item_of(life.own.key, calls)
    life = replace(life, calls=calls, known=known, item=known)
    if known is None:
        return life
    if not rules.close_missed_on_contact:
        return replace(life, item=replace(known, contacts=()))
    record, told = life.record, _closed(life.record)
    if "refused" in told:
        return _not_closed(life, str(told["refused"]), int(told["at"]))
    by = known.closed_by
    written = record.outputs.get("conversation")
    is_own = written is not None and "status" in written.sent
    if by is None or written is None or not is_own or told.get("by") == by.key:
        # Nothing to close, or nothing more.
        return life
    # The state of a conversation of several calls is not one call's.
    by_state = rules.per != "customer"
    there = deps.kustomer.conversations.get(written.id)
    text = _text_of(deps, record)
    changed = (
        "the conversation is gone"
        if there is None
        else what_a_person_changed(record, there, text, by_state=by_state)
    )
    if changed:
        why = f"not closed by call {by.named}: {changed}"
        return _not_closed(life, why, round(by.started_at.timestamp() * 1000))
    return replace(life, conversation=there, text=text)


def _not_closed(life: Life, why: str, since_ms: int) -> Life:
    assert life.known is not None  # noqa: S101
    earlier = tuple(one for one in life.known.contacts if one.started_at.timestamp() * 1000 < since_ms)
    return replace(life, refused=why, item=replace(life.known, contacts=earlier))


def _closed(record: Record) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(record.fields.get(Field.CLOSED) or "{}")
    return told


def _text_of(deps: Deps, record: Record) -> InConversation | None:
    """What people read of the call: its note, without one its voice message."""
    known = record.outputs.get("note")
    if known is not None:
        return deps.kustomer.notes.get(known.id)
    known = record.outputs.get("voice")
    return deps.kustomer.messages.get(known.id) if known is not None else None
