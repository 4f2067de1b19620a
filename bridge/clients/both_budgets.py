"""A budget within a budget: requests that a service limits as a kind, beside the limit of all requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bridge.clients.ports import Budget, RateLimitHeaders
from bridge.errors import BridgeError


class BothBudgets:
    """Takes a slot of each. A refusal by the service closes the narrower one only.

    Args:
        whole: of all requests.
        part: of the requests of this kind.
    """

    def __init__(self, *, whole: Budget, part: Budget) -> None:
        self._whole, self._part = whole, part
        self.share, self.window_s = part.share, part.window_s

    def take(self, *, if_closed: Callable[[], None] | None = None) -> Any:
        """
        Raises:
            RateLimited: one of them is used up; nothing was sent.
        """
        narrow = self._part.take(if_closed=if_closed)
        try:
            return narrow, self._whole.take()
        except BridgeError:
            self._part.replied(narrow, operation="", status="none")
            raise

    def replied(
        self,
        slot: Any,
        *,
        operation: str,
        status: str,
        closed_for_s: float = 0,
        rate_limits: RateLimitHeaders | None = None,
        seconds: float | None = None,
        at_once: bool = False,
    ) -> None:
        narrow, wide = slot
        # Whose limit the headers of such a reply speak of is not known, so `rate_limits` corrects neither.
        self._part.replied(narrow, operation="", status=status, closed_for_s=closed_for_s, at_once=at_once)
        self._whole.replied(wide, operation=operation, status=status, seconds=seconds, at_once=at_once)
