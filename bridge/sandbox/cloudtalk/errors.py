"""How CloudTalk says no: each of its four hosts in a way of its own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from bridge.sandbox import ANALYTICS_PREFIX, CORE_PREFIX, PLATFORM_PREFIX

_EDGE_PAGE = (
    "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n"
    "<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n"
)


def no_user_agent() -> Response:
    """The edge's own page; the request never reaches a host."""
    return HTMLResponse(_EDGE_PAGE, 403)


def refuse(path: str, status: int, message: str | list[str] | None = None, **data: list[str]) -> Response:
    """An error in the shape of the host that the path belongs to.

    Args:
        data: names of fields and what is wrong with them; only the core host says that.
    """
    phrase = HTTPStatus(status).phrase
    text = phrase if message is None else message
    body: dict[str, Any]
    if path.startswith(ANALYTICS_PREFIX):
        body = {"statusCode": status, "message": text, "error": phrase}
    elif path.startswith(PLATFORM_PREFIX):
        body = {"success": False, "errors": text if isinstance(text, list) else [text]}
    elif path.startswith(CORE_PREFIX):
        body = {"responseData": {"status": status, "message": text} | ({"data": data} if data else {})}
    else:
        body = {"code": status, "message": text}
    return JSONResponse(body, status)


def unknown_core_path(path: str) -> Response:
    """With right credentials only, and without the envelope."""
    url = path.removeprefix(CORE_PREFIX.removesuffix("/api"))
    return JSONResponse({"name": "Not Found", "message": "Not Found", "url": url}, 404)
