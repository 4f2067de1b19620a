"""The list of calls, newest first: searched within bounds, gone on with by a cursor."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bridge.domain.moments import read_moment
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.rules.model import Rules
from bridge.errors import WrongUse
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.summary import CallEntry, Place, Summary, read_entries
from bridge.ledger.ledger import Ledger
from bridge.ledger.search.entries import name_of
from bridge.ledger.search.scan import AFTER_ALL_KEYS
from bridge.reports.call_places import call_places
from bridge.reports.call_query import Query
from bridge.reports.call_row import CallRow, line_of, row_of
from bridge.reports.call_state import STATES

LONGEST_PAGE = 200
# As `/api/calls` and `callbridge calls ls` name them.
SEARCH_FIELDS = ("q", "state", "outcome", "direction", "agent", "since", "until", "cursor", "limit")
OUTCOMES = tuple(str(outcome) for outcome in Outcome)
DIRECTIONS = tuple(str(direction) for direction in Direction)
# One request looks at no more than this; a cursor leads on.
_MOST_RECORDS = 5000
_LONGEST_LOOK_S = 0.8
_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last call looked at. Calls active in the same millisecond are ordered by their key."""

    score: float
    key: str

    @classmethod
    def at(cls, place: Place) -> Cursor:
        return cls(score=float(place.score), key=place.key)

    @property
    def place(self) -> Place:
        return Place(score=int(self.score), key=self.key)

    @classmethod
    def read(cls, text: str) -> Cursor:
        score, _, key = text.partition("~")
        if not re.fullmatch(r"[0-9]{1,15}", score) or not key:
            raise WrongUse("cursor: must be the `next` value of the previous answer")
        return cls(score=float(score), key=key)

    def __str__(self) -> str:
        return f"{self.score:.0f}~{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for. Empty means everything."""

    q: str = ""
    state: str | None = None
    outcome: str | None = None
    direction: str | None = None
    # Part of the agent's name, or the agent's CloudTalk id.
    agent: str = ""
    # By the start of the call, or by its first webhook where no start is known; `until` is not included.
    since: datetime | None = None
    until: datetime | None = None
    cursor: Cursor | None = None
    limit: int = 50

    @classmethod
    def read(cls, given: Mapping[str, str], *, now: datetime, zone: str) -> Search:
        """From texts by the names of `SEARCH_FIELDS`; what is empty or missing filters nothing.

        Raises:
            WrongUse: names what is allowed.
        """
        text = {name: given.get(name, "").strip() for name in SEARCH_FIELDS}
        limit = text["limit"] or "50"
        if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= LONGEST_PAGE:
            raise WrongUse(f"limit: must be a number from 1 to {LONGEST_PAGE}")
        since, until = (
            read_moment(name, text[name], now=now, zone=zone) if text[name] else None
            for name in ("since", "until")
        )
        if day := _day(text["q"], zone):
            text["q"] = ""
            since, until = max(day[0], since or day[0]), min(day[1], until or day[1])
        return cls(
            q=text["q"][:200],
            state=_one_of("state", text["state"], STATES),
            outcome=_one_of("outcome", text["outcome"], OUTCOMES),
            direction=_one_of("direction", text["direction"], DIRECTIONS),
            agent=name_of(text["agent"][:200]),
            since=since,
            until=until,
            cursor=Cursor.read(text["cursor"]) if text["cursor"] else None,
            limit=int(limit),
        )

    def wants(self, summary_of_call: Summary) -> bool:
        """Whether a call passes every filter but `q` and `state`."""
        return (
            self.outcome in (None, summary_of_call.outcome)
            and self.direction in (None, summary_of_call.direction)
            and _is_agent(self.agent, summary_of_call)
            and _within(self, summary_of_call.when)
        )


def _day(text: str, zone: str) -> tuple[datetime, datetime] | None:
    """The beginning and end of a day in TIME_ZONE, where the text is a date (2026-11-20)."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZoneInfo(zone))
        return day.astimezone(UTC), (day + timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _one_of(name: str, text: str, allowed: Sequence[str]) -> str | None:
    if text and text not in allowed:
        raise WrongUse(f"{name}: must be one of {', '.join(allowed)}")
    return text or None


def _is_agent(text: str, summary_of_call: Summary) -> bool:
    return not text or text == str(summary_of_call.agent_id) or text in name_of(summary_of_call.agent_name)


def _within(search: Search, at: datetime | None) -> bool:
    if search.since is None and search.until is None:
        return True
    return (
        at is not None
        and (search.since is None or at >= search.since)
        and (search.until is None or at < search.until)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """One page of calls, most recent activity first.

    `next` is the `Search.cursor` of the next page; None: there is no more. A page may be short or empty and
    have a `next`, because one request looks at a bounded part of what is kept.
    """

    rows: list[CallRow]
    next: str | None


def list_calls(ledger: Ledger, rules: Rules, search: Search) -> dict[str, Any]:
    """One page as `/api/calls` returns it: `{"calls": [...], "next": CURSOR or null}`."""
    page = find_calls(ledger, rules, search)
    return {"calls": [line_of(row) for row in page.rows], "next": page.next}


def find_calls(ledger: Ledger, rules: Rules, search: Search) -> CallPage:
    """The calls that pass all filters: one page, for web pages, the API, the CSV export and commands."""
    query = Query.read(search.q)
    found: list[CallRow] = []
    # On later pages it is only left out: the first one said it.
    first = _named(ledger, search)
    if first is not None and search.cursor is None:
        entry = CallEntry.of(first, first.call(rules))
        row = row_of(entry, ledger.job_states(*first.own_keys))
        found += [row] if search.wants(entry.summary) and search.state in (None, row.state) else []
    if (first is not None and not query.digits) or query.finds_nothing or len(found) >= search.limit:
        return CallPage(rows=found, next=None)
    ends = time.monotonic() + _LONGEST_LOOK_S
    looked, last = 0, search.cursor.place if search.cursor else None
    for places in _batches(call_places(ledger, search, query, last)):
        calls = [place for place in places if place.key != AFTER_ALL_KEYS]
        entries = read_entries(ledger, rules, calls, until=ends)
        rows = _rows(ledger, search, query, entries)
        for place in places if len(entries) == len(calls) else calls[: len(entries)]:
            if search.since is not None and place.score < search.since.timestamp() * 1000:
                # Heard of for the last time before: all that follow began before, too.
                return CallPage(rows=found, next=None)
            looked, last = looked + (place.key != AFTER_ALL_KEYS), place
            if place.key in rows and (first is None or place.key != first.key):
                found.append(rows[place.key])
            if len(found) >= search.limit or looked >= _MOST_RECORDS:
                return CallPage(rows=found, next=str(Cursor.at(last)))
        if (time.monotonic() > ends or len(entries) < len(calls)) and last is not None:
            return CallPage(rows=found, next=str(Cursor.at(last)))
    return CallPage(rows=found, next=None)


def _rows(
    ledger: Ledger, search: Search, query: Query, entries: Sequence[CallEntry | None]
) -> dict[str, CallRow]:
    """Those of these calls that pass all filters, by key."""
    likely = [
        entry
        for entry in entries
        # The jobs of a call show what stands in its way.
        if entry is not None and search.wants(entry.summary) and (query.words or _is_meant(query, entry))
    ]
    jobs = ledger.job_states_of([entry.own_keys for entry in likely])
    rows = {}
    for entry, own in zip(likely, jobs, strict=True):
        row = row_of(entry, own)
        if search.state in (None, row.state) and _is_meant(query, entry, row.reason):
            rows[row.key] = row
    return rows


def _is_meant(query: Query, entry: CallEntry, reason: str | None = None) -> bool:
    return query.means(entry.summary, conversation_id=entry.conversation_id, reason=reason)


def _batches(places: Iterable[Place]) -> Iterator[list[Place]]:
    """Some at a time, and no more than there are up to where the search has come."""
    batch: list[Place] = []
    for place in places:
        batch.append(place)
        if len(batch) >= _AT_ONCE or place.key == AFTER_ALL_KEYS:
            yield batch
            batch = []
    if batch:
        yield batch


def _named(ledger: Ledger, search: Search) -> Record | None:
    """The one call that a whole id or key names, wherever it stands in the list."""
    name = search.q.casefold().removeprefix("uuid:").removeprefix("id:")
    return ledger.find(search.q) if re.fullmatch("[0-9]+", name) or _is_uuid(name) else None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
