"""Membrane's connections: one document each, whose state moves on cue and with time."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
from typing import Any

import httpx2
from starlette.responses import JSONResponse, Response

from bridge.sandbox import MEMBRANE_TENANT_KEY
from bridge.sandbox.membrane.errors import envelope, refuse
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World, new_id

# Connections of the apps that stand beside this Membrane; any other app can be connected, and leads nowhere.
APPS = {"cloudtalk.io": "cloudtalk", "kustomer.com": "kustomer"}
UI_PREFIX = "/_ui"
_WEBHOOK_TRIES = 3


class Connections:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, routes: Routes) -> None:
        routes.add("POST", "/connections/ensure", self.ensure)
        routes.add("GET", "/connections", self.index)
        routes.add("POST", "/connections", self.create)
        routes.add("GET", "/connections/{id}", self.show)
        routes.add("PATCH", "/connections/{id}", self.change)
        routes.add("DELETE", "/connections/{id}", self.archive)
        routes.add("POST", "/connections/{id}/refresh-credentials", self.refresh)
        routes.add("POST", "/connection-requests", self.ask_person)
        routes.add("GET", "/connection-requests/{id}", self.show_request)

    def ensure(self, request: SandboxRequest) -> Response:
        body = body_of(request)
        domain = _domain(body.get("appUrl"))
        if domain is None or set(body) - {"appUrl", "name"}:
            return refuse(400, "appUrl must be a URL or a domain; only name may stand beside it")
        app = APPS.get(domain, domain)
        for one in self.of_tenant(tenant_in(request)):
            if one["app"] == app:
                return JSONResponse(shown(one, self.world, base_in(request)))
        return self._make(request, app, body.get("name") or app.title())

    def create(self, request: SandboxRequest) -> Response:
        body = body_of(request)
        words = str(body.get("connectorKey") or body.get("integrationKey") or body.get("intent") or "")
        app = next((app for app in APPS.values() if app in words.lower()), None)
        if app is None:
            return refuse(400, "No connector fits")
        return self._make(request, app, body.get("name") or app.title(), key=body.get("key"))

    def index(self, request: SandboxRequest) -> Response:
        found = self.of_tenant(tenant_in(request))
        if words := request.query.get("search"):
            found = [one for one in found if words.lower() in one["name"].lower()]
        if app := request.query.get("integrationKey"):
            found = [one for one in found if one["app"] == app]
        items = [shown(one, self.world, base_in(request)) for one in found]
        return page(request, items, self.world)

    def show(self, request: SandboxRequest) -> Response:
        found = self.find(tenant_in(request), request.params["id"])
        if found is None:
            return no_connection(request.params["id"])
        return JSONResponse(shown(found, self.world, base_in(request)))

    def change(self, request: SandboxRequest) -> Response:
        found = self.find(tenant_in(request), request.params["id"])
        if found is None:
            return no_connection(request.params["id"])
        body = body_of(request)
        changed = {name: body[name] for name in ("name", "key") if isinstance(body.get(name), str)}
        if found["state"] == "CLIENT_ACTION_REQUIRED" and ("input" in body or "connectorParameters" in body):
            changed["state"] = "READY"
        return JSONResponse(shown(keep(self.world, found | changed), self.world, base_in(request)))

    def archive(self, request: SandboxRequest) -> Response:
        found = self.find(tenant_in(request), request.params["id"])
        if found is None:
            return no_connection(request.params["id"])
        keep(self.world, found | {"archived_at": self.world.timestamp()})
        return Response(status_code=204)

    def refresh(self, request: SandboxRequest) -> Response:
        if self.find(tenant_in(request), request.params["id"]) is None:
            return no_connection(request.params["id"])
        return Response(status_code=204)

    def ask_person(self, request: SandboxRequest) -> Response:
        connection_id = body_of(request).get("connectionId")
        found = self.find(tenant_in(request), str(connection_id))
        if found is None:
            return no_connection(str(connection_id))
        return JSONResponse(_request_shown(found, base_in(request)), 201)

    def show_request(self, request: SandboxRequest) -> Response:
        found = self.find(tenant_in(request), request.params["id"].removeprefix("req_"))
        if found is None:
            return refuse(404)
        return JSONResponse(_request_shown(found, base_in(request)))

    # -- what others need

    def of_tenant(self, tenant: str) -> list[Document]:
        every = [now_is(one, self.world) for one in self.world.store.all("connection")]
        return [one for one in every if one["tenant"] == tenant and not one["archived_at"]]

    def find(self, tenant: str, selector: str) -> Document | None:
        """By id, by key, or by the key of an integration with one connection."""
        every = [now_is(one, self.world) for one in self.world.store.all("connection")]
        of_tenant = [one for one in every if one["tenant"] == tenant]
        for one in of_tenant:
            if one["id"] == selector:
                return one
        for one in of_tenant:
            if one["key"] == selector and not one["archived_at"]:
                return one
        by_app = [one for one in of_tenant if one["app"] == selector and not one["archived_at"]]
        return by_app[0] if len(by_app) == 1 else None

    def _make(self, request: SandboxRequest, app: str, name: str, *, key: str | None = None) -> Response:
        made = make(self.world, app=app, name=name, tenant=tenant_in(request), key=key)
        return JSONResponse(shown(made, self.world, base_in(request)), 201)


def make(
    world: World,
    *,
    app: str,
    name: str,
    tenant: str = MEMBRANE_TENANT_KEY,
    key: str | None = None,
    **more: Any,
) -> Document:
    """A new connection, in the state that new ones start in here."""
    readings = world.membrane.readings
    document = {
        "id": new_id(),
        "key": key,
        "name": name,
        "app": app,
        "tenant": tenant,
        "state": "BUILDING" if readings.build_s else readings.after_build,
        "built_at": world.now() + readings.build_s,
        "fault": None,
        "archived_at": None,
        "created_at": world.timestamp(),
        "updated_at": world.timestamp(),
    }
    return keep(world, document | more)


def load(world: World) -> None:
    """Both services, connected; the keys are the services' names."""
    with world.lock:
        if not world.store.all("connection"):
            for app, name in (("cloudtalk", "CloudTalk"), ("kustomer", "Kustomer")):
                make(world, app=app, name=name, key=app, state="READY")


def set_state(world: World, selector: str, state: str, *, fault: str | None = None) -> Document:
    """On cue; the webhook goes out where being connected changes. Raises LookupError."""
    with world.lock:
        found = next((c for c in world.store.all("connection") if selector in (c["id"], c["key"])), None)
        if found is None:
            raise LookupError(f"there is no connection {selector}")
        was_ready = found["state"] == "READY"
        found = keep(world, found | {"state": state, "fault": fault})
        if was_ready != (state == "READY"):
            _send_webhook(world, found)
        return found


def now_is(document: Document, world: World) -> Document:
    """With the state that it has by now."""
    if document["state"] == "BUILDING" and world.now() >= document["built_at"]:
        return keep(world, document | {"state": world.membrane.readings.after_build})
    return document


def keep(world: World, document: Document) -> Document:
    document = document | {"updated_at": world.timestamp()}
    world.store.put("connection", document["id"], document)
    return document


def shown(document: Document, world: World, base: str) -> Document:
    """As the API shows it."""
    is_ready = document["state"] == "READY"
    body: Document = {
        "id": document["id"],
        "name": document["name"],
        **({"key": document["key"]} if document["key"] else {}),
        "userId": f"tenant-{document['tenant']}",
        "tenantId": f"tenant-{document['tenant']}",
        "connected": is_ready,
        "disconnected": not is_ready,
        "state": document["state"],
        "integrationId": f"integration-{document['app']}",
        "connectorId": f"connector-{document['app']}",
        "createdAt": document["created_at"],
        "updatedAt": document["updated_at"],
    }
    if document["archived_at"]:
        body["archivedAt"] = document["archived_at"]
    if document["state"] == "BUILDING":
        body["buildingAgentSessionId"] = f"session-{document['id']}"
    if document["state"] == "CLIENT_ACTION_REQUIRED":
        body["clientAction"] = {
            "type": "connect",
            "description": f"Sign in to {document['name']} to finish this connection.",
            "uiUrl": link_to(document, base),
            "agentInstructions": "Open uiUrl for the user, then read the connection again.",
        }
    if document["fault"]:
        body["errors"] = [{"type": "configuration", "message": document["fault"]}]
    return body


def link_to(document: Document, base: str) -> str:
    return f"{base}{UI_PREFIX}/connect?connectionRequestId=req_{document['id']}"


def page(request: SandboxRequest, items: list[Document], world: World) -> Response:
    """`limit` and `cursor` in, `{items, cursor?}` out."""
    readings = world.membrane.readings
    try:
        start = int(request.query.get("cursor", "0"))
        limit = min(int(request.query.get("limit", "1000")), readings.largest_page)
    except ValueError:
        return refuse(400, "limit and cursor must be numbers")
    if readings.repeat_page and start:
        start = 0
    body: Document = {"items": items[start : start + limit]}
    if start + limit < len(items):
        body["cursor"] = str(start + limit)
    return JSONResponse(body)


def tenant_in(request: SandboxRequest) -> str:
    return request.params["tenant"]


def base_in(request: SandboxRequest) -> str:
    return f"http://{request.headers.get('host', '127.0.0.1')}"


def body_of(request: SandboxRequest) -> Document:
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def no_connection(selector: str) -> Response:
    return refuse(404, f"Connection with id {selector} not found")


def broken(document: Document, how: str) -> Response:
    """What a request over a connection that is down gets; the vendor's texts disagree."""
    message = f"Connection {document['id']} is disconnected"
    if how == "code":
        return JSONResponse({"code": "CONNECTION_DISCONNECTED", "message": message}, 401)
    return envelope(400, "connection", message, key="connection_is_defunct")


def _request_shown(document: Document, base: str) -> Document:
    is_ready = document["state"] == "READY"
    return {
        "requestId": f"req_{document['id']}",
        "connectionId": document["id"],
        "status": "success" if is_ready else "pending",
        **({"resultConnectionId": document["id"]} if is_ready else {}),
        "createdAt": document["updated_at"],
        "url": link_to(document, base),
    }


def _domain(url: object) -> str | None:
    if not isinstance(url, str) or not 1 <= len(url) <= 2000:
        return None
    match = re.fullmatch(
        r"(?:https?://)?(?:www\.)?([\w-]+(?:\.[\w-]+)+)(?::\d+)?(?:/\S*)?", url, re.IGNORECASE
    )
    if match is None:
        return None
    try:
        ipaddress.ip_address(match[1])
    except ValueError:
        return match[1].lower()
    return None


def _send_webhook(world: World, document: Document) -> None:
    url = world.membrane.readings.webhook_url
    if url is None:
        return
    is_down = document["state"] != "READY"
    body = {
        "event": "connection.disconnected" if is_down else "connection.reconnected",
        "data": {
            "id": document["id"],
            "integrationId": f"integration-{document['app']}",
            "integrationKey": document["app"],
            "name": document["name"],
            "disconnected": is_down,
            "customerId": document["tenant"],
        },
    }

    def send() -> None:
        for _ in range(_WEBHOOK_TRIES):
            try:
                if httpx2.post(url, json=body, timeout=5).status_code < 300:
                    return
            except httpx2.HTTPError:
                pass
            threading.Event().wait(0.2)

    # Whoever changed the state holds the lock, and the receiver may ask us something.
    threading.Thread(target=send, name="membrane-webhook", daemon=True).start()
