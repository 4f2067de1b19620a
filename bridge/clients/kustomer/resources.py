"""What Kustomer's resources have in common: look-ups, lists page by page, writes.

Each kind is a module beside this one.

A look-up gives None where there is no such resource (404). A create raises Conflict where what has to be
unique is taken; Unavailable leaves open whether something was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from bridge.clients.http import Service
from bridge.clients.kustomer.conflicts import says_taken
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part, is_id
from bridge.domain.webhook.values import read_whole
from bridge.errors import Conflict, Rejected, Unavailable

T = TypeVar("T")

PAGE = 100
_MOST_PAGES = 20


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
                found[name] = [one["id"] for one in listed(data, dict) if isinstance(one.get("id"), str)]
        return found

    def related_id(self, name: str) -> str | None:
        value = self.relationships.get(name)
        data = value.get("data") if isinstance(value, dict) else None
        found = data.get("id") if isinstance(data, dict) else None
        return found if is_id(found) else None


class InConversation(Resource):
    """A note or a message, which may have files."""

    __slots__ = ()

    @property
    def attachments(self) -> tuple[Mapping[str, Any], ...]:
        """References, or ids only (both are seen in such APIs)."""
        related = self.related.get("attachments", [])
        ids = tuple({"id": one} for one in related) if isinstance(related, list) else ()
        return listed(self.fields.get("attachments"), dict) or ids


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
        items = data_of(body)
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
        return self.kind.read(data_of(self._send(operation, "PATCH", path, body)))

    def _send(self, operation: str, method: str, path: str, json: Any = None) -> Any:
        return self._service.request(operation, method, self._url + path, json=json).body

    def _read(self, operation: str, body: Any, what: str) -> ResourceT:
        found = self.kind.read(data_of(body))
        if found is None:
            raise Unavailable(f"kustomer answered {operation} without {what}")
        return found


class ResourcesInConversations(Resources[ResourceT]):
    """Notes or messages: listed for the whole org, one conversation, or all conversations of a customer."""

    def page(
        self, query: Mapping[str, str], *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Listing[ResourceT]:
        raise NotImplementedError

    def every(
        self, *, conversation_id: str | None = None, customer_id: str | None = None
    ) -> Iterator[ResourceT]:
        """All pages, up to a bound."""
        page: int | None = 1
        while page is not None and page <= _MOST_PAGES:
            query = {"page": str(page), "pageSize": str(PAGE)}
            found = self.page(query, conversation_id=conversation_id, customer_id=customer_id)
            yield from found.items
            page = found.next_page


def scope_of(conversation_id: str | None, customer_id: str | None) -> str:
    """The start of a path; empty: the whole org."""
    if conversation_id is not None:
        return f"/conversations/{id_part(conversation_id)}"
    return f"/customers/{id_part(customer_id)}" if customer_id is not None else ""


def data_of(body: Any) -> Any:
    return body.get("data") if isinstance(body, dict) else None


def listed(value: Any, kind: type[T]) -> tuple[T, ...]:
    return tuple(item for item in value if isinstance(item, kind)) if isinstance(value, list) else ()
