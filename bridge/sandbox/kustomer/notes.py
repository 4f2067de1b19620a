"""Kustomer's notes. They have no look-up by externalId: by id, or in the list of their conversation."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer import schemas as schemas
from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.errors import Refusal, bad_parameter
from bridge.sandbox.kustomer.shapes import page_of
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest


class Notes(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/notes", self.index)
        routes.add("GET", "/v1/notes/{id}", self.show)
        routes.add("PATCH PUT", "/v1/notes/{id}", self.update)
        routes.add("GET", "/v1/conversations/{id}/notes", self.of_conversation)
        routes.add("POST", "/v1/conversations/{id}/notes", self.create)

    def index(self, request: SandboxRequest) -> Response:
        found, sort = self.store.all("note"), request.query.get("sort")
        if sort not in (None, "asc", "desc"):
            raise bad_parameter("sort")
        if sort == "desc":
            found.reverse()
        return self._page(found, "/v1/notes", request)

    def of_conversation(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        if "sort" in request.query:
            # Published for the notes of the whole org only.
            raise bad_parameter("sort")
        found = self.store.find("note", "conversation", conversation["id"])
        return self._page(found, f"/v1/conversations/{conversation['id']}/notes", request)

    def show(self, request: SandboxRequest) -> Response:
        return self.one("note", self.need("note", request.params["id"]))

    def create(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        body = self.body(request, schemas.NOTE)
        _refuse_what_admins_set(body)
        if body.pop("conversation", conversation["id"]).lower() != conversation["id"]:
            raise bad_parameter("conversation", "Not the conversation of the path")
        self._refuse_unknown_attachments(body)
        self.refuse_repeated_external_id("note", body)
        note_id = self.chosen_id("note", body)
        self.count_creation("note", conversation["customer"])
        note = self.fresh(note_id, body, conversation=conversation["id"])
        self.store.put("note", note_id, note)
        return self.one("note", note, 201)

    def update(self, request: SandboxRequest) -> Response:
        note = self.need("note", request.params["id"])
        body = self.body(request, schemas.NOTE_UPDATE)
        _refuse_what_admins_set(body)
        self._refuse_unknown_attachments(body)
        self.refuse_repeated_external_id("note", body, own_id=note["id"])
        body.pop("updatedAt", None)
        conversation_id = note["conversation"]
        if "conversation" in body:
            conversation_id = self.need("conversation", body.pop("conversation"), "conversation")["id"]
        note = self.touched(note, given=note["given"] | body, conversation=conversation_id)
        self.store.put("note", note["id"], note)
        return self.one("note", note)

    def _refuse_unknown_attachments(self, body: Document) -> None:
        for number, entry in enumerate(body.get("attachments", [])):
            attachment = self.store.get("attachment", entry["_id"].lower())
            if attachment is None:
                raise bad_parameter(f"attachments.{number}._id", "No such attachment")
            if not attachment["uploaded"]:
                raise bad_parameter(f"attachments.{number}._id", "Attachment is not uploaded")

    def _page(self, found: list[Document], path: str, request: SandboxRequest) -> Response:
        return JSONResponse(page_of("note", found, self.world, path=path, query=request.query))


def _refuse_what_admins_set(body: Document) -> None:
    for name in schemas.ADMIN_ONLY:
        if name in body:
            # Documented as 401, not 403, for a role that the key lacks.
            raise Refusal(401, [("Missing role org.admin", name)])
