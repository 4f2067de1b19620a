"""What the parts of Kustomer share: reading a body, single answers, tags, limits on creating."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer.errors import Refusal, bad_parameter, not_found, unknown_properties, wrong_body
from bridge.sandbox.kustomer.shapes import shape
from bridge.sandbox.limits import Window
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World, new_id

LARGEST_BODY = 100_000
CREATIONS_PER_CUSTOMER = 120

BodyT = TypeVar("BodyT")


class Desk:
    """One of Kustomer's resources, on top of the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store

    def add_to(self, routes: Routes) -> None:
        """Add the routes of this resource."""
        raise NotImplementedError

    def body(self, request: SandboxRequest, schema: TypeAdapter[BodyT]) -> Any:
        """The body as its schema lets it through; a dict (or list) of what was sent."""
        return self.checked(self.json(request), schema)

    def json(self, request: SandboxRequest) -> Any:
        if len(request.body) > LARGEST_BODY:
            raise Refusal(413)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # The published PATCH says json-patch+json while its body is a plain object.
        if kind not in ("application/json", "application/json-patch+json"):
            raise bad_parameter("body", "Body is not JSON")
        try:
            return json.loads(request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise bad_parameter("body", "Body is not JSON") from error

    def validated(self, value: Any, schema: TypeAdapter[BodyT]) -> Any:
        try:
            return schema.validate_python(value)
        except ValidationError as error:
            raise wrong_body(error) from error

    def checked(self, value: Any, schema: TypeAdapter[BodyT]) -> Any:
        body = self.validated(value, schema)
        if isinstance(body, dict):
            defined = self.world.kustomer.readings.custom_attributes
            unknown = [name for name in body.get("custom", {}) if name not in defined]
            if unknown:
                raise unknown_properties(unknown)
        return body

    def need(self, kind: str, document_id: str, parameter: str = "id") -> Document:
        document = self.store.get(kind, document_id.lower())
        if document is None and kind == "customer" and self.world.kustomer.readings.merged == "target":
            merge = self.store.get("merge", document_id.lower())
            if merge is not None:
                return self.need(kind, merge["target"], parameter)
        if document is None:
            raise not_found(parameter)
        return document

    def one(self, kind: str, document: Document, status: int = 200) -> Response:
        return JSONResponse({"data": shape(kind, document, self.world)}, status)

    def by_external_id(self, kind: str, request: SandboxRequest) -> Response:
        found = self.store.find(kind, "externalId", request.params["value"])
        if not found:
            raise not_found("externalId")
        return self.one(kind, found[0])

    def chosen_id(self, kind: str, body: Document) -> str:
        """The id to create under; takes `id` out of the body."""
        chosen = body.pop("id", None)
        reading = self.world.kustomer.readings.note_id
        if chosen is None or reading == "ignore":
            return new_id()
        if reading == "refuse":
            raise unknown_properties(["id"])
        chosen = str(chosen).lower()
        if self.store.get(kind, chosen) is not None:
            raise Refusal(409, [("", "id")])
        return chosen

    def refuse_repeated_external_id(self, kind: str, body: Document, own_id: str | None = None) -> None:
        external_id = body.get("externalId")
        if not external_id or self.world.kustomer.readings.external_id == "duplicate":
            return
        if any(one["id"] != own_id for one in self.store.find(kind, "externalId", external_id)):
            raise Refusal(409, [("", "externalId")])

    def refuse_stale(self, document: Document, body: Document) -> None:
        """Takes `rev` out of the body."""
        if body.pop("rev", document["rev"]) != document["rev"]:
            raise Refusal(409, [("", "rev")])

    def count_creation(self, kind: str, customer_id: str) -> None:
        """120 a minute for one customer and one kind, by one client."""
        window_s = self.world.kustomer.window.window_s
        window = self.world.creations.get((kind, customer_id))
        if window is None or window.window_s != window_s:
            window = Window(CREATIONS_PER_CUSTOMER, window_s, self.world.now)
            self.world.creations[kind, customer_id] = window
        if not window.take():
            raise Refusal(429, headers=limit_headers(window))

    def tag_ids(self, tags: list[str]) -> list[str]:
        """Names or ids to ids, each once; an unknown name becomes a new tag."""
        ids: dict[str, None] = {}
        for tag in tags:
            if re.fullmatch("[0-9a-f]{24}", tag) and self.store.get("tag", tag) is not None:
                ids[tag] = None
                continue
            found = self.store.find("tag", "name", tag)
            if not found:
                document = {"id": new_id(), "name": tag}
                self.store.put("tag", document["id"], document)
                found = [document]
            ids[found[0]["id"]] = None
        return list(ids)

    def touched(self, document: Document, **changes: Any) -> Document:
        return document | {"updated_at": self.world.timestamp(), "rev": document["rev"] + 1} | changes

    def fresh(self, document_id: str, given: Document, **more: Any) -> Document:
        now = self.world.timestamp()
        return {"id": document_id, "given": given, "created_at": now, "updated_at": now, "rev": 1, **more}


def limit_headers(window: Window) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(window.limit),
        "x-ratelimit-remaining": str(window.remaining),
        "x-ratelimit-reset": str(window.resets_at),
    }


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
