"""Calls that were given up, dropped by a person, or never told to have ended: all who look at them agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from bridge.domain.rules.model import Rules
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.ledger import trail
from bridge.ledger.budgets.budget import Share
from bridge.ledger.calls.call_status import CallState, call_statuses
from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.queue import parked
from bridge.reconcile.audit import Audit
from bridge.reconcile.backfill import Backfill, Estimate
from bridge.reconcile.periodic import Rounds
from bridge.reconcile.repair import repair_findings
from bridge.reports.views import call_view
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.jobs.listing import ago, now, the_day, webhook_of
from tests.jobs.test_backfill import fill
from tests.support import Bridge

EVERY = timedelta(minutes=5)
WHO, WHY = "ann@desk", "the customer asked for it"


@pytest.fixture(autouse=True)
def _plenty(sandbox: RunningSandbox) -> None:
    """What is waited for here is not a budget: real time would have to pass for one."""
    sandbox.cloudtalk.limit(1_000_000)
    sandbox.kustomer.limit(1_000_000)


def drop(bridge: Bridge, **wanted: str) -> list[parked.Parked]:
    return parked.drop(bridge.ledger, parked.choose(bridge.ledger, wanted), who=WHO, reason=WHY)


def refused(bridge: Bridge, sandbox: RunningSandbox) -> dict[str, Any]:
    """A call that only the list told of, and that Kustomer refuses."""
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=3))
    sandbox.kustomer.fail_next(400, path="/conversations$", method="POST")
    assert fill(bridge).counted() == {CallState.PARKED: 1}
    return call


def stands(bridge: Bridge, call: dict[str, Any]) -> CallState:
    return call_statuses(bridge.ledger, [call["id"]])[call["id"]].stands


def shown(bridge: Bridge, call: dict[str, Any]) -> tuple[str, str]:
    view = call_view(bridge.ledger, bridge.rules, bridge.record(call["uuid"]))
    return view["state"], view["reason"]


def test_a_dropped_call_says_who_dropped_it_and_why_wherever_it_is_looked_at(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = refused(bridge, sandbox)
    Rounds(bridge.deps, every=EVERY).go(now())
    assert calls_missing(bridge.ledger) == 1

    assert len(drop(bridge)) == 1

    assert shown(bridge, call) == ("skipped", f"dropped by {WHO}: {WHY}")
    Rounds(bridge.deps, every=EVERY).go(now() + EVERY)
    assert calls_missing(bridge.ledger) == 0
    found = Backfill(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass)).look(now())
    assert [one.reason for one in found.dropped] == [f"dropped by {WHO}: {WHY}"]
    assert (found.missing, found.unfinished) == ({}, {})
    assert fill(bridge).total == 0
    assert sandbox.kustomer.conversations == []


def test_an_audit_leaves_a_dropped_call_alone_and_says_so(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = refused(bridge, sandbox)
    drop(bridge)
    audit = Audit(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass))

    findings = audit.look(now())
    done = repair_findings(bridge.ledger, audit, findings, who=WHO)
    bridge.run_jobs_for(30, step_s=5)

    assert findings.clean
    assert calls_missing(bridge.ledger) == 0
    assert done == [f"call {call['id']}: left alone (dropped by {WHO}: {WHY})"]
    assert sandbox.kustomer.conversations == []


def test_a_call_without_uuid_that_was_dropped_is_not_missing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    """The list alone told of it, and CloudTalk refuses its detail."""
    sandbox.cloudtalk.add_call(started_at=ago(hours=3))
    sandbox.cloudtalk.fail_next(403, path="/calls/[0-9]+$")
    fill(bridge)

    drop(bridge, kind="detail")

    assert Audit(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass)).look(now()).clean


def by_news(bridge: Bridge, call: dict[str, Any]) -> None:
    bridge.receive("call-ended", webhook_of(call))


def by_hand(bridge: Bridge, call: dict[str, Any]) -> None:
    bridge.ledger.replay("sync", f"uuid:{call['uuid']}", who=WHO)


@pytest.mark.parametrize("back", [by_news, by_hand])
def test_a_dropped_call_comes_back_by_news_or_by_hand(
    bridge: Bridge, sandbox: RunningSandbox, back: Callable[[Bridge, dict[str, Any]], None]
) -> None:
    call = refused(bridge, sandbox)
    drop(bridge)

    back(bridge, call)

    assert stands(bridge, call) is CallState.WAITING
    bridge.run_jobs_for(30, step_s=5)
    one_of_each(sandbox)
    assert stands(bridge, call) is CallState.WRITTEN
    assert shown(bridge, call)[0] == "synced"


def test_dropping_the_recording_of_a_written_call_leaves_it_synced(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2), recording_seconds=1)
    sandbox.cloudtalk.fail_next(403, path="recording", times=20)
    bridge.receive("recording-uploaded", {"call_id": str(call["id"])})
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs_for(30, step_s=5)
    before = bridge.record(call["uuid"]).fields

    assert [job.kind for job in drop(bridge)] == ["recording"]

    assert bridge.record(call["uuid"]).fields == before
    assert shown(bridge, call)[0] == "synced"
    assert stands(bridge, call) is CallState.WRITTEN


def test_a_written_call_whose_update_is_dropped_stays_synced_and_says_so(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs()
    sandbox.kustomer.fail_next(400, times=20)
    bridge.receive("call-ended", webhook_of(call, notes="Wants the March invoice again, by post."))
    bridge.run_jobs_for(10)

    assert [job.kind for job in drop(bridge)] == ["sync"]

    assert shown(bridge, call) == ("synced", f"dropped by {WHO}: {WHY}")
    assert stands(bridge, call) is CallState.WRITTEN


def test_a_drop_that_is_cut_short_left_a_line_of_each_it_did(bridge: Bridge, sandbox: RunningSandbox) -> None:
    refused(bridge, sandbox)
    (job,) = parked.choose(bridge.ledger, {})

    def until_killed() -> Any:
        yield job
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parked.drop(bridge.ledger, until_killed(), who=WHO, reason=WHY)

    assert bridge.ledger.parked() == {}
    assert [line["what"] for line in trail.read(bridge.ledger)] == ["dropped: sync"]


def test_what_is_parked_no_more_is_not_dropped_and_leaves_no_line(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = refused(bridge, sandbox)
    jobs = parked.choose(bridge.ledger, {})
    bridge.ledger.replay("sync", f"uuid:{call['uuid']}", who="somebody else")

    assert parked.drop(bridge.ledger, jobs, who=WHO, reason=WHY) == []

    assert trail.read(bridge.ledger) == []
    bridge.run_jobs()
    assert shown(bridge, call)[0] == "synced"


# -- told by the list to have ended, and by nothing else


def unknown_status(sandbox: RunningSandbox, call: dict[str, Any], **changes: Any) -> None:
    """Have call detail answer with a status that is not in the documentation."""
    path = f"/analytics/api/calls/{call['id']}"
    with httpx2.Client(base_url=sandbox.cloudtalk.url, auth=_keys(sandbox)) as somebody:
        body = somebody.get(path).json()
    assert body["uuid"] == call["uuid"]
    body = {**body, "status": "overflowed", **changes}
    sandbox.cloudtalk.answer_next(json.dumps(body), "application/json", path=f"{path}$", times=20)


def _keys(sandbox: RunningSandbox) -> tuple[str, str]:
    environ = sandbox.environ()
    return environ["CLOUDTALK_ACCESS_KEY_ID"], environ["CLOUDTALK_ACCESS_KEY_SECRET"]


def only_started(
    bridge: Bridge, sandbox: RunningSandbox, detail: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A call of whose end the list alone tells."""
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=3), **more)
    unknown_status(sandbox, call, **(detail or {}))
    result = {"started_at": call["started_at"], "external_number": call["external_number"]}
    bridge.receive("call-started", {"call_id": str(call["id"]), **result, "direction": "incoming"})
    bridge.run_jobs()
    sandbox.cloudtalk.forget_requests()
    sandbox.kustomer.forget_requests()
    return call


def filled(bridge: Bridge) -> None:
    assert fill(bridge).counted() == {CallState.WRITTEN: 1}


def by_a_round(bridge: Bridge) -> None:
    Rounds(bridge.deps, every=EVERY).go(now())
    bridge.run_jobs_for(30, step_s=5)


def repaired(bridge: Bridge) -> None:
    audit = Audit(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass))
    (line,) = repair_findings(bridge.ledger, audit, audit.look(now()), who=WHO)
    assert "its end found" in line
    bridge.run_jobs_for(30, step_s=5)


@pytest.mark.parametrize("resume_stalled", [filled, by_a_round, repaired])
def test_a_call_that_the_list_says_is_over_is_written_whatever_its_detail_says(
    bridge: Bridge, sandbox: RunningSandbox, resume_stalled: Callable[[Bridge], None]
) -> None:
    call = only_started(bridge, sandbox)

    resume_stalled(bridge)

    _, conversation, _ = one_of_each(sandbox)
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{call['uuid']}"
    assert calls_missing(bridge.ledger) in (None, 0, 1)


def test_learning_the_end_costs_one_look(bridge: Bridge, sandbox: RunningSandbox) -> None:
    only_started(bridge, sandbox)

    by_a_round(bridge)
    asked = [one.path.rsplit("/", 1)[-1] for one in sandbox.cloudtalk.requests]
    looks = [one.path for one in sandbox.kustomer.requests if one.method == "GET"]
    sandbox.cloudtalk.forget_requests()
    sandbox.kustomer.forget_requests()
    Rounds(bridge.deps, every=EVERY).go(now() + EVERY)
    bridge.run_jobs_for(30, step_s=5)

    assert asked.count("index.json") == 1
    assert len(asked) == 2
    assert len(looks) == 3  # the conversation by its key and the one of its number, the customer by phone
    assert len(sandbox.cloudtalk.requests) == 1
    assert sandbox.kustomer.requests == []
    assert calls_missing(bridge.ledger) == 0


def test_the_end_is_learnt_once_while_the_call_still_waits(bridge: Bridge, sandbox: RunningSandbox) -> None:
    only_started(bridge, sandbox, detail={"uuid": None})
    by_a_round(bridge)

    Rounds(bridge.deps, every=EVERY).go(now() + EVERY)

    assert calls_missing(bridge.ledger) == 1
    assert bridge.run_jobs() == ["detail done"]


def test_a_webhook_of_the_end_that_comes_late_after_all_has_the_last_word(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = only_started(bridge, sandbox)
    by_a_round(bridge)

    bridge.receive("call-ended", webhook_of(call, notes="Wants it by post."))
    bridge.run_jobs_for(30, step_s=5)

    _, _, note = one_of_each(sandbox)
    assert "Wants it by post." in note["attributes"]["body"]
    triggers = {event.trigger for event in bridge.record(call["uuid"]).read_events(bridge.rules)}
    assert triggers == {"call-started", "call-ended"}


def test_a_call_that_waits_for_nothing_is_named_and_ends_the_wait(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """CloudTalk's detail leaves out the uuid, without which a call is not written."""
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=3))
    unknown_status(sandbox, call, uuid=None)

    progress = fill(bridge)

    (one,) = progress.those(CallState.WAITING)
    assert (one.call_id, progress.left) == (call["id"], 0)
    assert "uuid" in one.reason


def test_the_estimate_counts_the_recordings_of_calls_that_wait(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    only_started(bridge, sandbox, recording_seconds=1)
    found = Backfill(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass)).look(now())
    share = Share(requests=900, window_s=60)
    estimate = Estimate.of(found, Rules(), cloudtalk=share, kustomer=share)
    sandbox.cloudtalk.forget_requests()

    fill(bridge)
    bridge.run_jobs_for(60, step_s=5)

    assert len(sandbox.kustomer.attachments) == 1
    asked = [one for one in sandbox.cloudtalk.requests if "index.json" not in one.path]
    assert len(asked) <= estimate.cloudtalk == 2
    assert len(sandbox.kustomer.requests) <= estimate.kustomer == 10
