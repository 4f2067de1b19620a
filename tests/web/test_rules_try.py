"""`/rules/try`: other rules compared with those in force, on past calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from bridge.ledger.ledger import Ledger
from tests.reports.many_calls import FIRST_ID, body_of, key_of, put_on_record
from tests.web.people import AMY, BO, PEOPLE, session
from tests.web.serving import Answer, Site

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MISSED_DONE = 'version = 2\r\n[[rule]]\r\nwhen = { outcome = "missed" }\r\nthen = { status = "done" }\r\n'


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE, app={"sign_in_takes_s": 0.0})


@pytest.fixture
def bo(site: Site) -> dict[str, str]:
    return session(site, BO)


def compare(site: Site, who: dict[str, str], text: str, since: str = "7d") -> Answer:
    return site.ask("POST", "/rules/try", urlencode({"text": text, "since": since}).encode(), {**FORM, **who})


def lately(number: int, **other: Any) -> dict[str, Any]:
    began = datetime.now(UTC) - timedelta(hours=number)
    ended = began + timedelta(minutes=1)
    return body_of(number, started_at=began.isoformat(), ended_at=ended.isoformat(), **other)


def test_an_operator_sees_what_would_differ_and_what_it_costs(
    site: Site, bo: dict[str, str], ledger: Ledger
) -> None:
    put_on_record(ledger, [lately(1), lately(3)])

    answer = compare(site, bo, MISSED_DONE)

    assert answer.status == 200
    assert "1 of 2 calls would differ" in answer.text
    assert f'<a href="/calls/{key_of(3)}">{FIRST_ID + 3}</a>' in answer.text
    assert "about 2 requests to Kustomer" in answer.text
    assert "when = { outcome" in answer.text


def test_the_role_read_may_not_try(site: Site, ledger: Ledger) -> None:
    amy = session(site, AMY)

    assert compare(site, amy, MISSED_DONE).status == 403
    assert site.ask("GET", "/rules/try", headers=amy).status == 403
    assert "/rules/try" not in site.ask("GET", "/rules", headers=amy).text


def test_mistakes_are_named_with_line_and_column(site: Site, bo: dict[str, str]) -> None:
    answer = compare(site, bo, 'version = 2\r\n[conversation]\r\nstatus = { missed = "closed" }')

    assert answer.status == 200
    assert "3:" in answer.text
    assert "would differ" not in answer.text


def test_a_time_that_cannot_be_read_says_so(site: Site, bo: dict[str, str]) -> None:
    assert "neither a time nor a duration" in compare(site, bo, MISSED_DONE, "yesterday").text


def test_what_is_pasted_is_shown_as_text(site: Site, bo: dict[str, str]) -> None:
    answer = compare(site, bo, "</textarea><script>alert(1)</script>")

    assert "<script>alert(1)" not in answer.text


def test_a_file_beyond_the_bound_is_refused(site: Site, bo: dict[str, str]) -> None:
    assert compare(site, bo, "#" + "a" * 300_000).status == 200
    assert compare(site, bo, "ä" * 300_000).status == 413
