"""Kustomer's conversations and their tags."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer import schemas as schemas
from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.errors import bad_parameter
from bridge.sandbox.kustomer.shapes import page_of, shape
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest


class Conversations(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/conversations", self.index)
        routes.add("POST", "/v1/conversations", self.create)
        routes.add("POST", "/v1/customers/{id}/conversations", self.create_in_customer)
        routes.add(
            "GET",
            "/v1/conversations/externalId={value}",
            lambda request: self.by_external_id("conversation", request),
        )
        routes.add("GET", "/v1/conversations/{id}", self.show)
        routes.add("PATCH PUT", "/v1/conversations/{id}", self.update)
        routes.add("POST", "/v1/conversations/{id}/tags", self.add_tags)
        routes.add("DELETE", "/v1/conversations/{id}/tags", self.remove_tags)

    def index(self, request: SandboxRequest) -> Response:
        found = self.store.all("conversation")
        sort = request.query.get("sort")
        if sort not in (None, "desc"):
            raise bad_parameter("sort")
        if sort == "desc":
            found.reverse()
        path = "/v1/conversations"
        return JSONResponse(page_of("conversation", found, self.world, path=path, query=request.query))

    def show(self, request: SandboxRequest) -> Response:
        wanted = request.params["id"].split(",")
        if len(wanted) == 1:
            return self.one("conversation", self.need("conversation", wanted[0]))
        found = [self.store.get("conversation", one.lower()) for one in wanted]
        return JSONResponse({"data": [shape("conversation", one, self.world) for one in found if one]})

    def create(self, request: SandboxRequest) -> Response:
        sent = self.json(request)
        is_taken = self.world.kustomer.readings.brand == "taken" and isinstance(sent, dict)
        brand = {"brand": sent.pop("brand")} if is_taken and "brand" in sent else {}
        body = self.checked(sent, schemas.CONVERSATION)
        return self._create(body.pop("customer"), {**body, **brand}, "customer")

    def create_in_customer(self, request: SandboxRequest) -> Response:
        customer_id = request.params["id"]
        self.need("customer", customer_id)
        return self._create(customer_id, self.body(request, schemas.CONVERSATION_IN_CUSTOMER), "id")

    def update(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        sent = self.json(request)
        if isinstance(sent, dict) and "customer" in sent:
            move = self.checked(sent, schemas.CONVERSATION_MOVE)
            customer = self.need("customer", move["customer"], "customer")
            conversation = self.touched(conversation, customer=customer["id"])
        else:
            body = self.checked(sent, schemas.CONVERSATION_UPDATE)
            readings = self.world.kustomer.readings
            if readings.locked == "refuse" and conversation["given"].get("locked") and "locked" not in body:
                raise bad_parameter("locked", "The conversation is locked")
            if readings.custom_update == "merge" and "custom" in body:
                body["custom"] = {**conversation["given"].get("custom", {}), **body["custom"]}
            self.refuse_stale(conversation, body)
            self.refuse_repeated_external_id("conversation", body, own_id=conversation["id"])
            if "tags" in body:
                body["tags"] = self.tag_ids(body["tags"])
            self._refuse_unknown_owners(body)
            conversation = self.touched(conversation, given=conversation["given"] | body)
        self.store.put("conversation", conversation["id"], conversation)
        return self.one("conversation", conversation)

    def add_tags(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        more = self.tag_ids(self.body(request, schemas.TAGS))
        tags = list(dict.fromkeys([*conversation["given"].get("tags", []), *more]))
        return self._with_tags(conversation, tags)

    def remove_tags(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        fewer: set[str] = set()
        for tag in self.body(request, schemas.TAGS):
            fewer |= {tag} | {one["id"] for one in self.store.find("tag", "name", tag)}
        return self._with_tags(
            conversation, [tag for tag in conversation["given"].get("tags", []) if tag not in fewer]
        )

    def _with_tags(self, conversation: Document, tags: list[str]) -> Response:
        conversation = self.touched(conversation, given=conversation["given"] | {"tags": tags})
        self.store.put("conversation", conversation["id"], conversation)
        return self.one("conversation", conversation)

    def _refuse_unknown_owners(self, body: Document) -> None:
        if self.world.kustomer.readings.assignees == "any":
            return
        for name, kind in (("assignedUsers", "user"), ("assignedTeams", "team")):
            for at, one in enumerate(body.get(name) or []):
                if self.store.get(kind, one.lower()) is None:
                    raise bad_parameter(f"{name}.{at}", f"{name}: no such {kind}")

    def _create(self, customer_id: str, body: Document, parameter: str) -> Response:
        customer = self.need("customer", customer_id, parameter)
        self.refuse_repeated_external_id("conversation", body)
        self._refuse_unknown_owners(body)
        conversation_id = self.chosen_id("conversation", body)
        if "importedAt" not in body:
            self.count_creation("conversation", customer["id"])
        if "tags" in body:
            body["tags"] = self.tag_ids(body["tags"])
        conversation = self.fresh(conversation_id, body, customer=customer["id"])
        self.store.put("conversation", conversation_id, conversation)
        return self.one("conversation", conversation, 201)
