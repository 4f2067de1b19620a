"""What came and what was written, minute by minute, for a little more than a day: counted by the scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.record import moment
from bridge.ledger.facts import LAST_WEBHOOK
from bridge.ledger.ledger import Ledger

_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Of one minute or hour, from `at` on.

    Attributes:
        calls: heard of for the first time, by webhook or in CloudTalk's list.
        written: to Kustomer, for the first time.
        parked: jobs that were given up.
    """

    at: datetime
    calls: int = 0
    written: int = 0
    parked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Oldest first; the last of each has only begun.

    Attributes:
        last_webhook_at: when one was accepted last, as the web processes say with each heartbeat.
    """

    minutes: tuple[Count, ...]
    hours: tuple[Count, ...]
    last_webhook_at: datetime | None


@boundary("traffic.read")
def read_traffic(ledger: Ledger) -> Traffic:
    """The last 60 minutes and the last 24 hours, by the Redis server's clock."""
    now_ms = ledger.now_ms()
    hour = now_ms // _HOUR_MS
    pipe = ledger.redis.pipeline(transaction=False)
    for one in range(hour - _HOURS + 1, hour + 1):
        pipe.hgetall(keys.traffic(one))
    pipe.hget(keys.META, LAST_WEBHOOK)
    *hashes, heard = pipe.execute()
    answers = cast(list[Mapping[str, str]], hashes)
    by_minute: dict[int, dict[str, int]] = {}
    by_hour: dict[int, dict[str, int]] = {}
    for of_hour, answer in enumerate(answers, hour - _HOURS + 1):
        for name, number in answer.items():
            what, _, minute_of_hour = name.partition(":")
            by_minute.setdefault(of_hour * 60 + int(minute_of_hour), {})[what] = int(number)
            sums = by_hour.setdefault(of_hour, {})
            sums[what] = sums.get(what, 0) + int(number)
    minute = now_ms // _MINUTE_MS
    return Traffic(
        last_webhook_at=moment(float(heard) * 1000) if heard else None,
        minutes=tuple(_count(at, _MINUTE_MS, by_minute) for at in range(minute - 59, minute + 1)),
        hours=tuple(_count(at, _HOUR_MS, by_hour) for at in range(hour - _HOURS + 1, hour + 1)),
    )


def _count(place: int, length_ms: int, found: Mapping[int, Mapping[str, int]]) -> Count:
    return Count(at=cast(datetime, moment(place * length_ms)), **found.get(place, {}))
