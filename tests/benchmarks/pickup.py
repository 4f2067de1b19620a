"""How soon an idle worker takes up a job, against one that finds it at its next beat.

    python -m tests.benchmarks.pickup [ROUNDS]

Both in one run, round by round: a worker that is woken, and one that is not and looks once a second, as a
queue that is polled would. Read the ratio; the milliseconds are this machine's.
"""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from functools import partial

import redis

from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.reaper import Reaper
from tests.support import Bridge, ended
from tests.waiting import eventually
from workers.main import WorkerProcess


def main(rounds: int) -> None:
    with Reaper() as reaper, RunningSandbox() as sandbox:
        server = EmbeddedRedis(reaper.folder)
        server.start()
        client = connect(server.url)
        bridge = Bridge(client, sandbox)
        settings = Settings.from_env({"REDIS_URL": server.url, **sandbox.environ()}, dotenv=None)
        took: dict[str, list[float]] = {"woken": [], "polling": []}
        wake = keys.WAKE
        for round_ in range(rounds):
            for how, channel in (("woken", wake), ("polling", f"{wake}:nobody")):
                process = WorkerProcess(settings)
                process.broker.channel = channel
                process.start()
                eventually(partial(_listens, client, channel), "the worker listens")
                for n in range(10):
                    # At any moment of its beat.
                    threading.Event().wait(random.uniform(0.05, 0.3))
                    took[how].append(_one(bridge, number=round_ * 100 + n, how=how))
                process.stop()
        server.stop()
    for how, times in took.items():
        ms = sorted(value * 1000 for value in times)
        print(f"{how:8} p50 {statistics.median(ms):7.1f} ms   max {ms[-1]:7.1f} ms   n {len(ms)}")  # noqa: T201
    ratio = statistics.median(took["polling"]) / statistics.median(took["woken"])
    print(f"ratio of the medians {ratio:.0f}")  # noqa: T201


def _listens(client: redis.Redis, channel: str) -> bool:
    return bool(client.pubsub_numsub(channel)[0][1] == 1)


def _one(bridge: Bridge, *, number: int, how: str) -> float:
    """Seconds from the learn's return until a worker holds the job."""
    uuid = f"{'1' if how == 'woken' else '2'}1111111-2222-4333-8444-{number:012d}"
    began = time.perf_counter()
    # Told before it has ended: the job runs and asks nobody.
    bridge.receive("call-started", {**ended(call_id=None, uuid=uuid), "event": "call_started"})
    eventually(lambda: bridge.ledger.read(f"uuid:{uuid}").fields.get("state"), "it was run", every_s=0.0005)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
