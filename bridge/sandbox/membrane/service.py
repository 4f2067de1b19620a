"""Membrane to try against, in front of the local CloudTalk and Kustomer.

Checked in this order, since theirs is not known: token, budget, size, path, then what is there.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from bridge.sandbox.control import membrane_control
from bridge.sandbox.front import Front
from bridge.sandbox.membrane import actions as catalogue
from bridge.sandbox.membrane.connections import (
    UI_PREFIX,
    Connections,
    body_of,
    broken,
    no_connection,
    now_is,
    page,
    set_state,
)
from bridge.sandbox.membrane.errors import refuse
from bridge.sandbox.membrane.proxy import Apps, carry
from bridge.sandbox.membrane.tokens import BadToken, tenant_of
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest, read
from bridge.sandbox.world import World

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_LOOK_EVERY_S = 0.02
_ACT_FIELDS = {
    "id", "key", "api", "code", "connectionId", "connectionKey", "integrationId", "integrationKey", "input",
    "meta",
}  # fmt: skip


class Membrane:
    def __init__(self, world: World, apps: Apps) -> None:
        self.world, self.apps = world, apps
        self.connections = Connections(world)
        self._routes = Routes()
        self.connections.add_to(self._routes)
        self._routes.add("GET", "/self", self._self)
        self._routes.add("GET", "/actions", self._list_actions)
        self._routes.add("GET", "/actions/{id}", self._show_action)
        self._routes.add("GET", "/search", self._search)

    async def answer(self, request: SandboxRequest) -> Response:
        """For a request whose token was read; `params` hold the tenant."""
        readings = self.world.membrane.readings
        if len(request.body) > readings.largest_request:
            return refuse(413, "Request size limit exceeded")
        tenant = request.params["tenant"]
        if match := re.fullmatch(r"/connections/([^/]+)/proxy/(.*)", request.path):
            found = self._usable(tenant, match[1])
            if isinstance(found, Response):
                return found
            rest = match[2] + (f"?{request.params['query']}" if request.params["query"] else "")
            return await carry(self.apps, found["app"], rest, request, readings)
        if request.method == "POST" and (match := re.fullmatch(r"/actions/([^/]+)/run", request.path)):
            return await self._run(request, match[1])
        if request.method == "POST" and request.path == "/act":
            return await self._act(request)
        if request.method == "GET" and request.query.get("wait") == "true":
            await self._hold(request)
        with self.world.lock:
            found_route = self._routes.find(request)
            if found_route is None:
                return refuse(404, f"Cannot {request.method} {request.path}")
            handler, matched = found_route
            return handler(replace(matched, params={**request.params, **matched.params}))

    async def _hold(self, request: SandboxRequest) -> None:
        """A long poll: until it is no longer building, or has changed, or the time is over."""
        timeout_s = float(request.query.get("timeout", "30"))
        match = re.fullmatch(r"/connections/([^/]+)", request.path)
        if match is None:
            return
        first: str | None = None
        for _ in range(int(timeout_s / _LOOK_EVERY_S)):
            with self.world.lock:
                found = self.connections.find(request.params["tenant"], match[1])
            if found is None:
                return
            first = first or found["state"]
            holds = found["state"] == "BUILDING" or (
                self.world.membrane.readings.wait_holds == "any" and found["state"] == first != "READY"
            )
            if not holds:
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    def _usable(self, tenant: str, selector: str) -> Document | Response:
        with self.world.lock:
            found = self.connections.find(tenant, selector)
            if found is None or found["archived_at"]:
                return no_connection(selector)
            if found["state"] != "READY":
                return broken(found, self.world.membrane.readings.disconnected_as)
            return found

    async def _run(self, request: SandboxRequest, selector: str) -> Response:
        body = body_of(request)
        selected = request.query.get("connectionId") or request.query.get("connectionKey") or ""
        found = self._usable(request.params["tenant"], selected)
        if isinstance(found, Response):
            return found
        offer = catalogue.find(selector, with_key=self.world.membrane.readings.action_keys)
        if offer is None or offer.app != found["app"]:
            return refuse(404, f"Action with id {selector} not found")
        return await catalogue.run(self.apps, offer, body.get("input"))

    async def _act(self, request: SandboxRequest) -> Response:
        body = body_of(request)
        dispatch = [name for name in ("id", "key", "api", "code") if name in body]
        if len(dispatch) != 1 or set(body) - _ACT_FIELDS or dispatch == ["code"]:
            return refuse(400, "Exactly one of id, key, api, code, and nothing that is not known")
        selected = str(body.get("connectionId") or body.get("connectionKey") or "")
        found = self._usable(request.params["tenant"], selected)
        if isinstance(found, Response):
            return found
        if dispatch == ["api"]:
            api: Mapping[str, Any] = body["api"] if isinstance(body["api"], dict) else {}
            path = str(api.get("path", "/")).lstrip("/")
            target = self.apps.target(found["app"], path) or "/"
            offer = catalogue.Offer(
                found["app"],
                "api",
                str(api.get("method", "GET")),
                target,
                query=api.get("query") or {},
                body=api.get("body") or {},
            )
            given = {**(api.get("query") or {}), **(api.get("body") or {})}
            return await catalogue.run(self.apps, offer, given)
        chosen = catalogue.find(str(body[dispatch[0]]), with_key=self.world.membrane.readings.action_keys)
        if chosen is None or chosen.app != found["app"]:
            return refuse(404, "Action not found")
        return await catalogue.run(self.apps, chosen, body.get("input"))

    def _list_actions(self, request: SandboxRequest) -> Response:
        intent = request.query.get("intent", "")
        if len(intent) > 200:
            return refuse(400, "intent must be at most 200 characters")
        selected = request.query.get("connectionId") or request.query.get("connectionKey") or ""
        found = self.connections.find(request.params["tenant"], selected)
        if found is None:
            return no_connection(selected)
        offers = catalogue.offers_of(found["app"], intent)
        return page(request, [self._shown(one) for one in offers], self.world)

    def _show_action(self, request: SandboxRequest) -> Response:
        offer = catalogue.find(request.params["id"], with_key=self.world.membrane.readings.action_keys)
        return refuse(404, "Action not found") if offer is None else JSONResponse(self._shown(offer))

    def _shown(self, offer: catalogue.Offer) -> Document:
        return catalogue.shown(offer, with_key=self.world.membrane.readings.action_keys)

    def _self(self, request: SandboxRequest) -> Response:
        tenant = request.params["tenant"]
        return JSONResponse({"user": {"id": tenant, "name": tenant}, "workspace": {"key": "sandbox"}})

    def _search(self, request: SandboxRequest) -> Response:
        words = request.query.get("q", "").lower()
        found = [app for app in ("cloudtalk", "kustomer") if words in app]
        items = [
            {
                "elementType": "connector",
                "element": {"id": f"connector-{app}", "key": app, "name": app.title()},
            }
            for app in found
        ]
        return JSONResponse({"items": items})


def create_membrane(world: World, apps: Apps) -> Starlette:
    service = world.membrane
    membrane = Membrane(world, apps)

    def fail(path: str, status: int) -> Response:
        response = refuse(status)
        if status == 429:
            response.headers["retry-after"] = "1"
        return response

    async def everything(incoming: Request) -> Response:
        request = await read(incoming)
        try:
            tenant = tenant_of(
                request.headers.get("authorization", ""),
                now_s=world.now(),
                secret=service.readings.workspace_secret,
            )
        except BadToken:
            return refuse(401)
        with world.lock:
            if not service.window.take():
                return fail(request.path, 429)
        query = incoming.scope["query_string"].decode("latin-1")
        return await membrane.answer(replace(request, params={"tenant": tenant, "query": query}))

    return Starlette(
        routes=[
            Route("/", _overview(world)),
            Route(UI_PREFIX + "/connect", _connect_page(world), methods=["GET", "POST"]),
            *membrane_control(world),
            Route("/{rest:path}", everything, methods=_METHODS),
        ],
        middleware=[Middleware(Front, world=world, service=service, refuse=fail)],
    )


def _overview(world: World) -> Any:
    async def overview(incoming: Request) -> Response:
        with world.lock:
            found = [now_is(one, world) for one in world.store.all("connection")]
        rows = "".join(
            f"<li>{html.escape(one['name'])}: {html.escape(one['state'])} "
            f'<a href="{UI_PREFIX}/connect?connectionRequestId=req_{one["id"]}">connect</a></li>'
            for one in found
        )
        return _page("Membrane (sandbox)", f"<ul>{rows}</ul>")

    return overview


def _connect_page(world: World) -> Any:
    """Where a person reconnects; here a click is enough."""

    async def connect(incoming: Request) -> Response:
        wanted = incoming.query_params.get("connectionRequestId", "").removeprefix("req_")
        with world.lock:
            found = world.store.get("connection", wanted)
        if found is None:
            return _page("No such request", "<p>Nothing is waiting to be connected here.</p>", 404)
        name = html.escape(found["name"])
        if incoming.method == "POST":
            set_state(world, wanted, "READY")
            return _page(f"{name} is connected", "<p>You may close this page.</p>")
        form = '<form method="post"><button>Connect</button></form>'
        return _page(f"Connect {name}", f"<p>No key is asked for: this is the sandbox.</p>{form}")

    return connect


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<h1>{title}</h1>{body}</html>",
        status,
    )
