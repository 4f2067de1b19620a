"""`POST /webhooks/kustomer`: a Kustomer workflow asks for a text message to be sent through CloudTalk.

Checked in the order of other webhooks. Its token opens nothing else, and no other token opens it.
"""

from __future__ import annotations

import hmac
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from bridge.domain.webhook.outgoing import Unusable, read_outgoing
from bridge.ledger.messages.records import request_sms
from bridge.web.answers import Refused
from bridge.web.desk import Desk
from bridge.web.webhooks.admission import offered_tokens
from bridge.web.webhooks.body import Head, check_type, parse_object, read_body

PATH = "/webhooks/kustomer"
_FORM = 'Send {"to": "+15550100101", "text": "…", "message_id": "{{message.id}}"}.'


async def message_wanted(request: Request) -> JSONResponse:
    body = await _body_of(request)
    desk: Desk = request.app.state.desk
    rules = desk.rules
    if not rules.send_messages:
        raise Refused(
            403,
            "not-sending",
            "the rules say not to send messages",
            "Set send = true in [messages] of the rules file.",
        )
    try:
        wanted = read_outgoing(body, rules, sender=rules.messages_from)
    except Unusable as error:
        raise Refused(400, "not-sendable", str(error), _FORM) from error
    learnt = await desk.run(lambda: request_sms(desk.ledger, wanted, body))
    status, word = (202, "accepted") if learnt.status == "accepted" else (200, "duplicate")
    return JSONResponse({"status": word, "call": learnt.key, "message": learnt.key}, status)


async def _body_of(request: Request) -> dict[str, Any]:
    try:
        content_type = Head(request.headers.raw).content_type
        _check_token(request)
        return parse_object(await read_body(request.receive), check_type(content_type))
    except Refused as refused:
        if refused.status in (400, 413):
            # The general hint speaks of calls.
            refused.hint = _FORM
        raise


def _check_token(request: Request) -> None:
    token = request.app.state.settings.kustomer_webhook_token
    ours = token.get_secret_value().encode() if token is not None else b""
    offered = offered_tokens(request.headers.raw)
    # Which accounts have a token is nobody's business.
    if not ours and not request.app.state.settings.account:
        raise Refused(
            401,
            "nobody-admitted",
            "every request is refused: KUSTOMER_WEBHOOK_TOKEN is not set",
            "Set it for the bridge and restart it.",
            {"www-authenticate": "Bearer"},
        )
    if not ours or not any(hmac.compare_digest(ours, one) for one in offered):
        raise Refused(
            401,
            "wrong-token" if offered else "no-token",
            "this request has no valid token",
            "Send the header Authorization: Bearer TOKEN, with the token of KUSTOMER_WEBHOOK_TOKEN.",
            {"www-authenticate": "Bearer"},
        )
