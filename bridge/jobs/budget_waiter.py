"""For commands, which may wait: ask a service until its turn comes. Jobs never do this."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bridge.errors import RateLimited, Unavailable
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.keys import Lane

_TRIES = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWaiter:
    """How a command waits, and tells so.

    Args:
        pause: waits this many seconds; a test runs jobs meanwhile.
        say: called with a sentence: why it waits.
        answered: called after each answer.
    """

    pause: Callable[[float], None]
    say: Callable[[str], None] = lambda text: None
    answered: Callable[[], None] = lambda: None

    def ask(self, question: Callable[[], T]) -> T:
        """The answer, however long the budget makes it wait.

        Raises:
            Unavailable: there was none in five tries.
        """
        failed = 0
        # Calls that end now go before what is made good later; the name keeps its place while it waits.
        requester = BudgetRequester(lane=Lane.BACKFILL, name=f"command:{secrets.token_hex(4)}")
        while True:
            try:
                with acting_as(requester):
                    answer = question()
                self.answered()
                return answer
            except RateLimited as error:
                self.say(f"{error}; continuing in {error.wait}")
                self.pause(error.retry_after_s)
            except Unavailable as error:
                failed += 1
                if failed == _TRIES:
                    raise
                self.say(f"{error}; trying again")
                self.pause(2.0**failed)
