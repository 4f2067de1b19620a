"""Calls a second of one worker process with many threads, where each answer of Kustomer takes 50 ms.

    python -m tests.benchmarks.concurrency [--threads 8 64 128] [--seconds S] [--beside CHECKOUT] [--rounds N]
                                           [--first]

A backlog of unrecorded calls of unknown customers is there before the worker starts, four requests each; the
budgets are wide open. The ideal is what the threads could do if nothing but the answers took time. The middle
of the run is measured. The worker has one core; Redis and the stub that answers (`stub.py`) have the other.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event
from bridge.domain.webhook.messages import read_delivery
from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox import environ
from tests.benchmarks.attacks import after_others, before_others
from tests.benchmarks.report import Row, keep_compiled
from tests.benchmarks.worker import cpu_s, memory_mb
from tests.chaos.house import free_port
from tests.processes import start, started
from tests.reaper import Reaper
from tests.support import ended
from tests.waiting import eventually

HERE = Path(__file__).resolve().parents[2]
_DELAY_S, _REQUESTS = 0.05, 4
_WORKER, _OTHERS = {0}, {1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    calls_a_second: float
    cpu_ms: float
    memory_mb: float
    requests: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[8, 64, 128])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--first", action="store_true")
    given = parser.parse_args()
    checkouts = {"here": HERE} | ({"beside": given.beside.resolve()} if given.beside else {})
    found: dict[tuple[int, str], list[Figures]] = defaultdict(list)
    keep_compiled()
    for checkout in checkouts.values():
        _compile(checkout)
    os.sched_setaffinity(0, _OTHERS)
    with Reaper() as reaper:
        for number in range(given.rounds):
            for threads in given.threads:
                # Who comes first may pay more.
                for name in sorted(checkouts, reverse=number % 2 == 1):
                    folder = reaper.folder / f"{number}-{threads}-{name}"
                    folder.mkdir()
                    figures = measure(folder, checkouts[name], threads, given.seconds, first=given.first)
                    found[threads, name].append(figures)
    for (threads, name), all_of_them in found.items():
        _show(threads, name, all_of_them)


def run(short: bool) -> list[Row]:
    """Of the ideal, what is reached; and CPU and memory. Numbers of threads take turns."""
    _compile(HERE)
    os.sched_setaffinity(0, _OTHERS)
    threads_of_runs, rounds, seconds = ((8, 64), 1, 3.0) if short else ((8, 64, 128), 3, 4.0)
    found: dict[int, list[Figures]] = defaultdict(list)
    with Reaper() as reaper:
        for number in range(rounds):
            for threads in threads_of_runs:
                folder = reaper.folder / f"{number}-{threads}"
                folder.mkdir()
                found[threads].append(measure(folder, HERE, threads, seconds, first=True))
    rows: list[Row] = []
    for threads, all_of_them in found.items():
        what, chart = f"{threads} at once", "share of the ideal calls/s"
        shares = [one.calls_a_second * one.requests * _DELAY_S / threads for one in all_of_them]
        share, rate, cpu_ms, memory_mb = map(
            statistics.median,
            (
                shares,
                [one.calls_a_second for one in all_of_them],
                [one.cpu_ms for one in all_of_them],
                [one.memory_mb for one in all_of_them],
            ),
        )
        rows += [
            Row(
                what=f"{what}: of the ideal",
                value=share,
                unit="x",
                at_least=0.9,
                guard=True,
                chart=chart,
            ),
            Row(what=f"{what}: calls/s", value=rate, unit="/s"),
            Row(what=f"{what}: CPU a call", value=cpu_ms, unit="ms", at_most=3, chart="CPU a call"),
            Row(what=f"{what}: memory", value=memory_mb, unit="MB"),
        ]
    return rows


def _compile(checkout: Path) -> None:
    """Import once what a worker does: the first to do so compiles it, and keeps the memory that this took."""
    command = [sys.executable, "-c", "import bridge.commands.worker, workers.main"]
    subprocess.run(command, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, check=True)


def measure(folder: Path, checkout: Path, threads: int, seconds: float, *, first: bool) -> Figures:
    """One worker on a backlog that lasts for about `seconds`."""
    if first:
        # Inherited by all that is started: a Redis that has to wait would slow the worker down.
        before_others()
    try:
        return _measured(folder, checkout, threads, seconds)
    finally:
        after_others()


def _measured(folder: Path, checkout: Path, threads: int, seconds: float) -> Figures:
    server = EmbeddedRedis(folder, appendfsync="everysec")
    server.start()
    ledger = Ledger(connect(server.url))
    # As of long ago: a new one looks first whether Kustomer has the call.
    ledger.redis.hset(keys.META, "born_at", str(ledger.now_ms() - 3_600_000))
    ideal = threads / (_REQUESTS * _DELAY_S)
    calls = max(60, round(ideal * seconds))
    for number in range(calls):
        _receive(ledger, number)
    port = free_port()
    stub = start(
        [sys.executable, "-m", "tests.benchmarks.stub", str(port), str(_DELAY_S)],
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert stub.stdout is not None
        stub.stdout.readline()
        with started(
            [sys.executable, "-m", "bridge", "worker"],
            cwd=checkout,
            env=_environ(server.url, port, threads, checkout),
            stdout=subprocess.DEVNULL,
            stderr=None,
            preexec_fn=_on_its_core,
        ) as worker:
            figures = _middle(ledger, worker.pid, calls, threads)
        # It says how many requests it answered every 0.1 s.
        threading.Event().wait(0.25)
    finally:
        stub.kill()
        answered = [int(line) for line in stub.stdout] if stub.stdout is not None else []
    server.stop()
    return Figures(**figures, requests=answered[-1] / calls)


def _on_its_core() -> None:
    os.sched_setaffinity(0, _WORKER)


def _environ(url: str, port: int, threads: int, checkout: Path) -> Mapping[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "REDIS_URL": url,
        "WORKER_THREADS": str(threads),
        **environ(
            cloudtalk_url=f"http://127.0.0.1:{port}",
            kustomer_url=f"http://127.0.0.1:{port}",
            membrane_url=f"http://127.0.0.1:{port}",
        ),
        "KUSTOMER_REQUESTS_PER_MINUTE": "1000000",
        "CLOUDTALK_REQUESTS_PER_MINUTE": "1000000",
        "LOG_LEVEL": "ERROR",
    }


def _receive(ledger: Ledger, number: int) -> None:
    body = ended(
        call_id=1_000_000_000 + number,
        uuid=f"11111111-2222-4333-8444-{number:012d}",
        external_number=f"+44163{number:07d}",
    )
    event = read_delivery("call-ended", body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)


def _middle(ledger: Ledger, pid: int, calls: int, threads: int) -> dict[str, float]:
    """Between the first calls, when each thread connects, and the last, when threads run out of calls."""

    def done() -> int:
        return int(ledger.counts().get("job:sync:done", 0))

    def has_done(count: int) -> tuple[float, int, float]:
        eventually(lambda: done() >= count, f"{count} of {calls} calls", within_s=120, every_s=0.02)
        return time.perf_counter(), done(), cpu_s(pid)

    began, first, cpu_first = has_done(max(calls // 5, 2 * threads))
    ended_at, last, cpu_last = has_done(calls - 2 * threads)
    memory = memory_mb(pid)
    has_done(calls)
    return {
        "calls_a_second": (last - first) / (ended_at - began),
        "cpu_ms": (cpu_last - cpu_first) * 1000 / (last - first),
        "memory_mb": memory,
    }


def _show(threads: int, name: str, found: list[Figures]) -> None:
    def median(what: str) -> float:
        return float(statistics.median(getattr(one, what) for one in found))

    ideal = threads / (median("requests") * _DELAY_S)
    rate = median("calls_a_second")
    print(  # noqa: T201
        f"{threads:4} threads, {name:6}: {rate:6.1f} calls/s of {ideal:6.1f} ({rate / ideal:.2f}), "
        f"CPU {median('cpu_ms'):5.2f} ms a call, {median('requests'):.2f} requests a call, "
        f"{median('memory_mb'):.0f} MB"
    )


if __name__ == "__main__":
    main()
