"""Kustomer's customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bridge.clients.http import Service
from bridge.clients.kustomer.batches import Batches
from bridge.clients.kustomer.resources import PAGE, Resource, Resources, data_of, listed
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part
from bridge.errors import Rejected, Unavailable


class Customer(Resource):
    __slots__ = ()

    @property
    def name(self) -> str | None:
        return self.fields.get("name") or None

    @property
    def phones(self) -> tuple[Mapping[str, Any], ...]:
        return listed(self.fields.get("phones"), dict)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(str(one.get("phone") or "") for one in self.phones)

    @property
    def shared_numbers(self) -> tuple[str, ...]:
        """Numbers that several people use, such as a switchboard's."""
        return tuple(str(one.get("phone") or "") for one in listed(self.fields.get("sharedPhones"), dict))

    @property
    def has_conversations(self) -> bool:
        """False only where Kustomer says that there are none."""
        counts = self.fields.get("conversationCounts")
        return not (isinstance(counts, Mapping) and counts.get("all") == 0)

    @property
    def emails(self) -> tuple[Mapping[str, Any], ...]:
        return listed(self.fields.get("emails"), dict)

    @property
    def company_id(self) -> str | None:
        return self.related_id("company")


class Customers(Resources[Customer]):
    """
    Args:
        searching: the same service within the budget of searches.
    """

    kind = Customer
    # Sends creates of jobs together in a backlog; None: each is a request.
    batches: Batches | None = None

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
        items = data_of(body)
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
            params={"page": "1", "pageSize": str(PAGE)},
        )
        items = data_of(reply.body)
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

    def create_in_batch(self, body: Mapping[str, Any]) -> Customer:
        """As `create`; in a backlog together with others, and then only the id is known."""
        made = self.batches.create("customers", body, lambda: None) if self.batches else None
        return Customer(id=made) if made else self.create(body)

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
