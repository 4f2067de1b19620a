"""Kustomer's conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bridge.clients.kustomer.batches import Batches
from bridge.clients.kustomer.resources import PAGE, Resource, Resources, listed
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part


class Conversation(Resource):
    __slots__ = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """Ids, as Kustomer lists them; names are taken when writing."""
        return listed(self.fields.get("tags"), str)

    @property
    def customer_id(self) -> str | None:
        return self.related_id("customer")

    def owners(self, name: str) -> tuple[str, ...]:
        """Ids of its `assignedUsers` or `assignedTeams`."""
        return listed(self.fields.get(name), str)


class Conversations(Resources[Conversation]):
    kind = Conversation
    # Sends creates of jobs together in a backlog; None: each is a request.
    batches: Batches | None = None

    def get(self, conversation_id: str) -> Conversation | None:
        return self._find("conversation", f"/conversations/{id_part(conversation_id)}")

    def by_external_id(self, external_id: str) -> Conversation | None:
        path = f"/conversations/externalId={quote(external_id, safe='')}"
        return self._find("conversation_by_external_id", path)

    def page(self, query: Mapping[str, str], *, customer_id: str | None = None) -> Listing[Conversation]:
        of = f"/customers/{id_part(customer_id)}" if customer_id else ""
        return self._page("list_conversations", f"{of}/conversations", query)

    def latest(self, page: int) -> Listing[Conversation]:
        """One page of all conversations, the latest first.

        Latest by creation or by change: which, is not documented. No filter is, either; search has the
        delay of an index and wants a role of its own.
        """
        return self.page({"page": str(page), "pageSize": str(PAGE), "sort": "desc"})

    def create(self, body: Mapping[str, Any]) -> Conversation:
        """
        Raises:
            Rejected: status 404 where the customer is gone (merged or deleted).
        """
        return self._create("create_conversation", "/conversations", body)

    def create_in_batch(self, body: Mapping[str, Any]) -> Conversation:
        """As `create`; in a backlog together with others, and then only its id is known.

        Raises:
            Busy: an earlier bulk request may still make it.
        """
        # `brand` is in no published body of a create.
        if self.batches is None or not body.get("externalId") or "brand" in body:
            return self.create(body)

        def find() -> str | None:
            there = self.by_external_id(str(body["externalId"]))
            return there.id if there else None

        made = self.batches.create("conversations", body, find)
        return Conversation(id=made) if made else self.create(body)

    def update(self, conversation_id: str, changes: Mapping[str, Any]) -> Conversation | None:
        """Change fields, or move it to another customer; `tags` replaces the whole list."""
        return self._update("update_conversation", f"/conversations/{id_part(conversation_id)}", changes)
