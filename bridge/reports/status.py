"""Whether all is well, and what is not: for `callbridge status` and `/api/status`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bridge.ledger.budgets.budget import Budget
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections
from bridge.reports.facts import what_is_wrong
from bridge.reports.views import queue_view


def status_view(ledger: Ledger, budgets: Iterable[Budget], connections: Connections) -> dict[str, Any]:
    """`{"ok", "says", "processes", "queue", "budgets"}`; ok: no person has to act."""
    queue = queue_view(ledger, budgets, connections)
    running = ledger.processes()
    found = what_is_wrong(ledger, queue, running)
    left = queue.pop("budgets")
    return {
        "ok": not any(problem.needs_a_person for problem in found),
        "says": [problem.line for problem in found],
        "processes": [{**one.shown(), "rules": one.rules} for one in running],
        "queue": queue,
        "budgets": left,
    }
