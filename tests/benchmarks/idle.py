"""What the processes cost while no call comes: CPU and memory of web, worker, clock and Redis.

    python -m tests.benchmarks.idle [--short]

With the defaults of all settings, beside a sandbox that has no calls; the first ten seconds are not counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path

from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.benchmarks.report import Row, main
from tests.benchmarks.usage import cpu_s_of, cpu_s_of_one, memory_mb_of
from tests.chaos.house import free_port
from tests.processes import started
from tests.reaper import Reaper

_KINDS = ("web", "worker", "clock")
_SETTLES_S = 10.0


def run(short: bool) -> list[Row]:
    seconds = 10.0 if short else 60.0
    with Reaper() as reaper, RunningSandbox() as sandbox, contextlib.ExitStack() as running:
        server = EmbeddedRedis(reaper.folder)
        server.start()
        running.callback(server.stop)
        settings = {
            **os.environ,
            **sandbox.environ(),
            "REDIS_URL": server.url,
            "DATA_DIR": str(reaper.folder / "data"),
            "WEBHOOK_TOKENS": "benchmark-token",
            "LOG_FORMAT": "json",
            "PORT": str(free_port()),
        }
        pids: dict[str, int] = {}
        for kind in _KINDS:
            log = running.enter_context((reaper.folder / f"{kind}.log").open("wb"))
            command = [sys.executable, "-m", "bridge", kind]
            process = running.enter_context(started(command, env=settings, stdout=log, stderr=log))
            pids[kind] = process.pid
        time.sleep(_SETTLES_S)
        assert server.pid is not None
        before = {kind: cpu_s_of(pid) for kind, pid in pids.items()} | {"Redis": cpu_s_of_one(server.pid)}
        time.sleep(seconds)
        after = {kind: cpu_s_of(pid) for kind, pid in pids.items()} | {"Redis": cpu_s_of_one(server.pid)}
        memory = {kind: memory_mb_of(pid) for kind, pid in pids.items()} | {"Redis": _memory_mb(server.pid)}
    rows = []
    for name, used in before.items():
        share = 100 * (after[name] - used) / seconds
        rows.append(Row(what=f"{name}: CPU while idle, of one core", value=share, unit="%"))
        rows.append(Row(what=f"{name}: memory", value=memory[name], unit="MB"))
    return rows


def _memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    main("idle")
