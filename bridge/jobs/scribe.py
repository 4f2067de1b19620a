"""Customer, conversation and note of one call, written once: what the plan wants, against what Kustomer has.

Each `ensure_…` has the same beats: known and equal -> nothing; begun and not known to have ended, or
perhaps written by a ledger that was forgotten -> look; write under a key made from the call; keep the id.
What a person changed since is left alone: only fields that still hold what we sent are updated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.clients.kustomer import Conversation, Note
from bridge.domain.plan import ConversationDraft, NoteDraft, Plan, note_key
from bridge.domain.recording import Sound
from bridge.domain.tags import MOST_TAGS
from bridge.errors import Conflict, Rejected
from bridge.jobs.attaching import ensure_attachment, find_attachment, merged
from bridge.jobs.customers import Customers
from bridge.jobs.deps import Deps
from bridge.jobs.finding import find_conversation, find_note
from bridge.jobs.refused import say_left_out, send_without_refused
from bridge.jobs.writing import Pen, as_left
from bridge.ledger.record import Output, Record

_NO_NOTE_IDS_FOR_S = 86_400
# Of a conversation; what they changed stays theirs.
_PEOPLE_CHANGE = ("name", "direction", "status")


@dataclass(slots=True, kw_only=True)
class Scribe:
    """Customer, conversation and note of one call, in that order."""

    record: Record
    pen: Pen
    deps: Deps
    # The external ids that the conversation may have, the proper one first.
    keys: tuple[str, ...]
    # From before this ledger's time, so that a forgotten one may have written it.
    old: bool
    # Run again by hand: what is on record is looked at as well.
    verify: bool
    # No conversation is there under a key of the call's: just asked.
    looked: bool = False

    @property
    def may_be_there(self) -> bool:
        """Nothing on record says that it was written, and what would may have been forgotten."""
        return "conversation" not in self.record.outputs and (self.old or self.verify)

    def is_there(self) -> bool:
        self.looked = self._find_conversation() is None
        return not self.looked

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
            note = self._note_there(want.note, conversation_id) if forgotten else None
            attachment = find_attachment(note, wanted, self.pen)
            attachment = attachment or ensure_attachment(self.record, self.pen, wanted)
        if wanted is not None and attachment is None:
            return False
        self.ensure_note(conversation_id, want.note, attachment, conversation_is_new=new)
        return True

    def _restored(self, want: Plan) -> str | None:
        """The conversation that a forgotten ledger wrote, with whoever its customer is by now.

        Looked for before the customer: people may have moved the call, merged the customer or changed
        its number since, and none of that is to be made good.
        """
        if self.looked or not self.may_be_there:
            return None
        found = self._find_conversation()
        if found is None:
            self.looked = True
            return None
        if found.customer_id and "customer" not in self.record.outputs:
            draft = want.customer
            sent = {"phone": draft.phone, "name": draft.name}
            self.pen.keep("customer", found.customer_id, sent, done="found")
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

    def _note_there(self, draft: NoteDraft, conversation_id: str) -> Note | None:
        known = self.record.outputs.get("note")
        if known is not None:
            return self.deps.kustomer.note(known.id)
        return self._find_note(draft, conversation_id)

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
                lambda: self._send_conversation(customer_id, fields, assigned),
            )
        except Conflict:
            known = self._adopt_conversation(draft)
            if known is None:
                raise
            self._update_conversation(known, fields)
            return known.id, False
        return made, True

    def _send_conversation(self, customer_id: str, fields: Mapping[str, Any], assigned: list[str]) -> str:
        def send(body: Mapping[str, Any]) -> str:
            own = {name: value for name, value in body.items() if name != "assignedUsers"}
            users = body.get("assignedUsers", ())
            return self.deps.kustomer.create_conversation(customer_id, own, assigned_users=users).id

        body = {**fields, "assignedUsers": assigned}
        return send_without_refused(self.pen, self.record, "conversation", body, send)

    def _find_conversation(self) -> Conversation | None:
        """The conversation that is there under a key of the call's.

        A ledger that was forgotten may have had another key for it; in one that was not, the intent says it.
        """
        begun = self.record.intents.get("conversation", {}).get("externalId")
        proper, *others = self.keys
        others = [key for key in others if self.old or self.verify or key == begun]
        return find_conversation((proper, *others), self.deps.kustomer)

    def _adopt_conversation(self, draft: ConversationDraft) -> Output | None:
        found = self._find_conversation()
        return None if found is None else self._adopted(found, draft)

    def _adopted(self, found: Conversation, draft: ConversationDraft) -> Output:
        """Take a conversation of ours for known.

        Begun by an earlier run of ours: it was sent what the intent says. Written by a ledger that was
        forgotten: nobody knows what a person changed since, so it is taken as it is, but for our key.
        """
        begun = self.record.intents.get("conversation")
        key = found.fields.get("externalId") or draft.external_id
        sent = begun if begun is not None else {**_fields(draft), "externalId": key}
        self.pen.keep("conversation", found.id, sent, done="found", created=begun is not None)
        return Output(id=found.id, sent=sent, created=begun is not None)

    def _update_conversation(self, known: Output, fields: Mapping[str, Any]) -> None:
        begun = self.record.changes.get("conversation", {})
        if known.sent == fields and not begun:
            return
        current = self.deps.kustomer.conversation(known.id)
        if current is None:
            raise Rejected(
                f"conversation {known.id} is gone in Kustomer: deleted, or merged into another", status=404
            )
        known = as_left(known, begun, current.fields)
        changes: dict[str, Any] = {
            name: fields[name]
            for name in _PEOPLE_CHANGE
            if fields[name]
            and fields[name] != known.sent.get(name)
            and current.fields.get(name) in (known.sent.get(name), None)
        }
        if fields["externalId"] != known.sent.get("externalId"):
            changes["externalId"] = fields["externalId"]
        added = self._that_fit(
            [tag for tag in fields["tags"] if tag not in known.sent.get("tags", ())], current
        )
        if added:
            # The list is replaced whole, and read as ids; ids and names may be mixed in writing.
            changes["tags"] = [*current.tags, *added]
        if changes:
            ours = {name: value for name, value in changes.items() if name in _PEOPLE_CHANGE}
            self.pen.update(
                "conversation",
                known,
                ours,
                lambda: send_without_refused(
                    self.pen,
                    self.record,
                    "conversation",
                    changes,
                    lambda body: self.deps.kustomer.update_conversation(known.id, body),
                ),
            )
        self.pen.keep("conversation", known.id, fields, done="brought up to date", created=known.created)

    def _that_fit(self, tags: list[str], current: Conversation) -> list[str]:
        """As many of our tags as Kustomer takes beside those that are there, which may be a person's."""
        room = max(0, MOST_TAGS - len(current.tags))
        if tags[room:]:
            text = f"tags left out, Kustomer takes {MOST_TAGS} in all: {', '.join(tags[room:])}"
            say_left_out(self.pen, "conversation", "tags", text)
        return tags[:room]

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
        if known is not None and known.sent.get("body") == draft.former_body:
            # An upgrade alone is no reason to write a note anew.
            fields["body"] = draft.former_body
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

    def _find_note(self, draft: NoteDraft, conversation_id: str) -> Note | None:
        return find_note(draft, [*map(note_key, self.keys)], conversation_id, self.deps.kustomer)

    def _adopt_note(self, conversation_id: str, draft: NoteDraft, fields: Mapping[str, Any]) -> Output | None:
        found = self._find_note(draft, conversation_id)
        if found is None:
            return None
        begun = self.record.intents.get("note")
        key = found.external_id or draft.external_id
        sent = begun if begun is not None else {**fields, "externalId": key}
        self.pen.keep("note", found.id, sent, done="found", created=begun is not None)
        return Output(id=found.id, sent=sent, created=begun is not None)

    def _update_note(self, known: Output, fields: Mapping[str, Any]) -> None:
        begun = self.record.changes.get("note", {})
        if known.sent == fields and not begun:
            return
        current = self.deps.kustomer.note(known.id)
        # A note that a person deleted stays deleted, and one that a person edited stays theirs.
        if current is not None:
            known = as_left(known, begun, {"body": current.body.strip()})
            changes: dict[str, Any] = {}
            ours: dict[str, Any] = {}
            if current.body.strip() == str(known.sent.get("body", "")).strip():
                changes["body"] = fields["body"]
                ours["body"] = fields["body"].strip()
            if fields["externalId"] != known.sent.get("externalId"):
                changes["externalId"] = fields["externalId"]
            if (whole := merged(current, fields.get("attachments", []), self.deps)) is not None:
                changes["attachments"] = whole
            if changes:
                self.pen.update(
                    "note", known, ours, lambda: self.deps.kustomer.update_note(known.id, changes)
                )
        self.pen.keep("note", known.id, fields, done="brought up to date", created=known.created)


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
