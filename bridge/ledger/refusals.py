"""Webhooks that were not let in: how many by trigger and cause, with which answer, and when the last came.

Kept within bounds whatever strangers send: triggers and causes are known names, and counts by the hour are
kept for a week.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record import moment
from bridge.ledger.ledger import Ledger

HOURS_KEPT = 7 * 24
_HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """All webhooks of one trigger refused for one cause. Status and time are of the last one.

    Args:
        status: None for what an earlier version counted, which kept neither.
    """

    cause: str
    trigger: str
    status: int | None
    count: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedHour:
    """How many webhooks of a trigger were refused for a cause in the hour that begins at `hour`."""

    hour: datetime
    cause: str
    trigger: str
    count: int


def count_refusal(pipe: Any, trigger: str, cause: str, status: int, *, now: float | None = None) -> None:
    """Count one, as commands of a pipeline.

    Args:
        trigger: a known one, or `other`; strangers choose no names in Redis.
        now: seconds since 1970.
    """
    at = time.time() if now is None else now
    name, hour = f"{trigger}:{cause}", int(at // _HOUR_S)
    pipe.hincrby(keys.COUNTS, f"refused:{name}", 1)
    pipe.hset(keys.REFUSALS, name, f"{status} {round(at * 1000)}")
    pipe.hincrby(keys.refused_in(hour), name, 1)
    pipe.expire(keys.refused_in(hour), (HOURS_KEPT + 1) * _HOUR_S)


@boundary("refusals.read")
def refusals(ledger: Ledger) -> list[Refusal]:
    """One for each trigger and cause, the latest first."""
    last = cast(dict[str, str], ledger.redis.hgetall(keys.REFUSALS))
    found = []
    for name, count in ledger.counts().items():
        if not name.startswith("refused:"):
            continue
        name = name.removeprefix("refused:")
        trigger, _, cause = name.rpartition(":")
        status, _, at_ms = last.get(name, "").partition(" ")
        found.append(
            Refusal(
                cause=cause,
                trigger=trigger,
                status=int(status) if status else None,
                count=count,
                last_at=moment(at_ms) if at_ms else None,
            )
        )
    long_ago = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda one: (one.last_at or long_ago, one.cause, one.trigger), reverse=True)


@boundary("refusals.by_hour")
def refused_by_hour(ledger: Ledger, *, hours: int = 24, now: float | None = None) -> list[RefusedHour]:
    """The last hours in which any was refused, the latest first; a week at most."""
    newest = int((time.time() if now is None else now) // _HOUR_S)
    numbers = range(newest, newest - min(hours, HOURS_KEPT), -1)
    pipe = ledger.redis.pipeline(transaction=False)
    for number in numbers:
        pipe.hgetall(keys.refused_in(number))
    found: dict[int, dict[str, str]] = dict(zip(numbers, pipe.execute(), strict=True))
    return [
        RefusedHour(
            hour=datetime.fromtimestamp(number * _HOUR_S, UTC),
            cause=name.rpartition(":")[2],
            trigger=name.rpartition(":")[0],
            count=int(count),
        )
        for number, counts in found.items()
        for name, count in sorted(counts.items())
    ]
