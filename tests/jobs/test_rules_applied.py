"""Changed rules and the calls that are in Kustomer already: what was estimated is what a sync does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from bridge.domain.outcome import Outcome
from bridge.domain.rules.model import DEFAULT_STATUS, Rules
from bridge.ledger.queue import replay_runs
from bridge.reports.what_if import Difference, WhatIf
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge

pytestmark = pytest.mark.slow


def body_of(number: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "call_id": str(1_000_500_000 + number),
        "call_uuid": str(UUID(int=(0x77 << 112) + number)),
        "external_number": f"+44163296010{number}",
        "internal_number": "+15550100101",
        "direction": "incoming",
        "talking_time": "0" if number % 2 else "30",
        "started_at": (now - timedelta(minutes=3)).isoformat(),
        "ended_at": (now - timedelta(minutes=2)).isoformat(),
    }


@pytest.fixture
def written(bridge: Bridge, sandbox: RunningSandbox) -> Bridge:
    """Four calls in Kustomer, two of them missed, by the default rules."""
    for number in range(4):
        bridge.receive("call-ended", body_of(number))
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()
    return bridge


def applied(bridge: Bridge, would: Rules) -> tuple[WhatIf, list[Difference]]:
    now = datetime.now(UTC)
    found = WhatIf(
        ledger=bridge.ledger, was=bridge.rules, would=would, since=now - timedelta(days=1), until=now, now=now
    )
    differing = list(found)
    bridge.use(rules=would)
    if moving := [one.key for one in differing if one.moves]:
        run = replay_runs.start_syncs(bridge.ledger, moving, who="Bo", about="a test")
        while run.state == "going":
            bridge.run_jobs()
            run = replay_runs.step(bridge.ledger, run.id)
        assert (run.state, run.done, run.failed) == ("done", len(moving), 0)
    return found, differing


def test_a_changed_status_and_tags_are_written_at_the_estimated_cost(
    written: Bridge, sandbox: RunningSandbox
) -> None:
    would = replace(written.rules, status={**DEFAULT_STATUS, Outcome.MISSED: "done"}, tags=("phone",))

    found, differing = applied(written, would)

    assert len(differing) == 4
    talks = [talk["attributes"] for talk in sandbox.kustomer.conversations]
    assert [(talk["status"], len(talk["tags"])) for talk in talks] == [("done", 1)] * 4
    assert len(sandbox.kustomer.requests) <= found.requests


def test_what_is_not_moved_costs_nothing_and_stays(written: Bridge, sandbox: RunningSandbox) -> None:
    found, differing = applied(written, replace(written.rules, write=False))

    assert [one.stays for one in differing] == [("written",)] * 4
    assert found.requests == 0
    assert len(sandbox.kustomer.conversations) == 4
    assert sandbox.kustomer.requests == []


def test_what_a_person_changed_since_stays(written: Bridge, sandbox: RunningSandbox) -> None:
    for talk in sandbox.kustomer.conversations:
        written.deps.kustomer.conversations.update(talk["id"], {"status": "open"})

    applied(written, replace(written.rules, status={**DEFAULT_STATUS, Outcome.ANSWERED: "snoozed"}))

    assert {talk["attributes"]["status"] for talk in sandbox.kustomer.conversations} == {"open"}
