"""Where the calls of a search may be, most recent activity first: in the index, and around it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from bridge.ledger.calls.record_fields import State
from bridge.ledger.calls.summary import Place
from bridge.ledger.ledger import Ledger
from bridge.ledger.search.by_jobs import (
    calls_being_synced,
    calls_with_error,
    changed_calls,
    parked_calls,
    places_of,
)
from bridge.ledger.search.entries import EVERY_FACTS, Facts
from bridge.ledger.search.scan import AFTER_ALL_KEYS, Wanted, read_bounds, scan
from bridge.reports.call_query import Query

if TYPE_CHECKING:
    from bridge.reports.call_list import Search

_AT_ONCE = 50
# Fewer calls than this are looked at one by one rather than searched for.
_FEW = 2000


def call_places(ledger: Ledger, search: Search, query: Query, after: Place | None) -> Iterator[Place]:
    """Where the calls may be that pass the filters. What is there is to be checked.

    A place with `AFTER_ALL_KEYS` for a key is no call: it says how far the search has come.
    """
    if search.state == "parked":
        parked = _after(places_of(ledger, parked_calls(ledger)), after)
        if len(parked) <= _FEW:
            return iter(parked)
        keys = {place.key for place in parked} | {AFTER_ALL_KEYS}
        return (place for place in _everywhere(ledger, search, query, after, []) if place.key in keys)
    others: list[str] = []
    if search.state == "behind":
        others += calls_being_synced(ledger)
    elif query.words and search.state is None:
        others += calls_with_error(ledger, query.words)
    return _everywhere(ledger, search, query, after, others)


def _everywhere(
    ledger: Ledger, search: Search, query: Query, after: Place | None, others: list[str]
) -> Iterator[Place]:
    bounds = read_bounds(ledger)
    if search.state is not None or query.words or query.conversation_id:
        others = [*others, *changed_calls(ledger)]
    first = chain(
        _walk(ledger, bounds.hi, None, after),
        scan(ledger, _wanted(search, query), bounds, after),
        _walk(ledger, 0, bounds.lo, after) if bounds.lo else (),
    )
    if not others:
        return first
    # Those around the index are walked in any case.
    beside = [
        place for place in _after(places_of(ledger, others), after) if bounds.lo < place.score <= bounds.hi
    ]
    return _once(heapq.merge(first, beside, key=_order, reverse=True))


def _wanted(search: Search, query: Query) -> Wanted:
    return Wanted(
        facts=_facts(search),
        agent=search.agent,
        since_s=_whole_s(search.since) or 0,
        until_s=None if search.until is None else (_whole_s(search.until) or 0) + 1,
        digits=query.digits,
        name=query.words,
        uuid_prefix=query.uuid_prefix.replace("-", ""),
        conversation_id=query.conversation_id,
    )


def _facts(search: Search) -> frozenset[Facts] | None:
    if search.outcome is None and search.direction is None and search.state in (None, "parked"):
        return None
    return frozenset(
        facts
        for facts in EVERY_FACTS
        if search.outcome in (None, facts.outcome)
        and search.direction in (None, facts.direction)
        and _may_be(search.state, facts)
    )


def _may_be(state: str | None, facts: Facts) -> bool:
    """Whether a call may be in a state, as far as its jobs do not put it into another one."""
    match state:
        case "synced":
            return facts.state is State.SYNCED
        case "skipped":
            return facts.state in (State.SKIPPED, State.DROPPED)
        case "waiting":
            return facts.state is State.WAITING or (facts.state is None and not facts.ended)
        case "behind":
            return facts.state is None and facts.ended
    return True


def _whole_s(at: datetime | None) -> int | None:
    return None if at is None else max(0, int(at.timestamp()))


def _walk(ledger: Ledger, above: int, up_to: int | None, after: Place | None) -> Iterator[Place]:
    """Every call last heard of between two times, by the ledger's own list."""
    top = up_to if after is None else after.score if up_to is None else min(up_to, after.score)
    skipped = 0
    while top is None or top > above:
        found = ledger.recent(up_to=top, skip=skipped, count=_AT_ONCE)
        for key, score in found:
            place = Place(score=int(score), key=key)
            if place.score <= above:
                return
            if after is None or _order(place) < _order(after):
                yield place
        if len(found) < _AT_ONCE:
            return
        last = int(found[-1][1])
        skipped = skipped + len(found) if last == top else sum(int(score) == last for _, score in found)
        top = last


def _after(places: Iterable[Place], after: Place | None) -> list[Place]:
    return [place for place in places if after is None or _order(place) < _order(after)]


def _once(places: Iterable[Place]) -> Iterator[Place]:
    last: Place | None = None
    for place in places:
        if place != last:
            yield place
        last = place


def _order(place: Place) -> tuple[int, str]:
    return place.score, place.key
