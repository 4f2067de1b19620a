"""What pages and `/api` work on: the ledger, and threads in which it may block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from bridge.domain.rules.model import Rules
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections
from bridge.reports.call_list import CallPage, Search, find_calls, list_calls
from bridge.reports.views import call_view, queue_view
from bridge.rules_source import RulesSource

T = TypeVar("T")

# Redis' own timeout is 1 s; a list takes several commands.
_WITHIN_S = 1.7
# Redis writes its files anew.
FORGET_WITHIN_S = 60.0


class Desk:
    """See the module. Its methods but `run` block."""

    def __init__(
        self,
        ledger: Ledger,
        budgets: tuple[Budget, ...],
        connections: Connections,
        rules_source: RulesSource,
        *,
        threads: int = 8,
    ) -> None:
        self.ledger, self.budgets, self.connections = ledger, budgets, connections
        self.rules_source = rules_source
        # With Redis frozen each one blocks for a second or two: a few, so that a crowd cannot use up memory.
        self._threads = anyio.CapacityLimiter(threads)

    @property
    def rules(self) -> Rules:
        """Those in force now."""
        return self.rules_source()

    @property
    def threads(self) -> int:
        return int(self._threads.total_tokens)

    @property
    def busy(self) -> int:
        return self._threads.borrowed_tokens

    async def run(self, work: Callable[[], T], *, within_s: float = _WITHIN_S) -> T:
        """Run `work` beside the event loop.

        Args:
            within_s: how long it may take.
        Raises:
            TimeoutError: it takes too long; what it did so far stays done.
        """
        with anyio.fail_after(within_s):
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)

    # The same, for pages and metrics too.

    def queue(self) -> dict[str, Any]:
        return queue_view(self.ledger, self.budgets, self.connections)

    def calls(self, search: Search) -> dict[str, Any]:
        return list_calls(self.ledger, self.rules, search)

    def find_calls(self, search: Search) -> CallPage:
        return find_calls(self.ledger, self.rules, search)

    def call(self, text: str) -> dict[str, Any] | None:
        record = self.ledger.find(text)
        return None if record is None else call_view(self.ledger, self.rules, record)
