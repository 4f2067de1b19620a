"""Kustomer's API, as far as the bridge needs it.

Requests are plain objects, answers JSON:API envelopes; unknown properties are refused, so only what
is documented is sent. There are no idempotency keys: `bridge.jobs.scribe` looks before it repeats a write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx2

from bridge.clients.attachments import Attachments
from bridge.clients.http import Reply, Service
from bridge.clients.paths import id_part, is_id
from bridge.clients.standing import KeyCheck
from bridge.clients.taken import says_taken
from bridge.errors import Conflict, Rejected, Unavailable
from bridge.ledger.budget import Budget
from bridge.ledger.connections import Gate

if TYPE_CHECKING:
    from bridge.clients.kustomer_api import KustomerApi

T = TypeVar("T")

_PAGE = 100
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    id: str
    name: str | None = None
    external_id: str | None = None
    phones: tuple[Mapping[str, Any], ...] = ()
    emails: tuple[Mapping[str, Any], ...] = ()
    company_id: str | None = None
    rev: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """`tags` are ids, as Kustomer lists them; names are taken when writing."""

    id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    customer_id: str | None = None
    rev: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    id: str
    external_id: str | None = None
    body: str = ""
    # What the note says of its attachments: references, or ids only (both are seen in such APIs).
    attachments: tuple[Mapping[str, Any], ...] = ()


class Kustomer:
    """The bridge's own use of Kustomer; `api` is all of it.

    Args:
        client: with a key of ours, or a road that adds the credentials.
        url: ends at the host.
        api_key: None where the road adds it.
        plain: for uploads, which go to another host and need no key; the same client where left out.
        gate: see `Service`.
    """

    def __init__(
        self,
        *,
        client: httpx2.Client,
        url: str,
        api_key: str | None,
        budget: Budget | None = None,
        plain: httpx2.Client | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._url = f"{url}/v1"
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._service = Service(
            "kustomer",
            client=client,
            headers=headers,
            budget=budget,
            plain=plain,
            gate=gate,
            # Not /users/current, the usual check of a key: that needs a role which the bridge can do without.
            key_check=KeyCheck(
                url=f"{self._url}/customers",
                params={"page": "1", "pageSize": "1"},
                advice="Check the key's expiry, roles and allowed addresses: Settings > Security > API Keys.",
            ),
        )
        self.check = self._service.check
        self._host = url
        self.attachments = Attachments(self._service, plain or client, self._url)

    @cached_property
    def api(self) -> KustomerApi:
        """All of Kustomer. Its many types are built on first use: workers start without them."""
        from bridge.clients.kustomer_api import KustomerApi

        return KustomerApi(self._service, url=self._host)

    # -- customers

    def customer(self, customer_id: str) -> Customer | None:
        return _customer(self._find("customer", f"/customers/{id_part(customer_id)}"))

    def customer_by_phone(self, phone: str) -> Customer | None:
        """By a number in E.164; whether shared phones are searched too is not documented."""
        return _customer(self._find("customer_by_phone", f"/customers/phone={quote(phone, safe='')}"))

    def customer_by_email(self, email: str) -> Customer | None:
        return _customer(self._find("customer_by_email", f"/customers/email={quote(email, safe='')}"))

    def customer_by_external_id(self, external_id: str) -> Customer | None:
        return _customer(
            self._find("customer_by_external_id", f"/customers/externalId={quote(external_id, safe='')}")
        )

    def create_customer(
        self, *, phone: str | None, name: str | None, external_id: str | None = None
    ) -> Customer:
        """Create a customer; phones, e-mails and external ids are unique in an org.

        Raises:
            Conflict: one with this phone or external id exists. Which status says so is not
                documented, so that a 400 which says it in words counts as well.
        """
        body: dict[str, Any] = {}
        if phone:
            body["phones"] = [{"type": "other", "phone": phone}]
        if name:
            body["name"] = name
        if external_id:
            body["externalId"] = external_id
        try:
            reply = self._send("create_customer", "POST", "/customers", body)
        except Rejected as error:
            if says_taken(error):
                raise Conflict("kustomer says that a customer with this phone exists") from error
            raise
        return _sure(_customer(reply.body), "create_customer")

    def update_customer(self, current: Customer, **fields: Any) -> None:
        """Change fields of a customer just read.

        The company goes along: leaving it out unlinks it (documented). Lists that are not named here
        are left out, and so stay; one that is named must be the whole list.
        """
        body = dict(fields)
        if current.company_id:
            body["company"] = current.company_id
        if current.rev is not None:
            body["rev"] = current.rev
        self._send("update_customer", "PATCH", f"/customers/{id_part(current.id)}", body)

    def add_phone(self, current: Customer, phone: str) -> None:
        """Add a number to a customer just read; the list is sent whole, as it may replace the stored one."""
        if any(item.get("phone") == phone for item in current.phones):
            return
        kept = [
            {key: item[key] for key in ("type", "phone", "verified") if item.get(key) is not None}
            for item in current.phones
        ]
        self.update_customer(current, phones=[*kept, {"type": "other", "phone": phone}])

    # -- conversations

    def conversation(self, conversation_id: str) -> Conversation | None:
        return _conversation(self._find("conversation", f"/conversations/{id_part(conversation_id)}"))

    def conversation_by_external_id(self, external_id: str) -> Conversation | None:
        return _conversation(
            self._find(
                "conversation_by_external_id", f"/conversations/externalId={quote(external_id, safe='')}"
            )
        )

    def conversation_page(self, number: int) -> tuple[list[Conversation], bool]:
        """One page of all conversations, the latest first, and whether there are more.

        Latest by creation or by change: which, is not documented. No filter is, either; search has the
        delay of an index and wants a role of its own.
        """
        reply = self._service.request(
            "list_conversations",
            "GET",
            f"{self._url}/conversations",
            params={"page": str(number), "pageSize": str(_PAGE), "sort": "desc"},
        )
        items = reply.body.get("data") if isinstance(reply.body, dict) else None
        if not isinstance(items, list):
            raise Unavailable("kustomer answered list_conversations without a list")
        found = (_conversation({"data": item}) for item in items)
        links = reply.body.get("links")
        more = bool(items) and isinstance(links, dict) and bool(links.get("next"))
        return [one for one in found if one is not None], more

    def create_conversation(
        self, customer_id: str, fields: Mapping[str, Any], *, assigned_users: Sequence[str] = ()
    ) -> Conversation:
        """Create a conversation. `fields`: externalId, name, direction, status (open or done), tags.

        Raises:
            Conflict: one with this external id exists, in the reading in which that is refused.
            Rejected: status 404 where the customer is gone (merged or deleted).
        """
        body = {"customer": customer_id, **{key: value for key, value in fields.items() if value}}
        if assigned_users:
            body["assignedUsers"] = list(assigned_users)
        reply = self._create("create_conversation", "/conversations", body)
        return _sure(_conversation(reply.body), "create_conversation")

    def update_conversation(self, conversation_id: str, changes: Mapping[str, Any]) -> None:
        """Change fields; `tags` replaces the whole list."""
        self._send("update_conversation", "PATCH", f"/conversations/{id_part(conversation_id)}", changes)

    # -- notes

    def note(self, note_id: str) -> Note | None:
        return _note(self._find("note", f"/notes/{id_part(note_id)}"))

    def notes_of(self, conversation_id: str) -> Iterator[Note]:
        """The notes of a conversation, all pages."""
        return self._notes(f"/conversations/{id_part(conversation_id)}/notes")

    def notes_of_customer(self, customer_id: str) -> Iterator[Note]:
        """The notes in all conversations of a customer."""
        return self._notes(f"/customers/{id_part(customer_id)}/notes")

    def _notes(self, path: str) -> Iterator[Note]:
        for page in range(1, _MOST_PAGES + 1):
            reply = self._service.request(
                "list_notes",
                "GET",
                f"{self._url}{path}",
                params={"page": str(page), "pageSize": str(_PAGE)},
            )
            items = reply.body.get("data") if isinstance(reply.body, dict) else None
            if not isinstance(items, list):
                raise Unavailable("kustomer answered list_notes without a list")
            for item in items:
                if (note := _note({"data": item})) is not None:
                    yield note
            links = reply.body.get("links")
            if not items or not isinstance(links, dict) or not links.get("next"):
                return

    def create_note(self, conversation_id: str, fields: Mapping[str, Any], *, note_id: str | None) -> Note:
        """Create a note in a conversation. `fields`: externalId, body (1 to 10240 characters).

        Args:
            note_id: the id wanted, 24 hex digits; what a repeated one answers is not documented.

        Raises:
            Conflict: the id is taken: by an earlier try of ours, as it is made from the call.
        """
        body = {**fields, "id": note_id} if note_id else dict(fields)
        reply = self._create("create_note", f"/conversations/{id_part(conversation_id)}/notes", body)
        return _sure(_note(reply.body), "create_note")

    def update_note(self, note_id: str, changes: Mapping[str, Any]) -> None:
        self._send("update_note", "PATCH", f"/notes/{id_part(note_id)}", changes)

    # -- users

    def users_by_email(self, email: str) -> list[str]:
        """Ids of users with this e-mail (one, or none)."""
        reply = self._service.request("users_by_email", "GET", f"{self._url}/users", params={"email": email})
        items = reply.body.get("data") if isinstance(reply.body, dict) else None
        users = [_resource({"data": item}) for item in items] if isinstance(items, list) else []
        # user: id, attributes, relationships
        return [
            user[0]
            for user in users
            if user is not None and str(user[1].get("email", "")).casefold() == email.casefold()
        ]

    # -- common

    def _find(self, operation: str, path: str) -> Any:
        """The body of a look-up; None for 404, which is a normal result.

        Raises:
            Unavailable: a success without a resource. Taken for "not there" it would make a second one.
        """
        try:
            body = self._service.request(operation, "GET", self._url + path).body
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        if _resource(body) is None:
            raise Unavailable(f"kustomer answered {operation} without a resource")
        return body

    def _send(self, operation: str, method: str, path: str, body: Any) -> Reply:
        return self._service.request(operation, method, self._url + path, json=body)

    def _create(self, operation: str, path: str, body: Any) -> Reply:
        """A create whose external id may be taken: said as 409, or as a 400 that says so in words."""
        try:
            return self._send(operation, "POST", path, body)
        except Rejected as error:
            if says_taken(error):
                raise Conflict(f"kustomer says to {operation} that it exists") from error
            raise


def _resource(body: Any) -> tuple[str, Mapping[str, Any], Mapping[str, Any]] | None:
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or not is_id(data.get("id")):
        return None
    attributes, relationships = data.get("attributes"), data.get("relationships")
    return (
        data["id"],
        attributes if isinstance(attributes, dict) else {},
        relationships if isinstance(relationships, dict) else {},
    )


def _related(relationships: Mapping[str, Any], name: str) -> str | None:
    value = relationships.get(name)
    data = value.get("data") if isinstance(value, dict) else None
    found = data.get("id") if isinstance(data, dict) else None
    return found if is_id(found) else None


def _listed(value: Any, kind: type[T]) -> tuple[T, ...]:
    return tuple(item for item in value if isinstance(item, kind)) if isinstance(value, list) else ()


def _customer(body: Any) -> Customer | None:
    found = _resource(body)
    if found is None:
        return None
    id_, attributes, relationships = found
    return Customer(
        id=id_,
        name=attributes.get("name") or None,
        external_id=attributes.get("externalId"),
        phones=_listed(attributes.get("phones"), dict),
        emails=_listed(attributes.get("emails"), dict),
        company_id=_related(relationships, "company"),
        rev=attributes.get("rev"),
    )


def _conversation(body: Any) -> Conversation | None:
    found = _resource(body)
    if found is None:
        return None
    id_, attributes, relationships = found
    return Conversation(
        id=id_,
        fields=attributes,
        tags=_listed(attributes.get("tags"), str),
        customer_id=_related(relationships, "customer"),
        rev=attributes.get("rev"),
    )


def _note(body: Any) -> Note | None:
    found = _resource(body)
    if found is None:
        return None
    id_, attributes, relationships = found
    related = relationships.get("attachments")
    ids = _listed(related.get("data") if isinstance(related, dict) else None, dict)
    named = _listed(attributes.get("attachments"), dict)
    return Note(
        id=id_,
        external_id=attributes.get("externalId"),
        body=attributes.get("body") or "",
        attachments=named or ids,
    )


def _sure(value: T | None, operation: str) -> T:
    """What a create answered.

    Raises:
        Unavailable: a 2xx without an id; it is not known what was made, so look before trying again.
    """
    if value is None:
        raise Unavailable(f"kustomer answered {operation} without an id")
    return value
