"""How long `rules try` takes for ten thousand calls, and how much longer where each of them differs.

    python -m tests.benchmarks.what_if [--calls N] [--rounds N]

The calls have three webhooks each. Seconds depend on the machine and on what else it does, the ratio hardly
does: exit code 1 if a trial in which every call differs takes twice as long as reading the calls alone.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bridge.domain.rules.file import read_rules_bytes
from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.reading import read_all
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.reports.what_if import WhatIf
from tests.reaper import Reaper
from tests.reports.many_calls import NOON, body_of, put_on_record

_MOST_RATIO = 2.0
_NEW = b"""version = 2
[conversation]
tags = ["phone"]
[[rule]]
when = { outcome = "missed", hours = "Mon-Fri 08:00-18:00" }
then = { status = "snoozed", tags = ["missed"] }
[[rule]]
when = { direction = "outgoing", min_talk_s = 10 }
then = { write = false }
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with Reaper(), tempfile.TemporaryDirectory() as text:
        redis = EmbeddedRedis(Path(text), appendfsync="everysec")
        redis.start()
        with connect(redis.url, timeout_s=60) as client:
            ledger = Ledger(client)
            put_on_record(
                ledger,
                (body_of(number) for number in range(1, given.calls + 1)),
                triggers=("call-started", "call-ended", "recording-uploaded"),
            )
            would = read_rules_bytes(_NEW).rules
            alone, trials, walls = [], [], []
            for _ in range(given.rounds):
                began = time.process_time()
                _read(ledger)
                alone.append(time.process_time() - began)
                began, wall = time.process_time(), time.monotonic()
                differing = _try(ledger, would)
                trials.append(time.process_time() - began)
                walls.append(time.monotonic() - wall)
        redis.stop()
    read_s, try_s = statistics.median(alone), statistics.median(trials)
    ratio, memory_mb = try_s / read_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(  # noqa: T201
        f"{given.calls} calls, {differing} differ: {try_s:.2f} s of processor "
        f"({statistics.median(walls):.2f} s in all), {ratio:.2f} of reading alone ({read_s:.2f} s); "
        f"at most {memory_mb:.0f} MB"
    )
    return int(ratio > _MOST_RATIO)


def _read(ledger: Ledger) -> None:
    names = [str(name) for name in ledger.redis.zrange(keys.CALLS, 0, -1)]
    rules = Rules()
    for start in range(0, len(names), 10):
        for record in read_all(ledger, names[start : start + 10]):
            record.call(rules)


def _try(ledger: Ledger, would: Rules) -> int:
    since = NOON - timedelta(days=365)
    trial = WhatIf(ledger=ledger, was=Rules(), would=would, since=since, until=NOON, now=NOON)
    return sum(1 for _ in trial)


if __name__ == "__main__":
    sys.exit(main())
