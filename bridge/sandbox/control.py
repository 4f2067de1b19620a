"""What only a sandbox has, under `/_sandbox`: looking inside, faults, readings, limits, starting over.

No key is asked for here, nothing is counted or logged, and no fault hits it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.sandbox import sample, views
from bridge.sandbox.cloudtalk.agents import add_agent
from bridge.sandbox.cloudtalk.calls import add_call
from bridge.sandbox.cloudtalk.recordings import AUDIO, is_heard, sound_of
from bridge.sandbox.faults import Fault
from bridge.sandbox.front import CONTROL_PREFIX
from bridge.sandbox.kustomer.klasses import define
from bridge.sandbox.membrane import connections as membrane_connections
from bridge.sandbox.ranges import answer_with
from bridge.sandbox.sounds import Given, Sound
from bridge.sandbox.store import Document
from bridge.sandbox.world import Service, World

Action = Callable[[Request, Any], Any]


class Limit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(ge=0)
    window_s: float = Field(default=60.0, gt=0)


class Key(BaseModel):
    model_config = ConfigDict(extra="forbid")

    revoked: bool


class ConnectionState(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: str
    fault: str | None = None


def cloudtalk_control(world: World) -> list[Route]:
    async def recording(request: Request) -> Response:
        with world.lock:
            call = world.store.get("call", request.path_params["id"])
            sound = sound_of(call) if call is not None and is_heard(call) else None
        return _heard(request, sound, AUDIO)

    def reset(request: Request, body: Any) -> None:
        world.empty_cloudtalk()
        if request.query_params.get("sample") == "true":
            sample.load_cloudtalk(world)

    return [
        _route(
            world, "POST", "/calls", lambda request, body: [add_call(world, one) for one in _several(body)]
        ),
        _route(
            world, "POST", "/agents", lambda request, body: [add_agent(world, one) for one in _several(body)]
        ),
        _route(world, "POST", "/reset", reset),
        Route(CONTROL_PREFIX + "/recordings/{id}", recording),
        *_common(world, world.cloudtalk, views.cloudtalk_state),
    ]


def kustomer_control(world: World) -> list[Route]:
    def reset(request: Request, body: Any) -> None:
        world.empty_kustomer()
        sample.ensure_machine_user(world)
        if request.query_params.get("sample") == "true":
            sample.load_kustomer(world)
            sample.define_call(world)

    def expire_forms(request: Request, body: Any) -> None:
        world.form_generation += 1

    async def attachment(request: Request) -> Response:
        attachment_id = request.path_params["id"]
        with world.lock:
            document = world.store.get("attachment", attachment_id)
            content = world.store.bytes_of("attachment", attachment_id)
        kind = "" if document is None else document["given"]["contentType"]
        return _heard(request, None if content is None else Given(content), kind)

    service = world.kustomer
    return [
        _route(world, "POST", "/reset", reset),
        _route(world, "POST", "/users", lambda request, body: sample.add_user(world, **body)),
        _route(world, "POST", "/klasses", lambda request, body: {"name": define(world, body)}),
        _route(world, "POST", "/teams", lambda request, body: sample.add_team(world, **body)),
        _route(world, "POST", "/desk", lambda request, body: sample.add_desk(world)),
        _route(world, "GET", "/uploads", lambda request, body: [asdict(one) for one in service.uploads]),
        _route(world, "DELETE", "/uploads", lambda request, body: service.uploads.clear()),
        _route(world, "POST", "/expire-uploads", expire_forms),
        Route(CONTROL_PREFIX + "/attachments/{id}", attachment),
        *_common(world, service, views.kustomer_state),
    ]


def membrane_control(world: World) -> list[Route]:
    def reset(request: Request, body: Any) -> None:
        world.empty_membrane()
        membrane_connections.load(world)

    def set_state(request: Request, body: Any) -> Document:
        wanted = ConnectionState.model_validate(body)
        try:
            return membrane_connections.set_state(
                world, request.path_params["id"], wanted.state, fault=wanted.fault
            )
        except LookupError as error:
            raise ValueError(str(error)) from error

    def state(world: World) -> Document:
        every = world.store.all("connection")
        return {"connections": [membrane_connections.now_is(one, world) for one in every]}

    return [
        _route(world, "POST", "/reset", reset),
        _route(world, "POST", "/connections/{id}", set_state),
        *_common(world, world.membrane, state),
    ]


def _common(world: World, service: Service[Any], state: Callable[[World], Document]) -> list[Route]:
    def limit(request: Request, body: Any) -> None:
        wanted = Limit.model_validate(body)
        service.limit(wanted.limit, wanted.window_s)

    def key(request: Request, body: Any) -> None:
        service.revoked = Key.model_validate(body).revoked

    def read_as(request: Request, body: Any) -> Any:
        service.read_as(**body)
        return service.readings.model_dump()

    return [
        _route(world, "GET", "/state", lambda request, body: state(world)),
        _route(world, "GET", "/requests", lambda request, body: [asdict(one) for one in service.requests]),
        _route(world, "DELETE", "/requests", lambda request, body: service.requests.clear()),
        _route(
            world, "POST", "/faults", lambda request, body: service.faults.add(Fault.model_validate(body))
        ),
        _route(world, "DELETE", "/faults", lambda request, body: service.faults.clear()),
        _route(world, "GET", "/readings", lambda request, body: service.readings.model_dump()),
        _route(world, "POST", "/readings", read_as),
        _route(world, "POST", "/limits", limit),
        _route(world, "POST", "/key", key),
    ]


def _route(world: World, method: str, path: str, action: Action) -> Route:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = json.loads(raw) if raw else {}
            with world.lock:
                answer = action(request, body)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False, include_input=False)
            return JSONResponse({"error": wrong}, 400)
        except (ValueError, TypeError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=204) if answer is None else JSONResponse(answer)

    return Route(CONTROL_PREFIX + path, endpoint, methods=[method])


def _heard(request: Request, sound: Sound | None, kind: str) -> Response:
    """For the pages, which play what there is; a log or a fault would only be in the way."""
    if sound is None:
        return JSONResponse({"error": "there are no bytes of it"}, 404)
    answer = answer_with(sound, request.headers, kind)
    # Somebody uploaded it: nothing of it may run here.
    answer.headers.update({"content-security-policy": "sandbox", "x-content-type-options": "nosniff"})
    return answer


def _several(body: Any) -> list[Document]:
    return body if isinstance(body, list) else [body]
