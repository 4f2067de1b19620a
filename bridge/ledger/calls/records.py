"""The records of calls: what is learned is kept here, and read from here."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, cast
from uuid import UUID

from bridge.boundary import boundary
from bridge.domain.webhook.events import Event, Held
from bridge.domain.webhook.values import read_call_id, read_uuid
from bridge.ledger import keys
from bridge.ledger.calls.horizon import LedgerHorizon, ask_horizon
from bridge.ledger.calls.learning import (
    TOLD,
    Learnt,
    hold_delivery,
    learn_event,
    learn_observation,
    script_of,
    sealed_hold,
    sealed_learn,
    status_and_key,
)
from bridge.ledger.calls.opening import opened_part
from bridge.ledger.calls.packed import Part
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.record_parts import record_of
from bridge.ledger.calls.tombstones import forgotten_at, tombstone
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.scripted import Scripted


class Records(Scripted):
    """The part of the ledger that holds calls."""

    # -- learning

    def record_event(self, event: Event, body: Mapping[str, Any], *, assigned: bool = False) -> Learnt:
        """Keep an event under its call, once, and have the call's sync looked at.

        Args:
            assigned: it was held so far, and did not come just now.
        """
        names, arguments = learn_event(event, body, self.keep_for, assigned=assigned)
        return self._learn(names, arguments, keys.call_key(uuid=event.uuid, call_id=event.call_id))

    def hold(self, held: Held, body: Mapping[str, Any]) -> bool:
        """Keep a delivery that cannot be tied to a call; whether it is a new one."""
        names, arguments = hold_delivery(held, body, self.keep_for)
        return self._run(script_of(held), names, *sealed_hold(self.texts, arguments)) in (1, "accepted")

    def learn_observation(
        self,
        name: str,
        body: Mapping[str, Any],
        *,
        uuid: UUID | None,
        call_id: int | None,
        asked_at_ms: int,
        lane: Lane = Lane.LIVE,
        sure: int = TOLD,
    ) -> Learnt:
        """Keep what was learnt by asking, join the two ids where both are known, have the sync looked at.

        Of a call that was forgotten nothing is kept.

        Args:
            sure: `ASKED` where CloudTalk's answer says itself that the two ids are one call's.
        """
        names, arguments = learn_observation(
            uuid=uuid,
            call_id=call_id,
            name=name,
            body=body,
            asked_at_ms=asked_at_ms,
            lane=lane,
            keep=self.keep_for,
            sure=sure,
        )
        return self._learn(names, arguments, keys.call_key(uuid=uuid, call_id=call_id))

    def _learn(self, names: list[str], arguments: list[Any], key: str) -> Learnt:
        (answer,) = self._run("learn", names, *sealed_learn(self.texts, arguments))
        status, key = status_and_key(answer, key)
        return Learnt(status=status, key=key)

    def record_observation(self, name: str, body: Mapping[str, Any], **options: Any) -> str:
        """The same; the key of the call."""
        return self.learn_observation(name, body, **options).key

    # -- records

    def read(self, key: str, *, number: str = "") -> Record:
        """The record of a call, by its key or that of its other part; one that is not there is empty.

        Args:
            number: what the call is also known by, if that is known already: it saves a round trip.
        """
        (call, events, log), *others = self._parts(key, *([f"id:{number}"] if number else []))
        if not events and (at_ms := forgotten_at(self.redis, [key])[0]) is not None:
            return record_of(key, [(tombstone(at_ms), {}, [])])
        if key.startswith("id:") and (uuid := call.get(Field.UUID)):
            return record_of(f"uuid:{uuid}", [*self._parts(f"uuid:{uuid}"), (call, events, log)])
        number_of_uuid = call.get(Field.ID) if key.startswith("uuid:") else None
        if number_of_uuid is None:
            others = []
        elif number_of_uuid != number or not others:
            others = self._parts(f"id:{number_of_uuid}")
        return record_of(key, [(call, events, log), *others])

    @boundary("ledger.read")
    def _parts(self, *names: str) -> list[Part]:
        pipe = self.redis.pipeline(transaction=False)
        for key in names:
            pipe.hgetall(keys.record(key))
            pipe.hgetall(keys.events(key))
            pipe.lrange(keys.log(key), 0, -1)
        found = pipe.execute()
        parts = [(found[n], found[n + 1], found[n + 2]) for n in range(0, len(found), 3)]
        return [self.opened_part(name, part) for name, part in zip(names, parts, strict=True)]

    def opened_part(self, key: str, part: Part) -> Part:
        """A part of a record with its texts as they were.

        Raises:
            KeyMissing, Tampered: one of them cannot be decrypted.
        """
        return opened_part(self.texts, key, part)

    def find(self, text: str) -> Record | None:
        """The record that a person means: its key, a call's number, or a uuid in any case."""
        text = text.strip().lower()
        uuid, number = read_uuid(text.removeprefix("uuid:")), read_call_id(text.removeprefix("id:"))
        if uuid is None and number is None:
            return None
        record = self.read(keys.call_key(uuid=uuid, call_id=number))
        return record if record.exists else None

    def forget(self, record: Record) -> None:
        """Remove what is kept of a call, save that it was forgotten: a late event does not bring it back."""
        uuid = str(record.uuid) if record.uuid else ""
        number = str(record.call_id) if record.call_id else ""
        names = [*QUEUE_KEYS, keys.META, keys.FORGOTTEN]
        self._run("forget", names, uuid, number, secrets.token_hex(32))

    def forget_contact(self, key: str) -> None:
        """The same of a contact: it is not carried over any more."""
        names = [*QUEUE_KEYS, keys.META, keys.FORGOTTEN, keys.CONTACTS]
        self._run("forget_contact", names, key, secrets.token_hex(32), "contact")

    @boundary("ledger.forget_observation")
    def forget_observation(self, name: str, key: str) -> None:
        self.redis.hdel(keys.events(key), f"obs:{name}")

    @boundary("ledger.recent")
    def recent(self, *, up_to: float | None = None, skip: int = 0, count: int) -> list[tuple[str, float]]:
        """Keys of calls, the one last heard of first, with the score to go on from."""
        top = up_to if up_to is not None else "+inf"
        found = self.redis.zrevrangebyscore(keys.CALLS, top, "-inf", start=skip, num=count, withscores=True)
        return cast(list[tuple[str, float]], found)

    def reach(self) -> LedgerHorizon:
        """How far back this ledger remembers; see `bridge.ledger.calls.horizon`."""
        return self.reach_soon()()

    def reach_soon(self) -> Callable[[], LedgerHorizon]:
        """The same, asked with the next command of this run."""
        return ask_horizon(self.redis, outputs_s=self.keep_for.outputs_s, lease_ms=self.lease_ms)
