"""A budget's rules, one by one: share, order, slots, what is kept for a run, what the service tells."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from bridge.clients.ports import RateLimitHeaders
from bridge.errors import RateLimited
from bridge.ledger import keys
from bridge.ledger.budgets.budget import Budget, Slot
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.sharing import Command, LedgerClient
from tests.ledger.upstream import START_S, TestClock


@pytest.fixture
def clock(redis_client: redis.Redis, redis_url: str) -> TestClock:
    return TestClock(redis_url)


def budget_of(clock: TestClock, *, share: int = 60, window_s: float = 60) -> Budget:
    return Budget(clock.client(), service="cloudtalk", share=share, window_s=window_s)


@contextmanager
def turn(name: str, lane: Lane = Lane.LIVE) -> Iterator[None]:
    with acting_as(BudgetRequester(lane=lane, name=name)):
        yield


def wait_s(budget: Budget, name: str, lane: Lane = Lane.LIVE) -> float:
    """How long this one is told to wait; 0 when it may send at once."""
    with turn(name, lane):
        try:
            budget.take()
        except RateLimited as error:
            assert error.booked
            return error.retry_after_s
    return 0.0


def why(budget: Budget, name: str, lane: Lane = Lane.LIVE) -> str:
    """What this one is told to be in the way."""
    with turn(name, lane), pytest.raises(RateLimited) as rate_limits:
        budget.take()
    return str(rate_limits.value)


def spend(budget: Budget, times: int) -> None:
    for number in range(times):
        with turn(f"before-{number}"):
            reply(budget, budget.take())


def reply(
    budget: Budget, slot: Slot, rate_limits: RateLimitHeaders | None = None, closed_for_s: float = 0
) -> None:
    budget.replied(slot, operation="x", status="200", rate_limits=rate_limits, closed_for_s=closed_for_s)


# The share


def test_a_budget_is_never_exceeded_and_opens_again(clock: TestClock) -> None:
    budget = budget_of(clock, share=3)
    spend(budget, 3)

    assert wait_s(budget, "next") == 60.001
    assert budget.state()["left"] == 0

    clock.set(START_S + 60.001)
    assert wait_s(budget, "next") == 0


def test_requests_in_flight_count_and_a_closed_budget_stays_closed(clock: TestClock, ledger: Ledger) -> None:
    budget = budget_of(clock, share=3)
    slots = [budget.take(), budget.take()]
    reply(budget, slots[0], closed_for_s=30)

    assert wait_s(budget, "early") == 30
    assert budget.state()["closed_for_s"] == 30
    assert ledger.counts()["upstream:cloudtalk:x:200"] == 1

    clock.set(START_S + 30)
    assert (wait_s(budget, "early"), budget.state()["in_flight"]) == (0, 2)
    assert wait_s(budget, "late") > 29


def test_the_reply_counts_and_not_the_request(clock: TestClock) -> None:
    budget = budget_of(clock, share=1)
    slot = budget.take()
    clock.set(START_S + 20)
    reply(budget, slot)

    clock.set(START_S + 61)

    assert wait_s(budget, "next") == 19.001


def test_a_request_without_a_reply_is_taken_for_answered_after_a_minute(clock: TestClock) -> None:
    budget = budget_of(clock, share=1)
    budget.take()

    clock.set(START_S + 60)
    assert wait_s(budget, "next") == 60.001
    clock.set(START_S + 120.001)
    assert wait_s(budget, "next") == 0


def test_asking_again_after_a_lost_answer_takes_nothing_more(clock: TestClock) -> None:
    budget = budget_of(clock, share=1)
    arguments = (1, 60_000, "request", 60_000, "sync|id:1", 1, 0, 1)

    answers = [budget._take(keys=keys.budget("cloudtalk"), args=list(arguments)) for _ in range(2)]

    assert answers == [[1, 0], [1, 0]]
    assert budget.state()["in_flight"] == 1


# When replies are booked


def sync_turn() -> BudgetRequester:
    return BudgetRequester(lane=Lane.LIVE, name="sync|id:1", kind="sync")


def test_the_reply_to_a_job_is_booked_in_the_same_round_trip_as_its_next_request(clock: TestClock) -> None:
    client = clock.client()
    budget, trips = Budget(client, service="cloudtalk", share=9, clock=lambda: clock.now), 0
    budget.take()  # the scripts are known there from now on
    assert isinstance(client, LedgerClient)
    send = client.send

    def counted(commands: Sequence[Command], **options: bool) -> list[Any]:
        nonlocal trips
        trips += 1
        return send(commands, **options)

    client.send = counted  # type: ignore[method-assign]
    with acting_as(sync_turn()):
        for _ in range(3):
            reply(budget, budget.take())
            clock.set(clock.now + 1)
        assert trips == 3

    assert trips == 4
    assert budget.state()["in_flight"] == 1
    assert Ledger(client).counts()["upstream:cloudtalk:x:200"] == 3


def test_a_reply_that_is_booked_late_counts_from_the_time_it_came(clock: TestClock) -> None:
    budget = Budget(clock.client(), service="cloudtalk", share=1, clock=lambda: clock.now)
    with acting_as(sync_turn()):
        reply(budget, budget.take())
        clock.set(START_S + 7)

    clock.set(START_S + 10)

    assert wait_s(budget, "next") == 50.001


def test_what_closes_the_service_is_booked_at_once_and_so_is_what_takes_long(clock: TestClock) -> None:
    budget, others = budget_of(clock), budget_of(clock)

    with acting_as(sync_turn()):
        budget.replied(budget.take(), operation="x", status="200", at_once=True)
        assert others.state()["in_flight"] == 0
        reply(budget, budget.take(), closed_for_s=30)
        assert others.state()["closed_for_s"] == 30


def test_a_reply_that_redis_did_not_take_is_booked_with_the_next_request(clock: TestClock) -> None:
    client = clock.client()
    budget = Budget(client, service="cloudtalk", share=9)
    with acting_as(sync_turn()):
        reply(budget, budget.take())
        assert isinstance(client, LedgerClient)
        send = client.send
        client.send = mock_of_a_dead_redis  # type: ignore[method-assign, assignment]
        with pytest.raises(redis.ConnectionError):
            budget.take()
        client.send = send  # type: ignore[method-assign]
        budget.take()

    assert Ledger(client).counts()["upstream:cloudtalk:x:200"] == 1


def mock_of_a_dead_redis(*_: object, **__: object) -> object:
    raise redis.ConnectionError


def test_a_late_reply_of_a_job_that_ended_is_booked_at_once(clock: TestClock) -> None:
    budget = budget_of(clock)
    with acting_as(sync_turn()) as requester:
        slot, left_behind = budget.take(), contextvars.copy_context()
    assert budget.state()["in_flight"] == 1

    left_behind.run(reply, budget, slot)

    assert (requester.over, budget.state()["in_flight"]) == (True, 0)


# Slots


def test_those_who_wait_are_spread_over_the_coming_slots(clock: TestClock) -> None:
    budget = budget_of(clock, share=10)
    for number in range(10):
        clock.set(START_S + number)
        spend(budget, 1)

    rate_limits = [clock.now + wait_s(budget, f"waiting-{number}") - START_S for number in range(10)]

    assert rate_limits == pytest.approx([60.001 + number for number in range(10)])


def test_a_better_lane_that_comes_later_goes_first(clock: TestClock) -> None:
    budget = budget_of(clock, share=2)
    spend(budget, 1)
    clock.set(START_S + 10)
    spend(budget, 1)

    first_told = wait_s(budget, "backfill", Lane.BACKFILL)
    live_told = wait_s(budget, "live", Lane.LIVE)

    assert (first_told, live_told) == (50.001, 50.001)
    clock.set(START_S + 60.001)
    assert wait_s(budget, "backfill", Lane.BACKFILL) > 0
    assert wait_s(budget, "live", Lane.LIVE) == 0


@pytest.mark.parametrize("window_s", [60, 3])
def test_who_does_not_come_to_its_slot_loses_it_soon(clock: TestClock, window_s: float) -> None:
    budget = budget_of(clock, share=1, window_s=window_s)
    spend(budget, 1)
    assert wait_s(budget, "dies") == window_s + 0.001

    clock.set(START_S + window_s + 0.001)
    assert wait_s(budget, "next") > window_s
    clock.set(START_S + window_s * 21 / 20 + 0.002)

    assert wait_s(budget, "next") == 0


def test_a_job_that_is_no_more_holds_nobody_up(clock: TestClock) -> None:
    client, budget = clock.client(), budget_of(clock, share=1)
    spend(budget, 1)
    for key in ("id:1", "id:2"):
        refused_job(client, budget, key)
    assert due_in(client, clock, "sync|id:2") > 120
    Ledger(client).cancel("sync", "id:1")

    wait_s(budget, "last", Lane.BACKFILL)

    assert client.zrange(keys.budget("cloudtalk")[3], 0, -1) == ["sync|id:2", "last"]
    assert due_in(client, clock, "sync|id:2") == pytest.approx(60.001)


def test_a_job_that_waits_for_something_else_is_left_alone(clock: TestClock) -> None:
    client, budget = clock.client(), budget_of(clock, share=1)
    spend(budget, 1)
    refused_job(client, budget, "id:1", waits_s=300)

    clock.set(START_S + 60.001)
    assert wait_s(budget, "next", Lane.BACKFILL) > 0

    assert due_in(client, clock, "sync|id:1") == pytest.approx(300 - 60.001)


def test_places_given_back_are_used_at_once(clock: TestClock) -> None:
    client, budget = clock.client(), budget_of(clock, share=2)
    refused_job(client, budget, "id:1", sends=2)
    refused_job(client, budget, "id:2")

    clock.set(START_S + 60.001)
    with acting_as(BudgetRequester(lane=Lane.LIVE, name="sync|id:1", kind="sync")):
        reply(budget, budget.take())
        # It sent two the last time, so the other place is kept for it.
        assert due_in(client, clock, "sync|id:2") > 1

    assert due_in(client, clock, "sync|id:2") == 0


def refused_job(
    client: redis.Redis, budget: Budget, key: str, *, sends: int = 0, waits_s: float | None = None
) -> None:
    """A job that could send so many requests, and is due again at its slot, or when it says."""
    ledger = Ledger(client)
    ledger.schedule("sync", key, in_ms=0)
    claim = ledger.claim("sync", key)
    assert claim is not None
    with acting_as(BudgetRequester(lane=Lane.LIVE, name=claim.name, kind="sync")):
        for _ in range(sends):
            reply(budget, budget.take())
        with pytest.raises(RateLimited) as refused:
            budget.take()
    in_ms = round((refused.value.retry_after_s if waits_s is None else waits_s) * 1000)
    ledger.reschedule(claim, in_ms=in_ms, cause="RateLimited", error="", failed=False)


def due_in(client: redis.Redis, clock: TestClock, job: str) -> float:
    due = client.zscore(keys.QUEUE_KEYS[0], job)
    assert due is not None
    return due / 1000 - clock.now


def test_a_run_that_is_cut_short_is_given_places_for_all_of_it(clock: TestClock) -> None:
    """Else a job that must send its first request again could use up each slot by that, for ever."""
    budget, ledger = budget_of(clock, share=4), Ledger(clock.client())
    for number in range(4):
        clock.set(START_S + number * 10)
        spend(budget, 1)
    ledger.schedule("identify", "id:1", in_ms=0)
    sent = []
    for _ in range(6):
        with (
            contextlib.suppress(RateLimited),
            acting_as(BudgetRequester(lane=Lane.LIVE, name="identify|id:1", kind="identify")) as run,
        ):
            try:
                for _ in range(3):
                    reply(budget, budget.take())
            except RateLimited as error:
                wait_s(budget, "identify|id:2")
                clock.set(clock.now + error.retry_after_s)
            finally:
                sent.append(run.at(budget).sent)
        if sent[-1] == 3:
            break

    assert sent == [0, 1, 2, 3]


# Lanes


def test_live_calls_have_a_place_kept_while_a_backfill_runs(clock: TestClock) -> None:
    budget = budget_of(clock, share=50)
    spend(budget, 1)
    granted = 0
    for tenth in range(590):
        clock.set(START_S + tenth / 10)
        with contextlib.suppress(RateLimited), turn("backfill", Lane.BACKFILL):
            reply(budget, budget.take())
            granted += 1

    # One was the live call's, and two of fifty are kept.
    assert granted == 47
    assert [wait_s(budget, f"live-{number}") for number in range(2)] == [0, 0]


def test_a_backfill_alone_has_all_of_the_share(clock: TestClock) -> None:
    budget = budget_of(clock, share=50)
    granted = 0
    for tenth in range(600):
        clock.set(START_S + tenth / 10)
        with contextlib.suppress(RateLimited), turn("backfill", Lane.BACKFILL):
            reply(budget, budget.take())
            granted += 1

    assert granted == 50


@pytest.mark.parametrize("window_s", [60, 6])
def test_a_backfill_spreads_over_the_window_and_live_calls_go_at_once(
    clock: TestClock, window_s: float
) -> None:
    budget = budget_of(clock, share=60, window_s=window_s)

    backfill = [wait_s(budget, f"b{n}", Lane.BACKFILL) for n in range(10)]
    live = [wait_s(budget, f"l{n}", Lane.LIVE) for n in range(50)]

    assert backfill[:4] == [0, 0, 0, 0]
    assert backfill[4:] == pytest.approx([window_s / 60 * n for n in range(1, 7)])
    assert live == [0.0] * 50


# What is in the way


def test_who_is_only_paced_is_not_told_that_the_share_is_used_up(clock: TestClock) -> None:
    budget = budget_of(clock)
    for number in range(4):
        assert wait_s(budget, f"b{number}", Lane.BACKFILL) == 0

    assert "are spread over time" in why(budget, "b4", Lane.BACKFILL)
    assert budget.state()["left"] == 56

    spend(budget, 56)
    assert why(budget, "b5", Lane.BACKFILL) == "our share of cloudtalk's budget is used up"
    assert why(budget, "l0") == "our share of cloudtalk's budget is used up"


def test_who_waits_for_the_service_or_for_others_is_told_so(clock: TestClock) -> None:
    budget = budget_of(clock)

    reply(budget, budget.take(), RateLimitHeaders(limit=60, remaining=0, resets_in_s=20))
    assert "other clients use cloudtalk's budget" in why(budget, "next")

    reply(budget, Slot(service="cloudtalk", name="another"), closed_for_s=30)
    assert why(budget, "next") == "cloudtalk asked us to wait"


# What the service tells


def test_what_others_spend_is_not_spent_again(clock: TestClock) -> None:
    budget = budget_of(clock, share=60)

    reply(budget, budget.take(), RateLimitHeaders(limit=60, remaining=3, resets_in_s=12))

    state = budget.state()
    assert (state["left"], state["others_spend"]) == (3, True)
    # The last is kept, as they spend on.
    assert [wait_s(budget, f"n{n}") for n in range(3)] == [0, 0, 12]
    clock.set(START_S + 12)
    assert wait_s(budget, "after") > 0  # n2 comes first


def test_where_what_was_used_comes_back_all_the_time_more_is_kept_from_a_backlog_than_from_live_calls(
    clock: TestClock,
) -> None:
    budget = budget_of(clock, share=60)
    for second in range(50):
        clock.set(START_S + second)
        spend(budget, 1)
    with turn("teller"):
        reply(budget, budget.take(), RateLimitHeaders(limit=60, remaining=1, resets_in_s=1))

    # What is told is too old after six seconds; only then one may ask, before the oldest of ours comes back.
    assert wait_s(budget, "backlog", Lane.BACKFILL) == 6
    assert wait_s(budget, "live") == 0
    assert wait_s(budget, "next") > 0


def test_after_their_window_one_request_asks_how_things_stand(clock: TestClock) -> None:
    budget = budget_of(clock, share=60)
    reply(budget, budget.take(), RateLimitHeaders(limit=60, remaining=1, resets_in_s=8))
    clock.set(START_S + 8)

    asking = budget.take()
    assert wait_s(budget, "others") > 0
    reply(budget, asking, RateLimitHeaders(limit=60, remaining=59, resets_in_s=60))

    clock.set(START_S + 9)
    assert wait_s(budget, "others") == 0


def test_replies_that_overtake_each_other_do_not_give_places_back(clock: TestClock) -> None:
    budget = budget_of(clock, share=60)
    first, second = budget.take(), budget.take()

    reply(budget, second, RateLimitHeaders(limit=60, remaining=3, resets_in_s=8))
    reply(budget, first, RateLimitHeaders(limit=60, remaining=4, resets_in_s=8))

    assert budget.state()["left"] == 2


def test_headers_that_tell_of_plenty_change_nothing(clock: TestClock) -> None:
    budget = budget_of(clock, share=2)

    for _ in range(2):
        reply(budget, budget.take(), RateLimitHeaders(limit=1000, remaining=999, resets_in_s=60))

    assert wait_s(budget, "next") == 60.001
    assert budget.state()["others_spend"] is False


# What only refusals tell


def refuse(budget: Budget, closed_for_s: float) -> None:
    with turn("refused"):
        budget.replied(budget.take(), operation="x", status="429", closed_for_s=closed_for_s)


def test_a_refusal_soon_after_we_waited_as_told_closes_twice_as_long(clock: TestClock) -> None:
    budget = budget_of(clock)
    closed = []
    for _ in range(4):
        refuse(budget, closed_for_s=1)
        closed.append(budget.state()["closed_for_s"])
        clock.set(clock.now + closed[-1])
    clock.set(clock.now + 60)
    refuse(budget, closed_for_s=1)

    assert closed == [1, 2, 4, 8]
    assert budget.state()["closed_for_s"] == 1


def test_a_refusal_without_headers_makes_the_share_smaller_for_ten_windows(clock: TestClock) -> None:
    budget, granted = budget_of(clock, share=60), []
    refuse(budget, closed_for_s=1)
    for windows in (2, 6, 11):
        clock.set(START_S + 60.001 * windows)
        granted.append(0)
        with contextlib.suppress(RateLimited):
            for _ in range(60):
                spend(budget, 1)
                granted[-1] += 1

    # Five fewer at first.
    assert granted == [57, 59, 60]


# What is shown


def test_who_waits_and_for_how_long_is_told_by_lane(clock: TestClock) -> None:
    budget = budget_of(clock, share=2)
    spend(budget, 2)
    wait_s(budget, "live")
    for number in range(2):
        wait_s(budget, f"backfill-{number}", Lane.BACKFILL)

    state = budget.state()

    assert state["waiting"] == {
        "live": {"jobs": 1, "requests": 1, "drain_s": 60.001},
        "recording": {"jobs": 0, "requests": 0, "drain_s": 0},
        "insights": {"jobs": 0, "requests": 0, "drain_s": 0},
        "backfill": {"jobs": 2, "requests": 2, "drain_s": 121.001},
    }
    assert state["drain_s"] == 121.001
