"""Kustomer's resources, one class a kind: look-ups, lists page by page, writes.

A look-up gives None where there is no such resource (404). A create raises Conflict where what has to be
unique is taken; Unavailable leaves open whether something was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

from bridge.clients.http import Service
from bridge.clients.kustomer.conflicts import says_taken
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part, is_id
from bridge.domain.webhook.values import read_whole
from bridge.errors import Conflict, Rejected, Unavailable

T = TypeVar("T")

_PAGE = 100
_MOST_PAGES = 20
# Of users and teams; documented as the largest page of both.
_USER_PAGE = 500
_MOST_USER_PAGES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource. `fields`: its attributes, in Kustomer's spelling."""

    id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    relationships: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Any) -> Self | None:
        """`data` of an answer; None where it is no resource."""
        if not isinstance(data, dict) or not is_id(data.get("id")):
            return None
        attributes, relationships = data.get("attributes"), data.get("relationships")
        return cls(
            id=data["id"],
            fields=attributes if isinstance(attributes, dict) else {},
            relationships=relationships if isinstance(relationships, dict) else {},
        )

    @property
    def rev(self) -> Any:
        return self.fields.get("rev")

    @property
    def external_id(self) -> str | None:
        return self.fields.get("externalId")

    @property
    def related(self) -> dict[str, str | list[str]]:
        """Ids of what it is related to, by Kustomer's names."""
        found: dict[str, str | list[str]] = {}
        for name, value in self.relationships.items():
            data = value.get("data") if isinstance(value, Mapping) else None
            if isinstance(data, Mapping) and isinstance(data.get("id"), str):
                found[name] = data["id"]
            elif isinstance(data, list):
                found[name] = [one["id"] for one in _listed(data, dict) if isinstance(one.get("id"), str)]
        return found

    def related_id(self, name: str) -> str | None:
        value = self.relationships.get(name)
        data = value.get("data") if isinstance(value, dict) else None
        found = data.get("id") if isinstance(data, dict) else None
        return found if is_id(found) else None


class Customer(Resource):
    __slots__ = ()

    @property
    def name(self) -> str | None:
        return self.fields.get("name") or None

    @property
    def phones(self) -> tuple[Mapping[str, Any], ...]:
        return _listed(self.fields.get("phones"), dict)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(str(one.get("phone") or "") for one in self.phones)

    @property
    def shared_numbers(self) -> tuple[str, ...]:
        """Numbers that several people use, such as a switchboard's."""
        return tuple(str(one.get("phone") or "") for one in _listed(self.fields.get("sharedPhones"), dict))

    @property
    def has_conversations(self) -> bool:
        """False only where Kustomer says that there are none."""
        counts = self.fields.get("conversationCounts")
        return not (isinstance(counts, Mapping) and counts.get("all") == 0)

    @property
    def emails(self) -> tuple[Mapping[str, Any], ...]:
        return _listed(self.fields.get("emails"), dict)

    @property
    def company_id(self) -> str | None:
        return self.related_id("company")


class Conversation(Resource):
    __slots__ = ()

    @property
    def tags(self) -> tuple[str, ...]:
        """Ids, as Kustomer lists them; names are taken when writing."""
        return _listed(self.fields.get("tags"), str)

    @property
    def customer_id(self) -> str | None:
        return self.related_id("customer")

    def owners(self, name: str) -> tuple[str, ...]:
        """Ids of its `assignedUsers` or `assignedTeams`."""
        return _listed(self.fields.get(name), str)


class Note(Resource):
    __slots__ = ()

    @property
    def body(self) -> str:
        return self.fields.get("body") or ""

    @property
    def attachments(self) -> tuple[Mapping[str, Any], ...]:
        """References, or ids only (both are seen in such APIs)."""
        related = self.related.get("attachments", [])
        ids = tuple({"id": one} for one in related) if isinstance(related, list) else ()
        return _listed(self.fields.get("attachments"), dict) or ids


class User(Resource):
    """A person or a machine of the org."""

    __slots__ = ()

    @property
    def email(self) -> str:
        return str(self.fields.get("email") or "").strip().casefold()

    @property
    def can_own(self) -> bool:
        """Not a machine, and not deactivated: how that is told is not documented, so either word counts."""
        left = self.fields.get("deletedAt") or self.fields.get("deleted")
        return not left and self.fields.get("userType") != "machine"


class Team(Resource):
    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.fields.get("name") or "")

    @property
    def exists(self) -> bool:
        return not (self.fields.get("deletedAt") or self.fields.get("deleted"))


ResourceT = TypeVar("ResourceT", bound=Resource)


class Resources(Generic[ResourceT]):
    """One kind of resource."""

    kind: type[ResourceT]

    def __init__(self, service: Service, url: str) -> None:
        self._service, self._url = service, url

    def _find(self, operation: str, path: str) -> ResourceT | None:
        """
        Raises:
            Unavailable: a success without a resource. Taken for "not there" it would make a second one.
        """
        try:
            body = self._send(operation, "GET", path)
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        return self._read(operation, body, "a resource")

    def _page(self, operation: str, path: str, query: Mapping[str, str]) -> Listing[ResourceT]:
        """One page; items that are no resource are left out."""
        body = self._service.request(operation, "GET", self._url + path, params=query).body
        items = _data(body)
        if not isinstance(items, list):
            raise Unavailable(f"kustomer answered {operation} without a list")
        links, meta = body.get("links"), body.get("meta")
        page = int(query.get("page", "1"))
        more = bool(items) and isinstance(links, dict) and bool(links.get("next"))
        return Listing(
            items=[one for one in map(self.kind.read, items) if one is not None],
            page=page,
            next_page=page + 1 if more else None,
            total=read_whole(meta.get("total")) if isinstance(meta, dict) else None,
        )

    def _create(self, operation: str, path: str, body: Mapping[str, Any]) -> ResourceT:
        """
        Raises:
            Conflict: an id, phone, e-mail or external id is taken: 409, or a 400 that says so in words.
            Rejected: 400, 404, 413; the detail names the property.
            Unavailable: no answer, or a 2xx without an id: look before trying again.
        """
        try:
            answer = self._send(operation, "POST", path, body)
        except Rejected as error:
            if says_taken(error):
                raise Conflict(
                    f"kustomer answered {operation} that it already exists: {error.detail}"
                ) from error
            raise
        return self._read(operation, answer, "an id")

    def _update(self, operation: str, path: str, body: Mapping[str, Any]) -> ResourceT | None:
        """What the answer shows of the changed resource; None where it shows none, which is a success too."""
        return self.kind.read(_data(self._send(operation, "PATCH", path, body)))

    def _send(self, operation: str, method: str, path: str, json: Any = None) -> Any:
        return self._service.request(operation, method, self._url + path, json=json).body

    def _read(self, operation: str, body: Any, what: str) -> ResourceT:
        found = self.kind.read(_data(body))
        if found is None:
            raise Unavailable(f"kustomer answered {operation} without {what}")
        return found


class Customers(Resources[Customer]):
    """
    Args:
        searching: the same service within the budget of searches.
    """

    kind = Customer

    def __init__(self, service: Service, url: str, *, searching: Service | None = None) -> None:
        super().__init__(service, url)
        self._searching = searching or service

    def get(self, customer_id: str) -> Customer | None:
        return self._find("customer", f"/customers/{id_part(customer_id)}")

    def by_phone(self, phone: str) -> Customer | None:
        """By a number in E.164; of several the first that Kustomer names."""
        return next(iter(self.all_by_phone(phone)), None)

    def all_by_phone(self, phone: str) -> list[Customer]:
        """By a number in E.164.

        Whether shared numbers are searched too, and what is answered for several hits, is not documented: one
        customer or a list is taken.

        Raises:
            Unavailable: a success without a resource. Taken for "not there" it would make a second one.
        """
        try:
            body = self._send("customer_by_phone", "GET", f"/customers/phone={quote(phone, safe='')}")
        except Rejected as error:
            if error.status == 404:
                return []
            raise
        items = _data(body)
        if isinstance(items, list) and (
            found := [one for one in map(Customer.read, items) if one is not None]
        ):
            return found
        return [self._read("customer_by_phone", body, "a resource")]

    def search(self, criteria: Sequence[Mapping[str, Any]]) -> list[Customer]:
        """Those who fit one of the criteria, at most 20, such as `{"customer_phone": {"equals": "+1555…"}}`.

        An index with a delay of unknown length, over customers that changed within two years. Its budget is
        Kustomer's and one of its own: 100 requests a minute for the whole company.

        Raises:
            Unauthorized: the key lacks the role org.permission.search.create.
        """
        body = {"or": list(criteria), "queryContext": "customer"}
        reply = self._searching.request(
            "search_customers",
            "POST",
            f"{self._url}/customers/search",
            json=body,
            params={"page": "1", "pageSize": str(_PAGE)},
        )
        items = _data(reply.body)
        if not isinstance(items, list):
            raise Unavailable("kustomer answered search_customers without a list")
        return [one for one in map(Customer.read, items) if one is not None]

    def by_email(self, email: str) -> Customer | None:
        return self._find("customer_by_email", f"/customers/email={quote(email, safe='')}")

    def by_external_id(self, external_id: str) -> Customer | None:
        path = f"/customers/externalId={quote(external_id, safe='')}"
        return self._find("customer_by_external_id", path)

    def page(self, query: Mapping[str, str]) -> Listing[Customer]:
        return self._page("list_customers", "/customers", query)

    def create(self, body: Mapping[str, Any]) -> Customer:
        return self._create("create_customer", "/customers", body)

    def update(
        self, customer_id: str, changes: Mapping[str, Any], *, current: Customer | None = None
    ) -> Customer | None:
        """Change fields. Lists that are not named stay; one that is named must be the whole list.

        Leaving out the company unlinks it (documented of PATCH and PUT), so that the present one is sent
        along. Without `current` it is read first, where `changes` name none.

        Args:
            current: as just read; Kustomer then refuses the change if there is a newer version.

        Raises:
            Rejected: 404: merged or deleted; look it up again.
            Conflict: a value is taken, or `rev` is stale.
        """
        path, body = f"/customers/{id_part(customer_id)}", dict(changes)
        if current is not None and current.rev is not None:
            body["rev"] = current.rev
        if "company" not in body:
            there = current or self._read("customer", self._send("customer", "GET", path), "a resource")
            body |= {"company": there.company_id} if there.company_id else {}
        return self._update("update_customer", path, body)


class Conversations(Resources[Conversation]):
    kind = Conversation

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
        return self.page({"page": str(page), "pageSize": str(_PAGE), "sort": "desc"})

    def create(self, body: Mapping[str, Any]) -> Conversation:
        """
        Raises:
            Rejected: status 404 where the customer is gone (merged or deleted).
        """
        return self._create("create_conversation", "/conversations", body)

    def update(self, conversation_id: str, changes: Mapping[str, Any]) -> Conversation | None:
        """Change fields, or move it to another customer; `tags` replaces the whole list."""
        return self._update("update_conversation", f"/conversations/{id_part(conversation_id)}", changes)


class Companies(Resources[Resource]):
    kind = Resource

    def get(self, company_id: str) -> Resource | None:
        return self._find("company", f"/companies/{id_part(company_id)}")

    def page(self, query: Mapping[str, str]) -> Listing[Resource]:
        return self._page("list_companies", "/companies", query)

    def create(self, body: Mapping[str, Any]) -> Resource:
        return self._create("create_company", "/companies", body)


class Users(Resources[User]):
    kind = User

    def get(self, user_id: str) -> User | None:
        return self._find("user", f"/users/{id_part(user_id)}")

    def page(self, query: Mapping[str, str]) -> Listing[User]:
        return self._page("list_users", "/users", query)

    def every(self) -> tuple[list[User], bool]:
        """All users, and whether these are all of them: up to `_MOST_USER_PAGES` requests, usually one."""
        found: list[User] = []
        page: int | None = 1
        while page is not None and page <= _MOST_USER_PAGES:
            listing = self.page({"page": str(page), "pageSize": str(_USER_PAGE)})
            found += listing.items
            page = listing.next_page
        return found, page is None

    def by_email(self, email: str) -> list[User]:
        """Users with exactly this e-mail, those who left included."""
        body = self._service.request(
            "users_by_email", "GET", f"{self._url}/users", params={"email": email}
        ).body
        users = [user for user in map(User.read, _listed(_data(body), dict)) if user is not None]
        return [user for user in users if user.email == email.casefold()]


class Teams(Resources[Team]):
    kind = Team

    def every(self) -> list[Team]:
        """The teams; of an org with thousands the first ones."""
        found: list[Team] = []
        page: int | None = 1
        while page is not None and page <= _MOST_USER_PAGES:
            query = {"page": str(page), "pageSize": str(_USER_PAGE)}
            listing = self._page("list_teams", "/teams", query)
            found += [team for team in listing.items if team.exists]
            page = listing.next_page
        return found


class Messages(Resources[Resource]):
    kind = Resource

    def get(self, message_id: str) -> Resource | None:
        return self._find("message", f"/messages/{id_part(message_id)}")

    def page(
        self, query: Mapping[str, str], *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Listing[Resource]:
        return self._page("list_messages", f"{_of(conversation_id, customer_id)}/messages", query)

    def create(
        self, body: Mapping[str, Any], *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Resource:
        """Put a message on record; nothing is delivered. At a customer it makes a conversation."""
        return self._create("create_message", f"{_of(conversation_id, customer_id)}/messages", body)


class Notes(Resources[Note]):
    kind = Note

    def get(self, note_id: str) -> Note | None:
        return self._find("note", f"/notes/{id_part(note_id)}")

    def page(
        self, query: Mapping[str, str], *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Listing[Note]:
        return self._page("list_notes", f"{_of(conversation_id, customer_id)}/notes", query)

    def every(self, *, conversation_id: str | None = None, customer_id: str | None = None) -> Iterator[Note]:
        """The notes of one conversation, or in all conversations of a customer: all pages, up to a bound."""
        page: int | None = 1
        while page is not None and page <= _MOST_PAGES:
            query = {"page": str(page), "pageSize": str(_PAGE)}
            found = self.page(query, conversation_id=conversation_id, customer_id=customer_id)
            yield from found.items
            page = found.next_page

    def create(self, conversation_id: str, body: Mapping[str, Any]) -> Note:
        """In a conversation: `POST /v1/notes` exists as well, but takes neither conversation nor files.

        `body` may choose the note's `id`; what a repeated one answers is not documented.
        """
        return self._create("create_note", f"/conversations/{id_part(conversation_id)}/notes", body)

    def update(self, note_id: str, changes: Mapping[str, Any]) -> Note | None:
        return self._update("update_note", f"/notes/{id_part(note_id)}", changes)


def new_customer(
    *,
    phone: str | None,
    name: str | None,
    external_id: str | None = None,
    phone_type: str = "other",
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a customer to be made, of what is known.

    Args:
        more: further fields, in Kustomer's spelling.
    """
    body: dict[str, Any] = {"phones": [{"type": phone_type, "phone": phone}]} if phone else {}
    body |= {"name": name} if name else {}
    body |= {"externalId": external_id} if external_id else {}
    return body | dict(more or {})


def _of(conversation_id: str | None, customer_id: str | None) -> str:
    if conversation_id is not None:
        return f"/conversations/{id_part(conversation_id)}"
    return f"/customers/{id_part(customer_id)}" if customer_id is not None else ""


def _data(body: Any) -> Any:
    return body.get("data") if isinstance(body, dict) else None


def _listed(value: Any, kind: type[T]) -> tuple[T, ...]:
    return tuple(item for item in value if isinstance(item, kind)) if isinstance(value, list) else ()
