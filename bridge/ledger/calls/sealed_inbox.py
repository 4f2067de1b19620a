"""An inbox whose deliveries are encrypted on their way to Redis. Without keys `Inbox` alone is used."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.boundary import boundary
from bridge.domain.webhook.events import Event, Held
from bridge.domain.webhook.identity import Identity
from bridge.domain.webhook.messages import Message
from bridge.encryption.keyring import Keyring
from bridge.encryption.names import Names, new_secret
from bridge.encryption.texts import Place, decrypt, encrypt
from bridge.errors import KeyMissing, Tampered
from bridge.ledger import keys
from bridge.ledger.calls.batches import Call
from bridge.ledger.calls.inbox import Delivery, Inbox
from bridge.ledger.calls.learning import Learnt, event_parts, sealed_hold, sealed_learn, sealed_own
from bridge.ledger.gathered import Answer
from bridge.ledger.messages.learning import sealed_message
from bridge.ledger.proof import NotProven
from bridge.ledger.stored import NAMES_FOR_S, NAMES_SECRET, names_place, sealed_value


class SealedInbox(Inbox):
    """See `Inbox`. NotProven is also raised where the secret of names cannot be decrypted."""

    def __init__(self, *args: Any, keyring: Keyring, **options: Any) -> None:
        super().__init__(*args, **options)
        self._keyring = keyring
        self._names: tuple[float, Names] | None = None

    async def record_event(self, event: Event | Identity | Message, body: Mapping[str, Any]) -> Learnt:
        if isinstance(event, Message):
            await self._load_names()
        return await super().record_event(event, body)

    def send_event(self, event: Event | Identity, body: Mapping[str, Any], answer: Answer) -> None:
        assert self._pipelined is not None  # noqa: S101  # it takes more
        key, common, own = event_parts(event, body, self._keep)
        with boundary("inbox.learn"):
            self._pipelined.send_together(
                self._learn.sha, keys.record(key), common, sealed_own(self, own), answer
            )

    async def keep_all(self, deliveries: Sequence[Delivery]) -> list[Exception | None]:
        if any(isinstance(one.event, Message) for one in deliveries):
            await self._load_names()
        return await super().keep_all(deliveries)

    def _call(
        self, event: Event | Identity | Held | Message, body: Mapping[str, Any], came: int | None = None
    ) -> Call:
        call = super()._call(event, body, came)
        if isinstance(event, Held):
            arguments = sealed_hold(self, call.arguments)
        elif isinstance(event, Message):
            arguments = sealed_message(self, call.arguments)
        else:
            arguments = sealed_learn(self, call.arguments)
        return Call(call.script, call.keys, arguments)

    # -- see `bridge.ledger.stored.StoredTexts`

    def value(self, place: Place, value: str) -> str:
        return value if self._keyring.first is None else sealed_value(self._keyring, place, value)

    def number(self, number: str) -> str:
        return self.name("number", number)

    def name(self, kind: str, name: str) -> str:
        if self._keyring.first is None or self._names is None:
            return name
        return self._names[1].hidden(kind, name)

    async def _load_names(self) -> None:
        now = time.monotonic()
        if self._keyring.first is None or (self._names is not None and now < self._names[0]):
            return
        with boundary("inbox.learn"):
            stored = await self._redis.hget(keys.META, NAMES_SECRET)
            if stored is None:
                made = encrypt(self._keyring, names_place(), new_secret())
                await self._redis.hsetnx(keys.META, NAMES_SECRET, made)
                stored = await self._redis.hget(keys.META, NAMES_SECRET)
        try:
            secret = decrypt(self._keyring, names_place(), str(stored))
        except (KeyMissing, Tampered) as error:
            # As what Redis does not hold for sure: the journal keeps it, or the sender.
            raise NotProven(str(error)) from error
        self._names = (now + NAMES_FOR_S, Names(secret))
