"""Webhooks that stop or are refused in a row, budgets that stay closed: no Redis and no clock."""

from __future__ import annotations

from typing import Any

from bridge.reports.traffic import budgets_closed, is_unannounced, next_sample, refused_in_a_row


class Desk:
    """Looks every 3 s."""

    def __init__(self, *, is_open: bool | None = True) -> None:
        self.now, self.is_open, self.web = 1_000_000.0, is_open, True
        self.counts: dict[str, int] = {}
        self.closed: dict[str, float] = {"cloudtalk": 0.0}
        self.sample: dict[str, Any] = {}
        self.look()

    def look(self, *, after_s: float = 3.0) -> None:
        self.now += after_s
        self.sample = next_sample(
            self.sample,
            counts=self.counts,
            closed_s=self.closed,
            now=self.now,
            is_open=self.is_open,
            can_arrive=self.web,
        )

    def pass_by(self, seconds: float) -> None:
        for _ in range(int(seconds / 3)):
            self.look()

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number
        self.look()


def test_refused_webhooks_count_from_the_last_accepted_one() -> None:
    desk = Desk()
    desk.count("refused:call-ended:wrong-token", 9)
    desk.count("webhook:call-ended:accepted")
    desk.count("refused:call-ended:wrong-token", 2)
    desk.count("refused:call-ended:no-token")

    assert refused_in_a_row(desk.sample) == (3, "wrong-token")

    desk.count("webhook:call-ended:duplicate")
    assert refused_in_a_row(desk.sample) == (0, "")


def test_silence_counts_in_opening_hours_only() -> None:
    desk = Desk()
    desk.count("webhook:call-ended:accepted")
    desk.pass_by(600)
    desk.is_open = False
    desk.pass_by(6000)
    desk.is_open = True
    desk.pass_by(300)

    assert desk.sample["silent_s"] == 900

    desk.count("webhook:call-ended:held")
    assert desk.sample["silent_s"] == 0


def test_without_hours_no_silence_counts() -> None:
    desk = Desk(is_open=None)
    desk.pass_by(6000)

    assert desk.sample["silent_s"] == 0


def test_while_nobody_watched_or_no_web_ran_the_silence_is_not_the_senders() -> None:
    desk = Desk()
    desk.pass_by(300)
    desk.look(after_s=7200)
    assert desk.sample["silent_s"] == 300

    desk.web = False
    desk.pass_by(600)
    assert desk.sample["silent_s"] == 300
    assert not is_unannounced(desk.sample, desk.now - 300)


def test_a_listed_call_shows_that_webhooks_stopped_until_one_comes() -> None:
    desk = Desk(is_open=None)
    ended_at = desk.now + 120
    desk.pass_by(600)

    assert is_unannounced(desk.sample, ended_at)
    assert not is_unannounced(desk.sample, ended_at - 90) and not is_unannounced(desk.sample, None)

    desk.count("webhook:call-ended:accepted")
    assert not is_unannounced(desk.sample, ended_at)


def test_an_emptied_redis_begins_anew() -> None:
    desk = Desk()
    desk.count("webhook:call-ended:accepted", 5)
    desk.pass_by(600)
    desk.counts = {"refused:call-ended:no-token": 3}
    desk.look()

    assert desk.sample["silent_s"] == 0 and refused_in_a_row(desk.sample) == (0, "")


def test_a_budget_is_closed_since_it_was_first_seen_so() -> None:
    desk = Desk()
    desk.closed["cloudtalk"] = 60.0
    desk.look()
    desk.pass_by(90)
    assert budgets_closed(desk.sample) == {"cloudtalk": 90.0}

    desk.closed["cloudtalk"] = 0.0
    desk.look()
    assert budgets_closed(desk.sample) == {}
    desk.closed["cloudtalk"] = 60.0
    desk.look()
    # Open for a moment, it was not open.
    assert budgets_closed(desk.sample) == {"cloudtalk": 96.0}

    desk.closed["cloudtalk"] = 0.0
    desk.pass_by(30)
    desk.closed["cloudtalk"] = 60.0
    desk.look()
    assert budgets_closed(desk.sample) == {"cloudtalk": 0.0}
