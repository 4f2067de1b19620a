"""Kustomer to try against.

Checked in this order, since theirs is not known: key, budget, path, size, JSON, schema, then what is there.
"""

from __future__ import annotations

import secrets

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox import KUSTOMER_KEY
from bridge.sandbox.control import kustomer_control
from bridge.sandbox.front import Front, is_upload
from bridge.sandbox.kustomer.attachments import Attachments
from bridge.sandbox.kustomer.bulk import Bulk
from bridge.sandbox.kustomer.companies import Companies
from bridge.sandbox.kustomer.conversations import Conversations
from bridge.sandbox.kustomer.customers import Customers
from bridge.sandbox.kustomer.desk import Desk, limit_headers
from bridge.sandbox.kustomer.errors import Refusal, not_found, refuse
from bridge.sandbox.kustomer.forms import StorageRefusal
from bridge.sandbox.kustomer.klasses import CustomObjects
from bridge.sandbox.kustomer.messages import Messages
from bridge.sandbox.kustomer.notes import Notes
from bridge.sandbox.kustomer.search import Search
from bridge.sandbox.kustomer.uploads import UploadHost
from bridge.sandbox.kustomer.users import Users
from bridge.sandbox.pages import STATIC_ROUTE, kustomer_page
from bridge.sandbox.sample import ensure_machine_user
from bridge.sandbox.wire import Routes, SandboxRequest, read
from bridge.sandbox.world import World

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _storage_code(status: int) -> str:
    """How a storage names a refusal."""
    return "SlowDown" if status in (429, 503) else "InternalError" if status >= 500 else "AccessDenied"


# All of the API.
_DESKS: tuple[type[Desk], ...] = (
    Search,
    Bulk,
    Customers,
    Conversations,
    Notes,
    Messages,
    Companies,
    CustomObjects,
    Attachments,
    Users,
)


def _admit(request: SandboxRequest, world: World) -> None:
    """Raises Refusal: the key is wrong or revoked, or the budget is used up."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    is_right = secrets.compare_digest(key.strip().encode(), KUSTOMER_KEY.encode())
    if world.kustomer.revoked or scheme.lower() != "bearer" or not is_right:
        raise Refusal(401)
    if not world.kustomer.window.take():
        raise Refusal(429)


def create_kustomer(world: World) -> Starlette:
    service = world.kustomer
    routes = Routes()
    for desk in _DESKS:
        desk(world).add_to(routes)
    with world.lock:
        ensure_machine_user(world)

    def answer(request: SandboxRequest) -> Response:
        try:
            _admit(request, world)
            found = routes.find(request)
            if found is None:
                raise not_found("path")
            handler, request = found
            return handler(request)
        except Refusal as refusal:
            return refuse(refusal, service.readings.error_shape)

    def dressed(response: Response) -> Response:
        for name, value in limit_headers(service.window).items():
            response.headers.setdefault(name, value)
        response.headers["x-kustomer-pod"] = "prod1"
        return response

    async def everything(incoming: Request) -> Response:
        request = await read(incoming)
        with world.lock:
            Bulk(world).carry_out()
            return dressed(answer(request))

    def fail(path: str, status: int) -> Response:
        if is_upload(path):
            return StorageRefusal(
                status, _storage_code(status), "The sandbox was told to refuse this."
            ).response()
        limited = limit_headers(service.window) | {"x-ratelimit-remaining": "0"}
        headers = limited if status == 429 else {}
        return dressed(refuse(Refusal(status, headers=headers), service.readings.error_shape))

    return Starlette(
        routes=[
            Route("/", kustomer_page(world)),
            STATIC_ROUTE,
            *kustomer_control(world),
            *UploadHost(world).routes(),
            Route("/{rest:path}", everything, methods=_METHODS),
        ],
        middleware=[Middleware(Front, world=world, service=service, refuse=fail)],
    )
