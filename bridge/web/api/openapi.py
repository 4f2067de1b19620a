"""`/api/openapi.json`, made from the table of operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import anyio.to_thread
from pydantic.json_schema import models_json_schema

from bridge import __version__
from bridge.ledger.sessions import COOKIE
from bridge.web.api.operations import ApiRequest, Content, Handler, Operation
from bridge.web.api.requests import Query
from bridge.web.roots import root_of

_PATH = "#/components/schemas/{model}"
_PROBLEM = "Problem"
_PARAMETERS = {
    "key": "A call's key, CloudTalk's call id, or its uuid.",
    "fingerprint": "Of a held event, as GET /api/held lists it.",
    "id": "As the list gives it.",
}
# What any request may be answered.
_ALWAYS = (401, 414, 429, 431, 503)
_OF_BODIES = (400, 403, 408, 413, 415)
_SAYS = {
    401: "Nobody is signed in: neither a token of OPS_TOKEN or OPS_TOKENS, nor a session.",
    403: "The person's role is read, or another site's page made the browser send this.",
    409: "It cannot be done as things stand; the error says why.",
    429: "Too many wrong tokens were tried just now.",
    503: "Redis is away; see Retry-After.",
}


def handler(operations: Callable[[], Sequence[Operation]]) -> Handler:
    @cache
    def document() -> dict[str, Any]:
        return openapi(operations())

    async def answer(request: ApiRequest[Query]) -> Content:
        # The first request makes it, beside the event loop. It needs no Redis, so none of the desk's threads.
        made = await anyio.to_thread.run_sync(document)
        return 200, made | {"servers": [{"url": root_of(request.http.scope) or "/"}]}

    return answer


def openapi(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document: OpenAPI 3.1."""
    refs, schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(f"/api{one.path}", {})[one.method.lower()] = _operation(one, refs, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "callbridge",
            "version": __version__,
            "description": "What the pages and the command line can do. The role read may GET only.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if not _is_query(name, operations)},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "OPS_TOKEN, or one of OPS_TOKENS.",
                },
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of /login."},
            },
        },
    }


def _schemas(operations: Sequence[Operation]) -> tuple[dict[str, str], dict[str, Any]]:
    """The name of each model, and all schemas by name."""
    # Imported when somebody asks for the document; most processes never import it.
    from bridge.web.api import responses

    taken = {one.takes: "validation" for one in operations}
    given = [*{name: None for one in operations for name in one.answers.values() if name}, _PROBLEM]
    wanted = [*taken.items(), *((getattr(responses, name), "serialization") for name in given)]
    refs, found = models_json_schema(wanted, ref_template=_PATH)  # type: ignore[arg-type]
    names = {model.__name__: ref["$ref"].rpartition("/")[2] for (model, _), ref in refs.items()}
    return names, found["$defs"]


def _is_query(name: str, operations: Iterable[Operation]) -> bool:
    """Whether a schema's fields stand as parameters of its operation instead."""
    return name in {one.takes.__name__ for one in operations if issubclass(one.takes, Query)}


def _operation(one: Operation, refs: dict[str, str], schemas: dict[str, Any]) -> dict[str, Any]:
    parameters = [_path_parameter(name) for name in _PARAMETERS if f"{{{name}}}" in one.path]
    if not one.changes:
        parameters += _query_parameters(schemas[refs[one.takes.__name__]])
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.says,
        "parameters": parameters,
        "responses": {
            **{str(status): _good(one, model, refs) for status, model in one.answers.items()},
            **{str(status): _bad(status) for status in errors_of(one)},
        },
    }
    if one.changes:
        described["requestBody"] = {
            "required": bool(schemas[refs[one.takes.__name__]].get("required")),
            "content": {"application/json": {"schema": _ref(refs[one.takes.__name__])}},
        }
    return described


def errors_of(one: Operation) -> list[int]:
    """Every status of an error that the operation may answer."""
    found = {*_ALWAYS, *one.errors}
    if one.changes:
        found |= {*_OF_BODIES}
    else:
        found |= {400}
    if "{" in one.path:
        found |= {404}
    return sorted(found)


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PARAMETERS[name],
        "schema": schema,
    }


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    found = []
    for name, given in schema.get("properties", {}).items():
        left_out = (
            ("title", "description", "default") if given.get("default") == "" else ("title", "description")
        )
        inner = {key: value for key, value in given.items() if key not in left_out}
        one: dict[str, Any] = {"name": name, "in": "query", "required": name in required, "schema": inner}
        if "description" in given:
            one["description"] = given["description"]
        found.append(one)
    return found


def _good(one: Operation, model: str | None, refs: dict[str, str]) -> dict[str, Any]:
    schema: dict[str, Any] = {} if model is None else _ref(refs[model])
    if model is None and one.media_type != "application/json":
        schema = {"type": "string"}
    return {"description": one.says, "content": {one.media_type: {"schema": schema}}}


def _bad(status: int) -> dict[str, Any]:
    return {
        "description": _SAYS.get(status, HTTPStatus(status).phrase),
        "content": {"application/json": {"schema": _ref(_PROBLEM)}},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _PATH.format(model=name)}
