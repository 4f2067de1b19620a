"""Membrane's webhooks on its connections: a hint to look now, and nothing more.

What they say is not believed, as no signature is documented; a job asks Membrane how the connection is.
A webhook that is lost costs the time until the next look.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from bridge.web.answers import Refused
from bridge.web.desk import Desk
from bridge.web.webhooks.admission import Admission, offered_tokens
from bridge.web.webhooks.body import parse_object, read_body

PATH = "/webhooks/membrane"
_EVENTS = {
    "connection.created",
    "connection.disconnected",
    "connection.reconnected",
    "connection.deleted",
}


async def connection_event(request: Request) -> JSONResponse:
    """`POST /webhooks/membrane`, with a token of WEBHOOK_TOKENS. A token in the query is not taken: it would
    be in the logs of every proxy on the way."""
    admission: Admission = request.app.state.admission
    if admission.sender_of(offered_tokens(request.headers.raw)) is None:
        raise Refused(
            401,
            "wrong-token",
            "this request has no valid token",
            "Give Membrane the URL with a token of WEBHOOK_TOKENS as password: "
            f"https://membrane:TOKEN@HOST{PATH}, or a header Authorization: Bearer TOKEN.",
            {"www-authenticate": "Bearer"},
        )
    body = parse_object(await read_body(request.receive))
    event = body.get("event")
    if not isinstance(event, str) or event not in _EVENTS:
        return JSONResponse({"status": "ignored", "reason": "this is not a connection event"}, 202)
    desk: Desk = request.app.state.desk

    def look() -> None:
        # Both: which one it names need not be believed either, and a look is one request.
        for service in desk.connections.through:
            desk.connections.look(service)

    await desk.run(look)
    return JSONResponse({"status": "accepted"}, 202)
