"""Errors as Membrane writes them."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

# From its table of errors.
_KEYS = {
    401: "not_authenticated",
    403: "access_denied",
    404: "not_found",
    429: "rate_limit_exceeded",
    500: "internal",
}
_MESSAGES = {
    401: "Authentication token is invalid",
    403: "Access denied",
    404: "Not found",
    429: "Rate limit exceeded",
}
FRONT_DOOR = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"


def envelope(status: int, type_: str, message: str, *, key: str | None = None, **more: Any) -> Response:
    body = {"type": type_, **({"key": key} if key else {}), "message": message, **more}
    return JSONResponse(body, status)


def refuse(status: int, message: str | None = None) -> Response:
    """By status alone: its table of errors, or for 502 to 504 the HTML of the front door."""
    if status in (502, 503, 504):
        return Response(FRONT_DOOR.format(status), status, media_type="text/html")
    type_ = "internal" if status >= 500 else "bad_request"
    return envelope(status, type_, message or _MESSAGES.get(status, "Request refused"), key=_KEYS.get(status))
