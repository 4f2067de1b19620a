"""The web process's side of the ledger: one round trip a delivery, nothing that blocks the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import redis.asyncio

from bridge.boundary import boundary
from bridge.domain.webhook.events import Event, Held
from bridge.domain.webhook.identity import Identity
from bridge.domain.webhook.messages import Message
from bridge.ledger import processes, scripts
from bridge.ledger.account_clients import AsyncAccountClient
from bridge.ledger.calls import rehearsal
from bridge.ledger.calls.batches import Batches, Call
from bridge.ledger.calls.learning import (
    Learnt,
    Retention,
    event_parts,
    hold_delivery,
    learn_event,
    script_of,
    status_and_key,
)
from bridge.ledger.connect import WEB_TIMEOUT_S
from bridge.ledger.gathered import Answer
from bridge.ledger.keys import call_key, record
from bridge.ledger.messages.learning import learn_message
from bridge.ledger.pipelined import OfAccount, Pipelined
from bridge.ledger.proof import Proof
from bridge.ledger.queue.connections import TROUBLE_REPLIES, ask_troubles, read_troubles
from bridge.ledger.refusals import count_refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook that was read, and when it came (ms since 1970; None is now)."""

    event: Event | Identity | Held | Message
    body: Mapping[str, Any]
    came_at_ms: int | None = None


class Inbox:
    """Keeps deliveries, and returns once they are where `proof` wants them.

    All methods raise redis-py's errors: the caller answers 503 and is asked again. Those that keep
    something raise `NotProven` and `CannotProve` too.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        *,
        keep: Retention | None = None,
        proof: Proof | None = None,
        is_pipelined: bool = True,
        beside: Inbox | None = None,
    ) -> None:
        """
        Args:
            client: may be that of an account (`AsyncAccountClient`).
            is_pipelined: webhooks share one connection; else each takes one of the client's pool.
            beside: has that connection already.
        """
        self._redis = client
        self._keep = keep or Retention()
        self.proof = proof or Proof()
        self._learn = client.register_script(scripts.source("learn"))
        self._hold = {name: client.register_script(scripts.source(name)) for name in ("hold", "hold_contact")}
        self._learn_message = client.register_script(scripts.source("learn_message"))
        self._batches = Batches(client, self.proof)
        # With a proof they share a connection and a question anyway.
        share = is_pipelined and not self.proof.is_asked
        self._pipelined = _pipelined(client, beside) if share else None

    @property
    def client(self) -> redis.asyncio.Redis:
        """What makes its connections."""
        return self._redis

    async def record_event(self, event: Event | Identity | Message, body: Mapping[str, Any]) -> Learnt:
        """Keep an event under its call, or a message, once, and have it looked at: one Lua call."""
        call = self._call(event, body)
        with boundary("inbox.learn"):
            answer = await self._run(call)
        if isinstance(event, Message):
            status, key = answer
        else:
            status, key = status_and_key(answer[0], call_key(uuid=event.uuid, call_id=event.call_id))
        return Learnt(status=status, key=key)

    @property
    def takes_more(self) -> bool:
        """Whether `send_event` may be called."""
        return self._pipelined is not None and self._pipelined.takes_more

    def send_event(self, event: Event | Identity, body: Mapping[str, Any], answer: Answer) -> None:
        """As `record_event`, where `takes_more`; `answer` is told what `status_and_key` reads, or an error.

        It goes with the others of this moment, in one run of the script that keeps each for itself.
        """
        assert self._pipelined is not None  # noqa: S101  # it takes more
        key, common, own = event_parts(event, body, self._keep)
        with boundary("inbox.learn"):
            self._pipelined.send_together(self._learn.sha, record(key), common, own, answer)

    async def hold(self, held: Held, body: Mapping[str, Any]) -> Learnt:
        """Keep a delivery that cannot be tied to a call; one of a contact may be a repeat."""
        call = self._call(held, body)
        with boundary("inbox.hold"):
            answer = await self._run(call)
        return Learnt(status=answer if held.key else "accepted", key=held.key)

    async def keep_all(self, deliveries: Sequence[Delivery]) -> list[Exception | None]:
        """Keep these in this order, in one round trip; for each what Redis has against it alone, if so."""
        calls = [self._call(one.event, one.body, one.came_at_ms) for one in deliveries]
        answers = await self._batches.run_all("inbox.keep_all", calls)
        return [answer if isinstance(answer, Exception) else None for answer in answers]

    def _call(
        self, event: Event | Identity | Held | Message, body: Mapping[str, Any], came: int | None = None
    ) -> Call:
        if isinstance(event, Held):
            return Call(
                self._hold[script_of(event)], *hold_delivery(event, body, self._keep, came_at_ms=came)
            )
        if isinstance(event, Message):
            return Call(self._learn_message, *learn_message(event, body, self._keep, came_at_ms=came))
        return Call(self._learn, *learn_event(event, body, self._keep, came_at_ms=came))

    def _run(self, call: Call) -> Awaitable[Any]:
        script = call.script
        if self._pipelined is not None:
            return self._pipelined.run(script.sha, script.script, call.keys, call.arguments)
        if self.proof.is_asked:
            return self._batches.run(call)
        # Nothing to share: batches would only add their own work.
        asked: Awaitable[Any] = script(keys=call.keys, args=call.arguments)
        return asked

    async def refuse(self, trigger: str, cause: str, status: int) -> None:
        """Count a delivery that was not let in, by its cause; its body is not kept."""
        pipe = self._redis.pipeline(transaction=False)
        count_refusal(pipe, trigger, cause, status)
        with boundary("inbox.refuse"):
            await pipe.execute()

    async def ping(self) -> None:
        """Returns once Redis says anything at all."""
        with boundary("inbox.ping"):
            await self._redis.ping()

    async def ready(self) -> list[str]:
        """Raises unless a webhook would be kept: its own scripts are tried, and leave nothing.

        Gives what keeps webhooks from being written all the same: a process that does not run, a service
        that is closed or slow.

        That Redis proves it, in time, is not waited for: probes want their answer sooner than a disk may.
        """
        pipe = self._redis.pipeline(transaction=False)
        rehearsal.ask(pipe)
        self.proof.ask_place(pipe)
        replace(self.proof, within_ms=1).ask(pipe)
        processes.ask(pipe)
        ask_troubles(pipe)
        with boundary("inbox.ready"):
            replies = await pipe.execute(raise_on_error=False)
        rehearsal.check(replies[: rehearsal.REPLIES])
        end_of_checks = rehearsal.REPLIES + self.proof.place_replies
        self.proof.check_place(replies[rehearsal.REPLIES : end_of_checks])
        end = len(replies) - processes.REPLIES - TROUBLE_REPLIES
        self.proof.check_able(replies[end_of_checks:end])
        running = processes.read(replies[end:-TROUBLE_REPLIES])
        # It is asked of a web process.
        lacking = [text for text in processes.missing(running) if text != "no web runs"]
        return [*lacking, *read_troubles(replies[-TROUBLE_REPLIES:])]

    @property
    def bounds_itself(self) -> bool:
        """Whether it bounds itself how many wait for Redis, and how long."""
        return self._pipelined is not None

    async def open(self) -> None:
        """Connect now, and not only at the first webhook. Raises redis-py's errors and TimeoutError."""
        if self._pipelined is not None:
            await self._pipelined.open()

    async def close(self) -> None:
        if self._pipelined is not None:
            self._pipelined.close()
        await self._redis.aclose()


def _pipelined(client: redis.asyncio.Redis, beside: Inbox | None) -> Pipelined | OfAccount:
    shared = beside._pipelined if beside is not None else None
    if not isinstance(shared, Pipelined):
        shared = Pipelined(client, timeout_s=WEB_TIMEOUT_S)
    return OfAccount(shared, client.tagging) if isinstance(client, AsyncAccountClient) else shared
