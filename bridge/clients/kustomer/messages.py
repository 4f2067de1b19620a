"""Kustomer's messages: put on record, delivered to nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bridge.clients.kustomer.resources import InConversation, ResourcesInConversations, scope_of
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part


class Message(InConversation):
    __slots__ = ()

    @property
    def preview(self) -> str:
        """The text that people see."""
        return self.fields.get("preview") or ""


class Messages(ResourcesInConversations[Message]):
    kind = Message

    def get(self, message_id: str) -> Message | None:
        return self._find("message", f"/messages/{id_part(message_id)}")

    def by_external_id(self, external_id: str) -> Message | None:
        """Published in this spelling, which nobody has seen working: None proves nothing.

        Whoever must know looks through `every` of the conversation.
        """
        path = f"/messages/externalid={quote(external_id, safe='')}"
        return self._find("message_by_external_id", path)

    def page(
        self, query: Mapping[str, str], *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Listing[Message]:
        return self._page("list_messages", f"{scope_of(conversation_id, customer_id)}/messages", query)

    def create(
        self, body: Mapping[str, Any], *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Message:
        """Put a message on record; nothing is delivered. At a customer it makes a conversation.

        An inbound one reopens a conversation that was done or snoozed. `body` may choose the message's `id`;
        what a repeated one answers is not documented.
        """
        return self._create("create_message", f"{scope_of(conversation_id, customer_id)}/messages", body)

    def update(self, message_id: str, changes: Mapping[str, Any]) -> Message | None:
        """Change fields; lists and `meta` are replaced whole.

        Channel, app, direction, auto and customer stay as they were created (documented).
        """
        return self._update("update_message", f"/messages/{id_part(message_id)}", changes)
