"""The CSV export of the list of calls: what is in it, and that no spreadsheet runs it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.ledger.ledger import Ledger
from bridge.reports.call_csv import COLUMNS, csv_link, csv_pieces
from bridge.reports.call_list import CallPage, Search
from bridge.reports.call_row import CallRow
from tests.web.serving import ENDED, Site
from tests.web.test_api import finish, receive

ROW = CallRow(
    key="id:7",
    call_id=7,
    uuid=None,
    state="skipped",
    reason="internal call",
    direction="incoming",
    outcome="answered",
    number="+441632960304",
    customer_name="Ada Example",
    agent_id=400101,
    agent_name="Bo Sample",
    started_at=datetime(2026, 7, 2, 9, 23, tzinfo=UTC),
    when=datetime(2026, 7, 2, 9, 23, tzinfo=UTC),
    synced_at=None,
    conversation_id=None,
)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def exported(row: CallRow, *, mask: bool = False) -> dict[str, str]:
    pieces = csv_pieces(lambda _: CallPage(rows=[row], next=None), Search(), zone="Europe/London", mask=mask)
    return read("".join(pieces))[0]


def test_the_export_holds_the_calls_that_pass_the_filters(site: Site, ledger: Ledger) -> None:
    first = receive(site, 1, contact_name="Eve Sample")
    receive(site, 2)
    finish(ledger, first, state="skipped", reason="internal call")

    answer = site.get("/api/calls.csv?q=eve")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="calls.csv"'
    (row,) = read(answer.text)
    assert row == {
        "call_id": "1",
        "uuid": first.removeprefix("uuid:"),
        "started_at": "2026-03-02T09:23:00+00:00",
        "direction": "incoming",
        "outcome": "answered",
        "number": "'+441632960304",
        "customer": "Eve Sample",
        "agent": "Bo Sample",
        "agent_id": "",
        "state": "skipped",
        "reason": "internal call",
        "synced_at": "",
        "conversation_id": "",
    }


def test_the_export_goes_on_over_all_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.reports.call_csv.LONGEST_PAGE", 2)
    for number in range(1, 6):
        receive(site, number)

    assert [row["call_id"] for row in read(site.get("/api/calls.csv").text)] == ["5", "4", "3", "2", "1"]


def test_an_export_that_leaves_calls_out_says_so() -> None:
    def find(search: Search) -> CallPage:
        return CallPage(rows=[ROW] * search.limit, next="1~id:7")

    lines = "".join(csv_pieces(find, Search(), zone="UTC", mask=False, most=300)).splitlines()

    assert len(lines) == 1 + 300 + 1
    assert lines[-1] == "(only the first 300 calls; narrow the search to get the others)"


@pytest.mark.parametrize(
    "name",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "  =1",
        "\t=1",
        "\r=1",
        "\uff1d1",
        "\u2028=1",
        "|calc",
        "%0A",
        "\ufeff=1",
    ],
)
def test_no_cell_is_a_formula(name: str) -> None:
    cell = exported(replace(ROW, customer_name=name))["customer"]

    assert cell.startswith("'")


def test_a_name_with_commas_quotes_and_line_ends_stays_one_cell() -> None:
    row = exported(replace(ROW, customer_name='Ada "Al", Example\r\nInc'))

    assert row["customer"] == 'Ada "Al", Example  Inc'
    assert row["agent"] == "Bo Sample"


def test_times_are_in_the_zone_of_all_screens() -> None:
    assert exported(ROW)["started_at"] == "2026-07-02T10:23:00+01:00"


def test_a_masked_export_names_nobody() -> None:
    row = exported(ROW, mask=True)

    assert (row["number"], row["customer"], row["agent"]) == ("…304", "A…", "B…")


def test_a_wrong_filter_is_refused_and_no_file_begins(site: Site) -> None:
    answer = site.get("/api/calls.csv?state=lost")

    assert (answer.status, answer.json["error"]) == (400, "invalid search")


def test_the_link_to_the_export_keeps_the_filters_and_not_the_page() -> None:
    filters = {"q": "+44 1632", "state": "", "cursor": "1~id:7", "limit": "50"}

    assert csv_link(filters) == "/api/calls.csv?q=%2B44+1632"
    assert csv_link({}) == "/api/calls.csv"


def test_the_columns_are_those_of_the_head(site: Site) -> None:
    site.post(ENDED)

    assert tuple(read(site.get("/api/calls.csv").text)[0]) == COLUMNS
