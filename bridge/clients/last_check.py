"""A question asked once more right before the body of a request goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_last_check: ContextVar[Callable[[], None] | None] = ContextVar("last_check", default=None)


@contextmanager
def checked_at_last(check: Callable[[], None]) -> Iterator[None]:
    """Ask once more at the last moment, whatever `Service.request` sends inside.

    Between a decision to send and the sending lie a place in the budget, a connection to be made and, for a
    process that is stopped, any time at all. A request whose body did not go out is not carried out.

    Args:
        check: called when the connection is there and nothing, or all but the body, was sent; what it raises
            ends the request.
    """
    token = _last_check.set(check)
    try:
        yield
    finally:
        _last_check.reset(token)


def current_check() -> Callable[[], None]:
    """The question of this thread, for a request that another thread sends; without one: always yes."""
    return _last_check.get() or (lambda: None)


def extensions() -> dict[str, Any]:
    """For `extensions=` of a request: asks the question of `checked_at_last`, if there is one."""
    check = _last_check.get()
    if check is None:
        return {}

    def trace(event: str, _: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_body.started"):
            check()

    # httpx2's own transport, which proxies of the environment need, has no other place to ask at.
    return {"last_check": check, "trace": trace}
