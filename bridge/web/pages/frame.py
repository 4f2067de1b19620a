"""What is around each page: the links to the others, with how much waits there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bridge.ledger.ledger import Ledger
from bridge.web.desk import Desk
from bridge.web.pages.rendering import message, page


async def show(
    request: Request,
    template: str,
    work: Callable[[], Mapping[str, Any] | None],
    *,
    status: int = 200,
    missing: tuple[str, str] = ("Not found", "There is nothing at this address."),
) -> Response:
    """A page in its frame, for a handler under `@signed_in` or `@operators_only`.

    Args:
        work: gives what the template shows; it may block, and runs in a thread. None: there is no such page.
        missing: title and text then.
    """
    desk: Desk = request.app.state.desk
    values, counts = await desk.run(lambda: (work(), nav_counts(desk.ledger)))
    if values is None:
        return message(request, 404, *missing)
    return page(request, template, status=status, counts=counts, **values)


def nav_counts(ledger: Ledger) -> dict[str, tuple[int, str]]:
    """By a page's address: how much waits there, and its colour. Nothing where nothing waits."""
    found = {"/parked": (ledger.parked_count(), "bad"), "/held": (ledger.held_count(), "warn")}
    return {place: one for place, one in found.items() if one[0]}
