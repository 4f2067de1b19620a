"""Kustomer's companies."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.message_schemas import COMPANY
from bridge.sandbox.kustomer.shapes import page_of
from bridge.sandbox.wire import Asked, Routes
from bridge.sandbox.world import new_id


class Companies(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/companies", self.index)
        routes.add("POST", "/v1/companies", self.create)
        routes.add("GET", "/v1/companies/{id}", self.show)

    def index(self, asked: Asked) -> Response:
        companies = self.store.all("company")
        external_id, name = asked.query.get("externalId"), asked.query.get("filter")
        # Documented: both together are ignored.
        if external_id is not None and name is None:
            companies = self.store.find("company", "externalId", external_id)
        elif name is not None and external_id is None:
            companies = [one for one in companies if name.casefold() in one["given"]["name"].casefold()]
        return JSONResponse(
            page_of("company", companies, self.world, path="/v1/companies", query=asked.query)
        )

    def show(self, asked: Asked) -> Response:
        return self.one("company", self.need("company", asked.params["id"]))

    def create(self, asked: Asked) -> Response:
        body = self.body(asked, COMPANY)
        self.refuse_repeated_external_id("company", body)
        body.pop("rev", None)
        if "tags" in body:
            body["tags"] = self.tag_ids(body["tags"])
        company = self.fresh(new_id(), body)
        self.store.put("company", company["id"], company)
        return self.one("company", company, 201)
