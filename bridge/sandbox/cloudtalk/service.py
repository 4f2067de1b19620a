"""CloudTalk to try against: its four hosts as four prefixes of one address."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.sandbox import ANALYTICS_PREFIX, CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET, CORE_PREFIX
from bridge.sandbox.cloudtalk.agents import agent_item
from bridge.sandbox.cloudtalk.call_shapes import COMPANY_ID, detail, is_answered, list_item
from bridge.sandbox.cloudtalk.contacts import Contacts
from bridge.sandbox.cloudtalk.cue_cards import CueCards
from bridge.sandbox.cloudtalk.errors import no_user_agent, refuse, unknown_core_path
from bridge.sandbox.cloudtalk.insights import Insights
from bridge.sandbox.cloudtalk.paging import Unreadable, number, page
from bridge.sandbox.cloudtalk.recordings import PUBLIC_PREFIX, Recordings
from bridge.sandbox.cloudtalk.sms import Messages
from bridge.sandbox.control import cloudtalk_control
from bridge.sandbox.front import Front
from bridge.sandbox.pages import STATIC_ROUTE, cloudtalk_page
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest, read
from bridge.sandbox.world import World, digits, iso

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Every filter that a call can answer by itself.
_FILTERS: dict[str, Callable[[Document, Any], bool]] = {
    "public_internal": lambda call, value: digits(call["internal_number"]) == digits(value),
    "public_external": lambda call, value: digits(call["external_number"] or "") == digits(value),
    "date_from": lambda call, value: call["started_at"] >= value,
    "date_to": lambda call, value: call["started_at"] <= value,
    "contact_id": lambda call, value: call["contact_id"] == value,
    "user_id": lambda call, value: call["agent_id"] == value,
    "type": lambda call, value: call["direction"] == value,
    "status": lambda call, value: is_answered(call) == (value == "answered"),
    "call_id": lambda call, value: call["id"] == value,
}


class CloudTalk:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", CORE_PREFIX + "/calls/index.json", self.calls)
        routes.add("GET", CORE_PREFIX + "/agents/index.json", self.agents)
        routes.add("GET", ANALYTICS_PREFIX + "/calls/{id}", self.detail)

    def calls(self, request: SandboxRequest) -> Response:
        try:
            found = self._matching(request)
            return page(request, found, lambda call: list_item(call, self.world))
        except Unreadable as error:
            return refuse(request.path, 406, "Not acceptable.", **{error.name: [str(error)]})

    def agents(self, request: SandboxRequest) -> Response:
        agents = self.world.store.all("agent")
        try:
            if "id" in request.query:
                wanted = number("id", request.query["id"])
                agents = [one for one in agents if one["id"] == wanted]
            if "associated_number" in request.query:
                line = digits(request.query["associated_number"])
                agents = [one for one in agents if digits(one["default_number"]) == line]
            return page(request, agents, agent_item)
        except Unreadable as error:
            return refuse(request.path, 406, "Not acceptable.", **{error.name: [str(error)]})

    def detail(self, request: SandboxRequest) -> Response:
        call_id = request.params["id"]
        try:
            float(call_id)
        except ValueError:
            message = ["callId must be a number conforming to the specified constraints"]
            return refuse(request.path, 400, message)
        call = self.world.store.get("call", call_id)
        if call is None or call["in_progress"] or not self._is_ready(call):
            message_text = f"Call with id '{call_id}' doesn't exist on company '{COMPANY_ID}'"
            return refuse(request.path, 404, message_text)
        return JSONResponse(detail(call, self.world))

    def _is_ready(self, call: Document) -> bool:
        asked_before = self.world.details_asked.get(str(call["id"]), 0)
        self.world.details_asked[str(call["id"])] = asked_before + 1
        return bool(asked_before >= call["ready_after"])

    def _matching(self, request: SandboxRequest) -> list[Document]:
        calls = [one for one in self.world.store.all("call") if not one["in_progress"]]
        for name, fits in _FILTERS.items():
            # A parameter that it does not know, `filter[...]` too, it ignores without a word.
            if name in request.query:
                value = _value(name, request.query[name])
                calls = [one for one in calls if fits(one, value)]
        if "agent_extension" in request.query:
            extension = request.query["agent_extension"]
            ids = {one["id"] for one in self.world.store.all("agent") if one["extension"] == extension}
            calls = [one for one in calls if one["agent_id"] in ids]
        if "tag_id" in request.query:
            wanted = str(number("tag_id", request.query["tag_id"]))
            calls = [
                one for one in calls if wanted in [tag["id"] for tag in list_item(one, self.world)["Tags"]]
            ]
        return sorted(calls, key=lambda one: (str(one["started_at"]), int(one["id"])), reverse=True)


def create_cloudtalk(world: World) -> Starlette:
    service = world.cloudtalk
    routes = Routes()
    CloudTalk(world).add_to(routes)
    for part in (Recordings, Contacts, Messages, CueCards, Insights):
        part(world).add_to(routes)

    def limit_headers() -> dict[str, str]:
        return {
            "X-CloudTalkAPI-Limit": str(service.window.limit),
            "X-CloudTalkAPI-Remaining": str(service.window.remaining),
            "X-CloudTalkAPI-ResetTime": str(service.window.resets_at),
        }

    def fail(path: str, status: int) -> Response:
        response = refuse(path, status)
        if status == 429:
            # No Retry-After: theirs has none.
            response.headers.update(limit_headers() | {"X-CloudTalkAPI-Remaining": "0"})
        return response

    def answer(request: SandboxRequest) -> Response:
        if not request.headers.get("user-agent"):
            return no_user_agent()
        if not request.path.startswith(PUBLIC_PREFIX):
            not_admitted = _admit(request, revoked=service.revoked)
            if not_admitted is not None:
                return not_admitted
            if not service.window.take():
                return fail(request.path, 429)
        found = routes.find(request)
        if found is not None:
            handler, request = found
            return handler(request)
        if not request.path.startswith(CORE_PREFIX + "/"):
            return refuse(request.path, 404)
        return refuse(request.path, 405) if routes.knows(request.path) else unknown_core_path(request.path)

    async def everything(incoming: Request) -> Response:
        request = await read(incoming)
        with world.lock:
            response = answer(request)
            if response.status_code == 200 and service.readings.headers_on_200:
                response.headers.update(limit_headers())
            return response

    return Starlette(
        routes=[
            Route("/", cloudtalk_page(world)),
            STATIC_ROUTE,
            *cloudtalk_control(world),
            Route("/{rest:path}", everything, methods=_METHODS),
        ],
        middleware=[Middleware(Front, world=world, service=service, refuse=fail)],
    )


def _admit(request: SandboxRequest, *, revoked: bool) -> Response | None:
    """None when the key is right. Core says the same of every failure, analytics says which it was."""
    analytics = request.path.startswith(ANALYTICS_PREFIX)
    sent = request.headers.get("authorization")
    if sent is None:
        return refuse(request.path, 401, "Authorization header is missing" if analytics else None)
    scheme, _, credentials = sent.partition(" ")
    try:
        key = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        key = ""
    if scheme.lower() != "basic" or ":" not in key:
        message = f"Invalid Authorization header - {sent}" if analytics else None
        return refuse(request.path, 401, message)
    right = f"{CLOUDTALK_KEY_ID}:{CLOUDTALK_KEY_SECRET}".encode()
    if revoked or not secrets.compare_digest(key.encode(), right):
        return refuse(request.path, 401, "Company API key doesn't exist." if analytics else None)
    return None


def _value(name: str, text: str) -> Any:
    if name in ("contact_id", "user_id", "call_id"):
        return number(name, text)
    if name in ("date_from", "date_to"):
        try:
            # The zone is not documented; here it is UTC.
            return iso(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
        except ValueError as error:
            raise Unreadable(name, "YYYY-MM-DD HH:MM:SS") from error
    allowed = {"type": ("incoming", "outgoing", "internal"), "status": ("missed", "answered")}.get(name)
    if allowed is not None and text not in allowed:
        raise Unreadable(name, f"One of {', '.join(allowed)}.")
    return text
