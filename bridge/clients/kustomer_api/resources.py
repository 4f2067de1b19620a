"""Kustomer's resources, one class a kind: lists page by page, look-ups, writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from bridge.clients import careful
from bridge.clients.http import Service
from bridge.clients.kustomer_api import asked, drafts
from bridge.clients.kustomer_api.parts import Draft
from bridge.clients.kustomer_api.shown import Company, Conversation, Customer, Message, Note, Resource, User
from bridge.clients.shapes import Page
from bridge.clients.taken import says_taken
from bridge.domain.values import read_whole
from bridge.errors import Conflict, Rejected, Unavailable

ResourceT = TypeVar("ResourceT", bound=Resource)


ListedT = TypeVar("ListedT", bound=Draft)


class Resources(ABC, Generic[ListedT, ResourceT]):
    """One kind of resource. Look-ups raise Rejected with status 404 where there is none."""

    shown: type[ResourceT]

    def __init__(self, service: Service, url: str) -> None:
        self._service, self._url = service, url

    @abstractmethod
    def list(self, wanted: ListedT) -> Page[ResourceT]:
        """One page."""

    def every(self, wanted: ListedT, *, most_pages: int = 100) -> Iterator[ResourceT]:
        return careful.every(lambda page: self.list(wanted.model_copy(update={"page": page})), most_pages)

    def _get(self, operation: str, path: str) -> ResourceT:
        return self.shown.of(operation, self._data(operation, "GET", path))

    def _page(self, operation: str, path: str, query: Mapping[str, str]) -> Page[ResourceT]:
        body = self._service.request(operation, "GET", self._url + path, params=query).body
        items = body.get("data") if isinstance(body, dict) else None
        if not isinstance(items, list):
            raise Unavailable(f"kustomer answered {operation} without a list")
        links, meta = body.get("links"), body.get("meta")
        page = int(query.get("page", "1"))
        more = bool(items) and isinstance(links, dict) and bool(links.get("next"))
        return Page(
            items=[self.shown.of(operation, item) for item in items],
            page=page,
            next_page=page + 1 if more else None,
            total=read_whole(meta.get("total")) if isinstance(meta, dict) else None,
        )

    def _create(self, operation: str, path: str, draft: Draft, *without: str) -> ResourceT:
        """Create, once.

        Raises:
            Conflict: what has to be unique is taken: 409, or a 400 that says so.
            Rejected: 400, 404, 413; the detail names the property.
            MaybeDone: the answer was lost; there are no idempotency keys, so a second try may make a second.
        """
        with careful.only_once(operation, "for it in Kustomer"):
            try:
                data = self._data(operation, "POST", path, draft.wire(*without))
            except Rejected as error:
                if says_taken(error):
                    raise Conflict(f"kustomer says to {operation} that it exists: {error.detail}") from error
                raise
            return self.shown.of(operation, data)

    def _data(self, operation: str, method: str, path: str, json: Any = None) -> Any:
        body = self._service.request(operation, method, self._url + path, json=json).body
        return body.get("data") if isinstance(body, dict) else None


class Customers(Resources[asked.ListCustomers, Customer]):
    shown = Customer

    def list(self, wanted: asked.ListCustomers) -> Page[Customer]:
        return self._page("list_customers", "/customers", wanted.query())

    def get(self, wanted: asked.CustomerById) -> Customer:
        return self._get("get_customer", f"/customers/{wanted.customer_id}")

    def by_email(self, wanted: asked.CustomerByEmail) -> Customer:
        return self._get("customer_by_email", f"/customers/email={quote(wanted.email, safe='')}")

    def by_phone(self, wanted: asked.CustomerByPhone) -> Customer:
        """By a number in E.164; whether shared numbers are searched too is not documented."""
        return self._get("customer_by_phone", f"/customers/phone={quote(wanted.phone, safe='')}")

    def by_external_id(self, wanted: asked.CustomerByExternalId) -> Customer:
        path = f"/customers/externalId={quote(wanted.external_id, safe='')}"
        return self._get("customer_by_external_id", path)

    def create(self, draft: drafts.CreateCustomer) -> Customer:
        return self._create("create_customer", "/customers", draft)

    def update(self, draft: drafts.UpdateCustomer) -> Customer:
        """Change fields. Costs one request more where no company is named.

        Leaving out the company unlinks it (documented of PATCH and PUT), so that the present one is read
        and sent along.

        Raises:
            Rejected: 404: merged or deleted; look it up again.
            Conflict: a value is taken, or `rev` is stale.
        """
        path = f"/customers/{draft.customer_id}"
        body = draft.wire("customer_id")
        if "company" not in body:
            company = self._get("get_customer", path).company_id
            body |= {"company": company} if company else {}
        return self.shown.of("update_customer", self._data("update_customer", "PATCH", path, body))


class Conversations(Resources[asked.ListConversations, Conversation]):
    shown = Conversation

    def list(self, wanted: asked.ListConversations) -> Page[Conversation]:
        of = f"/customers/{wanted.customer_id}" if wanted.customer_id else ""
        return self._page("list_conversations", f"{of}/conversations", wanted.query("customer_id"))

    def get(self, wanted: asked.ConversationById) -> Conversation:
        return self._get("get_conversation", f"/conversations/{wanted.conversation_id}")

    def by_external_id(self, wanted: asked.ConversationByExternalId) -> Conversation:
        path = f"/conversations/externalId={quote(wanted.external_id, safe='')}"
        return self._get("conversation_by_external_id", path)

    def create(self, draft: drafts.CreateConversation) -> Conversation:
        return self._create("create_conversation", "/conversations", draft)

    def update(self, draft: drafts.UpdateConversation) -> Conversation:
        """Change fields, or move it to another customer; `tags` replaces the whole list."""
        path = f"/conversations/{draft.conversation_id}"
        data = self._data("update_conversation", "PATCH", path, draft.wire("conversation_id"))
        return self.shown.of("update_conversation", data)


class Companies(Resources[asked.ListCompanies, Company]):
    shown = Company

    def list(self, wanted: asked.ListCompanies) -> Page[Company]:
        return self._page("list_companies", "/companies", wanted.query())

    def get(self, wanted: asked.CompanyById) -> Company:
        return self._get("get_company", f"/companies/{wanted.company_id}")

    def create(self, draft: drafts.CreateCompany) -> Company:
        return self._create("create_company", "/companies", draft)


class Users(Resources[asked.ListUsers, User]):
    shown = User

    def list(self, wanted: asked.ListUsers) -> Page[User]:
        return self._page("list_users", "/users", wanted.query())

    def get(self, wanted: asked.UserById) -> User:
        return self._get("get_user", f"/users/{wanted.user_id}")


class Messages(Resources[asked.ListMessages, Message]):
    shown = Message

    def list(self, wanted: asked.ListMessages) -> Page[Message]:
        query = wanted.query("conversation_id", "customer_id")
        return self._page("list_messages", f"{_scope(wanted)}/messages", query)

    def get(self, wanted: asked.MessageById) -> Message:
        return self._get("get_message", f"/messages/{wanted.message_id}")

    def create(self, draft: drafts.CreateMessage) -> Message:
        """Put a message on record; nothing is delivered. At a customer it makes a conversation."""
        if draft.conversation_id is not None:
            path = f"/conversations/{draft.conversation_id}/messages"
            return self._create("create_message", path, draft, "conversation_id")
        if draft.customer_id is not None:
            path = f"/customers/{draft.customer_id}/messages"
            return self._create("create_message", path, draft, "customer_id")
        return self._create("create_message", "/messages", draft)


class Notes(Resources[asked.ListNotes, Note]):
    shown = Note

    def list(self, wanted: asked.ListNotes) -> Page[Note]:
        return self._page(
            "list_notes", f"{_scope(wanted)}/notes", wanted.query("conversation_id", "customer_id")
        )

    def get(self, wanted: asked.NoteById) -> Note:
        return self._get("get_note", f"/notes/{wanted.note_id}")

    def create(self, draft: drafts.CreateNote) -> Note:
        """In a conversation: `POST /v1/notes` exists as well, but takes neither conversation nor files."""
        path = f"/conversations/{draft.conversation_id}/notes"
        return self._create("create_note", path, draft, "conversation_id")


def _scope(wanted: asked.ListMessages) -> str:
    if wanted.conversation_id is not None:
        return f"/conversations/{wanted.conversation_id}"
    return f"/customers/{wanted.customer_id}" if wanted.customer_id is not None else ""
