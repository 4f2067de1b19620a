"""What every answer has in common, and the answers to what goes wrong, as JSON."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.errors import KeyMissing, Tampered
from bridge.ledger.faults import server_fault
from bridge.web.answers import REDIS_AWAY, Refused
from bridge.web.roots import below_root
from bridge.web.webhooks.routes import log, refusals


class Headers:
    """What every answer says to browsers; where a redirect leads, they are told with the root before it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                if "Location" in headers:
                    headers["Location"] = below_root(scope, headers["Location"])
            await send(message)

        await self._app(scope, receive, with_headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for these
    said = {
        404: (
            "not found",
            "Paths begin with /api, /recordings, /login, /metrics, /healthz, /readyz or /webhooks.",
        ),
        405: ("method not allowed", "The Allow header lists the allowed methods."),
    }
    what, hint = said.get(error.status_code, (error.detail, ""))
    return JSONResponse({"error": what, "hint": hint}, status_code=error.status_code, headers=error.headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  # registered for these
    return JSONResponse(error.content, status_code=error.status, headers=error.headers)


async def _redis_away(request: Request, error: Exception) -> Response:
    fault = server_fault(error)
    if fault is None:
        # About this one request: waiting would not help, and "Redis is away" would be untrue.
        log.error("a request failed in Redis", exc_info=error)
        return await _fault(request, error)
    refusals.warning(
        "request failed, Redis is unavailable", extra={"error": type(error).__name__, "why": fault.says}
    )
    content = {"error": fault.says, "hint": "Try again shortly; /readyz shows when Redis is back."}
    return JSONResponse(content, status_code=503, headers={"Retry-After": "2"})


async def _cannot_be_read(request: Request, error: Exception) -> Response:
    """What it is about is stored encrypted, and cannot be decrypted here."""
    refusals.warning("request failed, a stored text cannot be decrypted", extra={"why": str(error)})
    content = {
        "error": str(error),
        "hint": "`callbridge doctor` and `callbridge encryption status` say more.",
    }
    if isinstance(error, KeyMissing):
        return JSONResponse(content, status_code=503, headers={"Retry-After": "20"})
    return JSONResponse(content, status_code=500)


async def _nobody_there(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


async def _fault(request: Request, error: Exception) -> Response:
    content = {"error": "internal error", "hint": "See the bridge's log, and please report it."}
    return JSONResponse(content, status_code=500)


ERRORS = {
    HTTPException: _http_error,
    Refused: _refused,
    ClientDisconnect: _nobody_there,
    **dict.fromkeys(REDIS_AWAY, _redis_away),
    KeyMissing: _cannot_be_read,
    Tampered: _cannot_be_read,
    Exception: _fault,
}
