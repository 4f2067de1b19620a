"""Kustomer's customers: unique phones, e-mails and external ids, and a company that is easily lost."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, gt, le, lt

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer import schemas as schemas
from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.errors import Refusal, bad_parameter, not_found
from bridge.sandbox.kustomer.shapes import page_of, shape
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import digits, new_id

_COMPARISONS: dict[str, Callable[[str, str], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_SORTS = {"createdAt": "created_at", "updatedAt": "updated_at"}


class Customers(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/customers", self.index)
        routes.add("POST", "/v1/customers", self.create)
        routes.add("GET", "/v1/customers/email={value}", self.by_email)
        routes.add("GET", "/v1/customers/phone={value}", self.by_phone)
        routes.add(
            "GET",
            "/v1/customers/externalId={value}",
            lambda request: self.by_external_id("customer", request),
        )
        routes.add("GET", "/v1/customers/{id}", self.show)
        routes.add("PATCH PUT", "/v1/customers/{id}", self.update)
        routes.add("GET", "/v1/customers/{id}/conversations", self.conversations)
        routes.add("GET", "/v1/customers/{id}/notes", self.notes)

    def index(self, request: SandboxRequest) -> Response:
        customers = self.store.all("customer")
        for name, key in _SORTS.items():
            for comparison, fits in _COMPARISONS.items():
                bound = request.query.get(f"filter[{name}][{comparison}]")
                if bound is not None:
                    customers = [one for one in customers if fits(one[key], bound)]
        sort = request.query.get("sort")
        if sort is not None:
            if sort.removeprefix("-") not in _SORTS:
                raise bad_parameter("sort")
            key = _SORTS[sort.removeprefix("-")]
            customers = sorted(customers, key=lambda one: str(one[key]), reverse=sort.startswith("-"))
        return JSONResponse(
            page_of(
                "customer", customers, self.world, path="/v1/customers", query=request.query, counted=True
            )
        )

    def show(self, request: SandboxRequest) -> Response:
        return self.one("customer", self.need("customer", request.params["id"]))

    def by_email(self, request: SandboxRequest) -> Response:
        return self._first(self.store.find("customer", "emails", request.params["value"].lower()), "email")

    def by_phone(self, request: SandboxRequest) -> Response:
        readings, number = self.world.kustomer.readings, request.params["value"]
        found = self.with_number("phones", number)
        if readings.shared_phone_lookup:
            shared = self.with_number("sharedPhones", number)
            found += [one for one in shared if one not in found]
        if len(found) > 1 and readings.phone_lookup == "list":
            return JSONResponse({"data": [shape("customer", one, self.world) for one in found]})
        return self._first(found, "phone")

    def with_number(self, name: str, number: str) -> list[Document]:
        found = self.store.find("customer", name, digits(number))
        if self.world.kustomer.readings.phone_match == "digits":
            return found
        return [one for one in found if any(entry["phone"] == number for entry in one["given"].get(name, []))]

    def create(self, request: SandboxRequest) -> Response:
        return self.one("customer", self.add(self.body(request, schemas.CUSTOMER)), 201)

    def add(self, body: Document) -> Document:
        """Create from a body that fits the schema."""
        self._refuse_taken(body, own_id=None)
        company = self._company(body)
        body.pop("rev", None)
        if "tags" in body:
            body["tags"] = self.tag_ids(body["tags"])
        customer = self.fresh(new_id(), body, company=company)
        self.store.put("customer", customer["id"], customer)
        return customer

    def update(self, request: SandboxRequest) -> Response:
        customer = self.need("customer", request.params["id"])
        body = self.body(request, schemas.CUSTOMER)
        self.refuse_stale(customer, body)
        self._refuse_taken(body, own_id=customer["id"])
        # Their reference says so of PATCH and PUT: left out, the company is unlinked.
        company = self._company(body)
        if "tags" in body:
            body["tags"] = self.tag_ids(body["tags"])
        replaces = request.method == "PUT" and request.query.get("replace") == "true"
        given = body if replaces else customer["given"] | body
        customer = self.touched(customer, given=given, company=company)
        self.store.put("customer", customer["id"], customer)
        return self.one("customer", customer)

    def conversations(self, request: SandboxRequest) -> Response:
        customer = self.need("customer", request.params["id"])
        since = request.query.get("fromDate", "")
        found = [
            one
            for one in self.store.find("conversation", "customer", customer["id"])
            if one["given"].get("createdAt", one["created_at"]) >= since
        ]
        path = f"/v1/customers/{customer['id']}/conversations"
        return JSONResponse(page_of("conversation", found, self.world, path=path, query=request.query))

    def notes(self, request: SandboxRequest) -> Response:
        customer = self.need("customer", request.params["id"])
        found = [
            note
            for conversation in self.store.find("conversation", "customer", customer["id"])
            for note in self.store.find("note", "conversation", conversation["id"])
        ]
        path = f"/v1/customers/{customer['id']}/notes"
        return JSONResponse(page_of("note", found, self.world, path=path, query=request.query))

    def _first(self, found: list[Document], parameter: str) -> Response:
        if not found:
            raise not_found(parameter)
        return JSONResponse({"data": shape("customer", found[0], self.world)})

    def _company(self, body: Document) -> str | None:
        company: str | None = body.pop("company", None)
        if company is not None:
            self.need("company", company, "company")
        return company

    def _refuse_taken(self, body: Document, own_id: str | None) -> None:
        """One value belongs to one customer of the org; the shared lists are free of that."""
        values = [("externalId", "externalId", body.get("externalId") or "")]
        values += [("externalIds", "externalId", one["externalId"]) for one in body.get("externalIds", [])]
        values += [("emails", "emails", one["email"].lower()) for one in body.get("emails", [])]
        for name in ("phones", "whatsapps"):
            values += [(name, name, digits(one["phone"])) for one in body.get(name, [])]
        values += [
            ("socials", "socials", f"{one['type']}:{one['username']}") for one in body.get("socials", [])
        ]
        for parameter, key, value in values:
            holders = self.store.find("customer", key, value) if value else []
            if key == "phones" and self.world.kustomer.readings.phone_match == "text":
                written = [one["phone"] for one in body.get("phones", [])]
                holders = [
                    one
                    for one in holders
                    if any(entry["phone"] in written for entry in one["given"].get("phones", []))
                ]
            if any(one["id"] != own_id for one in holders):
                status = int(self.world.kustomer.readings.customer_duplicate)
                raise Refusal(status, [("duplicate detected", parameter)])
