"""How the bridge stands now: what is wrong, how late calls are, what came and what was written."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.domain.rules.model import Rules
from bridge.ledger.calls.missed import longest_open, open_misses
from bridge.ledger.calls.reading import have_observation, noted_at
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Process
from bridge.ledger.traffic import Count, Traffic, read_traffic
from bridge.reports.call_list import Search, find_calls
from bridge.reports.call_row import CallRow
from bridge.reports.facts import what_is_wrong
from bridge.reports.problem import Problem

_LAST_CALLS = 12
_COMMAND = re.compile(r"`([^`]+)`")
# Page of a problem -> what its button says. A problem that is mended elsewhere has a command to copy.
_BUTTONS = {
    "/parked": "Replay or drop",
    "/audit": "Find and repair them",
    "/refused": "See the causes",
    "/setup": "Check the set-up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One thing that is wrong, and what mends it.

    Attributes:
        link: address and words of the button, if there is a page that mends it.
        command: what to type in a terminal else; may be empty.
        outside: the link leads to another site.
    """

    severity: str
    says: str
    do: str
    link: tuple[str, str] | None = None
    command: str = ""
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """Everything on the first page.

    Attributes:
        problems: what to see to first, first.
        delays_s: from hang-up to note, of the last calls that were written.
        missed_open: how many missed calls nobody has answered; the oldest began at `missed_since`.
        heard: keys of those of `rows` whose recording was stored.
    """

    problems: list[Headline]
    queue: Mapping[str, Any]
    running: Sequence[Process]
    traffic: Traffic
    rows: list[CallRow]
    heard: set[str]
    delays_s: list[float]
    missed_open: int
    missed_since: datetime | None

    @property
    def usual_delay_s(self) -> float | None:
        return statistics.median(self.delays_s) if self.delays_s else None

    def in_last_hour(self, what: str) -> int:
        return total(self.traffic.minutes, what)

    def in_last_day(self, what: str) -> int:
        return total(self.traffic.hours, what)


def total(counts: Iterable[Count], what: str) -> int:
    return sum(getattr(one, what) for one in counts)


def now_view(
    ledger: Ledger, rules: Rules, queue: Mapping[str, Any], *, pages: Iterable[str] = _BUTTONS
) -> Now:
    """Args: pages: addresses that exist, for the buttons."""
    running = ledger.processes()
    rows = find_calls(ledger, rules, Search(limit=_LAST_CALLS)).rows
    problems = what_is_wrong(ledger, queue, running)
    longest = longest_open(ledger)
    return Now(
        problems=[headline_of(one, queue["connections"], pages=pages) for one in problems],
        queue=queue,
        running=running,
        traffic=read_traffic(ledger),
        rows=rows,
        heard=with_recording(ledger, rows),
        delays_s=_delays(ledger, rows),
        missed_open=open_misses(ledger),
        missed_since=longest,
    )


def headline_of(
    problem: Problem, connections: Mapping[str, Mapping[str, Any]], *, pages: Iterable[str] = _BUTTONS
) -> Headline:
    """A problem with its button: the page that mends it, the link to reconnect, else a command."""
    says = f"{problem.says[:1].upper()}{problem.says[1:]}."
    is_command = problem.do.startswith("callbridge ")
    do = f"In a terminal: `{problem.do}`." if is_command else f"{problem.do[:1].upper()}{problem.do[1:]}."
    found = _COMMAND.search(problem.do)
    command = found[1] if found else problem.do if is_command else ""
    headline = Headline(severity=problem.severity, says=says, do=do, command=command)
    scope = problem.name.partition(":")[2]
    outside = str((connections.get(scope) or {}).get("link") or "") if problem.kind == "paused" else ""
    if outside.startswith(("https://", "http://")):
        return _with_link(headline, outside, "Connect it again", outside=True)
    if problem.kind == "paused" and "/setup" in pages:
        return _with_link(headline, "/setup", "Check the set-up")
    if problem.page in _BUTTONS and problem.page in pages:
        return _with_link(headline, problem.page, _BUTTONS[problem.page])
    return headline


def _with_link(headline: Headline, address: str, words: str, *, outside: bool = False) -> Headline:
    return Headline(
        severity=headline.severity, says=headline.says, do=headline.do, link=(address, words), outside=outside
    )


def with_recording(ledger: Ledger, rows: Sequence[CallRow]) -> set[str]:
    """Keys of the calls whose recording was stored, in one round trip."""
    parts = [(row.key, row.key) for row in rows]
    parts += [(row.key, f"id:{row.call_id}") for row in rows if row.call_id is not None]
    found = have_observation(ledger, "recording", [part for _, part in parts]) if parts else []
    return {key for (key, _), there in zip(parts, found, strict=True) if there}


def _delays(ledger: Ledger, rows: Sequence[CallRow]) -> list[float]:
    ended = [(row.key, row.ended_at) for row in rows if row.synced_at and row.ended_at]
    if not ended:
        return []
    noted = noted_at(ledger, [key for key, _ in ended])
    return [_seconds(at, note) for (_, at), note in zip(ended, noted, strict=True) if at is not None and note]


def _seconds(ended_at: datetime, note: datetime) -> float:
    # The two come from different clocks.
    return max((note - ended_at).total_seconds(), 0.0)
