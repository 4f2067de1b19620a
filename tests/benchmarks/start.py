"""What a start costs: CPU and time until web, worker and clock do their work, and of `callbridge --help`.

    python -m tests.benchmarks.start [--short]

All take turns, beside a Python that only imports the libraries which each of them needs (redis-py, pydantic):
no process of ours can start with less. Read the ratios to it and the CPU; the seconds are this machine's.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import httpx2

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.report import Row, main
from tests.benchmarks.usage import cpu_s_of, memory_mb_of
from tests.chaos.house import free_port
from tests.processes import started
from tests.reaper import Reaper
from tests.waiting import eventually

_LIBRARIES = "import redis, pydantic, pydantic_settings"
_ENDING = {
    "callbridge --help": [sys.executable, "-m", "bridge", "--help"],
    "the libraries": [sys.executable, "-c", _LIBRARIES],
}
_STAYING = ("web", "worker", "clock")


def run(short: bool) -> list[Row]:
    cpu_s: dict[str, list[float]] = defaultdict(list)
    wall_s: dict[str, list[float]] = defaultdict(list)
    memory_mb: dict[str, float] = {}
    with Reaper() as reaper:
        server = EmbeddedRedis(reaper.folder)
        server.start()
        environ = {
            **os.environ,
            "REDIS_URL": server.url,
            "DATA_DIR": str(reaper.folder / "data"),
            "WEBHOOK_TOKENS": "benchmark-token",
            # Nobody is asked at the start.
            "CLOUDTALK_ACCESS_KEY_ID": "benchmark",
            "CLOUDTALK_ACCESS_KEY_SECRET": "benchmark",
            "KUSTOMER_API_KEY": "benchmark",
            "LOG_FORMAT": "json",
        }
        # The first round is not counted: Python compiles what it meets for the first time.
        for number in range(1 + (3 if short else 7)):
            for name, command in _ENDING.items():
                _keep(number, cpu_s[name], wall_s[name], *_until_its_end(command, environ))
            for name in _STAYING:
                log = reaper.folder / f"{name}-{number}.log"
                *took, memory_mb[name] = _until_ready(name, environ, log)
                _keep(number, cpu_s[name], wall_s[name], *took)
        server.stop()
    base = cpu_s["the libraries"]
    rows = [
        Row(
            what=f"{name}: CPU",
            value=statistics.median(times),
            unit="s",
            at_most=0.3 if name == "callbridge --help" else None,
            chart="CPU of a start",
        )
        for name, times in cpu_s.items()
    ]
    for name in _STAYING:
        ratio = statistics.median(mine / theirs for mine, theirs in zip(cpu_s[name], base, strict=True))
        rows.append(Row(what=f"{name}: CPU, as a multiple of the libraries'", value=ratio, unit="x"))
        # A count is the same on every machine, and most of what a start costs.
        count = _modules(name)
        rows.append(Row(what=f"{name}: modules", value=count, guard=True, less_is_better=True))
    for name in _STAYING:
        rows.append(Row(what=f"{name}: until ready", value=statistics.median(wall_s[name]), unit="s"))
        rows.append(Row(what=f"{name}: memory when ready", value=memory_mb[name], unit="MB"))
    return rows


def _modules(name: str) -> int:
    module = f"{'bridge.commands' if name == 'web' else 'workers'}.{'main' if name == 'worker' else name}"
    command = [sys.executable, "-c", f"import sys, {module}; print(len(sys.modules))"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _keep(number: int, cpu_s: list[float], wall_s: list[float], cpu: float, wall: float) -> None:
    if number:
        cpu_s.append(cpu)
        wall_s.append(wall)


def _until_its_end(command: list[str], environ: Mapping[str, str]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=dict(environ), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, time.perf_counter() - began


def _until_ready(name: str, environ: Mapping[str, str], log: Path) -> tuple[float, float, float]:
    """CPU and seconds until it is ready, and its memory then, in MB."""
    port = free_port()
    command = [sys.executable, "-m", "bridge", name]
    began = time.perf_counter()
    with (
        log.open("wb") as out,
        started(command, env={**environ, "PORT": str(port)}, stdout=out, stderr=out) as process,
    ):

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()
            if name != "web":
                return f"{name} started" in log.read_text()
            try:
                return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
            except httpx2.HTTPError:
                return False

        # A look costs the machine something: not so often that it would be what is measured.
        eventually(is_ready, f"{name} is ready", within_s=60, every_s=0.02)
        return cpu_s_of(process.pid), time.perf_counter() - began, memory_mb_of(process.pid)


if __name__ == "__main__":
    main("start")
