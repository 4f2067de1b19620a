"""What a stronger promise costs: webhooks a second, and how long one waits, by what the 2xx waits for.

    python -m tests.benchmarks.acceptance [ROUNDS] [SECONDS] [SENDERS]

All in one run, round by round, each with a web process of its own. Read the ratios: the rest is chance.
Without a file, Redis forgets all when it ends: what the others are compared with.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import redis

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import before_others
from tests.benchmarks.load import load
from tests.benchmarks.report import Row, say
from tests.chaos.house import TOKEN, Process, free_port
from tests.reaper import Reaper
from tests.waiting import eventually


@dataclass
class Way:
    """One way to run the web process, and what it took."""

    name: str
    port: int
    seconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def ms(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    def rate_against(self, other: Way) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))


def run(short: bool) -> list[Row]:
    ways = measure(7, 0.4 if short else 1.0, 64, only=2 if short else 5)
    base, *others = ways
    goals = {"memory, always": 0.95}
    rows = [
        Row(
            what=f"{way.name}, against {base.name}: requests/s",
            value=way.rate_against(base),
            unit="x",
            at_least=goals.get(way.name),
            # The other two depend on the disk, which differs between machines.
            guard=way.name in goals,
        )
        for way in others
    ]
    return rows + [Row(what=f"{way.name}: p99", value=way.ms(0.99), unit="ms", chart="p99") for way in ways]


def main(rounds: int, seconds: float, senders: int) -> None:
    ways = measure(rounds, seconds, senders)
    for way in ways:
        say(
            f"{way.name:18} {statistics.median(way.rates):7.0f}/s   ratio {way.rate_against(ways[0]):5.2f}   "
            f"p50 {way.ms(0.5):7.1f} ms   p99 {way.ms(0.99):7.1f} ms   n {len(way.seconds)}"
        )


def measure(rounds: int, seconds: float, senders: int, *, only: int = 5) -> list[Way]:
    """Args: only: so many of the ways, from the first on."""
    # What this process starts does so, too.
    before_others()
    with Reaper() as reaper, ExitStack() as stack:
        folder = reaper.folder
        everysec = stack.enter_context(
            redis_in(folder / "everysec", EmbeddedRedis(folder / "everysec", appendfsync="everysec"))
        )
        always = stack.enter_context(
            redis_in(folder / "always", EmbeddedRedis(folder / "always", appendfsync="always"))
        )
        without = stack.enter_context(redis_in(folder / "without", EmbeddedRedis(folder / "without")))
        with redis.Redis.from_url(without) as client:
            client.config_set("appendonly", "no")
        nobody = f"unix://{folder}/nobody.sock"
        settings_of: dict[str, dict[str, str]] = {
            "memory, no file": {"REDIS_URL": without},
            "memory, always": {"REDIS_URL": always},
            "memory, everysec": {"REDIS_URL": everysec},
            "disk, always": {"REDIS_URL": always, "ACCEPT_AFTER": "disk"},
            "journal, no Redis": {"REDIS_URL": nobody, "JOURNAL_MB": "1000"},
        }
        ways = [
            stack.enter_context(web(folder, name, **settings))
            for name, settings in list(settings_of.items())[:only]
        ]
        number = 1
        for _ in range(rounds):
            for way in ways:
                took = load(way.port, seconds, senders, first=number)
                number += len(took)
                way.rates.append(len(took) / seconds)
                way.seconds += took
    return ways


@contextmanager
def redis_in(folder: Path, server: EmbeddedRedis) -> Iterator[str]:
    folder.mkdir()
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def web(folder: Path, name: str, **settings: str) -> Iterator[Way]:
    way = Way(name, free_port())
    environ = {
        **os.environ,
        **settings,
        "WEBHOOK_TOKENS": TOKEN,
        "WEBHOOKS_PER_MINUTE": "0",
        "PORT": str(way.port),
        "DATA_DIR": str(folder / f"data-{way.port}"),
        "LOG_FORMAT": "json",
        # A line for each webhook would be what is measured.
        "LOG_LEVEL": "ERROR",
    }
    process = Process("web", environ, folder / "web.log")
    process.start()

    def ready() -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{way.port}/readyz").status_code == 200
        except httpx2.HTTPError:
            return False

    try:
        eventually(ready, f"{name} is ready", within_s=60, every_s=0.1)
        yield way
    finally:
        process.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[0]) if given else 3,
        float(given[1]) if given[1:] else 2.0,
        int(given[2]) if given[2:] else 64,
    )
