"""The endpoint CloudTalk posts to: admit, read, parse, keep; nothing else happens before the answer.

A plain ASGI application that stands in front of Starlette's routing, as that costs more than all of
the work done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from bridge.domain.events import OTHER_TRIGGERS, STAGE_OF, Event, Held, fingerprint_of, read_event
from bridge.domain.rules import Rules
from bridge.ledger.inbox import Inbox
from bridge.web.admission import Admission, offered_tokens, signature_of
from bridge.web.answers import REDIS_AWAY, Refused, send_json
from bridge.web.body import LARGEST, SLOWEST_S, check_type, parse_object, read_body, too_large

log = logging.getLogger(__name__)

PATH = "/webhooks/cloudtalk"
# With these an answer is given within 2 s of the request, whatever Redis does.
KEEP_WITHIN_S = 1.2
COUNT_WITHIN_S = 0.25
# redis-py opens 100 connections and then raises: a burst waits for one, and strangers cannot take them all.
KEPT_AT_ONCE = 32
COUNTED_AT_ONCE = 16
# Who waited this long for its turn is in a crowd before a frozen Redis, and is sent away before it connects.
TURN_WITHIN_S = 0.6

_KNOWN = STAGE_OF.keys() | OTHER_TRIGGERS
_LONGEST_TRIGGER = 64


class Webhooks:
    """`POST /webhooks/cloudtalk` and `POST /webhooks/cloudtalk/{trigger}`."""

    def __init__(
        self,
        inbox: Inbox,
        admission: Admission,
        rules: Rules,
        *,
        now: Callable[[], float],
        body_within_s: float = SLOWEST_S,
    ) -> None:
        self._inbox = inbox
        self._admission = admission
        self._rules = rules
        self._now = now
        self._body_within_s = body_within_s
        self._keeping = asyncio.Semaphore(KEPT_AT_ONCE)
        self._counting = asyncio.Semaphore(COUNTED_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        # One slash too many at the end is soon pasted, and no reason to lose calls.
        trigger = path.removeprefix(PATH).removesuffix("/").removeprefix("/")
        if not path.startswith(PATH) or "/" in trigger or (trigger and path[len(PATH)] != "/"):
            hint = f"Webhooks go to {PATH}/call-ended and the like."
            return await send_json(send, 404, {"error": "there is nothing here", "hint": hint})
        if scope["method"] != "POST":
            hint = "Set the method of the workflow's API request to POST."
            content = {"error": "only POST is taken here", "hint": hint}
            return await send_json(send, 405, content, {"allow": "POST"})
        try:
            body = parse_object(await self._admitted(scope["headers"], receive))
        except Refused as refused:
            await self._count(trigger, refused.cause)
            return await send_json(send, refused.status, refused.content, refused.headers)
        except ClientDisconnect:
            return None
        return await self._keep(trigger, body, send)

    async def _admitted(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """The body of a request that may post and has the right form. The order of checks is promised."""
        content_type = None
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > LARGEST:
                raise too_large()
            if name == b"content-type":
                content_type = value
        offered = offered_tokens(headers)
        signature = None
        if not self._admission.knows_token(offered):
            if self._admission.admits_nobody:
                raise _unauthorized("nobody-admitted")
            signature = signature_of(headers) if self._admission.keys else None
            if signature is None:
                raise _unauthorized("wrong-token" if offered else "no-token")
        body = await read_body(receive, within_s=self._body_within_s)
        if signature is not None:
            fault = self._admission.fault_of(signature, body, now=self._now())
            if fault is not None:
                raise _unauthorized(fault)
        check_type(content_type)
        return body

    async def _keep(self, trigger: str, body: dict[str, Any], send: Send) -> None:
        event = self._read(trigger, body)
        try:
            async with asyncio.timeout(KEEP_WITHIN_S), self._turn():
                if isinstance(event, Held):
                    await self._inbox.hold(event, body)
                    status, content = 202, {"status": "held", "reason": event.reason}
                else:
                    learnt = await self._inbox.learn(event, body)
                    status = 202 if learnt.status == "accepted" else 200
                    content = {"status": learnt.status, "call": learnt.key}
        except REDIS_AWAY as error:
            log.warning("webhook not kept, Redis is away", extra={"error": type(error).__name__})
            content = {
                "error": "the bridge cannot keep this now: its Redis does not answer",
                "hint": "Send it again shortly; /readyz tells when Redis is back.",
            }
            return await send_json(send, 503, content, {"retry-after": "2"})
        return await send_json(send, status, content)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._keeping.locked():
            async with asyncio.timeout(TURN_WITHIN_S):
                await self._keeping.acquire()
        else:
            await self._keeping.acquire()
        try:
            yield
        finally:
            self._keeping.release()

    def _read(self, trigger: str, body: dict[str, Any]) -> Event | Held:
        received_at = datetime.fromtimestamp(self._now(), UTC)
        try:
            event = read_event(trigger or None, body, self._rules, received_at=received_at)
        except Exception as error:
            # A body that our parser trips over must not be lost: it can be read anew once that is mended.
            log.error("a webhook could not be read, it is held", exc_info=error)
            event = Held(
                trigger=trigger,
                fingerprint=fingerprint_of(trigger, body),
                reason="the bridge could not read it (a fault of its own; kept to be read again)",
            )
        if isinstance(event, Held) and len(event.trigger) > _LONGEST_TRIGGER:
            event = replace(event, trigger=event.trigger[:_LONGEST_TRIGGER])
        return event

    async def _count(self, trigger: str, cause: str) -> None:
        """Count a refusal if that is quick; strangers neither choose names in Redis nor wait for it."""
        name = trigger if trigger in _KNOWN else "other"
        log.info("webhook refused", extra={"trigger": name, "cause": cause})
        try:
            async with asyncio.timeout(COUNT_WITHIN_S), self._counting:
                await self._inbox.refuse(name, cause)
        except REDIS_AWAY:
            log.debug("a refusal was not counted, Redis is away")


_SIGN_IN = (
    "Send the header Authorization: Bearer TOKEN, with a token of WEBHOOK_TOKENS, "
    "or sign with a secret of WEBHOOK_SIGNING_SECRETS."
)
_ERRORS = {
    "nobody-admitted": (
        "no webhook is let in: the bridge has neither tokens nor signing secrets",
        "Set WEBHOOK_TOKENS or WEBHOOK_SIGNING_SECRETS where the bridge runs, and start it again.",
    ),
    "no-token": ("this request carries no token and no signature", _SIGN_IN),
    "wrong-token": ("the token is not one of ours", _SIGN_IN),
    "bad-signature": (
        "the signature does not match the body",
        "Copy the endpoint's secret (whsec_...) to WEBHOOK_SIGNING_SECRETS; the body must arrive unchanged.",
    ),
    "stale-signature": (
        "the signature is too old, or from the future",
        "Check the clocks of both sides; a delivery is taken within 5 minutes of its signing.",
    ),
}


def _unauthorized(cause: str) -> Refused:
    error, hint = _ERRORS[cause]
    return Refused(401, cause, error, hint, {"www-authenticate": "Bearer"})
