"""Kustomer's notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.clients.kustomer.batches import Batches
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
    # Sends creates of jobs together in a backlog; None: each is a request.
    batches: Batches | None = None

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

    def create_in_batch(self, conversation_id: str, body: Mapping[str, Any]) -> Note:
        """As `create`; in a backlog together with others, and then only its id is known.

        Raises:
            Busy: an earlier bulk request may still make it.
        """
        external_id = body.get("externalId")
        if self.batches is None or not external_id:
            return self.create(conversation_id, body)

        def find() -> str | None:
            there = self.get(str(body["id"])) if "id" in body else None
            every = self.every(conversation_id=conversation_id) if there is None else ()
            there = there or next((one for one in every if one.external_id == external_id), None)
            return there.id if there else None

        made = self.batches.create("notes", {**body, "conversation": conversation_id}, find)
        return Note(id=made) if made else self.create(conversation_id, body)

    def update(self, note_id: str, changes: Mapping[str, Any]) -> Note | None:
        return self._update("update_note", f"/notes/{id_part(note_id)}", changes)
