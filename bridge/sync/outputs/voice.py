"""The call's message of channel `voice`, under an id and an external id made from the call.

An inbound message reopens a conversation that is done or asleep (documented). So the state of before goes on
record ahead of the message, and is put back after it, unless a person has changed it meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from bridge.clients.kustomer import Conversation, Message
from bridge.domain.voice import VoiceDraft
from bridge.ledger.calls.record import Written
from bridge.ledger.calls.record_fields import Field
from bridge.sync.outputs.attachment import all_attachments
from bridge.sync.outputs.text import TextOutput, new_files
from bridge.sync.refused import send_without_refused
from bridge.sync.shared import Place
from bridge.sync.writer import CallWriter, Fields

# Kustomer takes these when the message is made, and never again.
_FIXED = ("channel", "app", "direction", "auto")
_CHANGEABLE = ("externalId", "status", "sentAt")
_OPTIONAL = frozenset({"auto", "meta", "sentAt", "status"})
_STATE = ("status", "subStatus", "snooze")


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceOutput(TextOutput[Message]):
    """Args: made_as: the status of a conversation that this run made; empty where it was there before."""

    name: ClassVar[str] = "voice"
    text_field: ClassVar[str] = "preview"

    draft: VoiceDraft
    made_as: str

    def fields(self, known: Written | None) -> Fields:
        fields = {**self.draft.fields, **self.attached()}
        if known is None:
            return fields
        kept = {name: known.sent[name] for name in (*_FIXED, "status") if name in known.sent}
        changeable = {name: value for name, value in fields.items() if name not in _FIXED}
        return _with_times_of(known.sent, {**changeable, **kept})

    def get(self, id_: str) -> Message | None:
        return self.writer.kustomer.messages.get(id_)

    def every(self) -> Iterable[Message]:
        return self.writer.kustomer.messages.every(conversation_id=self.conversation_id)

    def create(self, fields: Fields) -> str:
        self._keep_state_before(fields)
        # `super()` of a class with slots needs its name.
        return super(VoiceOutput, self).create(fields)

    def send(self, fields: Fields) -> str:
        def send(body: Fields) -> str:
            return self.writer.kustomer.messages.create(body, conversation_id=self.conversation_id).id

        return send_without_refused(self.writer, self.name, _OPTIONAL, fields, send)

    def changes(self, fields: Fields, known: Written, current: Message) -> Fields:
        """The facts of the call, its text unless a person edited it, and files that it never had."""
        changes: dict[str, Any] = {
            name: fields[name]
            for name in _CHANGEABLE
            if name in fields and fields[name] != known.sent.get(name)
        }
        if self.text_of(current) == str(known.sent.get("preview", "")).strip():
            changes["preview"] = fields["preview"].strip()
        whole = all_attachments(current, new_files(fields, known.sent), self.writer.kustomer)
        if whole is not None:
            changes["attachments"] = whole
        meta = _changed_meta(fields["meta"], known.sent.get("meta") or {}, current.fields.get("meta"))
        return {**changes, "meta": meta} if meta else changes

    def update(self, current: Message, changes: Fields) -> None:
        def send(body: Fields) -> None:
            self.writer.kustomer.messages.update(current.id, body)

        send_without_refused(self.writer, self.name, _OPTIONAL, changes, send)

    def _keep_state_before(self, fields: Fields) -> None:
        if fields["direction"] != "in":
            return
        state: dict[str, Any] = {"status": self.made_as}
        if not self.made_as:
            there = self.conversation or self.writer.kustomer.conversations.get(self.conversation_id)
            state = _state_of(there) if there is not None else {}
        if state.get("status") not in (None, "open"):
            self.writer.log.note(Field.STATE_BEFORE, json.dumps(state))


def put_state_back(writer: CallWriter, place: Place) -> None:
    """Undo what the message did to its conversation, where it did anything."""
    log, name = writer.log, Field.STATE_BEFORE
    text = log.noted.get(name) or writer.record.fields.get(name)
    if not text:
        return
    is_of_this_run = bool(log.noted.get(name))
    if is_of_this_run or _is_open(writer.kustomer.conversations.get(place.written.id)):
        log.repeat(partial(_update, writer, place.written.id, json.loads(text)))
    log.note(name, None)


def _update(writer: CallWriter, conversation_id: str, state: Mapping[str, Any]) -> None:
    writer.kustomer.conversations.update(conversation_id, state)


def _is_open(there: Conversation | None) -> bool:
    return there is not None and there.fields.get("status") == "open"


def _state_of(there: Conversation) -> dict[str, Any]:
    """What an update has to say to bring it back."""
    names = _STATE if there.fields.get("status") == "snoozed" else ("status", "subStatus")
    return {name: there.fields[name] for name in names if there.fields.get(name)}


def _with_times_of(sent: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, with the times as sent where they differ by less than a second: CloudTalk's webhooks and
    its API do so, and that is no reason for a request."""
    before, now = sent.get("meta") or {}, fields["meta"]
    meta = {name: before[name] if _is_same_time(before.get(name), now[name]) else now[name] for name in now}
    kept = {"sentAt": sent["sentAt"]} if _is_same_time(sent.get("sentAt"), fields.get("sentAt")) else {}
    return {**fields, **kept, "meta": meta}


def _is_same_time(one: Any, other: Any) -> bool:
    if not (isinstance(one, str) and isinstance(other, str) and one.endswith("Z") and other.endswith("Z")):
        return False
    try:
        apart = datetime.fromisoformat(one) - datetime.fromisoformat(other)
    except ValueError:
        return False
    return abs(apart) < timedelta(seconds=1)


def _changed_meta(wanted: Mapping[str, Any], sent: Mapping[str, Any], there: Any) -> dict[str, Any]:
    """All of it with those of our values that changed; empty where none did.

    It is replaced whole, and others may keep something there, too.
    """
    shown: Mapping[str, Any] = there if isinstance(there, Mapping) else {}
    changed = {
        name: value
        for name, value in wanted.items()
        if value != sent.get(name) and shown.get(name) in (sent.get(name), None)
    }
    return {**shown, **changed} if changed else {}
