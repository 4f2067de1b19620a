"""Kustomer's messages: put on record, delivered to nobody."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer import message_schemas as schemas
from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.errors import Refusal, bad_parameter, not_found
from bridge.sandbox.kustomer.schemas import ADMIN_ONLY
from bridge.sandbox.kustomer.shapes import page_of
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import new_id


class Messages(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/messages", self.index)
        routes.add("POST", "/v1/messages", self.create_loose)
        routes.add("GET", "/v1/messages/externalid={value}", self.show_by_external_id)
        routes.add("GET", "/v1/messages/{id}", self.show)
        routes.add("PATCH PUT", "/v1/messages/{id}", self.update)
        routes.add("GET", "/v1/conversations/{id}/messages", self.of_conversation)
        routes.add("POST", "/v1/conversations/{id}/messages", self.create_in_conversation)
        routes.add("GET", "/v1/customers/{id}/messages", self.of_customer)
        routes.add("POST", "/v1/customers/{id}/messages", self.create_for_customer)

    def index(self, request: SandboxRequest) -> Response:
        found = self.store.all("message")
        sort = request.query.get("sort")
        if sort not in (None, "asc", "desc"):
            raise bad_parameter("sort")
        if sort == "desc":
            found.reverse()
        return self._page(found, "/v1/messages", request)

    def of_conversation(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        found = self.store.find("message", "conversation", conversation["id"])
        return self._page(found, f"/v1/conversations/{conversation['id']}/messages", request)

    def of_customer(self, request: SandboxRequest) -> Response:
        customer = self.need("customer", request.params["id"])
        found = [
            message
            for conversation in self.store.find("conversation", "customer", customer["id"])
            for message in self.store.find("message", "conversation", conversation["id"])
        ]
        return self._page(found, f"/v1/customers/{customer['id']}/messages", request)

    def show(self, request: SandboxRequest) -> Response:
        return self.one("message", self.need("message", request.params["id"]))

    def show_by_external_id(self, request: SandboxRequest) -> Response:
        if self.world.kustomer.readings.message_lookup == "missing":
            raise not_found("id")
        return self.by_external_id("message", request)

    def update(self, request: SandboxRequest) -> Response:
        message = self.need("message", request.params["id"])
        body = self.body(request, schemas.MESSAGE_UPDATE)
        _refuse_what_admins_set(body)
        self._refuse_unknown_attachments(body)
        self.refuse_repeated_external_id("message", body, own_id=message["id"])
        body.pop("updatedAt", None)
        conversation_id = message["conversation"]
        if "conversation" in body:
            conversation_id = self.need("conversation", body.pop("conversation"), "conversation")["id"]
        # `meta` is replaced whole, as every object: whether the real one merges it is not documented.
        message = self.touched(message, given=message["given"] | body, conversation=conversation_id)
        self.store.put("message", message["id"], message)
        return self.one("message", message)

    def create_in_conversation(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        body = self.body(request, schemas.MESSAGE)
        if body.pop("conversation", conversation["id"]).lower() != conversation["id"]:
            raise bad_parameter("conversation", "Not the conversation of the path")
        return self._create(body, conversation)

    def create_for_customer(self, request: SandboxRequest) -> Response:
        """Makes a conversation when none is given."""
        customer = self.need("customer", request.params["id"])
        body = self.body(request, schemas.MESSAGE)
        body.pop("customer", None)
        if "conversation" in body:
            conversation = self.need("conversation", body.pop("conversation"), "conversation")
        else:
            conversation = self.fresh(new_id(), {"status": "open"}, customer=customer["id"])
        return self._create(body, conversation)

    def create_loose(self, request: SandboxRequest) -> Response:
        """Where a message goes that names neither conversation nor customer is not documented: refused."""
        body = self.body(request, schemas.LOOSE_MESSAGE)
        if "conversation" in body:
            return self._create(body, self.need("conversation", body.pop("conversation"), "conversation"))
        if "customer" not in body:
            raise bad_parameter("conversation", "Missing conversation or customer")
        customer = self.need("customer", body.pop("customer"), "customer")
        return self._create(body, self.fresh(new_id(), {"status": "open"}, customer=customer["id"]))

    def _create(self, body: Document, conversation: Document) -> Response:
        _refuse_what_admins_set(body)
        body.pop("customer", None)
        self._refuse_unknown_attachments(body)
        self.refuse_repeated_external_id("message", body)
        message_id = self.chosen_id("message", body)
        if "importedAt" not in body:
            self.count_creation("message", conversation["customer"])
        if body.get("direction", "in") == "in":
            # Documented: a new inbound message reopens a snoozed or done conversation.
            conversation = self.touched(conversation, given=conversation["given"] | {"status": "open"})
        self.store.put("conversation", conversation["id"], conversation)
        message = self.fresh(message_id, body, conversation=conversation["id"])
        self.store.put("message", message_id, message)
        return self.one("message", message, 201)

    def _refuse_unknown_attachments(self, body: Document) -> None:
        for number, entry in enumerate(body.get("attachments", [])):
            attachment_id = entry if isinstance(entry, str) else entry["_id"]
            attachment = self.store.get("attachment", attachment_id.lower())
            if attachment is None or not attachment["uploaded"]:
                raise bad_parameter(f"attachments.{number}", "No such attachment")

    def _page(self, found: list[Document], path: str, request: SandboxRequest) -> Response:
        return JSONResponse(page_of("message", found, self.world, path=path, query=request.query))


def _refuse_what_admins_set(body: Document) -> None:
    for name in ADMIN_ONLY:
        if name in body:
            # Documented as 401, not 403, for a role that the key lacks.
            raise Refusal(401, [("Missing role org.admin", name)])
