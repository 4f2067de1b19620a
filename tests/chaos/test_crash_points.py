"""Every boundary at which a process talks to Redis or a service: killed before, at and after it.

The processes are real and die of SIGKILL: `crash/server.py` forks them, `crash/watch.py` sits below them and
kills where it is told. `before`: nothing of the request was sent. `amid`: of several commands that go out
together (`bridge/ledger/sharing.py`) the first half was sent and carried out. `at`: all of it was sent, the
other side has done its part, the answer was not read. `after`: the answer was read, and nothing was done with
it. Then a lease passes (the test moves time, nobody waits), a fresh process is told the same again, and what
is left has to be what a run without a kill leaves: nothing lost, nothing twice, nothing left to do.

A boundary gets its name from `bridge.boundary.boundary`. What is sent without one fails here, and so does a
name that no journey comes by. To add one: name it where it is sent (scripts of the ledger and requests of a
`Service` get theirs by themselves), then have a journey come by it: one more line in a journey of
`crash/journeys.py`, a new journey there, or for the web process one more request in `crash/visits.py`.

In CI each boundary is killed the first time that it is passed, on the shortest journey that does; with
CRASH_POINTS=all every time that it is passed, on all journeys.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest

from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.chaos.crash import one_call
from tests.chaos.crash.journeys import JOURNEYS
from tests.chaos.crash.machine import KILLED, Machine
from tests.chaos.crash.source import names_in_source, unnamed_in_source
from tests.chaos.crash.visits import STAYS
from tests.chaos.crash.watch import UNNAMED, Point

pytestmark = pytest.mark.timeout(3600 if os.environ.get("CRASH_POINTS") else 180)

T = TypeVar("T")
R = TypeVar("R")
_MACHINES = 2
# A timer, or another thread, may be late on a busy machine. A point that no try reaches fails the test.
_TRIES = 3
ALL = os.environ.get("CRASH_POINTS") == "all"
NAMES = [*STAYS, *(name for name, journey in JOURNEYS.items() if not journey.is_proof)]


@dataclass(frozen=True, slots=True)
class Course:
    """A journey without a kill: the points it came by, and what it left."""

    points: tuple[Point, ...]
    left: dict[str, Any]


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """Several, as one alone has a second processor idle most of the time."""
    with contextlib.ExitStack() as stack:
        made = []
        for n in range(_MACHINES):
            folder = tmp_path_factory.mktemp(f"crash{n}")
            # Not what is killed here.
            server = EmbeddedRedis(folder, appendfsync="everysec")
            server.start()
            stack.callback(server.stop)
            client = stack.enter_context(connect(server.url))
            sandbox = stack.enter_context(RunningSandbox())
            made.append(Machine(client, server.url, sandbox, folder))
            stack.callback(made[-1].close)
            made[-1].rehearse("recorded")
        yield made


@pytest.fixture(scope="module")
def courses(machines: list[Machine]) -> dict[str, Course]:
    return dict(zip(NAMES, _on_each(machines, NAMES, _undisturbed), strict=True))


def _undisturbed(machine: Machine, name: str) -> Course:
    life, left = machine.through(name)
    assert life.exit == 0, f"{name}: {machine.log.read_text()[-3000:]}"
    return Course(life.points, left)


def _on_each(machines: list[Machine], tasks: Sequence[T], do: Callable[[Machine, T], R]) -> list[R]:
    """What becomes of the tasks, each done on the next machine that is free."""
    free = SimpleQueue[Machine]()
    for machine in machines:
        free.put(machine)

    def done(task: T) -> R:
        machine = free.get()
        try:
            return do(machine, task)
        finally:
            free.put(machine)

    with ThreadPoolExecutor(len(machines)) as pool:
        return list(pool.map(done, tasks))


def _chosen(courses: dict[str, Course], name: str) -> list[Point]:
    """The points of a journey to kill at: in CI those of boundaries that no shorter journey comes by."""
    points = _killed_at(name, courses[name])
    if ALL:
        return points
    shorter = [other for other in NAMES if _length(courses, other) < _length(courses, name)]
    theirs = {point.name for other in shorter for point in _killed_at(other, courses[other])}
    return [point for point in points if point.nth == 1 and point.name not in theirs]


def _length(courses: dict[str, Course], name: str) -> tuple[bool, int, str]:
    # Web processes take longest to start.
    return name in STAYS, len(courses[name].points), name


def _killed_at(name: str, course: Course) -> list[Point]:
    if name in STAYS:
        only = STAYS[name].only
        return [point for point in course.points if not only or (point.name in only and point.nth == 1)]
    only, times = JOURNEYS[name].only, JOURNEYS[name].times
    return [
        point
        for point in course.points
        if (not only or not only.isdisjoint(point.names)) and (times is None or point.nth <= times)
    ]


@pytest.mark.slow
def test_nothing_is_sent_without_the_name_of_its_boundary(courses: dict[str, Course]) -> None:
    unnamed = {
        f"{point.name.removeprefix(UNNAMED)}, on the journey {name!r}"
        for name, course in courses.items()
        for point in course.points
        if point.name.startswith(UNNAMED)
    }
    assert not unnamed, f"sent outside of `with boundary(…)`: {sorted(unnamed)}"


@pytest.mark.slow
def test_every_place_that_sends_to_redis_has_a_name() -> None:
    """Also those that no journey comes by."""
    assert unnamed_in_source() == [], "put `@boundary(…)` or `with boundary(…)` around these"


@pytest.mark.slow
def test_every_boundary_is_on_a_journey(courses: dict[str, Course]) -> None:
    points = [point for name, course in courses.items() for point in _killed_at(name, course)]
    passed = {name for point in points for name in point.names}

    missing = sorted(names_in_source() - passed)

    assert not missing, (
        f"no journey comes by {missing}: have one of tests/chaos/crash/journeys.py (worker, clock, commands) "
        "or visits.py (web) do what sends them"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_before_at_and_after_each_boundary_changes_nothing(
    machines: list[Machine], courses: dict[str, Course], name: str
) -> None:
    retried: list[Point] = []

    def killed(machine: Machine, point: Point) -> list[str]:
        for tries in range(_TRIES):
            if tries:
                retried.append(point)
            life, left = machine.through(name, point)
            if life.exit == KILLED:
                break
        wrong = [] if life.exit == KILLED else [f"{point} was not reached: exit {life.exit}"]
        wrong += [f"{point}: {line}" for line in _differences(courses[name].left, left)]
        if machine.orphans() > courses[name].left["orphans"] + 1:
            wrong.append(f"{point}: {machine.orphans()} attachments that nothing names")
        return wrong

    if ALL:
        # By now the call of the other courses is an old one.
        one_call.move()
        courses = {name: _undisturbed(machines[0], name)}
    points = _chosen(courses, name)
    wrong = [line for lines in _on_each(machines, points, killed) for line in lines]

    sys.stderr.write(f"{name}: {len(points)} kills at {len({point.name for point in points})} boundaries\n")
    for point in retried:
        sys.stderr.write(f"{name}: {point} was not reached at first, and tried again\n")
    assert not wrong, "\n".join(wrong)


def _differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [
        f"{key} is {found[key]}, without a kill {expected[key]}"
        for key in expected
        if key != "orphans" and found[key] != expected[key]
    ]


@pytest.mark.slow
def test_something_sent_without_a_name_is_seen(machines: list[Machine]) -> None:
    life, _ = machines[0].through("proof: without a name")

    assert [point.name.startswith(UNNAMED) for point in life.points if point.moment == "before"] == [True] * 2


@pytest.mark.slow
def test_something_done_twice_is_seen(machines: list[Machine]) -> None:
    """A job that writes without looking first: killed after its write, it writes again."""
    _, without = machines[0].through("proof: careless")

    _, left = machines[0].through(
        "proof: careless", Point(name="kustomer.create_customer", nth=1, moment="after")
    )

    assert _differences(without, left) != []
