"""Webhooks a second of this checkout and of others, in turns: what a change costs.

    python -m tests.benchmarks.ingest [--rounds N] [--seconds S] [--senders N] FOLDER...

Each folder is a checkout (`git worktree add /tmp/before COMMIT`); the first is what the others are compared
with. All have a web process of their own and share one Redis. Read the ratios and the time of the processor;
name a folder twice to see how much is chance.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.acceptance import Way
from tests.benchmarks.attacks import before_others, web_process
from tests.benchmarks.load import load
from tests.reaper import Reaper


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--senders", type=int, default=64)
    given = parser.parse_args()
    before_others()
    with Reaper(), tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        redis = EmbeddedRedis(Path(text), appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        ways, sites, cpu_s = [], [], [0.0] * len(given.folders)
        for number, folder in enumerate(given.folders):
            own = Path(text) / str(number)
            own.mkdir()
            site = web_process(stack, own, redis.url, code=folder.absolute(), LOG_LEVEL="ERROR")
            ways.append(Way(str(folder), site.port))
            sites.append(site)
        number = 1
        for _ in range(given.rounds):
            for at, way in enumerate(ways):
                before_s = sites[at].cpu_s
                took = load(way.port, given.seconds, given.senders, first=number)
                cpu_s[at] += sites[at].cpu_s - before_s
                number += len(took)
                way.rates.append(len(took) / given.seconds)
                way.seconds += took
    for way, spent_s in zip(ways, cpu_s, strict=True):
        ratios = [rate / base for rate, base in zip(way.rates, ways[0].rates, strict=True)]
        ms = sorted(one * 1000 for one in way.seconds)
        print(  # noqa: T201
            f"{way.name:30} {statistics.median(way.rates):6.0f}/s   ratio {statistics.median(ratios):5.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})   p50 {statistics.median(ms):6.1f} ms   "
            f"p99 {ms[int(len(ms) * 0.99)]:6.1f} ms   processor {spent_s / len(ms) * 1e6:4.0f} us a webhook"
        )


if __name__ == "__main__":
    main()
