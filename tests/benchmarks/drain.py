"""How long a backlog takes against the two services' budgets, and how many of its requests are refused.

    python -m tests.benchmarks.drain [--calls N] [--others N] [--seeds N]

A thousand calls wait: of one request each against CloudTalk's 60 a minute, of four against Kustomer's 1,000.
The services count in three ways, alone and with 10 requests a minute of somebody else. The planner's real
scripts and the real queue run on a clock of the test (`tests/ledger/simulated.py`), so minutes take seconds
and other work on the machine changes nothing. The least time is that in which the service takes all that was
sent, ours and theirs, at its limit; a budget that is full at the start makes less than 1 possible.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.report import Row, say, table
from tests.ledger.drained import drain
from tests.ledger.upstream import FixedWindow, SlidingLog, TestClock, TokenBucket, Upstream

SERVERS: dict[str, Callable[..., Upstream]] = {
    "fixed window": FixedWindow,
    "sliding log": SlidingLog,
    "token bucket": TokenBucket,
}
# Limit -> requests that a call costs.
LIMITS = {60: 1, 1000: 4}
# Of a live call during a backlog: what a backlog may use at once, and the time between two slots.
LIVE_WITHIN_S = 60 / 20 + 60 / 60


def measure(url: str, *, calls: int, others: float, limits: dict[int, int], seeds: int) -> list[Row]:
    rows = []
    for limit, requests in limits.items():
        for name, service in SERVERS.items():
            for theirs in (0, others):
                found = []
                for seed in range(1, seeds + 1):
                    redis.Redis.from_url(url).flushall()
                    found.append(
                        drain(
                            TestClock(url),
                            service,
                            limit=limit,
                            calls=calls,
                            requests=requests,
                            others=theirs,
                            seed=seed,
                        )
                    )
                case = f"{limit:,}/min, {name}, {f'{theirs:g}/min of others' if theirs else 'alone'}"
                refused = 100 * sum(one.refused for one in found) / sum(one.sent for one in found)
                rows += [
                    Row(
                        what=f"{case}: time beside the least",
                        value=statistics.mean(one.ratio for one in found),
                        unit="x",
                        at_most=1.03,
                        guard=True,
                        less_is_better=True,
                        chart="Backlog: time beside the least",
                        note=f"{statistics.mean(one.took_s for one in found):,.0f} s",
                    ),
                    Row(
                        what=f"{case}: requests refused",
                        value=refused,
                        unit="%",
                        at_most=0.2 if theirs else 0,
                    ),
                ]
                say(f"{case}: {rows[-2].value:.4f} of the least time, {refused:.2f} % refused")
    return rows


def live(url: str, *, calls: int) -> Row:
    """How long live calls wait that come in the middle of a backlog."""
    waits: list[float] = []
    for service in SERVERS.values():
        redis.Redis.from_url(url).flushall()
        waits += drain(TestClock(url), service, limit=60, calls=calls, live=20).live_waited_s
    return Row(
        what="60/min, live calls in the middle of a backlog: longest wait for the first request",
        value=max(waits),
        unit="s",
        at_most=LIVE_WITHIN_S,
    )


@contextmanager
def own_redis() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedRedis(Path(folder), appendfsync="everysec")
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def run(short: bool) -> list[Row]:
    with own_redis() as url:
        if short:
            return measure(url, calls=150, others=10, limits={60: 1}, seeds=1)
        return [
            *measure(url, calls=1000, others=10, limits=LIMITS, seeds=1),
            live(url, calls=400),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--others", type=float, default=10, metavar="N", help="requests a minute")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each, for the mean")
    given = parser.parse_args()
    with own_redis() as url:
        rows = measure(url, calls=given.calls, others=given.others, limits=LIMITS, seeds=given.seeds)
        rows.append(live(url, calls=given.calls))
    say(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
