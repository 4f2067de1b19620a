"""Webhooks a second with 1, 2 and 4 web processes before one Redis, and whether each call was kept once.

    python -m tests.benchmarks.processes [--rounds N] [--seconds S] [--senders N]

Each number of processes has its turn in each round. At the end a thousand calls go to all four processes at
the same time: each must be accepted by one, and be a duplicate to the others. On two cores, which
the senders and Redis need too, four processes show what crowding costs, not what four cores would do.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import redis

from bridge.ledger import keys
from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import Site, web_process
from tests.benchmarks.load import load, webhook
from tests.benchmarks.redis_away import status_of
from tests.benchmarks.report import Row, say, table
from tests.reaper import Reaper

NUMBERS = (1, 2, 4)
TWICE = 1000


def run(short: bool) -> list[Row]:
    return measure(rounds=2 if short else 5, seconds=1.0, senders=64)


def measure(*, rounds: int, seconds: float, senders: int) -> list[Row]:
    rates: dict[int, list[float]] = {number: [] for number in NUMBERS}
    cpu_s = dict.fromkeys(NUMBERS, 0.0)
    sent = dict.fromkeys(NUMBERS, 0)
    with Reaper() as reaper, tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        server = EmbeddedRedis(Path(text), appendfsync="everysec")
        server.start()
        stack.callback(server.stop)
        sites = []
        for number in range(max(NUMBERS)):
            folder = reaper.folder / str(number)
            folder.mkdir()
            sites.append(web_process(stack, folder, server.url, LOG_LEVEL="ERROR"))
        first = 1
        for _ in range(rounds):
            for number in NUMBERS:
                used, before_s = sites[:number], sum(site.cpu_s for site in sites[:number])
                began = time.perf_counter()
                took = _load(used, seconds, senders, first=first)
                rates[number].append(took / (time.perf_counter() - began))
                cpu_s[number] += sum(site.cpu_s for site in used) - before_s
                sent[number] += took
                first += took + senders
        statuses = asyncio.run(_same_calls_to_all(sites))
        with closing(redis.Redis.from_url(server.url)) as client:
            jobs = int(client.hlen(keys.JOBS))
    accepted = sum(sent.values()) + TWICE
    rows = [
        Row(
            what=f"{number} web processes: requests/s",
            value=statistics.median(rates[number]),
            unit="/s",
            chart="webhooks a second by web processes",
            note=f"{cpu_s[number] / sent[number] * 1e6:.0f} us of their CPU a request",
        )
        for number in NUMBERS
    ]
    return [
        *rows,
        Row(what="accepted and not there, or there twice", value=abs(jobs - accepted), at_most=0),
        Row(
            what="calls sent to four processes at once that not exactly one accepted",
            value=abs(statuses[202] - TWICE) + abs(statuses[200] - TWICE * (len(sites) - 1)),
            at_most=0,
        ),
    ]


def _load(sites: Sequence[Site], seconds: float, senders: int, *, first: int) -> int:
    """How many were accepted; each process has its share of the senders, and numbers of its own."""
    if len(sites) == 1:
        return len(load(sites[0].port, seconds, senders, first=first))
    # One sender process for all: the load is an event loop, and that is the same for each number.
    with ThreadPoolExecutor(len(sites)) as pool:
        done = [
            pool.submit(load, site.port, seconds, senders // len(sites), first=first + at * 100_000_000)
            for at, site in enumerate(sites)
        ]
        return sum(len(one.result()) for one in done)


async def _same_calls_to_all(sites: Sequence[Site]) -> Counter[int]:
    """Statuses of calls of which each goes to all processes at the same moment."""
    lines = [await asyncio.open_connection("127.0.0.1", site.port) for site in sites]
    found: Counter[int] = Counter()
    for number in range(900_000_000, 900_000_000 + TWICE):
        for _, writer in lines:
            writer.write(webhook(number))
        found.update(await asyncio.gather(*(status_of(reader) for reader, _ in lines)))
    for _, writer in lines:
        writer.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--senders", type=int, default=64)
    given = parser.parse_args()
    say(table(measure(rounds=given.rounds, seconds=given.seconds, senders=given.senders)))


if __name__ == "__main__":
    main()
