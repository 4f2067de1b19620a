"""When somebody is told: no Redis and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.notify.texts import message_of
from bridge.notify.transitions import News, step
from bridge.reports.problem import Problem
from bridge.reports.problem_facts import Closed, Facts
from bridge.reports.problem_kinds import FOLLOWS_FOR_S
from bridge.reports.problems import find_problems

PAUSED = Facts(
    closed=(
        Closed(
            scope="kustomer",
            title="Kustomer is paused",
            state="KEY_REFUSED",
            why="Kustomer refuses the API key",
            do="Check the key in Kustomer.",
            jobs_waiting=1,
        ),
    )
)
LATE = Facts(live_late=2, live_late_s=90)
NO_WORKER = Facts(running={"web": 1, "worker": 0, "clock": 1})
WELL = Facts()


class Days:
    """Looks every 3 s, as the watch does."""

    def __init__(self) -> None:
        self.now, self.state = 1_000_000.0, dict[str, Mapping[str, Any]]()
        self.result: list[News] = []

    def pass_by(self, seconds: float, facts: Facts, *, quiet: bool = False) -> list[str]:
        """What is told meanwhile: `+name` a problem, `-name` its end."""
        ends, before = self.now + seconds, len(self.result)
        while self.now < ends:
            self.now += 3
            self._look(find_problems(facts), quiet=quiet)
        return [f"{'-' if one.is_over else '+'}{one.problem.name}" for one in self.result[before:]]

    def _look(self, problems: Iterable[Problem], *, quiet: bool) -> None:
        state, news = step(self.state, problems, now=self.now, quiet=quiet)
        self.state = dict(state)
        self.result += news


def test_a_problem_is_told_once_and_its_end_once() -> None:
    days = Days()

    assert days.pass_by(60, WELL) == []
    assert days.pass_by(3600, PAUSED) == ["+paused:kustomer"]
    assert days.pass_by(3600, WELL) == ["-paused:kustomer"]


def test_a_restart_is_not_told() -> None:
    days = Days()

    assert days.pass_by(15, NO_WORKER) == []
    assert days.pass_by(60, WELL) == []
    assert days.pass_by(30, NO_WORKER) == ["+no-worker"]


def test_what_follows_from_a_paused_service_is_not_told_beside_it() -> None:
    days, both = Days(), Facts(closed=PAUSED.closed, live_late=2, live_late_s=90, calls_missing=3)

    assert days.pass_by(3600, both) == ["+paused:kustomer"]
    # The backlog drains.
    assert days.pass_by(FOLLOWS_FOR_S - 30, LATE) == ["-paused:kustomer"]
    assert days.pass_by(60, WELL) == []


def test_what_stays_after_its_cause_is_told() -> None:
    days = Days()
    days.pass_by(60, Facts(closed=PAUSED.closed, live_late=2, live_late_s=90))

    assert days.pass_by(FOLLOWS_FOR_S + 60, LATE) == ["-paused:kustomer", "+live-late"]


def test_parked_jobs_are_told_again_only_when_they_more_than_double() -> None:
    days = Days()

    assert days.pass_by(60, Facts(parked=1)) == ["+parked"]
    assert days.pass_by(60, Facts(parked=3)) == []
    assert days.pass_by(60, Facts(parked=5)) == ["+parked"]
    assert days.pass_by(60, Facts(parked=12)) == []
    assert days.pass_by(60, Facts(parked=13)) == ["+parked"]
    assert days.pass_by(60, Facts(parked=2)) == []
    assert days.pass_by(60, WELL) == ["-parked"]


def test_what_comes_and_goes_is_told_ended_after_ten_quiet_minutes() -> None:
    days, result = Days(), []
    for _ in range(10):
        result += days.pass_by(60, PAUSED) + days.pass_by(60, WELL)

    assert result == ["+paused:kustomer", "-paused:kustomer"] * 2 + ["+paused:kustomer"]
    assert days.result[-1].flaps
    assert days.pass_by(900, WELL) == ["-paused:kustomer"]


def test_in_quiet_hours_nothing_is_told_and_what_is_still_wrong_is_told_afterwards() -> None:
    days = Days()
    assert days.pass_by(60, PAUSED) == ["+paused:kustomer"]

    assert days.pass_by(600, Facts(parked=1), quiet=True) == []
    assert days.pass_by(600, Facts(calls_missing=0), quiet=True) == []
    assert days.pass_by(600, LATE, quiet=True) == []

    assert days.pass_by(60, LATE) == ["-paused:kustomer"]
    assert days.pass_by(FOLLOWS_FOR_S, LATE) == ["+live-late"]


def test_a_message_says_what_to_do_and_where_and_nothing_else() -> None:
    days = Days()
    days.pass_by(60, PAUSED)
    days.pass_by(60, WELL)

    problem, end = (
        message_of(one, public_url="https://bridge.example.com", zone="UTC") for one in days.result
    )

    assert problem["type"] == "failure" and end["type"] == "success"
    assert problem["title"] == (
        "callbridge: Kustomer is paused (KEY_REFUSED): Kustomer refuses the API key; 1 job waits"
    )
    assert "What to do: Check the key in Kustomer.\n" in problem["body"]
    assert problem["body"].endswith("https://bridge.example.com/")
    assert "A service is paused" in problem["body"]
    assert end["title"] == "callbridge: Kustomer is no longer paused; waiting jobs continue"
    assert end["body"].endswith("https://bridge.example.com/")
