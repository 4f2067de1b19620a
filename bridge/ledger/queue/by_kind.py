"""The queue's numbers by lane and kind, and what is parked by kind and cause (lua/queue/by_kind.lua)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.ledger.keys import Lane

# Of each set of jobs. A longer queue is counted by lane, but no further by kind.
MOST_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class KindState:
    due: int
    overdue: int
    waiting: int
    running: int
    oldest_due_s: float


@dataclass(frozen=True, slots=True)
class QueueByKind:
    """
    Attributes:
        parked: (kind, cause) -> how many.
        unread: how many more are parked than were looked at.
    """

    lanes: Mapping[Lane, Mapping[str, KindState]]
    parked: Mapping[tuple[str, str], int]
    unread: int


def read_queue_by_kind(text: str) -> QueueByKind:
    answer = json.loads(text)
    now = float(answer["now"])

    def state(due: int, overdue: int, waiting: int, running: int, oldest: float) -> KindState:
        return KindState(
            due, overdue, max(0, waiting), running, max(0.0, (now - oldest) / 1000) if oldest else 0
        )

    lanes = {
        # Lua has one empty table, which becomes an object.
        lane: {kind: state(*numbers) for kind, numbers in dict(kinds).items()}
        for lane, kinds in zip(Lane, answer["lanes"], strict=True)
    }
    parked = {}
    for name, number in dict(answer["parked"]).items():
        kind, _, cause = name.partition("|")
        parked[kind, cause] = int(number)
    return QueueByKind(lanes, parked, int(answer["unread"]))
