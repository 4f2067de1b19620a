"""The list of calls, newest first: searched within bounds, gone on with by a cursor."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bridge.domain.moments import read_moment
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.rules import Rules
from bridge.errors import WrongUse
from bridge.ledger.calls.reading import read_all
from bridge.ledger.calls.record import Record
from bridge.ledger.ledger import Ledger
from bridge.reports.call_row import CallRow, line_of, row_of
from bridge.reports.call_state import STATES

LONGEST_PAGE = 200
# As `/api/calls` and `callbridge calls ls` name them.
SEARCH_FIELDS = ("q", "state", "outcome", "direction", "agent", "since", "until", "cursor", "limit")
OUTCOMES = tuple(str(outcome) for outcome in Outcome)
DIRECTIONS = tuple(str(direction) for direction in Direction)
# One request looks at no more than this; a cursor leads on.
_MOST_RECORDS = 1000
_LONGEST_LOOK_S = 0.8
_AT_ONCE = 50

_NUMBER = re.compile(r"[+\d\s()./-]+")
_FEWEST_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last call looked at. Calls heard of in the same millisecond are told apart by their key."""

    score: float
    key: str

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
            agent=text["agent"][:200].casefold(),
            since=since,
            until=until,
            cursor=Cursor.read(text["cursor"]) if text["cursor"] else None,
            limit=int(limit),
        )

    def wants(self, row: CallRow) -> bool:
        """Whether a call passes every filter but `q`."""
        return (
            self.state in (None, row.state)
            and self.outcome in (None, row.outcome)
            and self.direction in (None, row.direction)
            and _is_agent(self.agent, row)
            and _within(self, row.when)
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


def _is_agent(text: str, row: CallRow) -> bool:
    return not text or text == str(row.agent_id) or text in (row.agent_name or "").casefold()


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
    found: list[CallRow] = []
    # On later pages it is only left out: the first one told it.
    first = _named(ledger, search)
    if first is not None and search.cursor is None:
        row = row_of(first, first.call(rules), ledger.job_states(*first.own_keys))
        found += [row] if search.wants(row) else []
        if not search.q.isdigit() or len(found) >= search.limit:
            return CallPage(rows=found, next=None)
    ends = time.monotonic() + _LONGEST_LOOK_S
    looked, last = 0, search.cursor
    for chunk in _chunks(ledger, search.cursor):
        records = read_all(ledger, [at.key for at in chunk])
        jobs = ledger.job_states_of([record.own_keys for record in records])
        for at, record, own in zip(chunk, records, jobs, strict=True):
            if search.since is not None and at.score < search.since.timestamp() * 1000:
                # Heard of for the last time before: all that follow began before, too.
                return CallPage(rows=found, next=None)
            looked, last = looked + 1, at
            row = row_of(record, record.call(rules), own)
            if search.wants(row) and matches(search.q, row) and (first is None or row.key != first.key):
                found.append(row)
            if len(found) >= search.limit or looked >= _MOST_RECORDS:
                return CallPage(rows=found, next=str(last))
        if time.monotonic() > ends:
            return CallPage(rows=found, next=str(last))
    return CallPage(rows=found, next=None)


def matches(q: str, row: CallRow) -> bool:
    """Whether a call is meant by `q`; see `/api/calls` for what is looked at."""
    if not q:
        return True
    text = q.casefold()
    if text in (str(row.call_id), row.key, (row.conversation_id or "").casefold()):
        return True
    if row.uuid is not None and row.uuid.startswith(text):
        return True
    if any(text in told.casefold() for told in (row.customer_name, row.agent_name, row.reason) if told):
        return True
    number = re.sub(r"\D", "", row.number or "")
    return any(digits in number for digits in _digits(q))


def _digits(q: str) -> list[str]:
    """What to look for anywhere in a number: the digits, also without the 0 that people dial at home."""
    digits = re.sub(r"\D", "", q) if _NUMBER.fullmatch(q) else ""
    at_home = digits.lstrip("0") if digits.startswith("0") else ""
    return [
        *([digits] if len(digits) >= _FEWEST_DIGITS else []),
        *([at_home] if len(at_home) > _FEWEST_DIGITS else []),
    ]


def _named(ledger: Ledger, search: Search) -> Record | None:
    """The one call that a whole id names, wherever it stands in the list."""
    return ledger.find(search.q) if search.q.isdigit() or _is_uuid(search.q) else None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _chunks(ledger: Ledger, cursor: Cursor | None) -> Iterator[list[Cursor]]:
    """Positions in the list, some at a time, newest first and by key within one millisecond."""
    while True:
        top = cursor.score if cursor is not None else None
        skipped = 0
        chunk: list[Cursor] = []
        while not chunk:
            found = ledger.recent(up_to=top, skip=skipped, count=_AT_ONCE)
            if not found:
                return
            skipped += len(found)
            chunk = [
                Cursor(score=score, key=key)
                for key, score in found
                if cursor is None or (score, key) < (cursor.score, cursor.key)
            ]
        yield chunk
        cursor = chunk[-1]
