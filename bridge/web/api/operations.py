"""An operation of `/api`: what it takes and answers, and who may ask. Routes and OpenAPI come from these."""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.errors import WrongUse
from bridge.web.answers import Refused
from bridge.web.api.requests import Query
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.webhooks.body import LARGEST, check_type, parse_object, read_body, too_large

Given = TypeVar("Given", bound=BaseModel)

# What a handler gives: the answer's content with its status, or an answer that is no JSON.
Content = tuple[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[Given]):
    """A request that may be answered: who asks, and what for."""

    http: Request
    given: Given

    @property
    def desk(self) -> Desk:
        desk: Desk = self.http.app.state.desk
        return desk

    @property
    def person(self) -> Person:
        person: Person = self.http.state.person
        return person

    def named(self, parameter: str) -> str:
        """A part of the path."""
        return str(self.http.path_params[parameter])


Handler = Callable[[ApiRequest[Any]], Awaitable[Content | Response]]


# Each is itself alone: `cache` can have it.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """
    Args:
        path: below `/api`.
        name: of the operation, for programs made from the OpenAPI document.
        says: what it does, in a sentence.
        takes: the parameters of a GET, or the body of a POST.
        answers: the model of each good answer, by status, by its name in `bridge.web.api.responses`: those
            take 1.4 MB, which only the OpenAPI document needs. None for an answer that is no JSON object.
        errors: statuses of errors beyond those that follow from the rest.
        media_type: of the answers that are no JSON.
    """

    method: Literal["GET", "POST"]
    path: str
    name: str
    says: str
    handler: Handler
    takes: type[BaseModel] = Query
    answers: Mapping[int, str | None]
    errors: Sequence[int] = field(default=())
    media_type: str = "application/json"

    @property
    def changes(self) -> bool:
        """Whether it is for the role `operate` alone."""
        return self.method != "GET"

    async def answer(self, request: Request) -> Response:
        if self.changes:
            given = await _read_body(request, self.takes)
        else:
            given = _checked(self.takes, dict(request.query_params), "parameter")
        found = await self.handler(ApiRequest(request, given))
        if isinstance(found, Response):
            return found
        status, content = found
        return _Json(content, status_code=status)


def routes_of(operations: Sequence[Operation]) -> list[Route]:
    """One route a path, so that its 405 names all its methods."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [Route(path, _endpoint(found), methods=list(found)) for path, found in by_path.items()]


def _endpoint(found: Mapping[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await found[method].answer(request)

    return endpoint


async def _read_body(request: Request, takes: type[Given]) -> Given:
    """
    Raises:
        Refused: 400, 408, 413 or 415; then nothing is done.
    """
    try:
        given = await _parsed_body(request)
    except Refused as refused:
        if refused.status not in (400, 413):
            raise
        # What helps is different from what helps with a webhook.
        hint = f"Send one JSON object. {_known(list(takes.model_fields), 'field')}"
        raise Refused(refused.status, refused.cause, refused.error, hint, refused.headers) from None
    return _checked(takes, given, "field")


async def _parsed_body(request: Request) -> dict[str, Any]:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > LARGEST:
        raise too_large()
    raw = await read_body(request.receive)
    if not raw.strip():
        return {}
    content_type = request.headers.get("content-type")
    charset = check_type(None if content_type is None else content_type.encode("latin-1"))
    return parse_object(raw, charset)


def _known(names: list[str], what: str) -> str:
    return f"The {what}s are {', '.join(names)}." if names else f"It has no {what}s."


def _checked(model: type[Given], given: Mapping[str, Any], what: str) -> Given:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    # A misspelt name explains the one that is missing.
    faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
    names = list(model.model_fields)
    said, hint = _complaint(faults[0], names, what)
    raise Refused(400, what, said, hint)


def _complaint(fault: ErrorDetails, names: list[str], what: str) -> tuple[str, str]:
    """What is wrong, and what would be right."""
    name = str(fault["loc"][0])[:100] if fault["loc"] else ""
    known = _known(names, what)
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name.lower(), names, n=1)
        return f"{name!r} is not a known {what}", f"Did you mean {near[0]}? {known}" if near else known
    if fault["type"] == "missing":
        return f"{name!r} is missing", known
    if fault["type"] in ("bool_type", "bool_parsing"):
        return f"{name!r} is not true or false", known
    said = fault["msg"].removeprefix("Value error, ")
    return f"{name!r}: {said[:1].lower()}{said[1:]}", known


@contextmanager
def told_of_filters() -> Iterator[None]:
    """Turns a filter or cursor that cannot be read into the 400 that says why."""
    try:
        yield
    except WrongUse as error:
        raise Refused(400, "parameter", "invalid search", str(error)) from error


class _Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        # What was kept before a check was added must not make an answer impossible.
        return json.dumps(content, separators=(",", ":")).encode()
