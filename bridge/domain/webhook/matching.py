"""Which call an event without ids speaks of: by customer's number, agent and time, or nobody's. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bridge.domain.call import Call
from bridge.domain.phone import Kind
from bridge.domain.webhook.events import Event

# Clocks of two services, and a call's start given as its first ring or as its answer.
_STARTS_WITHIN = timedelta(minutes=2)
# Recordings and tags come after the end; later than this it may be of the customer's next call.
_COMES_WITHIN = timedelta(minutes=30)

NO_NUMBER = "has no call id, and no number to match it by"
NONE_FITS = "has no call id, and no known call matches"


def fits(event: Event, came_at: datetime, call: Call) -> bool:
    """Whether the event may speak of this call: the same number, no other agent, its time."""
    number = event.external
    if number is None or number.kind is not Kind.E164 or call.external != number or call.started_at is None:
        return False
    if None not in (event.agent_id, call.agent_id) and event.agent_id != call.agent_id:
        return False
    if event.started_at is not None:
        return abs(event.started_at - call.started_at) <= _STARTS_WITHIN
    ends = call.ended_at or call.started_at + timedelta(seconds=call.talk_seconds or 0)
    return call.started_at - _STARTS_WITHIN <= came_at <= ends + _COMES_WITHIN


def match(event: Event, came_at: datetime, calls: Iterable[tuple[str, Call]]) -> tuple[str | None, str]:
    """The key of the one call that fits, else None and why the event stays held."""
    if event.external is None or event.external.kind is not Kind.E164:
        return None, NO_NUMBER
    found = [key for key, call in calls if fits(event, came_at, call)]
    if len(found) == 1:
        return found[0], ""
    return None, f"has no call id, and {len(found)} calls match" if found else NONE_FITS
