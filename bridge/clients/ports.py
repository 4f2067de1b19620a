"""What a client needs of the process it runs in, whoever provides it; the ledger does (`bridge.ledger`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from bridge.errors import Disconnected


class RateLimitHeaders(NamedTuple):
    """What a reply's headers say of the whole company's budget.

    Args:
        resets_in_s: until their window ends; None where they do not say.
    """

    limit: int
    remaining: int
    resets_in_s: float | None


class Budget(Protocol):
    """Our share of a service's rate limit."""

    share: int
    window_s: float

    def take(self, *, if_closed: Callable[[], None] | None = None) -> Any:
        """A slot for one request, to be handed back with `replied`.

        Args:
            if_closed: called before a slot is taken, unless all services are known to be open. What it raises
                ends the request.

        Raises:
            RateLimited: the share is used up; nothing was sent.
        """

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
        """Book the end of a request, however it ended; a job's with its next request, unless `at_once`."""


class Gate(Protocol):
    """Stands before all requests to one service; closed while the service is known to be down."""

    def check(self, operation: str) -> str | None:
        """The scope that this request may probe; None where all is open.

        Raises:
            Disconnected: the service or this operation is closed; nothing was sent.
        """

    def rose(self, scope: str) -> None:
        """What was probed is open again."""

    def slow(self, operation: str) -> None:
        """The service did not answer in time."""

    def fell(self, error: Disconnected) -> None:
        """The service is closed."""
