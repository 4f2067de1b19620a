"""The short way of nearly every webhook: it came whole, its sender is known, and Redis keeps it.

Such a request waits once, for Redis. So it needs no task, no coroutine and no messages of ASGI, which cost a
third of the processor's time for it: what is to be done after the wait is called when Redis's answer is read.
Everything else is left to `routes.py`, which then begins anew: a request that is refused or could be, a body
that names no call, a Redis that is not connected. An error of Redis goes on there, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bridge import tracing
from bridge.domain.webhook.identity import Identity
from bridge.ledger.calls.inbox import Inbox
from bridge.ledger.calls.learning import status_and_key
from bridge.ledger.faults import UnknownScript
from bridge.ledger.keys import call_key
from bridge.web.answers import Refused, whole_json
from bridge.web.server.cycle import Cycle
from bridge.web.webhooks.accept import Outcome, WebhookAcceptor
from bridge.web.webhooks.admission import signature_of
from bridge.web.webhooks.body import LARGEST, Head, check_type, parse_object
from bridge.web.webhooks.routes import TRIGGER_AT, Webhooks


class UsualWebhooks:
    """What the server asks of each request that came whole, before the application."""

    def __init__(
        self,
        webhooks: Webhooks,
        inbox: Inbox,
        acceptor: WebhookAcceptor,
        *,
        now: Callable[[], float],
    ) -> None:
        self.webhooks, self.acceptor = webhooks, acceptor
        self._inbox, self._now = inbox, now

    def take(self, request: Cycle, path: str = "") -> bool:
        """Whether a request is a usual webhook: it is on its way to Redis, and will be answered.

        Args:
            path: without the account that the request's own names.
        """
        scope = request.scope
        trigger = TRIGGER_AT.get(path or scope["path"])
        if (
            trigger is None
            or scope["method"] != "POST"
            or request.waiting_for_100_continue
            or tracing.is_on()
            or self.acceptor.gate.is_shut
            or not self._inbox.takes_more
        ):
            return False
        began, came_at = time.perf_counter(), self._now()
        headers: Any = scope["headers"]
        try:
            head = Head(headers)
            sender = self.webhooks.admission.sender_of(head.tokens)
            if sender is None or head.codings or len(request.body) > LARGEST or self._may_be_signed(headers):
                return False
            body = parse_object(bytes(request.body), check_type(head.content_type))
            event = self.acceptor.identity_in(trigger, body, came_at)
            if event is None:
                return False
            # The last, as it counts. What it refuses it has not counted.
            self.webhooks.check_rate(sender, trigger)
        except Refused:
            return False
        self._inbox.send_event(event, body, _Waiting(self, request, trigger, body, event, came_at, began))
        return True

    def _may_be_signed(self, headers: list[tuple[bytes, bytes]]) -> bool:
        return bool(self.webhooks.admission.keys) and signature_of(headers) is not None


class _Waiting:
    """A webhook on its way to Redis: an `Answer` of `pipelined.py`."""

    __slots__ = ("_began", "_body", "_came_at", "_event", "_of", "_request", "_trigger")

    def __init__(
        self,
        of: UsualWebhooks,
        request: Cycle,
        trigger: str,
        body: dict[str, Any],
        event: Identity,
        came_at: float,
        began: float,
    ) -> None:
        self._of, self._request, self._trigger, self._body = of, request, trigger, body
        self._event, self._came_at, self._began = event, came_at, began

    def done(self) -> bool:
        return False

    def set_result(self, answer: Any) -> None:
        """Redis has it: answer."""
        try:
            event = self._event
            status, key = status_and_key(answer, call_key(uuid=event.uuid, call_id=event.call_id))
            outcome = self._of.acceptor.in_redis(self._event, status, key, self._came_at)
            request = self._request
            if not request.may_answer:
                return self._go_on(outcome)
            webhooks, trigger = self._of.webhooks, self._trigger
            headers: Any = request.scope["headers"]
            webhooks.log_received(outcome, trigger, headers, self._began)
            request.answer(outcome.status, *whole_json(outcome.content))
            return webhooks.timed(self._began, trigger or self._event.trigger, outcome.content["status"])
        except Exception as error:  # others wait for what Redis says next
            return self._fail(error)

    def set_exception(self, error: Exception) -> None:
        """It is not known whether Redis has it, or it has not."""

        async def keep_elsewhere(scope: Any, receive: Any, send: Any) -> None:
            acceptor, trigger, body = self._of.acceptor, self._trigger, self._body
            if isinstance(error, UnknownScript):
                outcome = await acceptor.keep(trigger, body)
            else:
                waited_s = time.perf_counter() - self._began
                outcome = await acceptor.keep_elsewhere(
                    error, self._event, trigger, body, self._came_at, waited_s=waited_s
                )
            await self._of.webhooks.finish(outcome, trigger, scope["headers"], send, self._began)

        self._request.start(keep_elsewhere)

    def _go_on(self, outcome: Outcome) -> None:
        """Answer once the sender reads what it was sent before, if it is still there."""

        async def finish(scope: Any, receive: Any, send: Any) -> None:
            await self._of.webhooks.finish(outcome, self._trigger, scope["headers"], send, self._began)

        self._request.start(finish)

    def _fail(self, error: Exception) -> None:
        async def fail(scope: Any, receive: Any, send: Any) -> None:
            raise error

        self._request.start(fail)
