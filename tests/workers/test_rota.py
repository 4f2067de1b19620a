"""When accounts are looked after by the clock, without Redis or a clock."""

from __future__ import annotations

from workers.rota import Rota


def rota_of(*accounts: str) -> Rota:
    rota = Rota()
    rota.serve(accounts, now=0.0, within_s=60.0)
    return rota


def test_the_first_round_is_spread_over_the_time_given() -> None:
    rota = rota_of(*(f"a{n}" for n in range(60)))

    assert [len(rota.due(100, now=float(second))) for second in (0, 1, 10, 59)] == [1, 1, 9, 49]


def test_an_account_that_is_looked_after_is_not_due_until_that_has_ended() -> None:
    rota = rota_of("slow", "other")

    assert rota.due(8, now=30.0) == ["slow", "other"]
    rota.ended("other", next_at=31.0)
    rota.hurry("slow", at=30.0)
    assert rota.due(8, now=1000.0) == ["other"]
    rota.ended("slow", next_at=1001.0)
    assert rota.due(8, now=1001.0) == ["slow"]


def test_news_of_an_account_brings_its_turn_forward_and_never_puts_it_off() -> None:
    rota = rota_of("a")
    rota.due(1, now=0.0)
    rota.ended("a", next_at=60.0)

    rota.hurry("a", at=10.0)
    rota.hurry("a", at=20.0)

    assert rota.wait_s(now=0.0) == 10.0
    assert rota.due(1, now=10.0) == ["a"]
    rota.ended("a", next_at=70.0)
    # What was planned before the turn came forward is not done a second time.
    assert rota.due(1, now=60.0) == []


def test_one_that_is_no_longer_served_is_left_alone_and_a_new_one_is_looked_after_at_once() -> None:
    rota = rota_of("a", "b")
    rota.due(1, now=0.0)

    rota.serve(["b", "c"], now=5.0, within_s=60.0)
    rota.ended("a", next_at=6.0)

    assert rota.due(8, now=5.0) == ["c"]
    assert rota.due(8, now=1000.0) == ["b"]
