"""How a command waits for its turn, and what it says meanwhile."""

from __future__ import annotations

import pytest

from bridge.errors import RateLimited
from bridge.jobs.budget_waiter import BudgetWaiter


@pytest.mark.parametrize(
    ("waits_s", "result"), [(0.003, "1 s"), (0.6, "1 s"), (1.0, "1 s"), (1.2, "2 s"), (59.999, "60 s")]
)
def test_a_wait_is_told_in_whole_seconds_and_never_too_short(waits_s: float, result: str) -> None:
    waited: list[float] = []
    said: list[str] = []

    def question() -> str:
        if not waited:
            raise RateLimited("requests are spread over time", retry_after_s=waits_s, booked=True)
        return "the answer"

    answer = BudgetWaiter(pause=waited.append, say=said.append).ask(question)

    assert (answer, waited) == ("the answer", [waits_s])
    assert said == [f"requests are spread over time; continuing in {result}"]
