"""The endpoint CloudTalk posts to: admit, read, parse, keep; nothing else happens before the answer.

A plain ASGI application that stands in front of Starlette's routing, as that costs more than all of
the work done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from bridge import tracing
from bridge.domain.webhook.events import OTHER_TRIGGERS, STAGE_OF, trigger_named
from bridge.ledger.calls.inbox import Inbox
from bridge.logs import AtMost
from bridge.metrics.families import WEBHOOK_EDGES
from bridge.metrics.timings import Timings
from bridge.web.answers import REDIS_AWAY, Refused, request_id_of, send_json
from bridge.web.webhooks.accept import Outcome, WebhookAcceptor
from bridge.web.webhooks.admission import Admission, Headers, Signature, signature_of
from bridge.web.webhooks.body import (
    LARGEST,
    SLOWEST_S,
    Head,
    check_type,
    parse_object,
    read_body,
    too_large,
)
from bridge.web.webhooks.encodings import decompressed
from bridge.web.webhooks.rates import Rates

log = logging.getLogger(__name__)
# Of what strangers cause, not of what is taken in.
refusals = logging.getLogger(f"{__name__}.refused")
refusals.addFilter(AtMost())

PATH = "/webhooks/cloudtalk"
# As people paste and type it: any case, a slash too many. No reason to lose calls.
ADDRESS = re.compile(r"/+webhooks/+cloudtalk", re.IGNORECASE)
_TRIGGER = re.compile(r"(?:/+([^/]+))?/*")
COUNT_WITHIN_S = 0.25
LONGEST_TRACEPARENT = 55
# Strangers cannot take all connections to Redis.
COUNTED_AT_ONCE = 16

_KNOWN = STAGE_OF.keys() | OTHER_TRIGGERS


class Webhooks:
    """`POST /webhooks/cloudtalk` and `POST /webhooks/cloudtalk/{trigger}`."""

    def __init__(
        self,
        inbox: Inbox,
        acceptor: WebhookAcceptor,
        admission: Admission,
        *,
        now: Callable[[], float],
        body_within_s: float = SLOWEST_S,
        rates: Rates | None = None,
        timings: Timings | None = None,
        account: str = "",
    ) -> None:
        """
        Args:
            timings: where it is counted how long answers took, by trigger and answer.
            account: whose webhooks these are, for the log.
        """
        self._inbox = inbox
        self._acceptor = acceptor
        self.admission = admission
        self._now = now
        self._body_within_s = body_within_s
        self._rates = rates or Rates(0)
        self._counting = asyncio.Semaphore(COUNTED_AT_ONCE)
        self.timings = timings or Timings(WEBHOOK_EDGES)
        self._named = {"account": account} if account else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trigger = TRIGGER_AT.get(scope["path"])
        if trigger is None:
            trigger = _trigger_at(scope["path"])
        if trigger is None:
            hint = f"Send webhooks to {PATH}/TRIGGER, such as {PATH}/call-ended."
            return await send_json(send, 404, {"error": "not found", "hint": hint})
        if scope["method"] != "POST":
            hint = "Set the method of the workflow's API request to POST."
            content = {"error": "method not allowed; use POST", "hint": hint}
            return await send_json(send, 405, content, {"allow": "POST"})
        if not tracing.is_on():
            return await self._handle(trigger, scope, receive, send)
        name = _known(trigger) if trigger else "native"
        parent = next((value for header, value in scope["headers"] if header == b"traceparent"), b"")
        with tracing.span(
            f"POST {PATH}/{name}",
            kind="server",
            parent=parent[:LONGEST_TRACEPARENT].decode("latin-1"),
            attributes={
                "http.request.method": "POST",
                "http.route": f"{PATH}/{{trigger}}",
                "callbridge.trigger": name,
            },
        ):
            return await self._handle(trigger, scope, receive, send)

    async def _handle(self, trigger: str, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        try:
            body, signed = await self._admitted(trigger, scope["headers"], receive)
        except Refused as refused:
            request = request_id_of(scope["headers"])
            await self._count(trigger, refused.cause, refused.status, request)
            headers = {**refused.headers, "x-request-id": request}
            await send_json(send, refused.status, refused.content, headers)
            return self.timed(began, trigger, "refused")
        except ClientDisconnect:
            return None
        outcome = await self._acceptor.keep(trigger, body, signed=signed)
        return await self.finish(outcome, trigger, scope["headers"], send, began)

    async def finish(self, outcome: Outcome, trigger: str, sent: Headers, send: Send, began: float) -> None:
        """Answer with what became of a webhook.

        Args:
            sent: the request's headers.
            began: when, of `perf_counter`.
        """
        await self._answer(outcome, trigger, sent, send, began)
        answer = outcome.content["status"] if outcome.status < 300 else "refused"
        if tracing.is_on():
            call = outcome.content.get("call", "") if outcome.status < 300 else ""
            tracing.annotate({"http.response.status_code": outcome.status, "callbridge.call": call})
        return self.timed(began, trigger or outcome.trigger, answer)

    def timed(self, began: float, trigger: str, answer: str) -> None:
        self.timings.add(time.perf_counter() - began, _known(trigger), answer, trace=tracing.trace_id())

    async def _admitted(
        self, trigger: str, headers: list[tuple[bytes, bytes]], receive: Receive
    ) -> tuple[dict[str, Any], bool]:
        """The object in a request that may post and has the right form, and whether CloudTalk signed it.

        The order of checks is promised.
        """
        head = Head(headers)
        codings = head.codings
        sender = self.admission.sender_of(head.tokens)
        signature = signature_of(headers) if self.admission.keys else None
        if sender is None and signature is None:
            if self.admission.admits_nobody:
                raise _unauthorized("nobody-admitted")
            raise _unauthorized("wrong-token" if head.tokens else "no-token")
        if sender is not None:
            self.check_rate(sender, trigger)
        body = await read_body(receive, within_s=self._body_within_s)
        fault = self._fault_of(signature, body, codings) if signature else "none"
        if sender is None:
            if fault is not None:
                raise _unauthorized(fault)
            self.check_rate("signed", trigger)
        charset = check_type(head.content_type)
        if codings:
            body = decompressed(body, codings, largest=LARGEST, too_large=too_large())
        return parse_object(body, charset), fault is None

    def _fault_of(self, signature: Signature, body: bytes, codings: list[bytes]) -> str | None:
        """A proxy may have compressed the body after it was signed, so either form may be the signed one."""
        fault = self.admission.fault_of(signature, body, now=self._now())
        if fault is not None and codings:
            with contextlib.suppress(Refused):
                body = decompressed(body, codings, largest=LARGEST, too_large=too_large())
                fault = self.admission.fault_of(signature, body, now=self._now())
        return fault

    def check_rate(self, sender: str, trigger: str) -> None:
        if not self._rates.is_on:
            return
        wait_s = self._rates.wait_s(sender, _known(trigger) if trigger else "native")
        if wait_s:
            raise Refused(
                429,
                "rate",
                "too many webhooks for this trigger with this token",
                "Send it again after Retry-After; WEBHOOKS_PER_MINUTE sets the limit.",
                {"retry-after": str(math.ceil(wait_s))},
            )

    async def _answer(self, outcome: Outcome, trigger: str, sent: Headers, send: Send, began: float) -> None:
        if outcome.status < 300:
            self.log_received(outcome, trigger, sent, began)
            return await send_json(send, outcome.status, outcome.content)
        headers = {"x-request-id": request_id_of(sent)}
        if outcome.status == 503:
            headers["retry-after"] = "2"
        if outcome.cause is not None:
            await self._count(trigger, outcome.cause, outcome.status, headers["x-request-id"])
        return await send_json(send, outcome.status, outcome.content, headers)

    def log_received(self, outcome: Outcome, trigger: str, sent: Headers, began: float) -> None:
        # The fields of the line cost more than to see whether anybody wants it.
        if log.isEnabledFor(logging.INFO):
            log.info(
                "webhook received",
                extra={
                    "trigger": _known(trigger) if trigger else "native",
                    "answer": outcome.content["status"],
                    "call": outcome.content.get("call"),
                    "request_id": request_id_of(sent),
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                    **self._named,
                },
            )

    async def _count(self, trigger: str, cause: str, status: int, request: str | None) -> None:
        """Count a refusal if that is quick; strangers neither choose names in Redis nor wait for it."""
        name = _known(trigger)
        refusals.info(
            "webhook refused",
            extra={"trigger": name, "cause": cause, "status": status, "request_id": request, **self._named},
        )
        try:
            async with asyncio.timeout(COUNT_WITHIN_S), self._counting:
                await self._inbox.refuse(name, cause, status)
        except REDIS_AWAY:
            log.debug("a refusal was not counted, Redis is unavailable")


def _known(trigger: str) -> str:
    """The trigger where it is one of CloudTalk's: strangers choose no names in Redis or in the log."""
    return trigger if trigger in _KNOWN else "other"


_SIGN_IN = (
    "Send the header Authorization: Bearer TOKEN, with a token of WEBHOOK_TOKENS, "
    "or sign with a secret of WEBHOOK_SIGNING_SECRETS."
)
_ERRORS = {
    "nobody-admitted": (
        "every webhook is refused: the bridge has neither tokens nor signing secrets",
        "Set WEBHOOK_TOKENS or WEBHOOK_SIGNING_SECRETS for the bridge and restart it.",
    ),
    "no-token": ("the request has neither a token nor a signature", _SIGN_IN),
    "wrong-token": ("unknown token", _SIGN_IN),
    "bad-signature": (
        "the signature does not match the body",
        "Copy the endpoint's secret (whsec_...) to WEBHOOK_SIGNING_SECRETS; the body must arrive unchanged.",
    ),
    "stale-signature": (
        "the signature's timestamp is too old or in the future",
        "Check the clocks on both sides; a delivery is accepted within 5 minutes of its signing.",
    ),
}


def _unauthorized(cause: str) -> Refused:
    error, hint = _ERRORS[cause]
    return Refused(401, cause, error, hint, {"www-authenticate": "Bearer"})


def is_address(path: str) -> bool:
    """Whether a path is below the address of webhooks, known or not."""
    return path in TRIGGER_AT or ADDRESS.match(path) is not None


def _trigger_at(path: str) -> str | None:
    """The trigger in an address, as the contract spells it; what it does not have stays as it came."""
    prefix = ADDRESS.match(path)
    found = _TRIGGER.fullmatch(path, prefix.end()) if prefix else None
    if found is None:
        return None
    trigger: str = found[1] or ""
    name = trigger_named(trigger)
    return name if name in _KNOWN else trigger


# As they are printed for people to paste: nearly all that come.
TRIGGER_AT = {f"{PATH}/{trigger}": trigger for trigger in _KNOWN} | {PATH: ""}
