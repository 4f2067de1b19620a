"""How Kustomer says no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

# status -> code and title of the older shape, code of the newer one. Recorded: notfound and badparam;
# the others were never seen in an answer and are named alike.
_WORDS: dict[int, tuple[str, str, str]] = {
    400: ("badparam", "Bad Request", "bad_request"),
    401: ("unauthorized", "Unauthorized", "unauthorized"),
    403: ("forbidden", "Forbidden", "forbidden"),
    404: ("notfound", "Not Found", "not_found"),
    409: ("conflict", "Conflict", "conflict"),
    413: ("toolarge", "Payload Too Large", "payload_too_large"),
    429: ("ratelimit", "Too Many Requests", "rate_limited"),
}
_OTHER = ("internal", "Internal Server Error", "internal_server_error")


@dataclass(slots=True)
class Refusal(Exception):
    """An answer of 400 or above.

    Args:
        parameters: (what is wrong, where) for each thing that is wrong.
    """

    status: int
    parameters: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)


def not_found(parameter: str = "id") -> Refusal:
    return Refusal(404, [("", parameter)])


def bad_parameter(parameter: str, title: str = "Bad Request") -> Refusal:
    return Refusal(400, [(title, parameter)])


def unknown_properties(names: list[str]) -> Refusal:
    return Refusal(400, [("Additional properties not allowed", name) for name in names])


def wrong_body(error: ValidationError) -> Refusal:
    wrong: dict[str, str] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in one["loc"]) or "body"
        what = "Additional properties not allowed" if one["type"] == "extra_forbidden" else one["msg"]
        wrong.setdefault(where, what)
    return Refusal(400, [(what, where) for where, what in wrong.items()])


def refuse(refusal: Refusal, shape: str) -> Response:
    code, title, newer_code = _WORDS.get(refusal.status, _OTHER)
    errors: list[dict[str, Any]] = []
    for what, where in refusal.parameters or [("", "")]:
        if shape == "old":
            error: dict[str, Any] = {"status": refusal.status, "code": code, "title": what or title}
            if where:
                error["source"] = {"parameter": where}
        else:
            meta = {"parameter": where} if where else {}
            error = {"code": newer_code, "message": what or title, "meta": meta}
        errors.append(error)
    return JSONResponse({"errors": errors}, refusal.status, headers=dict(refusal.headers))
