"""Kustomer's custom objects (KObjects), each of a class that an admin has defined."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from bridge.sandbox.kustomer import klass_schemas as schemas
from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.errors import Refusal, bad_parameter, not_found, unknown_properties
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World, new_id


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="allow")

    properties: dict[str, Any]


class Definition(BaseModel):
    """A class as an admin defines it: what `callbridge kustomer klass --json` prints."""

    model_config = ConfigDict(extra="allow")

    name: str
    metadata: _Metadata


def define(world: World, definition: Any) -> str:
    """As if an admin had defined a class, or changed it. Returns its name."""
    klass = Definition.model_validate(definition)
    with world.lock:
        world.store.put("klass", klass.name, {"id": klass.name, "properties": klass.metadata.properties})
    return klass.name


class CustomObjects(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/klasses/{klass}/externalId={value}", self.show)
        routes.add("POST", "/v1/klasses/{klass}", self.create)
        routes.add("POST", "/v1/customers/{id}/klasses/{klass}", self.create_for_customer)
        routes.add("PUT", "/v1/klasses/{klass}/{id}", self.update)

    def show(self, request: SandboxRequest) -> Response:
        klass = self._klass(request)
        found = self._with_external_id(klass["id"], request.params["value"])
        if not found:
            raise not_found("externalId")
        return self.one("custom_object", found[0])

    def create(self, request: SandboxRequest) -> Response:
        klass = self._klass(request)
        body = self._body(request, klass, schemas.CUSTOM_OBJECT)
        customer = body.pop("customer", None)
        return self._create(
            klass, body, self.need("customer", customer, "customer")["id"] if customer else ""
        )

    def create_for_customer(self, request: SandboxRequest) -> Response:
        customer = self.need("customer", request.params["id"])
        klass = self._klass(request)
        body = self._body(request, klass, schemas.CUSTOM_OBJECT)
        if body.pop("customer", customer["id"]).lower() != customer["id"]:
            raise bad_parameter("customer", "Not the customer of the path")
        return self._create(klass, body, customer["id"])

    def update(self, request: SandboxRequest) -> Response:
        klass = self._klass(request)
        there = self.need("custom_object", request.params["id"])
        if there["klass"] != klass["id"]:
            raise not_found("id")
        body = self._body(request, klass, schemas.CUSTOM_OBJECT_UPDATE)
        if self.world.kustomer.readings.custom_update == "merge" and "custom" in body:
            body["custom"] = {**there["given"].get("custom", {}), **body["custom"]}
        self.refuse_stale(there, body)
        self._refuse_repeated(klass["id"], body, there["id"])
        changed = self.touched(there, given=there["given"] | body)
        self.store.put("custom_object", there["id"], changed)
        return self.one("custom_object", changed)

    def _create(self, klass: Document, body: Document, customer_id: str) -> Response:
        self._refuse_repeated(klass["id"], body)
        if customer_id and "importedAt" not in body:
            self.count_creation("custom_object", customer_id)
        made = self.fresh(new_id(), body, klass=klass["id"], customer=customer_id)
        self.store.put("custom_object", made["id"], made)
        return self.one("custom_object", made, 201)

    def _klass(self, request: SandboxRequest) -> Document:
        klass = self.store.get("klass", request.params["klass"])
        if klass is None:
            raise Refusal(self.world.kustomer.readings.unknown_klass, [("", "name")])
        return klass

    def _body(self, request: SandboxRequest, klass: Document, schema: Any) -> Document:
        body: Document = self.validated(self.json(request), schema)
        if unknown := [name for name in body.get("custom", {}) if name not in klass["properties"]]:
            raise unknown_properties(unknown)
        return body

    def _refuse_repeated(self, klass: str, body: Document, own_id: str = "") -> None:
        external_id = body.get("externalId")
        if not external_id or self.world.kustomer.readings.external_id == "duplicate":
            return
        if any(one["id"] != own_id for one in self._with_external_id(klass, external_id)):
            raise Refusal(409, [("", "externalId")])

    def _with_external_id(self, klass: str, external_id: str) -> list[Document]:
        found = self.store.find("custom_object", "externalId", external_id)
        return [one for one in found if one["klass"] == klass]
