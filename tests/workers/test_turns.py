"""Fair turns of many accounts, without Redis or a clock."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.turns import Turns


def turns_of(*accounts: str, threads: int = 8) -> Turns:
    turns = Turns(threads=threads, look_every_s=5.0)
    turns.serve(accounts, now=0.0)
    for name in turns.to_look_at(len(accounts), now=5.0):
        turns.looked(name, next_in_s=None, now=5.0)
    return turns


def test_accounts_take_turns_whatever_each_has_waiting() -> None:
    turns = turns_of("noisy", "a", "b", threads=4)
    for name in ("noisy", "a", "b"):
        turns.heard(name, in_s=0, now=6.0)

    assert turns.pick(2, now=6.0) == {"noisy": 1, "a": 1}
    # It has more to do, and goes behind whoever waits.
    turns.heard("noisy", in_s=0, now=6.0)
    assert turns.pick(2, now=6.0) == {"b": 1, "noisy": 1}


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3), (8, 6), (32, 24), (64, 48)])
def test_no_account_has_all_threads(threads: int, most: int) -> None:
    turns = turns_of("noisy", threads=threads)
    turns.heard("noisy", in_s=0, now=6.0)

    picked = turns.pick(threads, now=6.0)

    assert picked == {"noisy": most}


def test_an_account_at_its_most_waits_for_one_of_its_own_jobs_to_end() -> None:
    turns = turns_of("slow", "other", threads=4)
    turns.taken("slow", 3)
    turns.heard("slow", in_s=0, now=6.0)

    assert turns.pick(1, now=6.0) == {}
    turns.heard("other", in_s=0, now=6.0)
    assert turns.pick(1, now=6.0) == {"other": 1}
    turns.ended("slow")
    assert turns.pick(1, now=6.0) == {"slow": 1}


def test_a_job_planned_for_later_is_due_then_and_not_before() -> None:
    turns = turns_of("a")
    turns.heard("a", in_s=3.0, now=6.0)

    assert turns.wait_s(now=6.0) == 3.0
    assert turns.pick(8, now=8.9) == {}
    assert turns.pick(8, now=9.0) == {"a": 6}


def test_news_of_an_earlier_job_counts_and_of_a_later_one_does_not() -> None:
    turns = turns_of("a")
    turns.heard("a", in_s=3.0, now=6.0)
    turns.heard("a", in_s=1.0, now=6.0)
    turns.heard("a", in_s=4.0, now=6.0)

    assert turns.wait_s(now=6.0) == 1.0


def test_an_account_that_nothing_is_heard_of_is_looked_at_every_few_seconds() -> None:
    turns = turns_of("a", "b")

    assert turns.to_look_at(10, now=9.9) == []
    assert sorted(turns.to_look_at(10, now=10.0)) == ["a", "b"]
    # The look failed: it is made again.
    assert turns.to_look_at(10, now=14.9) == []
    assert sorted(turns.to_look_at(10, now=15.0)) == ["a", "b"]


def test_looks_at_many_accounts_are_spread_over_the_time_between_two() -> None:
    turns = Turns(threads=8, look_every_s=5.0)
    turns.serve([f"a{n}" for n in range(1000)], now=0.0)

    looks = [len(turns.to_look_at(1000, now=second / 2)) for second in range(10)]

    assert sum(looks) == pytest.approx(900, abs=2) and max(looks) <= 102


def test_after_wake_ups_may_have_been_missed_each_is_looked_at() -> None:
    turns = turns_of("a", "b")

    turns.look_at_all(now=6.0)

    assert sorted(turns.to_look_at(10, now=6.0)) == ["a", "b"]


def test_an_account_that_is_no_longer_served_has_no_turn() -> None:
    turns = turns_of("a", "b")
    turns.heard("a", in_s=0, now=6.0)
    turns.taken("a")

    turns.serve(["b"], now=6.0)
    turns.heard("a", in_s=0, now=6.0)
    turns.ended("a")

    assert turns.pick(8, now=6.0) == {} and turns.accounts == {"b"}
    assert turns.to_look_at(10, now=20.0) == ["b"]


@given(
    waiting=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    threads=st.integers(1, 16),
    order=st.randoms(use_true_random=False),
)
def test_no_account_waits_for_more_than_one_turn_of_each_other(
    waiting: list[int], threads: int, order: st.DataObject
) -> None:
    """Jobs that end in any order: between two of one account, another has at most as many as threads."""
    names = [f"a{n}" for n in range(len(waiting))]
    left = dict(zip(names, waiting, strict=True))
    turns = turns_of(*names, threads=threads)
    for name in names:
        if left[name]:
            turns.heard(name, in_s=0, now=6.0)
    running: list[str] = []
    since: dict[str, Counter[str]] = {name: Counter() for name in names}
    while any(left.values()) or running:
        picked = turns.pick(threads - len(running), now=6.0)
        for name, most in picked.items():
            jobs = min(most, left[name])
            left[name] -= jobs
            turns.taken(name, jobs)
            running += [name] * jobs
            turns.looked(name, next_in_s=0 if left[name] else None, now=6.0)
            for other in names:
                if other != name and left[other] and running.count(other) < turns.most_of_one:
                    since[other][name] += jobs
            since[name].clear()
        assert len(running) <= threads and all(running.count(name) <= turns.most_of_one for name in names)
        if not running:
            # Only accounts were picked that had nothing left.
            assert picked, "threads are free, jobs are due, and nobody is picked"
            continue
        running.sort()
        order.shuffle(running)  # type: ignore[attr-defined]
        turns.ended(running.pop())
        for waiter in names:
            assert all(count <= threads for count in since[waiter].values())
    assert not any(left.values())
