"""`/api/docs`: the OpenAPI document as a page that needs no script and nothing from another host."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.web.api.openapi import openapi
from bridge.web.api.operations import Operation
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

DOCS = "/api/docs"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer."""

    name: str
    type: str
    needed: bool
    says: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One operation as the page shows it. `answers`: status, model or media type, what it means."""

    anchor: str
    method: str
    path: str
    says: str
    parameters: list[Field]
    body: list[Field]
    answers: list[tuple[str, str, str]]


@signed_in
async def docs(request: Request) -> Response:
    operations: tuple[Operation, ...] = request.app.state.operations
    return await show(request, "api.html", lambda: _page(operations))


@cache
def _page(operations: tuple[Operation, ...]) -> dict[str, Any]:
    document = openapi(operations)
    schemas = document["components"]["schemas"]
    shown = [
        _shown(method.upper(), path, operation, schemas)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    models = {name: _fields(schema) for name, schema in sorted(schemas.items()) if "properties" in schema}
    return {"operations": shown, "models": models}


def _shown(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Shown:
    parameters = [
        Field(one["name"], _type(one["schema"]), one["required"], one.get("description", ""))
        for one in operation["parameters"]
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = []
    for status, answer in operation["responses"].items():
        ((media_type, content),) = answer["content"].items()
        what = _type(content["schema"]) if content["schema"] else media_type
        answers.append((status, what, answer["description"] if int(status) >= 400 else ""))
    return Shown(
        anchor=operation["operationId"],
        method=method,
        path=path,
        says=operation["summary"],
        parameters=parameters,
        body=_fields(schemas[_type(body)]) if body else [],
        answers=answers,
    )


def _fields(schema: dict[str, Any]) -> list[Field]:
    needed = schema.get("required", [])
    return [
        Field(name, _type(one), name in needed, one.get("description", ""))
        for name, one in schema.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return f"object of {_type(inner)}"
    return str(schema.get("type", "any"))


ROUTES = [Route(DOCS, docs, methods=["GET"])]
