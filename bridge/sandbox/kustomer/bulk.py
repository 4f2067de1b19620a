"""Kustomer's bulk endpoints: items are taken at once, and made or deleted later, in an order of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer.conversations import Conversations
from bridge.sandbox.kustomer.customers import Customers
from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.errors import Refusal, bad_parameter
from bridge.sandbox.kustomer.notes import Notes
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World, new_id

_MOST_ITEMS, _MOST_OF_A_BATCH, _LONGEST_REF = 100, 25, 255
_REF = "_clientRef"
_JSON = Headers({"content-type": "application/json"})
_GONE_WITH_CUSTOMER = (("conversation", "customer"), ("custom_object", "customer"))


class Bulk(Desk):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._makes: Mapping[str, Callable[[SandboxRequest], Response]] = {
            "customers": Customers(world).create,
            "conversations": Conversations(world).create,
            "notes": self._make_note,
        }

    def add_to(self, routes: Routes) -> None:
        for kind in self._makes:
            routes.add("POST", f"/v1/{kind}/bulk", self._taker_of(kind))
        routes.add("DELETE", "/v1/customers/bulk", self.delete)
        routes.add("GET", "/v1/bulk/{id}", self.show)
        routes.add("GET", "/v1/bulk/{id}/batches", self.batches)

    def _taker_of(self, kind: str) -> Callable[[SandboxRequest], Response]:
        def take(request: SandboxRequest) -> Response:
            self._refuse_where_missing()
            items = self.json(request)
            _check(items)
            return self._queue({"kind": kind, "items": items})

        return take

    def delete(self, request: SandboxRequest) -> Response:
        self._refuse_where_missing()
        ids = [one for one in request.query.get("ids", "").split(",") if one]
        if not ids or len(ids) > _MOST_ITEMS:
            raise bad_parameter("ids")
        return self._queue({"kind": "delete", "items": ids})

    def _queue(self, job: Document) -> Response:
        document = {"id": new_id(), "status": "queued", "at": self.world.now(), "results": [], **job}
        self.store.put("bulk", document["id"], document)
        return JSONResponse({"data": _shown(document)}, 201)

    def show(self, request: SandboxRequest) -> Response:
        self._refuse_without_role()
        return JSONResponse({"data": _shown(self.need("bulk", request.params["id"]))})

    def batches(self, request: SandboxRequest) -> Response:
        self._refuse_without_role()
        job = self.need("bulk", request.params["id"])
        results = job["results"]
        shown = [
            _batch(results[start : start + _MOST_OF_A_BATCH], has_refs=_has_refs(job["items"]))
            for start in range(0, len(results), _MOST_OF_A_BATCH)
        ]
        if self.world.kustomer.readings.bulk_shape == "bare":
            return JSONResponse(shown)
        return JSONResponse({"data": [{"type": "batch", "id": new_id(), "attributes": one} for one in shown]})

    def carry_out(self, *, on_cue: bool = False) -> None:
        """Do what has waited long enough; on cue everything."""
        takes_s = self.world.kustomer.readings.bulk_takes_s
        for job in self.store.all("bulk"):
            is_due = takes_s is not None and self.world.now() - job["at"] >= takes_s
            if job["status"] != "complete" and (on_cue or is_due):
                # The last first: nothing is promised of their order.
                results = [self._one(job, item) for item in reversed(job["items"])]
                self.store.put("bulk", job["id"], job | {"status": "complete", "results": results})

    def _one(self, job: Document, item: Any) -> Document:
        if job["kind"] == "delete":
            return self._delete_customer(item)
        ref = {_REF: item[_REF]} if _REF in item else {}
        body = {name: value for name, value in item.items() if name != _REF}
        if item.get("externalId") in self.world.kustomer.readings.bulk_refuses:
            return {**ref, "status": "error", "error": "internal error"}
        request = SandboxRequest(
            method="POST", path="", query=QueryParams(), headers=_JSON, body=json.dumps(body).encode()
        )
        try:
            answer = self._makes[job["kind"]](request)
        except Refusal as refusal:
            return {**ref, "status": "error", "error": _said(refusal)}
        made = json.loads(bytes(answer.body))["data"]["id"]
        return {**ref, "status": "created", "objectId": made}

    def _make_note(self, request: SandboxRequest) -> Response:
        """In bulk the conversation stands in the body."""
        conversation = json.loads(request.body).get("conversation")
        if not isinstance(conversation, str):
            raise bad_parameter("conversation")
        return Notes(self.world).create(replace(request, params={"id": conversation}))

    def _delete_customer(self, customer_id: str) -> Document:
        if self.store.get("customer", customer_id) is None:
            return {"status": "error", "error": "not found", "objectId": customer_id}
        for kind, key in _GONE_WITH_CUSTOMER:
            for one in self.store.find(kind, key, customer_id):
                for note in self.store.find("note", "conversation", one["id"]):
                    self.store.drop("note", note["id"])
                self.store.drop(kind, one["id"])
        self.store.drop("customer", customer_id)
        return {"status": "deleted", "objectId": customer_id}

    def _refuse_where_missing(self) -> None:
        if not self.world.kustomer.readings.bulk:
            raise Refusal(404, [("", "path")])

    def _refuse_without_role(self) -> None:
        if not self.world.kustomer.readings.bulk_role:
            raise Refusal(401, [("Missing role org.permission.bulk.read", "")])


def _check(items: Any) -> None:
    if not isinstance(items, list) or not 1 <= len(items) <= _MOST_ITEMS:
        raise bad_parameter("body", f"Between 1 and {_MOST_ITEMS} items")
    if not all(isinstance(item, dict) for item in items):
        raise bad_parameter("body", "Items are objects")
    refs = [item[_REF] for item in items if _REF in item]
    if refs and len(refs) != len(items):
        raise bad_parameter(_REF, "On all items or on none")
    if not all(isinstance(ref, str) and 0 < len(ref) <= _LONGEST_REF for ref in refs):
        raise bad_parameter(_REF, f"A text of 1 to {_LONGEST_REF} characters")
    if len(set(refs)) != len(refs):
        raise bad_parameter(_REF, "Unique in the request")


def _has_refs(items: list[Any]) -> bool:
    return any(isinstance(item, dict) and _REF in item for item in items)


def _said(refusal: Refusal) -> str:
    if refusal.status == 409:
        return "duplicate detected"
    return "; ".join(f"{what} {where}".strip() for what, where in refusal.parameters) or str(refusal.status)


def _shown(job: Document) -> Document:
    total = -(-len(job["items"]) // _MOST_OF_A_BATCH)
    is_complete = job["status"] == "complete"
    attributes = {
        "status": job["status"],
        "context": "bulk",
        "completed": is_complete,
        "batches": {"complete": total if is_complete else 0, "total": total},
    }
    return {"type": "bulk", "id": job["id"], "attributes": attributes}


def _batch(results: list[Document], *, has_refs: bool) -> Document:
    made = [one for one in results if one["status"] != "error"]
    return {
        "status": "complete",
        "objectIds": [one["objectId"] for one in made],
        "successCount": len(made),
        "failureCount": len(results) - len(made),
        **({"results": results} if has_refs else {}),
    }
