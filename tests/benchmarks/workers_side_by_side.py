"""Calls a second of the bridge's worker and of others on the same journey: four requests of 50 ms each.

    python -m tests.benchmarks.workers_side_by_side [--short] [--json FILE]

The calls are in Redis (append-only file) before a worker starts, as jobs of its own kind. Each worker is one
process on one core; Redis and the stub that answers have the other. The bridge does its whole sync: claim,
plan, intents, four requests to Kustomer, results; the others send four requests and count the call. Measured
is the middle of a run, at 8 and at 64 calls at once. Ways take turns; read the ratios.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import redis

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks import concurrency
from tests.benchmarks.attacks import before_others
from tests.benchmarks.peer_packages import PEERS, peers_folder, peers_in
from tests.benchmarks.report import Row, main, say
from tests.benchmarks.usage import cpu_s_of, memory_mb_of
from tests.chaos.house import free_port
from tests.processes import started
from tests.reaper import Reaper
from tests.waiting import eventually

BRIDGE = "callbridge"
_AT_ONCE = (8, 64)
_CALL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Another worker.

    Args:
        app: its module in `peers/`, which queues calls when it is run.
        command: its arguments to Python; AT_ONCE is how many calls at once.
        one_at_a_time: it cannot do more.
    """

    app: str
    command: str
    environ: dict[str, str] = field(default_factory=dict)
    one_at_a_time: bool = False


_DRAMATIQ = "-m dramatiq work_dramatiq --processes 1 --threads AT_ONCE"
WORKERS = {
    "dramatiq + httpx": Worker(app="work_dramatiq", command=_DRAMATIQ, environ={"CLIENT": "httpx"}),
    "dramatiq + urllib3": Worker(app="work_dramatiq", command=_DRAMATIQ),
    "Celery, threads": Worker(
        app="work_celery", command="-m celery -A work_celery worker --pool threads -c AT_ONCE -l ERROR"
    ),
    "RQ": Worker(
        app="work_rq",
        command="-m rq.cli worker default --worker-class rq.SimpleWorker --quiet --url URL",
        one_at_a_time=True,
    ),
    "arq": Worker(app="work_arq", command="-m arq work_arq.Worker"),
    "taskiq": Worker(
        app="work_taskiq",
        command="-m taskiq worker work_taskiq:broker --workers 1 --max-async-tasks AT_ONCE --log-level ERROR",
    ),
}


@dataclass(frozen=True, slots=True)
class Figures:
    calls_a_second: float
    cpu_ms: float
    memory_mb: float


def measure(folder: Path, worker: Worker, at_once: int, seconds: float, python: Path) -> Figures:
    """One worker on a backlog that lasts for about `seconds`."""
    server = EmbeddedRedis(folder, appendfsync="everysec")
    server.start()
    port = free_port()
    socket = quote(str(server.socket_path))
    environ = {
        **os.environ,
        **worker.environ,
        "PYTHONPATH": str(PEERS),
        "PYTHONWARNINGS": "ignore",
        "REDIS_URL": f"unix://{socket}?db=0",
        "CELERY_BROKER": f"redis+socket://{socket}?virtual_host=0",
        "REDIS_SOCKET": str(server.socket_path),
        "REDIS_DATABASE": "0",
        "STUB_URL": f"http://127.0.0.1:{port}",
        "AT_ONCE": str(at_once),
    }
    running = 1 if worker.one_at_a_time else at_once
    calls = max(30, round(running / _CALL_S * seconds))
    subprocess.run([python, f"{worker.app}.py", str(calls)], cwd=PEERS, env=environ, check=True)
    command = worker.command.replace("AT_ONCE", str(at_once)).replace("URL", environ["REDIS_URL"]).split()
    stub = [sys.executable, "-m", "tests.benchmarks.stub", str(port), str(_CALL_S / 4)]
    log = folder / "worker.log"
    try:
        with (
            log.open("wb") as out,
            started(stub, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
            started(
                [python, *command],
                cwd=PEERS,
                env=environ,
                stdout=out,
                stderr=out,
                preexec_fn=partial(_on_its_core, {0}),
            ) as process,
            redis.Redis.from_url(environ["REDIS_URL"]) as client,
        ):
            return _middle(client, process, calls, running, log)
    finally:
        server.stop()


def _on_its_core(cores: set[int]) -> None:
    os.sched_setaffinity(0, cores)
    before_others()


def _middle(
    client: redis.Redis, process: subprocess.Popen[bytes], calls: int, running: int, log: Path
) -> Figures:
    """Between the first calls, when each connects, and the last, when there are too few."""

    def done() -> int:
        assert process.poll() is None, log.read_text()[-2000:]
        return int(client.get("done") or 0)

    def has_done(count: int) -> tuple[float, int, float]:
        eventually(lambda: done() >= count, f"{count} of {calls} calls", within_s=60, every_s=0.02)
        return time.perf_counter(), done(), cpu_s_of(process.pid)

    began, first, cpu_first = has_done(min(max(calls // 5, 2 * running), calls // 2))
    ended, last, cpu_last = has_done(calls - running)
    return Figures(
        calls_a_second=(last - first) / (ended - began),
        cpu_ms=(cpu_last - cpu_first) * 1000 / (last - first),
        memory_mb=memory_mb_of(process.pid),
    )


def _bridge(folder: Path, at_once: int, seconds: float) -> Figures:
    found = concurrency.measure(folder, concurrency.HERE, at_once, seconds, first=True)
    return Figures(found.calls_a_second, found.cpu_ms, found.memory_mb)


def run(short: bool) -> list[Row]:
    """Short: 8 at once, beside dramatiq with httpx, whose libraries must be there."""
    found: dict[tuple[str, int], list[Figures]] = defaultdict(list)
    os.sched_setaffinity(0, {1} if len(os.sched_getaffinity(0)) > 1 else {0})
    rounds, seconds = 2, 3.0
    with Reaper() as reaper:
        python = peers_in(peers_folder() or reaper.folder / "peers").absolute()
        for _ in range(rounds):
            for at_once in _AT_ONCE:
                for name in (BRIDGE, *WORKERS):
                    if name != BRIDGE and WORKERS[name].one_at_a_time and at_once != _AT_ONCE[0]:
                        continue
                    folder = reaper.folder / str(sum(map(len, found.values())))
                    folder.mkdir(exist_ok=True)
                    if name == BRIDGE:
                        figures = _bridge(folder, at_once, seconds)
                    else:
                        figures = measure(folder, WORKERS[name], at_once, seconds, python)
                    say(f"{name}, {at_once} at once: {figures}")
                    found[name, at_once].append(figures)
    return _rows(found)


def _rows(found: dict[tuple[str, int], list[Figures]]) -> list[Row]:
    rows: list[Row] = []
    for (name, at_once), all_of_them in found.items():
        what = f"{name}, {'1' if name == 'RQ' else at_once} at once"
        rate, cpu_ms, memory_mb = (
            statistics.median(getattr(one, figure) for one in all_of_them)
            for figure in ("calls_a_second", "cpu_ms", "memory_mb")
        )
        rows += [
            Row(what=f"{what}: calls/s", value=rate, unit="/s", chart=f"calls/s, {at_once} at once"),
            Row(what=f"{what}: CPU a call", value=cpu_ms, unit="ms", chart=f"CPU a call, {at_once} at once"),
            Row(what=f"{what}: memory", value=memory_mb, unit="MB"),
        ]
    for (name, at_once), theirs in found.items():
        if name == BRIDGE or name == "RQ":
            continue
        ratios = [
            mine.calls_a_second / other.calls_a_second
            for mine, other in zip(found[BRIDGE, at_once], theirs, strict=True)
        ]
        what = f"against {name}, {at_once} at once: calls/s"
        rows.append(Row(what=what, value=statistics.median(ratios), unit="x"))
    return rows


if __name__ == "__main__":
    main("workers_side_by_side")
