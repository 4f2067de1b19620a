"""Kustomer's notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.clients.kustomer.resources import InConversation, ResourcesInConversations, scope_of
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part


class Note(InConversation):
    __slots__ = ()

    @property
    def body(self) -> str:
        return self.fields.get("body") or ""


class Notes(ResourcesInConversations[Note]):
    kind = Note

    def get(self, note_id: str) -> Note | None:
        return self._find("note", f"/notes/{id_part(note_id)}")

    def page(
        self, query: Mapping[str, str], *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Listing[Note]:
        return self._page("list_notes", f"{scope_of(conversation_id, customer_id)}/notes", query)

    def create(self, conversation_id: str, body: Mapping[str, Any]) -> Note:
        """In a conversation: `POST /v1/notes` exists as well, but takes neither conversation nor files.

        `body` may choose the note's `id`; what a repeated one answers is not documented.
        """
        return self._create("create_note", f"/conversations/{id_part(conversation_id)}/notes", body)

    def update(self, note_id: str, changes: Mapping[str, Any]) -> Note | None:
        return self._update("update_note", f"/notes/{id_part(note_id)}", changes)
