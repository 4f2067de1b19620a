"""The list of calls as a CSV file that a spreadsheet opens and does not run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from bridge.reports.call_list import LONGEST_PAGE, CallPage, Cursor, Search
from bridge.reports.call_row import CallRow, masked

MOST_ROWS = 100_000
COLUMNS = (
    "call_id", "uuid", "started_at", "direction", "outcome", "number", "customer", "agent", "agent_id",
    "state", "reason", "synced_at", "conversation_id",
)  # fmt: skip
# What makes a spreadsheet take a cell for a formula; also behind spaces, and as full-width characters.
_STARTS_FORMULA = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_IGNORED = " \u00a0\u200b\u2060\u3000\ufeff"
_LINE_ENDS = str.maketrans(dict.fromkeys("\r\n\t\x0b\x0c\x00\x1c\x1d\x1e\x85\u2028\u2029", " "))


def csv_link(filters: Mapping[str, str]) -> str:
    """The address of the CSV export of a list with these filters (by the names of `SEARCH_FIELDS`)."""
    given = {name: text for name, text in filters.items() if text and name not in ("cursor", "limit")}
    return "/api/calls.csv" + (f"?{urlencode(given)}" if given else "")


def csv_pieces(
    find: Callable[[Search], CallPage], search: Search, *, zone: str, mask: bool, most: int = MOST_ROWS
) -> Iterator[str]:
    """The file in pieces, one page of calls each, so that nobody has to hold all of it.

    Args:
        find: reads one page, as `call_list.find_calls` does.
        zone: of all times, by the name that `TIME_ZONE` has.
        mask: for people who may not see numbers and names.
        most: how many calls; if there are more, the last line says so.
    """
    yield _lines([COLUMNS])
    left = most
    while left > 0:
        page = find(replace(search, limit=min(LONGEST_PAGE, left)))
        yield _lines([_cells(masked(row) if mask else row, ZoneInfo(zone)) for row in page.rows])
        if page.next is None:
            return
        left -= len(page.rows)
        search = replace(search, cursor=Cursor.read(page.next))
    yield _lines([[f"(only the first {most} calls; narrow the search to get the others)"]])


def _cells(row: CallRow, zone: ZoneInfo) -> list[str]:
    return [
        str(row.call_id or ""),
        row.uuid or "",
        _time(row.started_at, zone),
        row.direction or "",
        row.outcome,
        row.number or "",
        row.customer_name or "",
        row.agent_name or "",
        str(row.agent_id or ""),
        row.state,
        row.reason or "",
        _time(row.synced_at, zone),
        row.conversation_id or "",
    ]


def _time(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds") if at is not None else ""


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: str) -> str:
    """An apostrophe in front is how spreadsheets mark text; they show the rest."""
    one_line = cell.translate(_LINE_ENDS)
    return f"'{one_line}" if one_line.lstrip(_IGNORED).startswith(_STARTS_FORMULA) else one_line
