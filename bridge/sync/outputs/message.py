"""A text message in Kustomer, and the conversation with the messages of its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bridge.clients.kustomer import Conversation
from bridge.clients.kustomer.messages import Message
from bridge.domain.messages import MessageDraft, ThreadDraft
from bridge.errors import Conflict, Rejected
from bridge.ledger.calls.record import Written
from bridge.ledger.messages.records import conversation_cache
from bridge.sync.outputs.text import names_id
from bridge.sync.writer import CallWriter, Fields, Output

_NO_MESSAGE_IDS = "kustomer:no-message-ids"
_NO_MESSAGE_IDS_FOR_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadOutput(Output[Conversation]):
    """The one conversation of a number. What is kept of it on a message's record names nobody."""

    name: ClassVar[str] = "conversation"

    writer: CallWriter
    draft: ThreadDraft
    number: str
    # Of whoever the number is; asked only where the conversation is to be made.
    customer_id: str = ""
    # Filled where Kustomer has one under our key that takes no more messages.
    _spent: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def _cache(self) -> str:
        return conversation_cache(self.writer.log.deps.ledger, self.number)

    def fields(self, known: Written | None) -> Fields:
        return {"status": self.draft.status}

    def is_searched(self) -> bool:
        """Always: another message of the number may have made it."""
        return True

    def remembered(self) -> Written | None:
        id_ = self.writer.memory.cached(self._cache)
        return Written(id=str(id_), sent=self.fields(None)) if id_ else None

    def find(self) -> Written | None:
        there = self.writer.kustomer.conversations.by_external_id(self.draft.external_id)
        if there is None:
            return None
        if any(there.fields.get(name) for name in ("deleted", "ended", "locked")):
            self._spent.append(there.id)
            return None
        begun = self.writer.begun(self.name) is not None
        return Written(id=there.id, sent=self.fields(None), created=begun)

    def create(self, fields: Fields) -> str:
        return self._send(self._further_key if self._spent else self.draft.external_id)

    def create_hidden(self, fields: Fields, conflict: Conflict) -> str:
        """Kustomer keeps its key for one that is not shown, such as a deleted one."""
        return self._send(self._further_key)

    @property
    def _further_key(self) -> str:
        return f"{self.draft.external_id}:{self.writer.record.key.removeprefix('message:')[:8]}"

    def _send(self, external_id: str) -> str:
        body = {"customer": self.customer_id, "externalId": external_id, "name": self.draft.name}
        body |= {"direction": self.draft.direction, "status": self.draft.status}
        return self.writer.kustomer.conversations.create(body).id

    def read(self, id_: str) -> Conversation | None:
        return self.writer.kustomer.conversations.get(id_)

    def remember(self, id_: str) -> None:
        kept_s = self.writer.log.deps.ledger.keep_for.outputs_s
        self.writer.memory.cache(self._cache, id_, for_s=kept_s)

    def forget(self) -> None:
        """It is gone: deleted, or merged into another."""
        self.writer.memory.cache(self._cache, None, for_s=1)
        self.writer.log.forget(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageOutput(Output[Message]):
    """Found by the id that we choose, else by its external id among those of the conversation."""

    name: ClassVar[str] = "message"

    writer: CallWriter
    draft: MessageDraft
    conversation_id: str
    conversation_is_new: bool
    attachments: Sequence[Mapping[str, Any]] = ()
    # A line for each file that could not be attached.
    lacking: Sequence[str] = ()

    def fields(self, known: Written | None) -> Fields:
        """Without the text, which is not kept any longer than the webhook."""
        return {"externalId": self.draft.external_id, "channel": self.draft.channel}

    def is_searched(self) -> bool:
        writer = self.writer
        lost = (writer.search_first or writer.verify) and not self.conversation_is_new
        return lost or writer.begun(self.name) is not None

    def find(self) -> Written | None:
        messages, key = self.writer.kustomer.messages, self.draft.external_id
        found = messages.get(self.draft.id) or messages.by_external_id(key)
        if found is None:
            # The look-up by external id is not known to work.
            every = messages.every(conversation_id=self.conversation_id)
            found = next((one for one in every if one.external_id == key), None)
        if found is None:
            return None
        return Written(id=found.id, sent=self.fields(None), created=self.writer.begun(self.name) is not None)

    def create(self, fields: Fields) -> str:
        memory = self.writer.memory
        if memory.cached(_NO_MESSAGE_IDS):
            return self._send(message_id=None)
        try:
            return self._send(message_id=self.draft.id)
        except Rejected as error:
            if error.status != 400 or not names_id(error.detail):
                raise
            # An org that lets nobody choose ids (documented as allowed, never seen).
            memory.cache(_NO_MESSAGE_IDS, True, for_s=_NO_MESSAGE_IDS_FOR_S)
            return self._send(message_id=None)

    def create_hidden(self, fields: Fields, conflict: Conflict) -> str:
        """The id is taken and the message is not there: a person deleted it, and it is wanted again."""
        return self._send(message_id=None)

    def read(self, id_: str) -> Message | None:
        return self.writer.kustomer.messages.get(id_)

    def _send(self, *, message_id: str | None) -> str:
        body = self.draft.body(attachments=self.attachments, lacking=self.lacking)
        body |= {"id": message_id} if message_id else {}
        return self.writer.kustomer.messages.create(body, conversation_id=self.conversation_id).id


def ensure_thread(thread: ThreadOutput, customer: Any) -> tuple[str, bool]:
    """The id of the number's conversation, and whether it was made just now.

    Args:
        customer: gives the id of the customer, should it have to be made.
    """
    writer = thread.writer
    known = writer.record.outputs.get(thread.name)
    if known is None and not writer.verify and not writer.search_first:
        remembered = thread.remembered()
        if remembered is not None:
            writer.log.keep(thread.name, remembered.id, remembered.sent, done="found")
            return remembered.id, False
    if known is None or writer.verify:
        thread = replace(thread, customer_id=customer())
    written, is_new = writer.obtain(thread)
    thread.remember(written.id)
    return written.id, is_new
