"""A sync keeps the summary of its call that a list would make, so that lists read no events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls import reading, summary
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.summary import Summary, reading_mark
from bridge.reports.call_list import Cursor, Search, find_calls
from tests.support import Bridge, ended
from tests.waiting import eventually


@pytest.fixture
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("a list read the events of calls")

    monkeypatch.setattr(summary, "read_all", refuse)


def received(bridge: Bridge) -> str:
    found = bridge.receive("call-ended", ended())
    assert isinstance(found, Learnt)
    go_on(bridge)
    return found.key


def go_on(bridge: Bridge) -> None:
    """Wait for the next millisecond: what was learnt in that of a reader has no summary yet."""
    at_ms = bridge.ledger.now_ms()
    eventually(lambda: bridge.ledger.now_ms() > at_ms, "the next millisecond")


def kept(bridge: Bridge, key: str) -> Mapping[str, str]:
    return cast(Mapping[str, str], bridge.ledger.redis.hgetall(keys.record(key)))


def test_a_list_reads_no_events_of_a_call_that_was_synced(bridge: Bridge, no_events: None) -> None:
    key = received(bridge)
    bridge.run_jobs()

    (row,) = find_calls(bridge.ledger, Rules(), Search()).rows

    record = bridge.ledger.read(key)
    call = record.call(Rules())
    assert (row.key, row.state, row.number) == (key, "synced", call.external and call.external.text)
    text, score = kept(bridge, key)[Field.ROW], record.learnt_ms
    assert Summary.read(text, reading_mark(Rules()), score) == Summary.of(record, call)


def test_what_came_since_makes_a_summary_anew_once(bridge: Bridge, request: pytest.FixtureRequest) -> None:
    key = received(bridge)
    bridge.run_jobs()
    bridge.receive("call-modified", ended(contact_name="Ada Example of Somewhere"))
    go_on(bridge)

    def names() -> list[str | None]:
        return [row.customer_name for row in find_calls(bridge.ledger, Rules(), Search()).rows]

    before = kept(bridge, key)[Field.ROW]
    assert names() == ["Ada Example of Somewhere"]
    assert kept(bridge, key)[Field.ROW] != before
    request.getfixturevalue("no_events")
    assert names() == ["Ada Example of Somewhere"]


def test_a_list_ends_early_rather_than_to_take_long_over_events(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.reports.call_list._LONGEST_LOOK_S", 0)
    for number in range(1, 26):
        bridge.receive("call-started", {"call_id": number})

    sizes: list[int] = []
    search = Search()
    while True:
        page = find_calls(bridge.ledger, Rules(), search)
        sizes.append(len(page.rows))
        if page.next is None:
            break
        search = Search(cursor=Cursor.read(page.next))

    assert sizes[0] == summary.AT_ONCE
    assert sum(sizes) == 25
    # The next list finds the summaries there.
    assert len(find_calls(bridge.ledger, Rules(), Search()).rows) == 25


def test_other_rules_read_old_calls_anew(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended(external_number="01632 960304"))
    bridge.run_jobs()

    def number(rules: Rules) -> str | None:
        return find_calls(bridge.ledger, rules, Search()).rows[0].number

    assert number(Rules()) == "01632960304"
    assert number(Rules(region="GB")) == "+441632960304"


def test_a_list_tells_of_a_call_whose_events_are_past_their_time(bridge: Bridge) -> None:
    key = received(bridge)
    bridge.run_jobs()
    for part in bridge.ledger.read(key).own_keys:
        bridge.ledger.redis.delete(keys.events(part))

    for rules in (Rules(), Rules(region="GB")):
        (row,) = find_calls(bridge.ledger, rules, Search(q="960304")).rows
        assert (row.number, row.customer_name, row.state) == ("+441632960304", "Ada Example", "synced")


def test_a_summary_is_not_kept_for_a_call_that_was_forgotten_meanwhile(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = received(bridge)
    record = bridge.ledger.read(key)
    read_all = reading.read_all

    def forget_after(*given: Any) -> Any:
        records = read_all(*given)
        bridge.ledger.forget(record)
        return records

    monkeypatch.setattr(summary, "read_all", forget_after)
    find_calls(bridge.ledger, Rules(), Search())

    assert kept(bridge, key) == {}
