"""What becomes of an admitted webhook: Redis holds it, or the journal does, or the sender keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge import tracing
from bridge.domain.rules.model import Rules
from bridge.domain.synthetic import is_synthetic
from bridge.domain.webhook.contacts import with_contact
from bridge.domain.webhook.events import Held, fingerprint_of
from bridge.domain.webhook.identity import Identity, identify
from bridge.domain.webhook.messages import Message
from bridge.encryption.keyring import Keyring
from bridge.encryption.lines import line_text, record_in
from bridge.journal.journal import Journal, JournalFull
from bridge.ledger import keys
from bridge.ledger.calls.inbox import Delivery, Inbox
from bridge.ledger.faults import RedisTimeout, server_fault
from bridge.ledger.proof import CannotProve, NotProven
from bridge.logs import AtMost
from bridge.web.answers import REDIS_AWAY
from bridge.web.webhooks.circuit_breaker import CircuitBreaker

log = logging.getLogger(__name__)
log.addFilter(AtMost())

# With these an answer is given within 2 s of the request, whatever Redis and the disk do.
KEEP_WITHIN_S = 1.2
ANSWER_WITHIN_S = 1.85
# What a proof may take over its own limit: gathering, and the way to Redis and back.
PROOF_WITHIN_S = 0.25
# A gate that stays shut for so long is one before a Redis that is away.
GATE_WITHIN_S = 0.1
# redis-py opens 100 connections and then raises: a burst waits for one, and strangers cannot take them all.
KEPT_AT_ONCE = 32
# Those that wait for a disk or a replica share connections.
PROVEN_AT_ONCE = 1000
# Who waited this long for its turn is in a crowd before a frozen Redis, and is sent away before it connects.
TURN_WITHIN_S = 0.6

# For how long after a webhook that was not proven `/readyz` says so, unless a later one is.
UNPROVEN_FOR_S = 10.0

_LONGEST_TRIGGER = 64
_ITSELF = "Redis refuses this webhook but accepts others (a bug in the bridge)"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The answer to a webhook. A cause is one that is counted among the refusals.

    Not frozen: that takes three times as long to make, and each webhook makes one.
    """

    status: int
    content: Mapping[str, str]
    cause: str | None = None
    # That the body names, where the address names none.
    trigger: str = ""


class WebhookAcceptor:
    """Keeps webhooks.

    Args:
        rules: tells the rules in force.
        now: seconds since 1970.
        journal_bytes: how much may be kept here while Redis is away; 0 for nothing.
        keep_aside_s: see `Journal`.
        account: whose webhooks these are.
        beside: that of the deployment, whose journal, turns and gate it shares.
        keyring: encrypts what is kept here.
    """

    def __init__(
        self,
        inbox: Inbox,
        rules: Callable[[], Rules],
        *,
        now: Callable[[], float],
        journal_folder: Path,
        journal_bytes: int = 0,
        keep_aside_s: float = 30 * 86_400,
        account: str = "",
        beside: WebhookAcceptor | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._inbox, self._rules, self._now, self._account = inbox, rules, now, account
        self._keyring = keyring or Keyring()
        # Gives that of an account, for its records in the journal; None: there is no such account.
        self.acceptor_of: Callable[[str], WebhookAcceptor | None] = {"": self}.get
        self.gate: CircuitBreaker = beside.gate if beside else CircuitBreaker(inbox.ping)
        self.journal: Journal = (
            beside.journal
            if beside
            else Journal(
                journal_folder,
                limit=journal_bytes,
                hand_on=self._hand_on,
                away=(*REDIS_AWAY, NotProven, CannotProve),
                keep_aside_s=keep_aside_s,
            )
        )
        proven = inbox.proof.is_asked
        most = PROVEN_AT_ONCE if proven else KEPT_AT_ONCE
        self._turns: asyncio.Semaphore = beside._turns if beside else asyncio.Semaphore(most)
        # When the last webhook came that was taken in; 0: none yet.
        self.last_at = 0.0
        # The reason and the time of the last webhook that Redis held without proving it.
        self._unproven: tuple[str, float] | None = None
        self._within_s = inbox.proof.within_ms / 1000 + PROOF_WITHIN_S if proven else KEEP_WITHIN_S

    async def keep(self, trigger: str, body: Mapping[str, Any], *, signed: bool = False) -> Outcome:
        """Keep a body. A status below 300 is given only for what is kept.

        Args:
            signed: CloudTalk signed it.
        """
        ends = asyncio.get_running_loop().time() + ANSWER_WITHIN_S
        came_at = self._now()
        event = self._read(trigger, body, came_at, signed=signed)
        try:
            outcome = await self._in_redis(event, body)
        except (NotProven, CannotProve, *REDIS_AWAY) as error:
            outcome = await self._not_in_redis(error, event, trigger, body, came_at, ends)
        return self._noted(outcome, trigger, event, came_at)

    def identity_in(self, trigger: str, body: Mapping[str, Any], came_at: float) -> Identity | None:
        """The call that a body is of, if it names one and has no more to be looked at."""
        try:
            event = identify(
                trigger or None,
                body,
                self._rules(),
                received_at=lambda: datetime.fromtimestamp(came_at, UTC),
            )
        except Exception:  # `keep` says so, and holds it
            return None
        return event if isinstance(event, Identity) else None

    def in_redis(self, event: Identity, status: str, key: str, came_at: float) -> Outcome:
        """What `keep` gives for an event that Redis has taken in; status and key are its script's reply."""
        return self._noted(self._recorded(event, status, key), "", event, came_at)

    async def keep_elsewhere(
        self,
        error: Exception,
        event: Identity,
        trigger: str,
        body: Mapping[str, Any],
        came_at: float,
        *,
        waited_s: float,
    ) -> Outcome:
        """As `keep` goes on where Redis did not take an event in.

        Args:
            waited_s: how long the sender has waited by now.
        Raises:
            Exception: `error`, where it says nothing of Redis.
        """
        if not isinstance(error, (NotProven, CannotProve, *REDIS_AWAY)):
            raise error
        ends = asyncio.get_running_loop().time() + ANSWER_WITHIN_S - waited_s
        outcome = await self._not_in_redis(error, event, trigger, body, came_at, ends)
        return self._noted(outcome, trigger, event, came_at)

    def _noted(
        self, outcome: Outcome, trigger: str, event: Identity | Held | Message, came_at: float
    ) -> Outcome:
        if outcome.status < 300 and not (isinstance(event, Identity) and is_synthetic(event.uuid)):
            self.last_at = came_at
        if not trigger:
            outcome.trigger = event.trigger
        return outcome

    async def _not_in_redis(
        self,
        error: Exception,
        event: Identity | Held | Message,
        trigger: str,
        body: Mapping[str, Any],
        came_at: float,
        ends: float,
    ) -> Outcome:
        if isinstance(error, CannotProve):
            # Until somebody changes a setting: a journal would only fill.
            log.error("webhook stored, but its safety cannot be proven", extra={"reason": str(error)})
            return Outcome(status=503, content=_unproven(str(error)), cause="not-proven")
        if isinstance(error, NotProven):
            log.warning("webhook stored, but not proven safe in time", extra={"reason": str(error)})
            if self.journal.is_on:
                return await self._in_journal(event, trigger, body, came_at, ends, str(error))
            self._unproven = (str(error), self._now())
            return Outcome(status=503, content=_unproven(str(error)), cause="not-proven")
        if isinstance(error, (TimeoutError, RedisTimeout)):
            self.gate.shut()
        fault = server_fault(error)
        if fault is None:
            return await self._refused_itself(event, body, error)
        log.warning("webhook not stored in Redis", extra={"error": type(error).__name__, "why": fault.says})
        if self.journal.is_on:
            return await self._in_journal(event, trigger, body, came_at, ends, fault.says)
        return Outcome(status=503, content=_away(fault.says))

    @property
    def unproven(self) -> str | None:
        """Why webhooks of the last seconds were answered 503 although Redis has them; None if none was."""
        if self._unproven is None or self._now() - self._unproven[1] > UNPROVEN_FOR_S:
            return None
        return self._unproven[0]

    async def _refused_itself(
        self, event: Identity | Held | Message, body: Mapping[str, Any], error: Exception
    ) -> Outcome:
        """Redis takes others, but not this one: it is held for a person, as one that cannot be read is."""
        log.error("Redis refused this webhook", extra={"error": type(error).__name__})
        if not isinstance(event, Held):
            held = Held(trigger=event.trigger, fingerprint=event.fingerprint, reason=_ITSELF)
            with contextlib.suppress(*REDIS_AWAY, NotProven):
                return await self._in_redis(held, body)
        return Outcome(status=503, content=_away(_ITSELF))

    async def _in_redis(self, event: Identity | Held | Message, body: Mapping[str, Any]) -> Outcome:
        if self.gate.is_shut:
            await self.gate.enter(within_s=0 if self.journal.takes_more else GATE_WITHIN_S)
        if self._inbox.bounds_itself:
            return await self._record(event, body)
        async with asyncio.timeout(self._within_s), self._turn():
            return await self._record(event, body)

    async def _record(self, event: Identity | Held | Message, body: Mapping[str, Any]) -> Outcome:
        if isinstance(event, Held):
            kept = await self._inbox.hold(event, body)
            return _held(event, is_repeat=kept.status != "accepted")
        if not tracing.is_on():
            learnt = await self._inbox.record_event(event, body)
        else:
            with tracing.of_call(_key_of(event)):
                learnt = await self._inbox.record_event(event, body)
        return self._recorded(event, learnt.status, learnt.key)

    def _recorded(self, event: Identity | Message, stored: str, key: str) -> Outcome:
        self._unproven = None
        # Whether it was forgotten is nobody's business out there; the sender is done either way.
        status, word = (202, "accepted") if stored == "accepted" else (200, "duplicate")
        return Outcome(status=status, content={"status": word, **_named(event, key)})

    async def _in_journal(
        self,
        event: Identity | Held | Message,
        trigger: str,
        body: Mapping[str, Any],
        came_at: float,
        ends: float,
        why: str,
    ) -> Outcome:
        at_ms = int(came_at * 1000)
        record = {"at": at_ms, "trigger": trigger, "body": body}
        if not isinstance(event, Held) and event.signed:
            record["signed"] = True
        if self._account:
            record["account"] = self._account
        text = line_text(self._keyring, record)
        try:
            async with asyncio.timeout_at(ends):
                await self.journal.add(text, at_ms=at_ms)
        except JournalFull:
            return Outcome(status=503, content=_away(f"{why}; the journal is full"))
        except OSError:
            return Outcome(status=503, content=_away(f"{why}; the journal's disk is full or not writable"))
        if isinstance(event, Held):
            return _held(event)
        # Whether it is a repeat, only Redis knows; an id that was joined to a uuid leads to that call too.
        return Outcome(status=202, content={"status": "accepted", **_named(event, _key_of(event))})

    async def _hand_on(self, texts: Sequence[bytes]) -> list[bytes]:
        """The journal's records into Redis, as they would have gone when they came."""
        if self.gate.is_shut:
            raise TimeoutError
        if not texts:
            return await self._hand_on_own([])
        by_account: dict[str, list[bytes]] = {}
        for text in texts:
            by_account.setdefault(json.loads(text).get("account", ""), []).append(text)
        refused: list[bytes] = []
        for account, own in by_account.items():
            acceptor = self.acceptor_of(account)
            if acceptor is None:
                log.error("webhooks of an account that is gone are set aside", extra={"account": account})
            refused += own if acceptor is None else await acceptor._hand_on_own(own)
        return refused

    async def _hand_on_own(self, texts: Sequence[bytes]) -> list[bytes]:
        deliveries = []
        for text in texts:
            record = record_in(self._keyring, text)
            event = self._read(
                record["trigger"], record["body"], record["at"] / 1000, signed=bool(record.get("signed"))
            )
            deliveries.append(Delivery(event=event, body=record["body"], came_at_ms=record["at"]))
        try:
            async with asyncio.timeout(self._within_s + KEEP_WITHIN_S):
                if not deliveries:
                    await self._inbox.ping()
                    return []
                faults = await self._inbox.keep_all(deliveries)
        except (TimeoutError, RedisTimeout):
            self.gate.shut()
            raise
        for fault in faults:
            if fault is not None and server_fault(fault) is not None:
                raise fault
        return [text for text, fault in zip(texts, faults, strict=True) if fault is not None]

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._turns.locked():
            async with asyncio.timeout(TURN_WITHIN_S):
                await self._turns.acquire()
        else:
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    def _read(
        self, trigger: str, body: Mapping[str, Any], came_at: float, *, signed: bool
    ) -> Identity | Held | Message:
        event: Identity | Held | Message
        try:
            rules = self._rules()
            event = identify(
                trigger or None, body, rules, received_at=lambda: datetime.fromtimestamp(came_at, UTC)
            )
            event = with_contact(event, body, rules) if isinstance(event, Held) else event
        except Exception as error:
            # A body that our parser trips over must not be lost: it can be read anew once that is mended.
            log.error("webhook could not be parsed, it is held", exc_info=error)
            event = Held(
                trigger=trigger,
                fingerprint=fingerprint_of(trigger, body),
                reason="the bridge could not parse it (a bug in the bridge; stored for another attempt)",
            )
        if isinstance(event, Held) and len(event.trigger) > _LONGEST_TRIGGER:
            event = replace(event, trigger=event.trigger[:_LONGEST_TRIGGER])
        return replace(event, signed=True) if signed and not isinstance(event, Held) else event

    async def close(self) -> None:
        await self.gate.close()
        await self.journal.close()


def _key_of(event: Identity | Message) -> str:
    """As far as the delivery alone tells; another one of the same may have come first."""
    if isinstance(event, Message):
        return keys.message_key(event.fingerprint)
    return keys.call_key(uuid=event.uuid, call_id=event.call_id)


def _named(event: Identity | Message, key: str) -> dict[str, str]:
    """How an answer names what the delivery belongs to; a message's key stands in place of a call's."""
    return {"call": key, "message": key} if isinstance(event, Message) else {"call": key}


def _held(event: Held, *, is_repeat: bool = False) -> Outcome:
    if event.key:
        # Something is done because of it, as for a call.
        status, word = (200, "duplicate") if is_repeat else (202, "accepted")
        return Outcome(status=status, content={"status": word, "call": event.key, "contact": event.key})
    return Outcome(status=202, content={"status": "held", "reason": event.reason})


def _away(why: str) -> dict[str, str]:
    error = f"the webhook cannot be stored now: {why}"
    return {"error": error, "hint": "Send it again shortly; /readyz shows when Redis is back."}


def _unproven(reason: str) -> dict[str, str]:
    return {
        "error": f"the webhook is in Redis but not proven safe: {reason}",
        "hint": "Send it again shortly; a repeat changes nothing and waits for the same proof.",
    }
