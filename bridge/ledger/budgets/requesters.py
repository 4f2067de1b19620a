"""Whose turn it is: for whom the requests of this thread are sent, and what lane that has.

Set around each job by the runner, and read by the budgets: clients and jobs pass nothing along.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

import redis

from bridge.ledger.keys import Lane


class Spending(Protocol):
    """What a turn asks of a budget that it took from."""

    def ended(self, requester: BudgetRequester, spent: Spent) -> None: ...


@dataclass(slots=True, kw_only=True)
class Spent:
    """What a turn had from one budget."""

    sent: int = 0
    # Places that are still kept for this turn.
    kept: int = 0
    refused: bool = False
    # Replies that are not booked yet, in the order they came: (when, by the budget's clock; what is booked).
    unbooked: list[tuple[float, tuple[object, ...]]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class BudgetRequester:
    """One run of a job, or one errand of a command.

    Args:
        name: under which it waits; a job's name for a job, so that it can be called before its time.
        kind: of the job; None for what is no job: each of its requests then stands alone, as it goes on where
            it was refused and does not begin anew.
    """

    lane: Lane
    name: str
    kind: str | None = None
    over: bool = False
    spent: dict[Spending, Spent] = field(default_factory=dict)

    def at(self, budget: Spending) -> Spent:
        return self.spent.setdefault(budget, Spent())

    def end(self) -> None:
        """Give back what was kept for it and not needed, once."""
        self.over = True
        spent_at, self.spent = self.spent, {}
        for budget, spent in spent_at.items():
            # With Redis away the places free themselves.
            with contextlib.suppress(redis.RedisError):
                budget.ended(self, spent)


_current: ContextVar[BudgetRequester | None] = ContextVar("turn", default=None)


@contextmanager
def acting_as(requester: BudgetRequester) -> Iterator[BudgetRequester]:
    """Everything sent inside is sent for this turn; what was kept for it and not needed is given back."""
    before = _current.set(requester)
    try:
        yield requester
    finally:
        _current.reset(before)
        requester.end()


def current_requester() -> BudgetRequester:
    """That of the job which runs; else one of its own for this thread, in the live lane: a person waits."""
    requester = _current.get()
    if requester is None:
        requester = BudgetRequester(lane=Lane.LIVE, name=f"by-hand:{secrets.token_hex(4)}")
        _current.set(requester)
    return requester


def requester_name() -> str | None:
    """Of the job which runs; None outside of one."""
    requester = _current.get()
    return None if requester is None else requester.name


@dataclass(slots=True, kw_only=True)
class Look:
    """Requests for what may not be there at all: a small part of a budget is for those that find nothing.

    Args:
        part: the part of the share that all looks of a window may have together, this one among them.
    """

    part: float
    found: bool = False
    # What was taken for it: the budget's name for each request.
    taken: list[tuple[Looking, str]] = field(default_factory=list)


class Looking(Protocol):
    """What a look asks of a budget that it took from."""

    def give_back_look(self, name: str) -> None: ...


_look: ContextVar[Look | None] = ContextVar("look", default=None)


@contextmanager
def looking(part: float) -> Iterator[Look]:
    """What is sent inside is a look; one that found something does not count as one."""
    look = Look(part=part)
    before = _look.set(look)
    try:
        yield look
    finally:
        _look.reset(before)
        if look.found:
            for budget, name in look.taken:
                with contextlib.suppress(redis.RedisError):
                    budget.give_back_look(name)


def current_look() -> Look | None:
    return _look.get()
