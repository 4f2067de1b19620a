"""Kustomer's companies."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.message_schemas import COMPANY
from bridge.sandbox.kustomer.shapes import page_of
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import new_id


class Companies(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/companies", self.index)
        routes.add("POST", "/v1/companies", self.create)
        routes.add("GET", "/v1/companies/{id}", self.show)

    def index(self, request: SandboxRequest) -> Response:
        companies = self.store.all("company")
        external_id, name = request.query.get("externalId"), request.query.get("filter")
        # Documented: both together are ignored.
        if external_id is not None and name is None:
            companies = self.store.find("company", "externalId", external_id)
        elif name is not None and external_id is None:
            companies = [one for one in companies if name.casefold() in one["given"]["name"].casefold()]
        return JSONResponse(
            page_of("company", companies, self.world, path="/v1/companies", query=request.query)
        )

    def show(self, request: SandboxRequest) -> Response:
        return self.one("company", self.need("company", request.params["id"]))

    def create(self, request: SandboxRequest) -> Response:
        body = self.body(request, COMPANY)
        self.refuse_repeated_external_id("company", body)
        body.pop("rev", None)
        if "tags" in body:
            body["tags"] = self.tag_ids(body["tags"])
        company = self.fresh(new_id(), body)
        self.store.put("company", company["id"], company)
        return self.one("company", company, 201)
