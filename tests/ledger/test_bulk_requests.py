"""When bulk requests are wanted, and what they may still make."""

from __future__ import annotations

import redis

from bridge.ledger.bulk import BACKLOG, BACKLOG_ENDS, BulkRequests, ends_in_s, keep_failed, keep_worked
from bridge.ledger.ledger import Ledger
from tests.support import let_pass


def wanted(ledger: Ledger, *backlogs: int) -> list[bool]:
    """At each look, with so many jobs that wait."""
    waiting = iter(backlogs)
    requests = BulkRequests(ledger, backlog=lambda: next(waiting), look_every_s=0)
    return [requests.is_wanted() for _ in backlogs]


def test_they_are_wanted_from_the_beginning_of_a_backlog_to_its_end(redis_client: redis.Redis) -> None:
    ledger = Ledger(redis_client)
    keep_worked(ledger, at_ms=1, took_s=2.0)

    found = wanted(ledger, BACKLOG - 1, BACKLOG, BACKLOG_ENDS, BACKLOG_ENDS - 1, BACKLOG_ENDS)

    assert found == [False, True, True, False, False]


def test_they_are_not_wanted_where_nobody_saw_them_work(redis_client: redis.Redis) -> None:
    ledger = Ledger(redis_client)
    never = wanted(ledger, BACKLOG)
    keep_worked(ledger, at_ms=1, took_s=2.0)
    keep_failed(ledger)

    assert [*never, *wanted(ledger, BACKLOG)] == [False, False]


def test_what_a_request_may_still_make_is_told_until_it_ends_or_runs_out(redis_client: redis.Redis) -> None:
    ledger = Ledger(redis_client)
    requests = BulkRequests(ledger, backlog=lambda: 0)

    first = requests.begin(["a", "b"])
    again = requests.begin(["b", "c"])
    requests.end(["a"])

    assert (set(first), set(again)) == (set(), {"b"})
    assert ends_in_s(ledger, "a") == 0
    assert ends_in_s(ledger, "b") > 0
    let_pass(redis_client, 900)
    assert ends_in_s(ledger, "b") == 0
