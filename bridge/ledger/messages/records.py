"""The records of text messages: read as those of calls are, listed, kept in order, forgotten."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from redis.client import Pipeline

from bridge.boundary import boundary
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.messages import DIRECTION_OF, Message, fold_messages, read_message
from bridge.domain.webhook.outgoing import TRIGGER, Outgoing, Unusable, read_outgoing
from bridge.ledger import keys
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import QUEUE_KEYS
from bridge.ledger.ledger import Ledger
from bridge.ledger.messages.learning import (
    SAME_WITHIN_MS,
    learn_message,
    learn_outgoing,
    sealed_message,
)
from bridge.ledger.paging import Page, Place, page_of
from bridge.ledger.queue.kinds import MESSAGE, SMS

# Of those of one number that wait: so many are looked at for one that comes first.
_MOST_LOOKED_AT = 100
_AT_ONCE = 250


def record_message(
    ledger: Ledger, message: Message, body: Mapping[str, Any], *, came_at_ms: int | None = None
) -> Learnt:
    """Keep what a webhook tells of a message, once, and have it written."""
    names, arguments = learn_message(message, body, ledger.keep_for, came_at_ms=came_at_ms)
    status, key = ledger.run_script("learn_message", names, *sealed_message(ledger.texts, arguments))
    return Learnt(status=status, key=key)


def request_sms(ledger: Ledger, wanted: Outgoing, body: Mapping[str, Any]) -> Learnt:
    """Keep what Kustomer asked for, once, and have it sent."""
    names, arguments = learn_outgoing(wanted, body, ledger.keep_for)
    status, key = ledger.run_script("learn_message", names, *sealed_message(ledger.texts, arguments))
    return Learnt(status=status, key=key)


@boundary("messages.expect_echo")
def expect_echo(ledger: Ledger, number: str, key: str) -> None:
    """CloudTalk's webhooks of a message that is sent now are of this record, also if it waited until now."""
    name, now_ms = keys.messages_lately(ledger.texts.number(number)), ledger.now_ms()
    for text in cast(list[str], ledger.redis.zrange(name, 0, -1)):
        entry = json.loads(text)
        if entry["key"] == key:
            pipe = ledger.redis.pipeline()
            pipe.zrem(name, text)
            pipe.zadd(name, {json.dumps({**entry, "at": now_ms}): now_ms})
            pipe.pexpire(name, 4 * SAME_WITHIN_MS)
            pipe.execute()


def message_of(record: Record, rules: Rules) -> Message | None:
    """What its webhooks say of a message; None where they are no longer kept."""
    found = [
        read_message(event.trigger, event.body, rules, received_at=event.at)
        for event in record.events
        if event.trigger in DIRECTION_OF
    ]
    messages = [one for one in found if isinstance(one, Message)]
    for event in record.events:
        if event.trigger == TRIGGER:
            with suppress(Unusable):
                wanted = read_outgoing(event.body, rules, sender=rules.messages_from)
                messages.append(replace(wanted.message, received_at=event.at))
    return fold_messages(messages)


# -- the order of one number


@boundary("messages.first")
def first_before(ledger: Ledger, number: str, key: str) -> str | None:
    """The key of a message of this number that is to be written before this one; None: it is its turn.

    By their own times. One that is parked, or was dropped, keeps nobody waiting.
    """
    name = keys.messages_waiting(ledger.texts.number(number))
    waiting = cast(list[str], ledger.redis.zrange(name, 0, _MOST_LOOKED_AT - 1))
    before = waiting[: waiting.index(key)] if key in waiting else []
    if not before:
        return None
    jobs = [keys.job(MESSAGE.name, one) for one in before]
    pipe = ledger.redis.pipeline(transaction=False)
    for job in jobs:
        pipe.hexists(keys.JOBS, job)
        pipe.zscore(keys.PARKED, job)
    found = pipe.execute()
    gone = [one for one, planned in zip(before, found[::2], strict=True) if not planned]
    if gone:
        ledger.redis.zrem(name, *gone)
    for one, planned, parked_at in zip(before, found[::2], found[1::2], strict=True):
        if planned and parked_at is None:
            return one
    return None


@boundary("messages.written")
def let_next(ledger: Ledger, number: str, key: str) -> str | None:
    """This message is written, or never will be. The key of the next one of its number, if one waits."""
    name = keys.messages_waiting(ledger.texts.number(number))
    pipe = ledger.redis.pipeline()
    pipe.zrem(name, key)
    pipe.zrange(name, 0, 0)
    found = cast(list[str], pipe.execute()[1])
    return found[0] if found else None


# -- lists


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One message in a list: nothing of its text.

    Args:
        state: waiting, synced, skipped, dropped or parked.
        reason: why it is in this state; of a parked one the error of its job, which may name a number.
    """

    key: str
    at: datetime
    state: str
    reason: str | None
    direction: str
    channel: str
    number_tail: str
    synced_at: datetime | None
    conversation_id: str | None
    message_id: str | None


def messages_page(ledger: Ledger, *, cursor: str = "", limit: int = 50) -> Page[MessageRow]:
    """One page of messages, the newest first.

    Raises:
        WrongUse: the cursor is none of ours.
    """

    def read(places: list[Place]) -> list[MessageRow | None]:
        with boundary("messages.page"):
            pipe = ledger.redis.pipeline(transaction=False)
            for place in places:
                pipe.hgetall(keys.record(place.name))
                _ask_parked(pipe, place.name)
            found = pipe.execute()
        return [
            _row(place, ledger.texts.opened_fields(place.name, fields), parked, jobs) if fields else None
            for place, fields, parked, jobs in zip(places, found[::3], found[1::3], found[2::3], strict=True)
        ]

    return page_of(
        ledger.redis, keys.MESSAGES, after=Place.read(cursor), limit=limit, read=read, highest_first=True
    )


@boundary("messages.row")
def row_of(ledger: Ledger, key: str) -> MessageRow:
    """One message as a list shows it."""
    pipe = ledger.redis.pipeline(transaction=False)
    pipe.hgetall(keys.record(key))
    _ask_parked(pipe, key)
    pipe.zscore(keys.MESSAGES, key)
    fields, parked, jobs, heard_ms = pipe.execute()
    opened = ledger.texts.opened_fields(key, fields)
    return _row(Place(score=heard_ms or 0, name=key), opened, parked, jobs)


def _ask_parked(pipe: Pipeline, key: str) -> None:
    """Whether its job is parked, and why: the one that writes it, or the one that sends it."""
    names = [keys.job(kind.name, key) for kind in (MESSAGE, SMS)]
    pipe.zmscore(keys.PARKED, names)
    pipe.hmget(keys.JOBS, names)


def _why_parked(parked: Sequence[float | None], jobs: Sequence[str | None]) -> str | None:
    errors = [
        json.loads(job).get("error") for at, job in zip(parked, jobs, strict=True) if at is not None and job
    ]
    return next((error for error in errors if error), None)


def _row(
    place: Place, fields: Mapping[str, str], parked: Sequence[float | None], jobs: Sequence[str | None]
) -> MessageRow:
    shown = json.loads(fields.get(Field.MESSAGE) or "{}")
    state = fields.get(Field.STATE, "waiting")
    outputs = {
        name: json.loads(text)["id"]
        for name in ("conversation", "message")
        if (text := fields.get(f"out:{name}"))
    }
    is_parked = any(at is not None for at in parked) and state != "synced"
    reason = fields.get(Field.REASON) or None
    return MessageRow(
        key=place.name,
        at=cast(datetime, moment(place.score)),
        state="parked" if is_parked else state,
        reason=(_why_parked(parked, jobs) or reason) if is_parked else reason,
        direction=shown.get("direction", ""),
        channel=shown.get("channel", ""),
        number_tail=shown.get("number_tail", ""),
        synced_at=moment(fields.get(Field.SYNCED_AT) or None),
        conversation_id=outputs.get("conversation"),
        message_id=outputs.get("message"),
    )


# -- forgetting


def forget_message(ledger: Ledger, record: Record, number: str) -> None:
    """Remove what is kept of a message; a late webhook of it does not bring it back."""
    names = [*QUEUE_KEYS, keys.META, keys.FORGOTTEN, keys.MESSAGES, keys.RECEIVED]
    fingerprints = [event.fingerprint for event in record.events]
    name = ledger.texts.number(number)
    ledger.run_script("forget_message", names, record.key, name, secrets.token_hex(32), *fingerprints)


def all_messages(ledger: Ledger) -> Iterator[Record]:
    """The records of all messages, oldest first."""
    with boundary("messages.names"):
        names = cast(list[str], ledger.redis.zrange(keys.MESSAGES, 0, -1))
    for start in range(0, len(names), _AT_ONCE):
        for name in names[start : start + _AT_ONCE]:
            yield ledger.read(name)


def conversation_cache(ledger: Ledger, number: str) -> str:
    """Under which name it is remembered which conversation the messages of a number go into."""
    return f"messages-of:{ledger.texts.number(number)}"
