"""Events that are tied to no call: read, and learnt under the call that a person names or that alone fits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from bridge.boundary import boundary
from bridge.domain.phone import Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.envelopes import is_native
from bridge.domain.webhook.events import OTHER_TRIGGERS, STAGE_OF, Event, read_event
from bridge.domain.webhook.matching import match
from bridge.errors import Rejected
from bridge.ledger import keys, trail
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.calls.recent_call_index import RecentCallIndex
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.ledger import Ledger
from bridge.ledger.paging import Page, Place, page_of
from bridge.ledger.stored import held_place
from bridge.wording import counted

# Fingerprints that a line of the trail names.
_SHOWN = 5
# Each as fingerprint -> event and fingerprint -> when: what is held, and what speaks of no call by nature.
LISTS = ((keys.HELD, keys.HELD_AT), (keys.OTHER, keys.OTHER_AT))
_MATCHED_FOR = timedelta(days=1)
# Read, and matched, in one go.
_AT_ONCE = 300
# Of which one is sought: beyond these it does not matter how many there are.
_MOST_FITTING = 5
SEVERAL_FIT = f"has no call id, and more than {_MOST_FITTING} calls match"
# A call that fits was reported at its end, or after the start that the event names: no longer before it than
# this, by clocks and zones that differ.
_HEARD_BEFORE = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldEvent:
    """One delivery as it came, and why it is held."""

    fingerprint: str
    trigger: str
    reason: str
    at: datetime
    body: Mapping[str, Any]

    def number(self, rules: Rules) -> Phone | None:
        """The customer's number, as far as the body tells it."""
        event = self.as_event_of(rules, {})
        return event.external if event else None

    def as_event_of(self, rules: Rules, ids: Mapping[str, str]) -> Event | None:
        """What the body says, under the ids of a call; the fingerprint stays what it was.

        Args:
            ids: `call_id` and `call_uuid` from the call's record; empty to read the rest only.
        """
        # A body is read with ids only; these stand in for reading and reach nothing.
        body = with_ids(self.body, ids or {"call_id": "1"})
        event = read_event(self.trigger or None, body, rules, received_at=self.at)
        return replace(event, fingerprint=self.fingerprint) if isinstance(event, Event) else None


def with_ids(body: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The body as it would have come with these ids in it."""
    if is_native(body):
        return {**body, "data": {**body["data"], **ids}}
    return {**body, **ids}


def held_events(ledger: Ledger, *, other: bool = False) -> Iterator[HeldEvent]:
    """All that is held, the oldest first, some at a time.

    Args:
        other: the messages and changes of contacts instead, which speak of no call by nature.
    """
    start = 0
    while page := _page(ledger, start, other=other):
        yield from page
        start += _AT_ONCE


def all_events(ledger: Ledger) -> Iterator[HeldEvent]:
    """What is held, and what speaks of no call."""
    yield from held_events(ledger)
    yield from held_events(ledger, other=True)


@boundary("held.read")
def _page(ledger: Ledger, start: int, *, other: bool = False) -> list[HeldEvent]:
    held, held_at = LISTS[other]
    when = cast(
        list[tuple[str, float]], ledger.redis.zrange(held_at, start, start + _AT_ONCE - 1, withscores=True)
    )
    if not when:
        return []
    texts = cast(list[str | None], ledger.redis.hmget(held, [fingerprint for fingerprint, _ in when]))
    return [
        _event(ledger, fingerprint, at, text) for (fingerprint, at), text in zip(when, texts, strict=True)
    ]


def _event(ledger: Ledger, fingerprint: str, at_ms: float, text: str | None) -> HeldEvent:
    kept = {"trigger": "", "reason": "", "body": "{}"}
    if text is not None:
        kept = json.loads(ledger.texts.opened_value(held_place(fingerprint), text))
    return HeldEvent(
        fingerprint=fingerprint,
        trigger=kept["trigger"],
        reason=kept["reason"],
        at=cast(datetime, moment(at_ms)),
        body=json.loads(kept["body"]),
    )


def held_page(
    ledger: Ledger, *, trigger: str = "", other: bool = False, cursor: str = "", limit: int = 50
) -> Page[HeldEvent]:
    """One page of what is held, the oldest first.

    Args:
        trigger: only events of this one.
        other: the messages and changes of contacts instead, which speak of no call by nature.
    Raises:
        WrongUse: the cursor is none of ours.
    """
    held, held_at = LISTS[other]

    def read(places: list[Place]) -> list[HeldEvent | None]:
        with boundary("held.page"):
            texts = cast(list[str | None], ledger.redis.hmget(held, [place.name for place in places]))
        events = [
            _event(ledger, place.name, place.score, text)
            for place, text in zip(places, texts, strict=True)
            if text is not None
        ]
        by_name = {event.fingerprint: event for event in events if trigger in ("", event.trigger)}
        return [by_name.get(place.name) for place in places]

    return page_of(ledger.redis, held_at, after=Place.read(cursor), limit=limit, read=read)


@boundary("held.find")
def find_held(ledger: Ledger, fingerprint: str) -> HeldEvent | None:
    """One by its whole fingerprint, wherever it is kept; None: it is held no more."""
    pipe = ledger.redis.pipeline(transaction=False)
    for held, held_at in LISTS:
        pipe.hget(held, fingerprint)
        pipe.zscore(held_at, fingerprint)
    found = pipe.execute()
    for text, at_ms in (found[:2], found[2:]):
        if text is not None and at_ms is not None:
            return _event(ledger, fingerprint, at_ms, text)
    return None


def assign(ledger: Ledger, event: HeldEvent, record: Record, rules: Rules, *, who: str) -> Learnt:
    """Learn a held event as one of this call, once; then it is held no more.

    The body is kept with the call's ids in it, so that it is read anew as any other event. Should this be cut
    short in the middle, doing it again changes nothing: the fingerprint is the same.

    Raises:
        Rejected: the event speaks of no call, or of nothing that we know, or the call was forgotten on
            request; it stays held.
    """
    if event.trigger in OTHER_TRIGGERS:
        raise Rejected(f"A {event.trigger} event belongs to no call and cannot be assigned to one.")
    if event.trigger not in STAGE_OF:
        raise Rejected(
            f"{event.trigger or 'An event without a name'!r} is no event that the bridge knows; "
            "correct the template (callbridge templates)."
        )
    ids = {}
    if record.uuid is not None:
        ids["call_uuid"] = str(record.uuid)
    if record.call_id is not None:
        ids["call_id"] = str(record.call_id)
    as_event = event.as_event_of(rules, ids)
    if as_event is None:
        raise Rejected("This event cannot be parsed, even with the call's ids added.")
    learnt = ledger.record_event(as_event, with_ids(event.body, ids), assigned=True)
    # Told by the script that would have kept it: the call may have been forgotten since its record was read.
    if learnt.status == "forgotten":
        raise Rejected(
            f"{learnt.key} was forgotten on request and stores nothing any more. The event stays held."
        )
    trail.leave(ledger, who=who, what=f"assigned: {event.trigger}", call=learnt.key, more=event.fingerprint)
    _let_go(ledger, event)
    return learnt


@boundary("held.drop")
def drop(ledger: Ledger, events: Sequence[HeldEvent], *, who: str, reason: str) -> int:
    """Let go of held events for good, with one line on the trail; how many were still held."""
    if not events:
        return 0
    fingerprints = [event.fingerprint for event in events]
    shown = ", ".join(fingerprints[:_SHOWN]) + (", …" if len(fingerprints) > _SHOWN else "")
    line = trail.line(
        ledger, who=who, what=f"dropped: {counted(len(events), 'held event')}", more=f"{reason} ({shown})"
    )
    # Together, so that nothing goes without a line that says by whom.
    pipe = ledger.redis.pipeline()
    for held, held_at in LISTS:
        pipe.hdel(held, *fingerprints)
        pipe.zrem(held_at, *fingerprints)
    pipe.lpush(keys.TRAIL, line)
    pipe.ltrim(keys.TRAIL, 0, keys.TRAIL_LINES - 1)
    pipe.expire(keys.TRAIL, ledger.keep_for.outputs_s)
    gone = pipe.execute()
    return int(gone[0]) + int(gone[2])


@boundary("held.let_go")
def _let_go(ledger: Ledger, event: HeldEvent) -> None:
    pipe = ledger.redis.pipeline()
    for held, held_at in LISTS:
        pipe.hdel(held, event.fingerprint)
        pipe.zrem(held_at, event.fingerprint)
    pipe.execute()


def match_held(
    ledger: Ledger, rules: Rules, near: RecentCallIndex | None = None, *, within_s: float = 5.0
) -> int:
    """Put held events to the one call that fits each, whichever came first; how many were.

    Costs nothing while nothing is held, and no webhook anything ever: the clock does it. Nothing is put to a
    call before all calls that it may be of are read, as the one that fits may be one of two. An event a day
    old is left to a person, and so is one of a call that began a day before it. However many are held, it
    looks at a few hundred each time, and goes on with the next ones at the next beat.

    Args:
        near: kept from beat to beat, so that each reads only what was learnt since the last one.
        within_s: after this it is left to the next beat, too.
    """
    near = near or RecentCallIndex(ledger, rules)
    ends = time.monotonic() + within_s
    now = cast(datetime, moment(ledger.now_ms()))
    page = _page(ledger, near.start) or (_page(ledger, 0) if near.start else [])
    near.start = near.start + len(page) if len(page) == _AT_ONCE else 0
    events = []
    for event in page:
        if event.trigger in OTHER_TRIGGERS:
            _set_apart(ledger, event)
        if event.trigger not in STAGE_OF or now - event.at >= _MATCHED_FOR:
            continue
        as_event = event.as_event_of(rules, {})
        if as_event is not None and event.at - _earliest(event, as_event) < _MATCHED_FOR:
            events.append((event, as_event))
    if not events:
        return 0
    since = min(_earliest(event, as_event) for event, as_event in events) - _HEARD_BEFORE
    if not near.look(since.timestamp() * 1000):
        return 0
    # Read anew: one may have been forgotten, or joined with another. Once for all events of the number.
    read = cache(ledger.read)
    done = 0
    for event, as_event in events:
        if time.monotonic() > ends:
            break
        fitting = near.fitting(as_event, event.at, most=_MOST_FITTING)
        if len(fitting) > _MOST_FITTING:
            key, reason = None, SEVERAL_FIT
        else:
            found = {record.key: record for record in map(read, fitting)}
            calls = [(key, record.call(rules)) for key, record in found.items() if not record.forgotten]
            key, reason = match(as_event, event.at, calls)
        if key is not None:
            try:
                assign(ledger, event, found[key], rules, who="clock")
            except Rejected:
                # Forgotten in this moment.
                continue
            done += 1
        elif reason != event.reason:
            _say_why(ledger, event, reason)
    near.start = max(0, near.start - done)
    return done


def set_other_apart(ledger: Ledger) -> None:
    """Set apart all that earlier versions held and that speaks of no call, a page at a time."""
    start = 0
    while page := _page(ledger, start):
        other = [event for event in page if event.trigger in OTHER_TRIGGERS]
        for event in other:
            _set_apart(ledger, event)
        start += len(page) - len(other)


@boundary("held.set_apart")
def _set_apart(ledger: Ledger, event: HeldEvent) -> None:
    """Earlier versions held what speaks of no call together with the rest."""
    pipe = ledger.redis.pipeline()
    pipe.hset(keys.OTHER, event.fingerprint, _as_kept(ledger, event, event.reason))
    pipe.zadd(keys.OTHER_AT, {event.fingerprint: round(event.at.timestamp() * 1000)})
    pipe.hdel(keys.HELD, event.fingerprint)
    pipe.zrem(keys.HELD_AT, event.fingerprint)
    pipe.execute()


def _earliest(event: HeldEvent, as_event: Event) -> datetime:
    """Its call was not last heard of long before this."""
    return event.at if as_event.started_at is None else min(event.at, as_event.started_at)


@boundary("held.say_why")
def _say_why(ledger: Ledger, event: HeldEvent, reason: str) -> None:
    # Only where a person has not assigned it in this moment.
    if ledger.redis.hexists(keys.HELD, event.fingerprint):
        ledger.redis.hset(keys.HELD, event.fingerprint, _as_kept(ledger, event, reason))


def _as_kept(ledger: Ledger, event: HeldEvent, reason: str) -> str:
    value = {"trigger": event.trigger, "reason": reason, "body": canonical_json(event.body)}
    return ledger.texts.value(held_place(event.fingerprint), json.dumps(value))
