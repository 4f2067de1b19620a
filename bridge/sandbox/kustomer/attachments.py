"""Kustomer's attachment records. The bytes go to the storage host, or stay with whoever has them."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer import schemas as schemas
from bridge.sandbox.kustomer.desk import BodyT, Desk
from bridge.sandbox.kustomer.errors import Refusal, bad_parameter
from bridge.sandbox.kustomer.forms import form_for, key_of, read_link
from bridge.sandbox.kustomer.shapes import page_of, shape
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import new_id

_NEEDED = ("name", "contentType", "contentLength")


class Attachments(Desk):
    def add_to(self, routes: Routes) -> None:
        routes.add("POST", "/v1/attachments", self.create)
        routes.add("PUT", "/v1/attachments/{id}", self.upsert)
        routes.add("GET", "/v1/attachments/{id}", self.show)
        routes.add("GET", "/v1/conversations/{id}/attachments", self.of_conversation)

    def create(self, request: SandboxRequest) -> Response:
        body = self._body(request, schemas.ATTACHMENT)
        if "renderMode" in body and "externalUrl" not in body:
            raise bad_parameter("externalUrl", "renderMode needs an externalUrl")
        if "externalUrl" in body:
            _refuse_unsafe(body["externalUrl"])
        attachment = self.add(new_id(), body)
        return self._answer(attachment, request, 201, with_form="externalUrl" not in body)

    def upsert(self, request: SandboxRequest) -> Response:
        """Update, or create when there is none under this id; 200 either way."""
        attachment_id = schemas.checked_id(request.params["id"])
        if attachment_id is None:
            raise bad_parameter("id")
        body = self._body(request, schemas.ATTACHMENT_UPSERT)
        attachment = self.store.get("attachment", attachment_id)
        if attachment is None:
            # Its schema requires nothing, but no form can be made of nothing.
            missing = [("Field required", name) for name in _NEEDED if name not in body]
            if missing:
                raise Refusal(400, missing)
            attachment = self.add(attachment_id, body)
        else:
            attachment = self.touched(attachment, given=attachment["given"] | body)
            self.store.put("attachment", attachment_id, attachment)
        # What its answer carries is not known: its schema allows a form, and promises none.
        reading = self.world.kustomer.readings.attachment_put_form
        with_form = reading == "always" or (reading == "pending" and not attachment["uploaded"])
        if "externalUrl" in attachment["given"]:
            with_form = False
        return self._answer(attachment, request, 200, with_form=with_form)

    def show(self, request: SandboxRequest) -> Response:
        return self._answer(self.need("attachment", request.params["id"]), request, 200, with_form=False)

    def of_conversation(self, request: SandboxRequest) -> Response:
        conversation = self.need("conversation", request.params["id"])
        found: dict[str, Document] = {}
        for note in self.store.find("note", "conversation", conversation["id"]):
            for entry in note["given"].get("attachments") or []:
                attachment = self.store.get("attachment", entry["_id"].lower())
                if attachment is not None:
                    found[attachment["id"]] = attachment
        path = f"/v1/conversations/{conversation['id']}/attachments"
        return JSONResponse(
            page_of("attachment", list(found.values()), self.world, path=path, query=request.query)
        )

    def add(self, attachment_id: str, given: Document) -> Document:
        attachment = self.fresh(
            attachment_id,
            given,
            key=key_of(attachment_id, given["name"]),
            uploaded="externalUrl" in given,
            size=None,
            sha256=None,
            upload_count=0,
        )
        self.store.put("attachment", attachment_id, attachment)
        return attachment

    def _body(self, request: SandboxRequest, schema: TypeAdapter[BodyT]) -> Document:
        body: Document = self.body(request, schema)
        readings = self.world.kustomer.readings
        is_audio = body.get("contentType", "").strip().lower().startswith("audio/")
        if is_audio and readings.attachment_types == "no-audio":
            raise bad_parameter("contentType", "Content type not allowed")
        if body.get("contentLength", 0) > readings.attachment_max_bytes:
            raise bad_parameter("contentLength", "File too large")
        return body

    def _answer(
        self, attachment: Document, request: SandboxRequest, status: int, *, with_form: bool
    ) -> Response:
        base_url = f"http://{request.headers.get('host', 'localhost')}"
        data = shape("attachment", attachment, self.world)
        data["links"]["related"] = read_link(attachment, self.world, base_url)
        answer: Document = {"data": data}
        if with_form:
            answer["meta"] = {"upload": form_for(attachment, self.world, base_url)}
        return JSONResponse(answer, status)


def _refuse_unsafe(url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        right = False
    if not right:
        raise bad_parameter("externalUrl", "Must be HTTPS, without credentials")
