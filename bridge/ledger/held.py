"""Events that are tied to no call: read, and learnt under the call that a person names or that alone fits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from bridge.boundary import boundary
from bridge.domain.envelopes import is_native
from bridge.domain.events import OTHER_TRIGGERS, STAGE_OF, Event, canonical_json, read_event
from bridge.domain.matching import match
from bridge.domain.phone import Phone
from bridge.domain.rules import Rules
from bridge.errors import Rejected
from bridge.ledger import keys, trail
from bridge.ledger.learning import Learnt
from bridge.ledger.ledger import Ledger
from bridge.ledger.nearby import Nearby
from bridge.ledger.record import Record, moment

# Fingerprints that a line of the trail names.
_SHOWN = 5
_MATCHED_FOR = timedelta(days=1)
# A call that fits was told of at its end, or after the start that the event names: no longer before it than
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
            ids: `call_id` and `call_uuid` as told by the call's record; empty to read the rest only.
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


@boundary("held.read")
def held_events(ledger: Ledger) -> list[HeldEvent]:
    """All that is held, the oldest first."""
    when = cast(list[tuple[str, float]], ledger.redis.zrange(keys.HELD_AT, 0, -1, withscores=True))
    texts = cast(dict[str, str], ledger.redis.hgetall(keys.HELD))
    found = []
    for fingerprint, at in when:
        if fingerprint in texts:
            kept = json.loads(texts[fingerprint])
            found.append(
                HeldEvent(
                    fingerprint=fingerprint,
                    trigger=kept["trigger"],
                    reason=kept["reason"],
                    at=cast(datetime, moment(at)),
                    body=json.loads(kept["body"]),
                )
            )
    return found


def assign(ledger: Ledger, event: HeldEvent, record: Record, rules: Rules, *, who: str) -> Learnt:
    """Learn a held event as one of this call, once; then it is held no more.

    The body is kept with the call's ids in it, so that it is read anew as any other event. Should this be cut
    short in the middle, doing it again changes nothing: the fingerprint is the same.

    Raises:
        Rejected: the event speaks of no call, or of nothing that we know, or the call was forgotten on
            request; it stays held.
    """
    if event.trigger in OTHER_TRIGGERS:
        raise Rejected(f"A {event.trigger} speaks of no call: it cannot be put to one.")
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
    told = event.as_event_of(rules, ids)
    if told is None:
        raise Rejected("This event cannot be read, even with the call's ids in it.")
    learnt = ledger.learn(told, with_ids(event.body, ids))
    # Told by the script that would have kept it: the call may have been forgotten since its record was read.
    if learnt.status == "forgotten":
        raise Rejected(
            f"{learnt.key} was forgotten on request: nothing is kept of it any more. The event stays held."
        )
    trail.leave(ledger, who=who, what=f"assigned: {event.trigger}", call=learnt.key, more=event.fingerprint)
    with boundary("held.let_go"):
        pipe = ledger.redis.pipeline()
        pipe.hdel(keys.HELD, event.fingerprint)
        pipe.zrem(keys.HELD_AT, event.fingerprint)
        pipe.execute()
    return learnt


@boundary("held.drop")
def drop(ledger: Ledger, events: Sequence[HeldEvent], *, who: str, reason: str) -> int:
    """Let go of held events for good, with one line on the trail; how many were still held."""
    if not events:
        return 0
    fingerprints = [event.fingerprint for event in events]
    shown = ", ".join(fingerprints[:_SHOWN]) + (", …" if len(fingerprints) > _SHOWN else "")
    line = trail.line(ledger, who=who, what=f"dropped: {len(events)} held", more=f"{reason} ({shown})")
    # Together, so that nothing goes without a line that says by whom.
    pipe = ledger.redis.pipeline()
    pipe.hdel(keys.HELD, *fingerprints)
    pipe.zrem(keys.HELD_AT, *fingerprints)
    pipe.lpush(keys.TRAIL, line)
    pipe.ltrim(keys.TRAIL, 0, keys.TRAIL_LINES - 1)
    pipe.expire(keys.TRAIL, ledger.keep_for.outputs_s)
    return int(pipe.execute()[0])


def match_held(ledger: Ledger, rules: Rules, near: Nearby | None = None) -> int:
    """Put held events to the one call that fits each, whichever came first; how many were.

    Costs nothing while nothing is held, and no webhook anything ever: the clock does it. Nothing is put to a
    call before all calls that it may be of are read, as the one that fits may be one of two. An event a day
    old is left to a person, and so is one of a call that began a day before it.

    Args:
        near: kept from beat to beat, so that each reads only what was learnt since the last one.
    """
    near = near or Nearby(ledger, rules)
    now = cast(datetime, moment(ledger.now_ms()))
    events = []
    for event in held_events(ledger):
        if event.trigger not in STAGE_OF or now - event.at >= _MATCHED_FOR:
            continue
        told = event.as_event_of(rules, {})
        if told is not None and event.at - _earliest(event, told) < _MATCHED_FOR:
            events.append((event, told))
    if not events:
        return 0
    since = min(_earliest(event, told) for event, told in events) - _HEARD_BEFORE
    if not near.look(since.timestamp() * 1000):
        return 0
    done = 0
    for event, told in events:
        # Read anew: one may have been forgotten, or joined with another.
        found = {record.key: record for record in map(ledger.read, near.fitting(told, event.at))}
        calls = [(key, record.call(rules)) for key, record in found.items() if not record.forgotten]
        key, reason = match(told, event.at, calls)
        if key is not None:
            try:
                assign(ledger, event, found[key], rules, who="clock")
            except Rejected:
                # Forgotten in this moment.
                continue
            done += 1
        elif reason != event.reason:
            _say_why(ledger, event, reason)
    return done


def _earliest(event: HeldEvent, told: Event) -> datetime:
    """Its call was not last heard of long before this."""
    return event.at if told.started_at is None else min(event.at, told.started_at)


@boundary("held.say_why")
def _say_why(ledger: Ledger, event: HeldEvent, reason: str) -> None:
    value = {"trigger": event.trigger, "reason": reason, "body": canonical_json(event.body)}
    # Only where a person has not assigned it in this moment.
    if ledger.redis.hexists(keys.HELD, event.fingerprint):
        ledger.redis.hset(keys.HELD, event.fingerprint, json.dumps(value))
