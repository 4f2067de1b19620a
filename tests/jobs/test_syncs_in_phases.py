"""Calls brought up to date by changed rules: a few, a tenth, the rest, and no further once one fails."""

from __future__ import annotations

import pytest

from bridge.errors import Rejected
from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import replay_runs
from bridge.ledger.queue.replay_runs import ReplayRun, step
from tests.web.test_parked import park


def begun(ledger: Ledger, many: int) -> ReplayRun:
    calls = [f"id:{number}" for number in range(1, many + 1)]
    return replay_runs.start_syncs(ledger, calls, who="Bo", about="new rules")


def end_all(ledger: Ledger, *, failing: str = "") -> list[str]:
    _, names = ledger.dispatch(1_000)
    for name in names:
        claim = ledger.claim("sync", name.partition("|")[2])
        assert claim is not None
        if name == failing:
            ledger.park(claim, cause="Rejected", error="the service said no")
        else:
            ledger.complete(claim)
    return [*names]


def test_five_are_synced_first_then_a_tenth_then_the_rest(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is.
    monkeypatch.setattr(replay_runs, "_STEP_WITHIN_S", 60.0)
    run = begun(ledger, 40)
    sizes = []
    while run.state == "going":
        sizes.append(len(end_all(ledger)))
        run = step(ledger, run.id)

    assert sizes == [5, 4, 31]
    assert (run.state, run.done, run.failed) == ("done", 40, 0)
    assert "syncs begun" in [line["what"] for line in trail.read(ledger)]


def test_a_sync_that_fails_stops_the_run_before_the_next_phase(ledger: Ledger) -> None:
    run = begun(ledger, 20)
    end_all(ledger, failing="sync|id:2")

    run = step(ledger, run.id)

    assert (run.state, run.done, run.failed, run.left) == ("stopped", 4, 1, 15)
    assert run.failed_names == ("sync|id:2",)


def test_a_parked_sync_is_tried_again(ledger: Ledger) -> None:
    park(ledger, 1)

    run = begun(ledger, 1)

    assert ledger.parked_count() == 0
    assert end_all(ledger) == ["sync|id:1"]
    assert step(ledger, run.id).state == "done"


def test_a_phase_that_was_queued_in_part_is_queued_as_a_whole(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_runs, "_STEP_WITHIN_S", -1.0)
    run = begun(ledger, 3)
    assert end_all(ledger) == []

    monkeypatch.setattr(replay_runs, "_STEP_WITHIN_S", 1.0)
    step(ledger, run.id)

    assert len(end_all(ledger)) == 3
    assert step(ledger, run.id).state == "done"


def test_nothing_or_too_much_is_no_run(ledger: Ledger) -> None:
    for many in (0, replay_runs.MOST_JOBS + 1):
        with pytest.raises(Rejected):
            begun(ledger, many)
