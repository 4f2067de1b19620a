"""What the ledger holds of a person beside the records of calls; found, and removed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis.client import Pipeline

from bridge.boundary import boundary
from bridge.domain.call import Call
from bridge.domain.mentions import Mentions
from bridge.domain.phone import Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.contacts import TRIGGERS as CONTACT_TRIGGERS
from bridge.domain.webhook.matching import fits
from bridge.ledger import keys
from bridge.ledger.calls.contacts import PREFIX as CONTACTS
from bridge.ledger.calls.contacts import all_contacts
from bridge.ledger.calls.held import LISTS, HeldEvent, all_events, held_events
from bridge.ledger.calls.reading import read_all
from bridge.ledger.calls.record import Record
from bridge.ledger.ledger import Ledger

_AT_ONCE = 250


@dataclass(slots=True, kw_only=True)
class CallsOfNumber:
    """The calls of a number, and those of others in which somebody wrote it down."""

    own: list[Record] = field(default_factory=list)
    mentioned_in: list[str] = field(default_factory=list)


def calls_of(ledger: Ledger, rules: Rules, phone: Phone) -> CallsOfNumber:
    """Reads through everything that is kept of calls."""
    found, mentions = CallsOfNumber(), Mentions(numbers=[phone])
    own: dict[str, Record] = {}
    for names in _batches(_names(ledger)):
        for name, record in zip(names, read_all(ledger, names), strict=True):
            if _is_with(record, rules, mentions):
                whole = ledger.read(name)
                own[whole.key] = whole
            elif mentions.are_in(_said_in(record)):
                found.mentioned_in.append(name)
    found.own = list(own.values())
    parts = {key for record in found.own for key in record.own_keys}
    found.mentioned_in = [name for name in found.mentioned_in if name not in parts]
    return found


def _is_with(record: Record, rules: Rules, mentions: Mentions) -> bool:
    """Also where the number was written without its country code, and no country is set to read it by."""
    numbers = {event.external for event in record.read_events(rules)} | {record.call(rules).external}
    return any(phone is not None and mentions.are_in(phone.text) for phone in numbers)


def _said_in(record: Record) -> str:
    bodies: list[Any] = [event.body for event in record.events]
    bodies += [seen.body for seen in record.observations.values()]
    return json.dumps([bodies, dict(record.fields)], ensure_ascii=False)


def _names(ledger: Ledger) -> list[str]:
    found: set[str] = set()
    for kind in ("call", "events"):
        start = f"{keys.TAG}:{kind}:"
        with boundary("erasing.names"):
            found |= {
                str(name).removeprefix(start)
                for name in ledger.redis.scan_iter(f"{start}*", count=500)
                if not str(name).startswith(start + CONTACTS)
            }
    # Text messages have records of the same form (`ledger/messages/`).
    return sorted(name for name in found if not keys.is_message(name))


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))


def contacts_of(ledger: Ledger, mentions: Mentions, own: Iterable[int]) -> list[Record]:
    """The contacts that have the number, as far as that is on their records.

    Args:
        own: ids of contacts that calls of the number name.
    """
    named = {f"{CONTACTS}{number}" for number in own}
    return [
        record for record in all_contacts(ledger) if record.key in named or mentions.are_in(_said_in(record))
    ]


def held_of_contacts(ledger: Ledger, ids: Mentions) -> list[HeldEvent]:
    """Webhooks that say no more of a person than the id of their contact."""
    return [
        event
        for event in held_events(ledger, other=True)
        if event.trigger in CONTACT_TRIGGERS and ids.are_in(json.dumps(event.body, ensure_ascii=False))
    ]


def held_of_number(ledger: Ledger, rules: Rules, phone: Phone, mentions: Mentions) -> list[HeldEvent]:
    return [
        event
        for event in all_events(ledger)
        if event.number(rules) == phone or mentions.are_in(json.dumps(event.body, ensure_ascii=False))
    ]


def held_of_call(ledger: Ledger, rules: Rules, call: Call, ids: Mentions) -> list[HeldEvent]:
    """Those that name the call, and those that may speak of it: the same number at its time."""

    def is_of_it(event: HeldEvent) -> bool:
        as_event = event.as_event_of(rules, {})
        may_be = as_event is not None and fits(as_event, event.at, call)
        return may_be or ids.are_in(json.dumps(event.body, ensure_ascii=False))

    return [event for event in all_events(ledger) if is_of_it(event)]


def let_go(ledger: Ledger, events: Iterable[HeldEvent]) -> int:
    fingerprints = [event.fingerprint for event in events]
    if fingerprints:
        with boundary("erasing.held"):
            listed = cast(list[str], ledger.redis.lrange(keys.RECEIVED, 0, -1))
            pipe = ledger.redis.pipeline()
            for held, held_at in LISTS:
                pipe.hdel(held, *fingerprints)
                pipe.zrem(held_at, *fingerprints)
            for text in listed:
                if json.loads(text)[1] in fingerprints:
                    pipe.lrem(keys.RECEIVED, 0, text)
            pipe.execute()
    return len(fingerprints)


def legs_of(call_id: int) -> str:
    """Under which name the memory keeps the legs of a transferred call."""
    return f"legs:{call_id}"


@boundary("erasing.caches")
def erase_caches(ledger: Ledger, phones: Collection[Phone], call_ids: Iterable[int]) -> int:
    """What is remembered under a number, and which uuid a call's number has; how many were there."""
    # Also as they were before ENCRYPTION_KEYS was set.
    hidden, locks = ledger.texts.number, [f"customer:{phone.text}" for phone in phones]
    names = [keys.customer_of(name) for phone in phones for name in (phone.text, hidden(phone.text))]
    names += [keys.lock(name) for one in locks for name in (one, ledger.texts.name("lock", one))]
    ids = list(call_ids)
    names += [keys.cached(f"uuid-of:{number}") for number in ids]
    # What names these calls as legs of others is with the others, too.
    legs = [keys.cached(legs_of(number)) for number in ids]
    texts = cast(list[str | None], ledger.redis.mget(legs)) if legs else []
    told = [
        ledger.memory.opened_cache(legs_of(number), text) for number, text in zip(ids, texts, strict=True)
    ]
    others = {int(number) for one in told for number in one or ()} - {*ids}
    names += [*legs, *(keys.cached(legs_of(number)) for number in sorted(others))]
    names = list(dict.fromkeys(names))
    numbers = list({name for phone in phones if phone.text for name in (phone.text, hidden(phone.text))})
    pipe = ledger.redis.pipeline()
    if names:
        pipe.delete(*names)
    if numbers:
        pipe.hdel(keys.ASSIGNED, *numbers)
        pipe.zrem(keys.ASSIGNED_AT, *numbers)
    found = cast(list[int], pipe.execute())
    # The time of a choice is no entry of its own.
    return sum(found[:-1] if numbers else found)


@boundary("erasing.trail")
def blank_trail(ledger: Ledger, mentions: Mentions) -> int:
    """Leave on the trail who did what and when, without the call and without words that name it."""
    blanked = 0

    def work(pipe: Pipeline) -> None:
        nonlocal blanked
        lines = cast(list[str], pipe.lrange(keys.TRAIL, 0, -1))
        remaining = [_blanked(line) if mentions.are_in(line) else line for line in lines]
        blanked = sum(old != new for old, new in zip(lines, remaining, strict=True))
        pipe.multi()
        if blanked:
            pipe.delete(keys.TRAIL)
            pipe.rpush(keys.TRAIL, *remaining)
            pipe.expire(keys.TRAIL, ledger.keep_for.outputs_s)

    def _blanked(line: str) -> str:
        kept = {**json.loads(line), "call": "", "more": ""}
        if mentions.are_in(str(kept["what"])):
            kept["what"] = "removed on request"
        return json.dumps(kept)

    ledger.redis.transaction(work, keys.TRAIL)
    return blanked
