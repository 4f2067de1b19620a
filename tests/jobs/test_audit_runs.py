"""An audit that somebody asked for is done by the clock, and its result is kept for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.errors import Rejected
from bridge.ledger import audits, keys, trail
from bridge.reconcile.audit_runs import Stopped, do_next
from bridge.sandbox.running import RunningSandbox
from tests.jobs.listing import ago, now, the_day
from tests.jobs.test_audit import write
from tests.support import Bridge


@pytest.fixture(autouse=True)
def _plenty(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.limit(1_000_000)
    sandbox.kustomer.limit(1_000_000)


def asked(bridge: Bridge, *, repair: bool = False, who: str = "Bo") -> audits.AuditRun:
    span = the_day()
    return audits.ask(bridge.ledger, since=span.since, until=span.until, repair=repair, who=who)


def test_an_audit_that_was_asked_for_is_done_and_told_by_day(bridge: Bridge, sandbox: RunningSandbox) -> None:
    write(bridge, sandbox)
    lost = sandbox.cloudtalk.add_call(started_at=ago(hours=1))
    run = asked(bridge)
    assert (run.state, run.says) == ("queued", "waits for the clock")

    assert do_next(bridge.deps, now(), bridge.let_pass)

    run = audits.find(bridge.ledger, run.id)
    assert (run.state, run.calls, run.counts["missing"]) == ("done", 2, 1)
    assert sum(day["calls"] for day in run.days) == 2
    assert sum(day["missing"] for day in run.days) == 1
    assert run.requests > 0
    assert [one["call_id"] for one in audits.items(bridge.ledger, run.id)["missing"]] == [lost["id"]]
    assert not do_next(bridge.deps, now(), bridge.let_pass)


def test_a_repair_writes_what_is_missing_and_names_the_person(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    lost = sandbox.cloudtalk.add_call(started_at=ago(hours=1))
    run = asked(bridge, repair=True)

    do_next(bridge.deps, now(), bridge.let_pass)
    bridge.run_jobs_for(20, step_s=5)

    (result,) = audits.items(bridge.ledger, run.id)["repaired"]
    assert result["says"] == f"call {lost['id']}: found in CloudTalk's list, will be written"
    assert {line["who"] for line in trail.read(bridge.ledger)} == {"Bo"}
    again = asked(bridge)
    do_next(bridge.deps, now(), bridge.let_pass)
    assert set(audits.find(bridge.ledger, again.id).counts.values()) == {0}


def test_one_who_asks_twice_gets_the_same_audit(bridge: Bridge) -> None:
    since = now() - timedelta(days=1)
    first = audits.ask(bridge.ledger, since=since, until=now(), repair=False, who="Bo")
    second = audits.ask(bridge.ledger, since=since, until=first.until, repair=False, who="Bo")

    assert first.id == second.id


def test_an_audit_whose_process_ends_is_begun_anew_by_another(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    run = asked(bridge)

    def ends(seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        do_next(bridge.deps, now(), ends)
    assert audits.find(bridge.ledger, run.id).state == "queued"

    assert do_next(bridge.deps, now(), bridge.let_pass)
    assert audits.find(bridge.ledger, run.id).state == "done"


def test_a_killed_process_keeps_an_audit_for_two_minutes_only(bridge: Bridge) -> None:
    run = asked(bridge)
    assert audits.take(bridge.ledger) is not None
    assert audits.take(bridge.ledger) is None

    bridge.ledger.redis.delete(f"{keys.TAG}:audit:{run.id}:turn")
    bridge.ledger.redis.hset(f"{keys.TAG}:audit:{run.id}", "told_at", "1")

    assert audits.take(bridge.ledger) is not None


def test_a_service_that_refuses_ends_the_audit_with_the_reason(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    run = asked(bridge)
    sandbox.cloudtalk.fail_next(403)

    do_next(bridge.deps, now(), bridge.let_pass)

    result = audits.find(bridge.ledger, run.id)
    assert result.state == "failed"
    assert "403" in result.says or "refused" in result.says.lower()


def test_only_the_newest_audits_are_kept(bridge: Bridge) -> None:
    ids = []
    for hours in range(audits.MOST + 2):
        span = (now() - timedelta(days=2, hours=hours), now())
        ids.append(audits.ask(bridge.ledger, since=span[0], until=span[1], repair=False, who="Bo").id)

    assert [run.id for run in audits.audits(bridge.ledger)] == ids[: -audits.MOST - 1 : -1]
    with pytest.raises(Rejected):
        audits.find(bridge.ledger, ids[0])


def test_a_forgotten_call_is_taken_out_of_what_audits_found(bridge: Bridge, sandbox: RunningSandbox) -> None:
    lost = sandbox.cloudtalk.add_call(started_at=ago(hours=1))
    other = sandbox.cloudtalk.add_call(started_at=ago(hours=1))
    run = asked(bridge, repair=True)
    do_next(bridge.deps, now(), bridge.let_pass)
    record = bridge.ledger.find(str(lost["id"]))
    assert record is not None

    bridge.ledger.forget(record)

    found = audits.items(bridge.ledger, run.id)
    assert [one["call_id"] for one in found["missing"]] == [other["id"]]
    assert len(found["repaired"]) == 1
