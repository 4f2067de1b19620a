"""When what died is started again, and how it is said."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest

from bridge.local.processes import end_process, identity
from bridge.local.supervisor import LASTING_RUN_S, LONGEST_PAUSE_S, Speaker, Supervisor
from tests.frame.conftest import wait_until_gone
from tests.processes import started


class Pretend:
    """A program that runs until the test ends it."""

    name = "worker"
    pid = None

    def __init__(self) -> None:
        self.starts = 0
        self.code: int | None = None
        self.fails = False

    def start(self) -> None:
        self.starts += 1
        if self.fails:
            raise OSError("no room")
        self.code = None

    def exit_code(self) -> int | None:
        return self.code

    def ask_to_end(self) -> None:
        self.code = 0

    def kill(self) -> None:
        self.code = -signal.SIGKILL


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def said() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(said: io.BytesIO, clock: Clock) -> Supervisor:
    return Supervisor(Speaker(said, colour=False), now=clock)


def pauses(supervisor: Supervisor, clock: Clock, program: Pretend, *, count: int) -> list[float]:
    """How long it takes each time until a program that dies at once is started again."""
    measured = []
    for _ in range(count):
        program.code = 1
        starts = program.starts
        supervisor.tend()
        began = clock.now_s
        while program.starts == starts:
            clock.now_s += 0.1
            supervisor.tend()
        measured.append(round(clock.now_s - began, 1))
    return measured


def test_pauses_grow_while_it_keeps_dying(supervisor: Supervisor, clock: Clock) -> None:
    program = Pretend()
    supervisor.start(program)

    measured = pauses(supervisor, clock, program, count=8)

    assert measured[:3] == pytest.approx([0.2, 0.4, 0.8], abs=0.11)
    assert measured[-1] == pytest.approx(LONGEST_PAUSE_S, abs=0.11)


def test_a_lasting_run_makes_the_next_restart_quick_again(supervisor: Supervisor, clock: Clock) -> None:
    program = Pretend()
    supervisor.start(program)
    pauses(supervisor, clock, program, count=6)

    clock.now_s += LASTING_RUN_S

    assert pauses(supervisor, clock, program, count=1)[0] == pytest.approx(0.2, abs=0.11)


def test_a_start_that_fails_is_tried_again(supervisor: Supervisor, clock: Clock, said: io.BytesIO) -> None:
    program = Pretend()
    supervisor.start(program)
    program.code, program.fails = 1, True
    for _ in range(10):
        clock.now_s += 1
        supervisor.tend()

    program.fails = False
    clock.now_s += LONGEST_PAUSE_S + 1
    supervisor.tend()
    clock.now_s += LONGEST_PAUSE_S + 1
    supervisor.tend()

    assert program.exit_code() is None
    assert "no room" in said.getvalue().decode()


def test_at_the_start_wrong_settings_are_not_tried_again(supervisor: Supervisor) -> None:
    program = Pretend()
    supervisor.start(program)
    program.code = 2

    assert supervisor.tend(starting=True)
    assert program.starts == 1


def test_a_death_is_said_in_one_line(supervisor: Supervisor, said: io.BytesIO) -> None:
    program = Pretend()
    supervisor.start(program)
    program.code = -signal.SIGKILL

    supervisor.tend()
    supervisor.tend()

    assert said.getvalue().decode() == "up      | worker ended (SIGKILL); restarting in 0.2 s\n"


def test_lines_are_marked_with_who_said_them(said: io.BytesIO) -> None:
    Speaker(said, colour=False).say("web", b"ready\r\n")
    Speaker(said, colour=True).say("web", "ready")

    plain, coloured = said.getvalue().decode().splitlines()
    assert plain == "web     | ready"
    assert "\x1b[" in coloured


def test_a_process_is_not_taken_for_a_later_one_with_its_number() -> None:
    with started([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = identity(process.pid)
        assert known is not None

        assert end_process(process.pid, "another start")
        assert identity(process.pid) == known

        assert end_process(process.pid, known)
        wait_until_gone(process.pid)
        assert identity(process.pid) is None


def test_nobody_is_nothing() -> None:
    assert identity(2**22 + 1) is None
    assert identity(os.getpid()) is not None
