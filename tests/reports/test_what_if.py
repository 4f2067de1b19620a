"""What other rules would make of calls on record: which differ, how, and what it would cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.domain.outcome import Outcome
from bridge.domain.rules.file import read_rules_bytes
from bridge.domain.rules.model import DEFAULT_STATUS, Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys
from bridge.ledger.budgets.budget import Share
from bridge.ledger.calls.record_fields import Field, State
from bridge.ledger.ledger import Ledger
from bridge.reports.what_if import Difference, WhatIf
from tests.reports.many_calls import FIRST_ID, NOON, body_of, key_of, put_on_record, uuid_of

SHARES = {"kustomer": Share(requests=900, window_s=60), "cloudtalk": Share(requests=50, window_s=60)}
WEEK = timedelta(days=7)


def trial(ledger: Ledger, would: Rules, was: Rules | None = None, **other: Any) -> WhatIf:
    span: dict[str, Any] = {"since": NOON - WEEK, "until": NOON + WEEK, "now": NOON + WEEK}
    return WhatIf(ledger=ledger, was=was or Rules(), would=would, **{**span, **other})


def differing(ledger: Ledger, would: Rules, was: Rules | None = None, **other: Any) -> list[Difference]:
    return list(trial(ledger, would, was, **other))


def rules_of(text: str) -> Rules:
    found = read_rules_bytes(f"version = 2\n{text}".encode())
    assert not found.wrong
    return found.rules


def put_in(ledger: Ledger, *bodies: dict[str, Any], known: bool = True) -> None:
    put_on_record(ledger, bodies, known=known)


def everything(ledger: Ledger) -> dict[str, bytes | None]:
    return {name: ledger.redis.dump(name) for name in sorted(ledger.redis.scan_iter("*"))}


def test_only_calls_that_differ_are_named_with_only_what_differs(ledger: Ledger) -> None:
    put_in(ledger, body_of(1), body_of(3))

    found = trial(ledger, Rules(status={**DEFAULT_STATUS, Outcome.MISSED: "done"}))

    assert [one.line() for one in found] == [
        {
            "key": key_of(3),
            "call_id": FIRST_ID + 3,
            "uuid": str(uuid_of(3)),
            "was": {"status": "open"},
            "would": {"status": "done"},
        }
    ]
    assert (found.calls, found.differing, dict(found.kinds)) == (2, 1, {"conversation": 1})
    assert (found.requests, found.minutes(SHARES)) == (2, 0.1)


def test_the_same_rules_differ_in_nothing(ledger: Ledger) -> None:
    put_in(ledger, body_of(1), body_of(3))

    assert differing(ledger, Rules(version="another", source="new.toml")) == []


def test_where_a_choice_stands_in_the_file_is_no_difference(ledger: Ledger) -> None:
    put_in(ledger, body_of(1))

    assert (
        differing(
            ledger, rules_of("[conversation]\nper = 'call'"), rules_of("# A line.\n[write]\npath = false")
        )
        == []
    )


def test_nothing_is_written(ledger: Ledger) -> None:
    put_in(ledger, *(body_of(number) for number in range(1, 30)))
    before = everything(ledger)

    differing(ledger, Rules(tags=("phone",)), until=NOON)

    assert everything(ledger) == before


def test_a_call_that_would_not_be_written_says_why_and_that_it_stays(ledger: Ledger) -> None:
    put_in(ledger, body_of(3))
    would = rules_of('[[rule]]\nwhen = { outcome = "missed" }\nthen = { write = false }')

    found = trial(ledger, would)
    one = next(iter(found))

    assert one.was == {"written": True}
    assert one.would["written"] is False
    assert "rule 1 (line 2)" in one.would["why"]
    assert (one.stays, one.moves, found.requests) == (("written",), False, 0)


def test_a_call_that_would_be_written_costs_its_requests(ledger: Ledger) -> None:
    body = body_of(1, external_number="112")
    put_in(ledger, body)
    ledger.redis.hdel(keys.record(key_of(1)), "out:customer", "out:conversation", "out:note")

    found = trial(ledger, Rules(write_short=True, tags=("phone",)))
    one = next(iter(found))

    assert one.was["written"] is False
    assert one.would == {"written": True, "status": "done", "tags": ["phone"]}
    assert one.moves
    assert found.requests == 4


def test_a_later_rule_for_the_same_call_changes_nothing(ledger: Ledger) -> None:
    put_in(ledger, body_of(1))
    first = '[[rule]]\nwhen = { outcome = "answered" }\nthen = { status = "open" }\n'
    second = '[[rule]]\nwhen = { direction = "incoming" }\nthen = { status = "done" }\n'

    assert differing(ledger, rules_of(first + second), rules_of(first)) == []


@pytest.mark.parametrize(
    ("other", "kind", "name", "stays"),
    [
        ({"tags": ("sales",)}, "conversation", "tags", False),
        ({"priority": 2}, "conversation", "priority", False),
        ({"per": "missed_caller"}, "conversation", "per", True),
        ({"call_back_minutes": 30}, "note", "call_back_minutes", False),
        ({"team": "Sales"}, "owner", "team", False),
        ({"assign": "longest"}, "owner", "assign", False),
        ({"customer_tags": ("new",)}, "customer", "customer_tags", True),
        ({"unknown": "house", "house": "5" * 24}, "customer", "unknown", True),
        ({"record": False}, "recording", "fetch", True),
        ({"attach": "original"}, "recording", "attach", False),
        ({"attach": "never"}, "recording", "attach", True),
    ],
)
def test_each_kind_of_difference(
    ledger: Ledger, other: dict[str, Any], kind: str, name: str, stays: bool
) -> None:
    put_in(ledger, body_of(3), known=False)
    body = {**body_of(3), "recording_url": "https://example.com/a.wav"}
    event = read_event("recording-uploaded", body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)
    ledger.redis.hset(keys.record(key_of(3)), Field.CALLER, "unknown")

    (found,) = differing(ledger, Rules(**other))

    assert found.kinds == {kind}
    assert name in found.would
    assert found.was[name] != found.would[name]
    assert (name in found.stays, found.moves) == (stays, not stays)


def test_choices_for_new_customers_matter_only_for_these(ledger: Ledger) -> None:
    put_in(ledger, body_of(1), known=True)

    assert differing(ledger, Rules(customer_tags=("new",), unknown="skip", locale="de")) == []


def test_a_new_caller_whom_the_rules_would_skip_is_not_written(ledger: Ledger) -> None:
    put_in(ledger, body_of(1), known=False)

    (found,) = differing(ledger, Rules(unknown="skip"))

    assert found.would["written"] is False


def test_tags_that_would_go_stay(ledger: Ledger) -> None:
    put_in(ledger, body_of(1))

    found = trial(ledger, Rules(tags=("phone",)), Rules(tags=("phone", "old")))

    assert [one.stays for one in found] == [("tags",)]
    assert dict(found.stays) == {"tags": 1}
    assert found.requests == 0


def test_since_counts_by_the_start_in_any_zone_and_until_is_not_included(ledger: Ledger) -> None:
    put_in(
        ledger,
        body_of(1, started_at="2026-11-26T09:00:00+01:00", ended_at="2026-11-26T09:05:00+01:00"),
        body_of(2, started_at="2026-11-26T07:59:59+00:00", ended_at="2026-11-26T08:30:00+00:00"),
        body_of(4, started_at="2026-11-26T02:30:00-06:00", ended_at="2026-11-26T02:31:00-06:00"),
        body_of(5, started_at="2026-11-26T09:00:00+00:00", ended_at="2026-11-26T09:01:00+00:00"),
    )
    day = datetime(2026, 11, 26, tzinfo=UTC)

    found = differing(ledger, Rules(tags=("a",)), since=day.replace(hour=8), until=day.replace(hour=9))

    assert {one.call_id for one in found} == {FIRST_ID + 1, FIRST_ID + 4}


def test_what_a_person_dropped_and_what_is_forgotten_is_left_out(ledger: Ledger) -> None:
    put_in(ledger, body_of(1), body_of(2))
    ledger.redis.hset(keys.record(key_of(1)), Field.STATE, State.DROPPED)
    ledger.forget(ledger.read(key_of(2)))

    assert differing(ledger, Rules(tags=("a",))) == []


def test_calls_of_which_too_little_is_known_are_counted(ledger: Ledger) -> None:
    put_in(ledger, body_of(1))
    would = rules_of('[[rule]]\nwhen = { group = "Sales" }\nthen = { status = "open" }')

    found = trial(ledger, replace(would, match=("phone",)))

    assert list(found) == []
    assert dict(found.cannot_tell) == {"customer": 1, "path": 1}


def test_it_stops_at_its_bounds_and_says_so(ledger: Ledger) -> None:
    put_in(ledger, *(body_of(number) for number in range(1, 20)))

    found = trial(ledger, Rules(tags=("a",)), most=5)

    assert len(list(found)) == 5
    assert found.summary(SHARES)["complete"] is False


@pytest.mark.slow
def test_calls_with_one_place_in_time_are_each_read_once(ledger: Ledger) -> None:
    put_in(ledger, *(body_of(number) for number in range(1, 251)))
    ledger.redis.zadd(keys.CALLS, {key_of(number): 1_796_000_000_000 for number in range(1, 251)})

    found = differing(ledger, Rules(tags=("a",)))

    assert len({one.key for one in found}) == len(found) == 250


@pytest.mark.slow
def test_a_trial_of_many_calls_counts_all_and_writes_nothing(ledger: Ledger) -> None:
    # How long ten thousand take is measured in tests/benchmarks/what_if.py.
    put_in(ledger, *(body_of(number) for number in range(1, 1_501)))
    names = ledger.redis.dbsize()
    changes = ledger.redis.info("persistence")["rdb_changes_since_last_save"]

    found = trial(ledger, Rules(tags=("a",), status={**DEFAULT_STATUS, Outcome.MISSED: "done"}))
    differing = sum(1 for _ in found)

    assert (found.calls, differing) == (1_500, 1_500)
    assert ledger.redis.dbsize() == names
    assert ledger.redis.info("persistence")["rdb_changes_since_last_save"] == changes
