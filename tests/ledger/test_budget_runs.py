"""Hours of a budget in use, on a clock of the test: several processes, three kinds of service, all lanes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import RateLimited
from bridge.ledger import keys
from bridge.ledger.budgets.budget import Budget, Slot
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.keys import Lane
from tests.ledger.drained import drain
from tests.ledger.simulated import Simulation
from tests.ledger.upstream import MODELS, START_S, FixedWindow, Tells, TestClock, Upstream

# BUDGET_HOURS=12 for the long form.
HOURS = float(os.environ.get("BUDGET_HOURS", "0.04"))
SPAN_S = HOURS * 3600


@pytest.fixture
def clock(redis_client: redis.Redis, redis_url: str) -> TestClock:
    return TestClock(redis_url)


def keep_busy(run: Simulation, lane: Lane, *, waiting: int = 30, requests: int = 1, until: float) -> None:
    """Have so many jobs of a lane wait at any time."""
    mine: set[str] = set()

    def feed() -> None:
        for _ in range(waiting - len(mine - run.done.keys())):
            mine.add(run.add(lane, requests=requests))
        if run.now - run.start + 10 < until:
            run.at(run.now - run.start + 10, feed)

    run.at(0, feed)


@pytest.mark.slow
@pytest.mark.parametrize("service", MODELS)
def test_a_saturated_budget_is_used_up_and_never_exceeded(
    clock: TestClock, service: Callable[..., Upstream]
) -> None:
    run = Simulation(clock, service(60), share=60)
    keep_busy(run, Lane.BACKFILL, until=SPAN_S)

    run.run(SPAN_S)

    assert run.refused == 0
    assert run.used(until=SPAN_S) >= 0.985


@pytest.mark.parametrize("service", MODELS)
def test_a_backlog_alone_is_worked_off_in_the_least_time_without_a_refusal(
    clock: TestClock, service: Callable[..., Upstream]
) -> None:
    drained = drain(clock, service, limit=60, calls=150)

    assert drained.refused == 0
    assert drained.ratio <= 1.03


@pytest.mark.parametrize("service", MODELS)
def test_others_who_spend_too_cost_a_backlog_few_refusals_and_little_time(
    clock: TestClock, service: Callable[..., Upstream]
) -> None:
    drained = drain(clock, service, limit=60, calls=150, others=10)

    # Before anything is known of them, a server that says too little may refuse the first.
    assert drained.refused <= 1
    assert drained.ratio <= 1.06


@pytest.mark.slow
@pytest.mark.parametrize("limit", [60, 1000])
@pytest.mark.parametrize("service", MODELS)
def test_a_long_backlog_beside_others_meets_few_refusals(
    clock: TestClock, service: Callable[..., Upstream], limit: int
) -> None:
    drained = drain(clock, service, limit=limit, calls=500, requests=1 if limit == 60 else 4, others=10)

    assert drained.refused <= 0.004 * drained.sent
    assert drained.ratio <= 1.06


@pytest.mark.slow
@pytest.mark.parametrize("tells", ["retry-after", "nothing"])
@pytest.mark.parametrize("service", MODELS)
def test_where_only_refusals_tell_of_others_there_are_fewer_each_time(
    clock: TestClock, service: Callable[..., Upstream], tells: Tells
) -> None:
    drained = drain(clock, service, limit=60, calls=600, others=10, tells=tells)

    # Without learning from them it was 19 to 91 of a thousand with `Retry-After`.
    assert drained.refused <= 0.015 * drained.sent


@pytest.mark.slow
@pytest.mark.parametrize("ahead_s", [-25, 25])
@pytest.mark.parametrize("service", MODELS)
def test_a_clock_that_is_off_costs_time_and_no_storm_of_refusals(
    clock: TestClock, service: Callable[..., Upstream], ahead_s: float
) -> None:
    run = Simulation(clock, service(60), share=60, ahead_s=ahead_s)
    keep_busy(run, Lane.BACKFILL, until=SPAN_S)
    run.others_send(10, until=SPAN_S)

    run.run(SPAN_S)

    # A reset time that is over too soon has one request ask alone, every few seconds.
    assert run.refused <= 0.08 * len(run.sent)
    refused_at = [one.at for one in run.sent if one.refused]
    assert all(later - earlier >= 1 for earlier, later in pairwise(refused_at))
    assert run.used(until=SPAN_S) >= 0.5


@pytest.mark.slow
def test_live_calls_come_soon_in_the_middle_of_a_backfill(clock: TestClock) -> None:
    run = Simulation(clock, FixedWindow(50), share=50, tells="refusals")
    keep_busy(run, Lane.BACKFILL, waiting=10, until=250)
    dice, live = random.Random(5), list[str]()
    for _ in range(15):
        run.at(dice.uniform(70, 230), lambda: live.append(run.add(Lane.LIVE, requests=2)))

    run.run(250)

    assert run.refused == 0
    assert run.used(until=250) >= 0.95
    # A twentieth of a window, which a backfill may use at once, and the time between two slots.
    assert max(run.waited(job) for job in live) <= 3 + 60 / 50 + 0.5


@pytest.mark.slow
def test_a_burst_is_spread_over_the_slots_best_lanes_first(clock: TestClock) -> None:
    run = Simulation(clock, FixedWindow(60), share=60)
    lanes = [Lane.BACKFILL, Lane.INSIGHTS, Lane.RECORDING, Lane.LIVE]
    jobs = {lane: [run.add(lane) for _ in range(40)] for lane in lanes}

    run.run()

    assert run.refused == 0
    assert len(run.done) == 160
    assert run.used() >= 0.95
    ended = {lane: max(run.done[job] for job in jobs[lane]) for lane in lanes}
    begun = {lane: min(one.at for one in run.sent if one.lane is lane) for lane in lanes}
    assert ended[Lane.LIVE] <= begun[Lane.RECORDING] + 0.5
    assert ended[Lane.RECORDING] <= begun[Lane.INSIGHTS] + 0.5
    assert ended[Lane.INSIGHTS] <= begun[Lane.BACKFILL] + 0.5
    # Nobody comes again and again in vain: once to be told, once to send.
    assert run.runs <= 2.5 * 160


def test_jobs_that_begin_anew_when_cut_short_come_to_an_end(clock: TestClock) -> None:
    run = Simulation(clock, FixedWindow(20), share=20, keeps_progress=False)
    for _ in range(12):
        run.add(Lane.BACKFILL, requests=5)

    run.run(600)

    assert len(run.done) == 12
    # What they sent in vain, until it was known how many they need.
    assert len(run.sent) <= 12 * 5 * 1.7


@pytest.mark.slow
def test_slots_of_jobs_that_died_are_used_by_others(clock: TestClock) -> None:
    run = Simulation(clock, FixedWindow(30), share=30)
    keep_busy(run, Lane.BACKFILL, waiting=40, until=250)

    def kill_some() -> None:
        for job in list(run.scheduled.keys() - run.done.keys())[:15]:
            run.all[0].ledger.cancel(*keys.split_job(job))
            run.done[job] = run.now

    for at in (80, 150):
        run.at(at, kill_some)
    run.run(250)

    assert run.used(until=250) >= 0.97


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.integers(1, 5),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["take", "reply", "reply twice", "lose", "pass"]),
            st.integers(0, 9),
            st.sampled_from(list(Lane)),
        ),
        max_size=60,
    ),
)
def test_whatever_the_order_replies_and_requests_in_flight_stay_within_the_share(
    redis_client: redis.Redis, redis_url: str, share: int, steps: list[tuple[str, int, Lane]]
) -> None:
    redis_client.flushall()
    clock = TestClock(redis_url)
    budgets = [Budget(clock.client(), service="x", share=share, window_s=60) for _ in range(2)]
    flying: list[tuple[Slot, float]] = []
    # When each request could last have been counted there: at its reply, or when it was given up.
    counted: list[float] = []

    for what, number, lane in steps:
        budget = budgets[number % 2]
        for lost in [one for one in flying if clock.now - one[1] >= 60]:
            flying.remove(lost)
            counted.append(max(lost[1] + 60, START_S))
        if what == "take":
            try:
                with acting_as(
                    BudgetRequester(lane=lane, name=f"someone-{number}", kind="sync" if number else None)
                ):
                    flying.append((budget.take(), clock.now))
            except RateLimited as error:
                assert error.retry_after_s > 0
        elif what.startswith("reply") and flying:
            slot, _ = flying.pop(number % len(flying))
            for _ in range(2 if what == "reply twice" else 1):
                budget.replied(slot, operation="x", status="200")
            counted.append(clock.now)
        elif what == "pass":
            clock.set(clock.now + number * 3.7)
        assert len(flying) + sum(clock.now - at < 60 for at in counted) <= share
