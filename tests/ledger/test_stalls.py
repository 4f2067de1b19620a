"""When a Redis that says nothing counts as away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import redis
from redis.asyncio.connection import AbstractConnection

from bridge.ledger import pipelined
from bridge.ledger.pipelined import Link
from bridge.ledger.stalls import MOST_SILENT_S, OUTAGE_S, SILENT_S, Stalls


def test_a_redis_that_was_never_slow_may_be_silent_for_a_moment_only() -> None:
    assert Stalls().limit_s(100.0) == SILENT_S


def test_a_disk_that_took_long_lately_may_take_twice_as_long() -> None:
    stalls = Stalls()

    stalls.ended(0.18, 100.0)
    stalls.ended(0.06, 101.0)

    assert stalls.limit_s(102.0) == 0.36


def test_a_slow_time_is_forgotten_ten_seconds_after_it() -> None:
    stalls = Stalls()

    stalls.ended(0.18, 100.0)

    assert stalls.limit_s(109.0) > SILENT_S
    assert stalls.limit_s(111.0) == SILENT_S


def test_what_was_taken_for_an_outage_and_was_soon_over_was_slowness() -> None:
    stalls = Stalls()

    stalls.taken_for_outage(100.0)
    stalls.back(100.25)

    assert stalls.limit_s(101.0) == 0.5


def test_an_outage_does_not_make_the_next_one_longer() -> None:
    stalls = Stalls()

    stalls.taken_for_outage(100.0)
    stalls.back(100.0 + OUTAGE_S)

    assert stalls.limit_s(102.0) == SILENT_S


def test_no_disk_makes_webhooks_wait_longer_than_the_limit_of_all_limits() -> None:
    stalls = Stalls()

    stalls.ended(OUTAGE_S - 0.01, 100.0)

    assert SILENT_S < stalls.limit_s(101.0) < MOST_SILENT_S


def test_a_silence_as_long_as_an_outage_is_no_measure_of_a_slow_disk_even_if_it_ended() -> None:
    stalls = Stalls()

    stalls.ended(OUTAGE_S, 100.0)

    assert stalls.limit_s(101.0) == SILENT_S


class Clock:
    """A loop whose time the test moves."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 100.0
        self._due: list[tuple[float, Callable[[], None]]] = []
        self.create_future = loop.create_future
        self._soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.Event:
        self._due.append((self.now + seconds, call))
        handle: Any = type("Handle", (), {"cancel": lambda self: None})()
        return cast(asyncio.Event, handle)

    def turn(self) -> None:
        while self._soon:
            self._soon.pop(0)()

    def pass_by(self, seconds: float) -> None:
        """All timers of this span run at their time."""
        ends = self.now + seconds
        while due := [one for one in self._due if one[0] <= ends]:
            first = min(due, key=lambda one: one[0])
            self._due.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = ends

    def stand_still(self, seconds: float) -> None:
        """The process does not run; then all timers that are due do, before anything is read."""
        self.now += seconds
        due, self._due = [one for one in self._due if one[0] <= self.now], []
        for _, call in due:
            call()


class Wire:
    """A connection that was made; the test sends what Redis would."""

    def __init__(self) -> None:
        self.transport = self
        self.is_cut = False

    def write(self, data: bytes) -> None: ...

    def set_protocol(self, protocol: object) -> None: ...

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.is_cut = True


@contextmanager
def a_link(timeout_s: float = 1.0) -> Iterator[tuple[Link, Clock]]:
    loop = asyncio.new_event_loop()
    clock = Clock(loop)

    async def make() -> Link:
        wire = type("Connection", (), {"_writer": Wire(), "_reader": None})()
        return Link(cast(AbstractConnection, wire), timeout_s=timeout_s, stalls=Stalls())

    try:
        link = loop.run_until_complete(make())
        link._loop = cast(asyncio.AbstractEventLoop, clock)
        yield link, clock
    finally:
        loop.close()


def ask(link: Link, clock: Clock, number: int = 1) -> list[asyncio.Future[Any]]:
    asked = [link.ask(("PING",)) for _ in range(number)]
    clock.turn()
    return asked


def is_lost(link: Link) -> bool:
    return link.is_lost


def test_a_connection_that_says_nothing_is_given_up_at_the_limit() -> None:
    with a_link() as (link, clock):
        asked = ask(link, clock, 3)

        clock.pass_by(SILENT_S - 0.01)
        assert not is_lost(link)
        clock.pass_by(0.03)

        assert is_lost(link)
        assert all(isinstance(one.exception(), redis.TimeoutError) for one in asked)


def test_one_on_which_nothing_was_asked_may_be_silent() -> None:
    with a_link() as (link, clock):
        ask(link, clock)
        link.data_received(b"+PONG\r\n")

        clock.pass_by(60.0)
        asked = ask(link, clock)
        clock.pass_by(SILENT_S / 2)

        assert not is_lost(link)
        assert not asked[0].done()


def test_answers_that_trickle_are_waited_for_until_the_limit_of_each() -> None:
    with a_link(timeout_s=1.0) as (link, clock):
        asked = ask(link, clock, 20)

        for _ in range(6):
            clock.pass_by(0.15)
            link.data_received(b"+PONG\r\n")
        assert not is_lost(link)
        assert [one.done() for one in asked] == [True] * 6 + [False] * 14
        clock.pass_by(0.13)

        assert is_lost(link)


def test_a_process_that_stood_still_reads_what_came_before_it_gives_up() -> None:
    with a_link() as (link, clock):
        asked = ask(link, clock)

        clock.stand_still(5.0)
        link.data_received(b"+PONG\r\n")
        clock.pass_by(pipelined._LAST_LOOK_S * 2)

        assert not is_lost(link)
        assert asked[0].result() == "PONG"


def test_a_slow_answer_that_came_makes_the_next_one_be_waited_for_longer() -> None:
    with a_link() as (link, clock):
        ask(link, clock)
        clock.pass_by(0.18)
        link.data_received(b"+PONG\r\n")

        asked = ask(link, clock)
        clock.pass_by(0.3)
        link.data_received(b"+PONG\r\n")

        assert asked[0].result() == "PONG"


@pytest.mark.parametrize("pieces", [(b"+PO", b"NG\r\n"), (b"+PONG\r\n",)])
def test_an_answer_in_pieces_is_whole_with_the_last_one(pieces: tuple[bytes, ...]) -> None:
    with a_link() as (link, clock):
        asked = ask(link, clock)

        for piece in pieces:
            link.data_received(piece)

        assert asked[0].result() == "PONG"
