"""Who may ask `/api` and `/metrics`."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.web.callers import READING, Callers, Person


def may_not_change(person: Person) -> dict[str, str]:
    """The answer to a person with the role `read` who tries to change something."""
    return {
        "error": f"the role of {person.name} is {person.role}, which changes nothing",
        "hint": "Sign in with a token whose role in OPS_TOKENS is operate, or with OPS_TOKEN.",
    }


class Guard:
    """Lets in whom the rule lets in, to what their role allows, and no request that another site's page makes
    a browser send.

    Checked in this order: sign-in (401), role (403), origin (403). What is asked for is checked after that.
    """

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._turned_away(scope)
        await (answer or self._app)(scope, receive, send)

    async def _turned_away(self, scope: Scope) -> Response | None:
        hint = await self._callers.fault_of(scope)
        if hint is not None:
            return JSONResponse(
                {"error": "access denied", "hint": hint},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        if scope["method"] in READING:
            return None
        person: Person = HTTPConnection(scope).state.person
        if not person.operates:
            return JSONResponse(may_not_change(person), status_code=403)
        if self._callers.crosses_sites(scope):
            content = {
                "error": "cross-site request refused",
                "hint": "Use the pages or the command line.",
            }
            return JSONResponse(content, status_code=403)
        return None
