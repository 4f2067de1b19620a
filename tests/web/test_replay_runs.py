"""Parked jobs run again in phases, and no further once one fails again, whoever takes the steps."""

from __future__ import annotations

import threading

import pytest

from bridge.errors import Rejected
from bridge.ledger import keys, trail
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import parked
from bridge.ledger.queue.replay_runs import (
    MOST_RUNS,
    ReplayRun,
    cancel,
    find,
    go_on,
    runs,
    start,
    step,
    step_all,
)
from tests.web.test_parked import done, give_up, park

WHO = {"who": "Bo", "about": "all that CloudTalk refused"}


def begun(ledger: Ledger, many: int) -> ReplayRun:
    park(ledger, *range(1, many + 1))
    return start(ledger, parked.choose(ledger, {}), **WHO)


def test_one_job_is_tried_first_then_ten_then_a_hundred_then_the_rest(ledger: Ledger) -> None:
    run = begun(ledger, 130)
    assert (run.phase, run.open, run.left, run.next_phase) == (1, 1, 129, 10)
    for open_now, left in ((10, 119), (100, 19), (19, 0)):
        done(ledger)
        run = step(ledger, run.id)
        assert (run.open, run.left) == (open_now, left)
    done(ledger)
    run = step(ledger, run.id)

    assert (run.state, run.done, run.failed) == ("done", 130, 0)
    assert run.ended_at is not None
    assert ledger.parked_count() == 0


def test_a_job_that_fails_again_stops_the_run_before_the_next_phase(ledger: Ledger) -> None:
    run = begun(ledger, 12)

    give_up(ledger, "id:1")
    run = step(ledger, run.id)

    assert (run.state, run.failed, run.left) == ("stopped", 1, 11)
    assert run.failed_names == ("sync|id:1",)
    assert ledger.parked_count() == 12
    assert step_all(ledger) == 0


def test_a_stopped_run_goes_on_when_a_person_says_so(ledger: Ledger) -> None:
    run = begun(ledger, 5)
    give_up(ledger, "id:1")
    step(ledger, run.id)

    run = go_on(ledger, run.id, who="Amy")
    assert (run.state, run.open, run.left) == ("going", 4, 0)
    done(ledger)
    run = step(ledger, run.id)

    assert (run.state, run.done, run.failed) == ("done", 4, 1)
    assert [line["who"] for line in trail.read(ledger) if "goes on" in line["what"]] == ["Amy"]


def test_a_cancelled_run_queues_no_more(ledger: Ledger) -> None:
    run = begun(ledger, 12)

    cancel(ledger, run.id, who="Amy")
    done(ledger)
    run = step(ledger, run.id)

    assert (run.state, run.left) == ("cancelled", 11)
    assert ledger.parked_count() == 11
    result = [(line["who"], line["what"]) for line in trail.read(ledger) if "replay" in line["what"]]
    assert result == [("Amy", "replay cancelled: 11 jobs left"), ("Bo", "replay begun")]


def test_what_was_dropped_since_is_not_run_and_told_as_gone(ledger: Ledger) -> None:
    run = begun(ledger, 3)
    parked.drop(ledger, parked.choose(ledger, {"call": "2"}), who="Amy", reason="a test")

    done(ledger)
    step(ledger, run.id)
    done(ledger)
    run = step(ledger, run.id)

    assert (run.state, run.done, run.gone) == ("done", 2, 1)


def test_another_process_goes_on_with_a_run_that_was_cut_short(ledger: Ledger) -> None:
    run = begun(ledger, 4)
    done(ledger)
    step(ledger, run.id)
    # Killed after it chose the phase, before anything of it was queued.
    name = ledger.dispatch(100)[1][0]
    for job in ("sync|id:2", "sync|id:3", "sync|id:4"):
        ledger.redis.hdel(keys.JOBS, job)
    ledger.redis.delete(*(f"{keys.TAG}:{kind}:live" for kind in ("due", "handed", "leased")))
    for job in ("sync|id:2", "sync|id:3", "sync|id:4"):
        ledger.redis.zadd(keys.PARKED, {job: 1})
    assert name.startswith("sync|")

    assert step_all(Ledger(ledger.redis)) == 1
    done(ledger)
    step_all(Ledger(ledger.redis))

    assert find(ledger, run.id).state == "done"
    assert ledger.parked_count() == 0


def test_steps_taken_at_once_queue_each_job_once(ledger: Ledger) -> None:
    run = begun(ledger, 40)
    done(ledger)
    threads = [threading.Thread(target=step, args=(ledger, run.id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    result = [line["call"] for line in trail.read(ledger) if line["what"] == "run again: sync"]
    assert len(result) == len(set(result)) == 11
    assert step(ledger, run.id).open == 10


def test_only_the_newest_runs_are_kept(ledger: Ledger) -> None:
    park(ledger, 1)
    jobs = parked.choose(ledger, {})
    ids = [start(ledger, jobs, **WHO).id for _ in range(MOST_RUNS + 2)]

    assert [run.id for run in runs(ledger)] == ids[: -MOST_RUNS - 1 : -1]
    with pytest.raises(Rejected):
        find(ledger, ids[0])
    assert not list(ledger.redis.scan_iter(f"{keys.TAG}:replay:{ids[0]}*"))


def test_a_forgotten_call_is_taken_out_of_every_run(ledger: Ledger) -> None:
    run = begun(ledger, 3)

    ledger.forget(ledger.read("id:3"))

    assert step(ledger, run.id).left == 1
    assert ledger.redis.lrange(f"{keys.TAG}:replay:{run.id}:left", 0, -1) == ["sync|id:2"]


def test_nothing_to_run_is_said(ledger: Ledger) -> None:
    with pytest.raises(Rejected, match="nothing to run"):
        start(ledger, [], **WHO)
