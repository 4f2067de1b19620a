"""A backlog of calls, with and without bulk requests: requests a call, and the time it takes.

    python -m tests.benchmarks.bulk [--calls 1000] [--threads 128] [--share 900] [--new]

One worker process with so many threads, and beside it the sandbox, which takes a second for a bulk request.
The budget is that of an Enterprise org at a tenth of the time: 900 requests in 6 s. With a smaller one
(`--share 90`) the budget is what limits, on any machine. The callers are remembered ones (`--new`: such as
Kustomer does not have); no call has a recording: a recorded one has one request more either way,
that which registers its file.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

import structlog

from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import bulk, keys
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from bridge.wiring import open_ledger
from tests.reaper import Reaper
from tests.support import ended
from workers.main import WorkerProcess

WINDOW_S = 6.0
_AT_MOST_S = 300.0


def number(n: int) -> str:
    return f"+1555010{n:04d}"


def run(how: str, folder: Path, calls: int, threads: int, share: int, *, new: bool) -> tuple[float, float]:
    """Requests a call, and seconds."""
    with RunningSandbox() as sandbox:
        server = EmbeddedRedis(Path(tempfile.mkdtemp(dir=folder)), appendfsync="everysec")
        server.start()
        sandbox.kustomer.limit(share + share // 9, WINDOW_S)
        sandbox.kustomer.read_as(bulk_takes_s=1.0)
        environ = {
            "REDIS_URL": server.url,
            "DATA_DIR": str(folder),
            "WORKER_THREADS": str(threads),
            "KUSTOMER_BULK": how,
            "KUSTOMER_REQUESTS_PER_MINUTE": str(share),
            "KUSTOMER_WINDOW_S": str(WINDOW_S),
            **sandbox.environ(),
        }
        settings = Settings.from_env(environ, dotenv=None)
        ledger = open_ledger(settings)
        ledger.redis.hset(keys.META, "born_at", str(ledger.now_ms() - 3_600_000))
        bulk.keep_worked(ledger, at_ms=ledger.now_ms(), took_s=1.0)
        for n in range(calls):
            if not new:
                customer = sandbox.kustomer.add_customer(name=f"Ada {n}", phones=[{"phone": number(n)}])
                ledger.memory.remember_customer(number(n), customer, named=True)
            body = ended(call_id=1000000500 + n, uuid=str(UUID(int=n, version=4)), external_number=number(n))
            event = read_event("call-ended", body, settings.rules)
            assert isinstance(event, Event)
            ledger.record_event(event, body)
        sandbox.kustomer.forget_requests()
        process = WorkerProcess(settings)
        began = time.monotonic()
        process.start()
        while len(sandbox.world.store.all("note")) < calls and time.monotonic() < began + _AT_MOST_S:
            time.sleep(0.05)
        took_s = time.monotonic() - began
        process.stop()
        kustomer = sandbox.kustomer
        found = len(kustomer.conversations), len(kustomer.notes)
        assert found == (calls, calls), f"conversations and notes: {found}"
        requests = len(kustomer.requests) / calls
        refused = sum(one.status == 429 for one in kustomer.requests)
        assert not refused, f"{refused} requests were answered 429"
        server.stop()
    return requests, took_s


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bulk")
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--threads", type=int, default=128)
    parser.add_argument("--share", type=int, default=900, help="requests in 6 s")
    parser.add_argument("--new", action="store_true", help="callers whom Kustomer does not have")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sys.stdout.write(
        "| KUSTOMER_BULK | requests a call | seconds | of the budget's own time |\n|---|---|---|---|\n"
    )
    with Reaper() as reaper:
        _compare(reaper.folder, given)
    return 0


def _compare(folder: Path, given: argparse.Namespace) -> None:
    for how in ("off", "auto"):
        requests, took_s = run(how, folder, given.calls, given.threads, given.share, new=given.new)
        budget_s = max(0.0, requests * given.calls / given.share - 1) * WINDOW_S
        share = f"{took_s / budget_s:.2f}" if budget_s else "within one window"
        sys.stdout.write(f"| {how} | {requests:.2f} | {took_s:.1f} | {share} |\n")


if __name__ == "__main__":
    raise SystemExit(main())
