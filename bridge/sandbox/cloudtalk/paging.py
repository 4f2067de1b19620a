"""The pages of CloudTalk's core host, and query parameters as it takes them."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import JSONResponse, Response

from bridge.sandbox.store import Document
from bridge.sandbox.wire import SandboxRequest

# The default is not published; a small one finds out who forgets the second page.
DEFAULT_PAGE = 20


class Unreadable(ValueError):
    """A value of a query parameter that cannot be what it has to be."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Unreadable(name, "Not a number.") from error


def page(request: SandboxRequest, found: list[Document], item: Callable[[Document], Document]) -> Response:
    limit = number("limit", request.query.get("limit", str(DEFAULT_PAGE)))
    wanted = number("page", request.query.get("page", "1"))
    if not 1 <= limit <= 1000:
        raise Unreadable("limit", "Between 1 and 1000.")
    if wanted < 1:
        raise Unreadable("page", "At least 1.")
    shown = found[(wanted - 1) * limit : wanted * limit]
    envelope = {
        "itemsCount": len(found),
        "pageCount": -(-len(found) // limit),
        "pageNumber": wanted,
        "limit": limit,
        "data": [item(one) for one in shown],
    }
    return JSONResponse({"responseData": envelope})
