"""Make Kustomer hold what the plan for a call says. The only writer to Kustomer; safe to run at any time.

Each `ensure_…` has the same beats: known and equal -> nothing; begun and not known to have ended, or
perhaps written by a ledger that was forgotten -> look; write under a key made from the call; keep the id.
What a person changed since is left alone: only fields that still hold what we sent are updated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.clients.kustomer import Conversation, Note
from bridge.domain.plan import (
    ConversationDraft,
    NoteDraft,
    Patience,
    Plan,
    Skip,
    Wait,
    plan,
)
from bridge.domain.recording import Sound
from bridge.errors import Conflict, Rejected
from bridge.jobs.asking import asking, note_waits_until, usual_wait_ms
from bridge.jobs.attaching import ensure_attachment, find_attachment, merged
from bridge.jobs.customers import Customers
from bridge.jobs.deps import Deps, End
from bridge.jobs.people import user_of, with_agent
from bridge.jobs.writing import Pen
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Claim
from bridge.ledger.record import Output, Record, moment

_NO_NOTE_IDS_FOR_S = 86_400
_CAME_BACK = "Redis was started anew: requests of before, whose leases it may have forgotten, end first"
_NO_UUID = "CloudTalk lists it and tells no uuid: whether Kustomer has it already cannot be found out"


def sync(claim: Claim, deps: Deps) -> End:
    """One run for one call."""
    record = deps.ledger.read(claim.key)
    if record.key != claim.key or record.forgotten:
        # This part has become part of another record, whose sync is due when this run ends.
        return End()
    call = record.call(deps.rules)
    now = moment(claim.now_ms) or datetime.now(UTC)
    ask = asking(record, call, deps.rules, now)
    planned = record.fields.get("asking")
    if planned and (planned != ask.job if ask.job else not call.wants_detail):
        # The webhooks have told since what it was for, or the number, by which another job asks.
        deps.ledger.cancel(planned, record.key, under=claim)
        deps.ledger.keep(claim, {"asking": None})
    if ask.job and ask.at:
        deps.ledger.keep(claim, {"asking": ask.job})
        in_ms, lane = _ms(ask.at, now), record.lane(Lane.LIVE)
        deps.ledger.schedule(ask.job, record.key, in_ms=in_ms, lane=lane, under=claim)

    recording = record.recording(deps.rules, call)
    want = plan(call, deps.rules, ask.patience)
    if isinstance(want, Plan):
        if recording.sound is Sound.COMING and call.call_id is not None and "rec:asks" not in record.fields:
            wait_ms = usual_wait_ms(record, call, deps.ledger.memory.usual_delay_s(), now)
            lane, told_at = record.lane(Lane.RECORDING), record.recording_announced_at
            deps.ledger.schedule(
                "recording", record.key, in_ms=wait_ms, lane=lane, told_at=told_at, under=claim
            )
        call = with_agent(call, deps)
        link = deps.link_to(record.key, call) if recording.sound is Sound.STORED else ""
        want = plan(call, deps.rules, ask.patience, recording=recording, link=link)
        coming_until = note_waits_until(record, recording)
        if coming_until is not None and now < coming_until:
            # It is usually here within a second or two, and one write of the note then says it all.
            state = "synced" if "note" in record.outputs else "waiting"
            deps.ledger.keep(claim, {"state": state, "reason": "the recording is on its way"})
            return End(again_in_ms=_ms(coming_until, now))
    match want:
        case Wait(reason=reason):
            state = "synced" if "note" in record.outputs else "waiting"
            deps.ledger.keep(claim, {"state": state, "reason": reason})
            return End(again_in_ms=_ms(ask.until, now) if ask.until else None)
        case Skip(reason=reason):
            deps.ledger.keep(claim, {"state": "skipped", "reason": reason})
            return End(again_in_ms=_ms(ask.until, now) if ask.until else None, log=f"not written: {reason}")
        case Plan():
            # Calls are written once they have ended: what ended in the time that it remembers no other ledger
            # wrote, and neither did this one without knowing.
            told_last = call.ended_at or call.started_at
            reach = deps.ledger.reach()
            before_us = told_last is None or told_last < reach.since
            if before_us and reach.rests_until and now < reach.rests_until and "note" not in record.outputs:
                deps.ledger.keep(claim, {"state": "waiting", "reason": _CAME_BACK})
                return End(again_in_ms=_ms(reach.rests_until, now))
            if before_us and record.listed and call.uuid is None:
                # It would be looked for under another key than the one it may have been written under.
                deps.ledger.keep(claim, {"state": "skipped", "reason": _NO_UUID})
                return End(log=f"not written: {_NO_UUID}")
            # What webhooks did not tell may have been told to a ledger that lost its last moments.
            old = before_us or record.listed
            pen = Pen(claim=claim, deps=deps)
            scribe = _Scribe(record=record, pen=pen, deps=deps, old=old, verify=record.must_look)
            if not scribe.write(want, user_of(call, deps)):
                # Something was learnt that the note should say: this job is due again for it at once.
                return End()
            reason = "details from CloudTalk are still to come" if ask.patience is Patience.LATE else ""
            done = {"state": "synced", "synced_at": str(deps.ledger.now_ms()), "reason": reason, "look": None}
            deps.ledger.keep(claim, done)
            if record.listed and not record.events and "synced_at" not in record.fields:
                deps.ledger.count("calls:recovered")
            return End(again_in_ms=_ms(ask.until, now) if ask.until else None)


def _ms(at: datetime, now: datetime) -> int:
    return max(0, int((at - now).total_seconds() * 1000))


@dataclass(slots=True, kw_only=True)
class _Scribe:
    """Customer, conversation and note of one call, in that order."""

    record: Record
    pen: Pen
    deps: Deps
    # From before this ledger's time, so that a forgotten one may have written it.
    old: bool
    # Run again by hand: what is on record is looked at as well.
    verify: bool
    # No conversation is there under our key: just asked.
    looked: bool = False

    def write(self, want: Plan, assigned: list[str]) -> bool:
        """Bring all three up to date; False if the note was left to the run that follows."""
        restored = self._restored(want)
        conversation_id, new = (restored, False) if restored else self._conversation_of(want, assigned)
        if "note" not in self.record.outputs and self._recording_was_announced():
            return False
        wanted = want.note.attachment
        attachment = None
        if wanted:
            forgotten = (self.old or self.verify) and "attachment" not in self.record.outputs and not new
            earlier = find_attachment(self._note_there(want.note), wanted, self.pen) if forgotten else None
            attachment = earlier or ensure_attachment(self.record, self.pen, wanted)
        if wanted is not None and attachment is None:
            return False
        self.ensure_note(conversation_id, want.note, attachment, conversation_is_new=new)
        return True

    def _restored(self, want: Plan) -> str | None:
        """The conversation that a forgotten ledger wrote, with whoever its customer is by now.

        Looked for before the customer: people may have moved the call, merged the customer or changed
        its number since, and none of that is to be made good.
        """
        if "conversation" in self.record.outputs or not (self.old or self.verify):
            return None
        found = self.deps.kustomer.conversation_by_external_id(want.conversation.external_id)
        if found is None:
            self.looked = True
            return None
        if found.customer_id and "customer" not in self.record.outputs:
            draft = want.customer
            self.pen.keep("customer", found.customer_id, {"phone": draft.phone, "name": draft.name})
        known, fields = self._adopted(found, want.conversation), _fields(want.conversation)
        self._update_conversation(known, fields)
        return known.id

    def _conversation_of(self, want: Plan, assigned: list[str]) -> tuple[str, bool]:
        """Customer, then conversation; once more for whoever the customer is now."""
        known = self.record.outputs.get("conversation")
        customer_id = self._customers().ensure(want.customer)
        try:
            return self.ensure_conversation(customer_id, want.conversation, assigned)
        except Rejected as error:
            if error.status != 404 or known is not None:
                raise
            # The customer we knew is gone: merged into another, or deleted. Find who it is now.
            self._customers().forget(want.customer)
            self.verify = True
            customer_id = self._customers().ensure(want.customer)
            return self.ensure_conversation(customer_id, want.conversation, assigned)

    def _note_there(self, draft: NoteDraft) -> Note | None:
        known = self.record.outputs.get("note")
        return self.deps.kustomer.note(known.id if known else draft.id)

    def _recording_was_announced(self) -> bool:
        """Whether a recording was told of since this run began: then one note can say both."""
        rules = self.deps.rules
        if self.record.recording(rules, self.record.call(rules)).sound is not Sound.NONE:
            return False
        fresh = self.deps.ledger.read(self.record.key)
        return fresh.recording(rules, fresh.call(rules)).sound is Sound.COMING

    def _customers(self) -> Customers:
        return Customers(record=self.record, pen=self.pen, verify=self.verify)

    # -- conversation

    def ensure_conversation(
        self, customer_id: str, draft: ConversationDraft, assigned: list[str]
    ) -> tuple[str, bool]:
        """Kustomer's id of the conversation, and whether it was made just now."""
        fields = _fields(draft)
        known = self.record.outputs.get("conversation")
        if known is not None and self.verify and self.deps.kustomer.conversation(known.id) is None:
            known = None
        if known is None and not self.looked and (self.verify or "conversation" in self.record.intents):
            known = self._adopt_conversation(draft)
        if known is not None:
            self._update_conversation(known, fields)
            return known.id, False
        try:
            made = self.pen.create(
                "conversation",
                fields,
                lambda: (
                    self.deps.kustomer.create_conversation(customer_id, fields, assigned_users=assigned).id
                ),
            )
        except Conflict:
            known = self._adopt_conversation(draft)
            if known is None:
                raise
            self._update_conversation(known, fields)
            return known.id, False
        return made, True

    def _adopt_conversation(self, draft: ConversationDraft) -> Output | None:
        """The conversation that is there under our key."""
        found = self.deps.kustomer.conversation_by_external_id(draft.external_id)
        return None if found is None else self._adopted(found, draft)

    def _adopted(self, found: Conversation, draft: ConversationDraft) -> Output:
        """Take a conversation of ours for known.

        Begun by an earlier run of ours: it was sent what the intent says. Written by a ledger that was
        forgotten: nobody knows what a person changed since, so it is taken as it is.
        """
        sent = self.record.intents.get("conversation", _fields(draft))
        self.pen.keep("conversation", found.id, sent)
        return Output(id=found.id, sent=sent)

    def _update_conversation(self, known: Output, fields: Mapping[str, Any]) -> None:
        if known.sent == fields:
            return
        current = self.deps.kustomer.conversation(known.id)
        if current is None:
            raise Rejected(
                f"conversation {known.id} is gone in Kustomer: deleted, or merged into another", status=404
            )
        changes: dict[str, Any] = {
            name: fields[name]
            for name in ("name", "direction", "status")
            if fields[name]
            and fields[name] != known.sent.get(name)
            and current.fields.get(name) in (known.sent.get(name), None)
        }
        if fields["externalId"] != known.sent.get("externalId"):
            changes["externalId"] = fields["externalId"]
        added = [tag for tag in fields["tags"] if tag not in known.sent.get("tags", ())]
        if added:
            # The list is replaced whole, and read as ids; ids and names may be mixed in writing.
            changes["tags"] = [*current.tags, *added]
        if changes:
            self.pen.update(lambda: self.deps.kustomer.update_conversation(known.id, changes))
        self.pen.keep("conversation", known.id, fields)

    # -- note

    def ensure_note(
        self,
        conversation_id: str,
        draft: NoteDraft,
        attachment: dict[str, Any] | None,
        *,
        conversation_is_new: bool,
    ) -> str:
        """Kustomer's id of the call's one note."""
        fields: dict[str, Any] = {"externalId": draft.external_id, "body": draft.body}
        if attachment is not None:
            fields["attachments"] = [attachment]
        known = self.record.outputs.get("note")
        if known is not None and self.verify and self.deps.kustomer.note(known.id) is None:
            known = None
        look = "note" in self.record.intents or ((self.old or self.verify) and not conversation_is_new)
        if known is None and look:
            known = self._adopt_note(conversation_id, draft, fields)
        if known is not None:
            self._update_note(known, fields)
            return known.id
        try:
            return self._create_note(conversation_id, draft, fields)
        except Conflict:
            # Ours, as its id is made from the call: an earlier try got further than we knew.
            known = self._adopt_note(conversation_id, draft, fields)
            if known is None:
                # The id is taken and the note is not there: it was deleted, and is wanted again.
                return self.pen.create("note", fields, lambda: self._send_note(conversation_id, fields, None))
            self._update_note(known, fields)
            return known.id

    def _send_note(self, conversation_id: str, fields: Mapping[str, Any], note_id: str | None) -> str:
        return self.deps.kustomer.create_note(conversation_id, fields, note_id=note_id).id

    def _create_note(self, conversation_id: str, draft: NoteDraft, fields: Mapping[str, Any]) -> str:
        note_id = None if self.deps.ledger.memory.cached("kustomer:no-note-ids") else draft.id
        try:
            return self.pen.create("note", fields, lambda: self._send_note(conversation_id, fields, note_id))
        except Rejected as error:
            if error.status != 400 or note_id is None or not _names_id(error.detail):
                raise
            # An org that lets nobody choose ids (documented as allowed, never seen): the external id
            # and the look before writing remain.
            self.deps.ledger.memory.cache("kustomer:no-note-ids", True, for_s=_NO_NOTE_IDS_FOR_S)
            return self.pen.create("note", fields, lambda: self._send_note(conversation_id, fields, None))

    def _adopt_note(self, conversation_id: str, draft: NoteDraft, fields: Mapping[str, Any]) -> Output | None:
        found = self.deps.kustomer.note(draft.id)
        if found is None:
            notes = self.deps.kustomer.notes_of(conversation_id)
            found = next((note for note in notes if note.external_id == draft.external_id), None)
        if found is None:
            return None
        sent = self.record.intents.get("note", fields)
        self.pen.keep("note", found.id, sent)
        return Output(id=found.id, sent=sent)

    def _update_note(self, known: Output, fields: Mapping[str, Any]) -> None:
        if known.sent == fields:
            return
        current = self.deps.kustomer.note(known.id)
        # A note that a person deleted stays deleted, and one that a person edited stays theirs.
        if current is not None:
            changes: dict[str, Any] = {}
            if current.body.strip() == str(known.sent.get("body", "")).strip():
                changes["body"] = fields["body"]
            if fields["externalId"] != known.sent.get("externalId"):
                changes["externalId"] = fields["externalId"]
            if (whole := merged(current, fields.get("attachments", []), self.deps)) is not None:
                changes["attachments"] = whole
            if changes:
                self.pen.update(lambda: self.deps.kustomer.update_note(known.id, changes))
        self.pen.keep("note", known.id, fields)


def _fields(draft: ConversationDraft) -> dict[str, Any]:
    """What is sent of a conversation, and compared with later plans."""
    return {
        "externalId": draft.external_id,
        "name": draft.name,
        "direction": draft.direction,
        "status": draft.status,
        "tags": list(draft.tags),
    }


def _names_id(detail: str) -> bool:
    """Whether a refusal is about the property `id`."""
    return "id" in re.findall(r"[A-Za-z_]+", detail)
