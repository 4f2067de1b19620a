"""What a scrape of `/metrics` each second costs the web process that takes webhooks.

    python -m tests.benchmarks.scrape [ROUNDS] [SECONDS]

One web process takes webhooks as fast as it can, in turns with and without a scrape a second. Prints the
ratio of the two rates, and the processor's time for one scrape, which a busy machine changes less. Exit code
1 if that is over 2 % of a second.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import before_others, web_process
from tests.benchmarks.load import load
from tests.processes import started
from tests.reaper import Reaper

_MOST = 0.02
_SCRAPES = 50


_SCRAPER = """
import sys, time, urllib.request
while True:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=10).read()
    time.sleep(1)
"""


def read(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return len(answer.read())


def main(rounds: int, seconds: float) -> int:
    before_others()
    with Reaper(), tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        redis = EmbeddedRedis(Path(text), appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        site = web_process(stack, Path(text), redis.url, LOG_LEVEL="ERROR")
        first, quiet = 1, 0.0
        ratios: list[float] = []
        for number in range(2 * rounds):
            with ExitStack() as scraping:
                if number % 2:
                    # Of a process of its own, as Prometheus is.
                    scraping.enter_context(started([sys.executable, "-c", _SCRAPER, str(site.port)]))
                took = load(site.port, seconds, 32, first=first)
            first += len(took)
            rate = len(took) / seconds
            if number % 2:
                ratios.append(rate / quiet)
            else:
                quiet = rate
        began, before_s = time.monotonic(), site.cpu_s
        for _ in range(_SCRAPES):
            size = read(site.port)
        cpu_s = (site.cpu_s - before_s) / _SCRAPES
        took_s = (time.monotonic() - began) / _SCRAPES
    print(  # noqa: T201
        f"webhooks with a scrape a second: {statistics.median(ratios):.3f} of those without "
        f"({min(ratios):.2f} to {max(ratios):.2f}); one scrape: {cpu_s * 1000:.1f} ms of processor, "
        f"{took_s * 1000:.1f} ms, {size / 1000:.0f} kB"
    )
    return int(cpu_s > _MOST)


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(int(given[0]) if given else 5, float(given[1]) if given[1:] else 3.0))
