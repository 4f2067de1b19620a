"""What a worker process costs, beside that of another checkout of this project.

    python -m tests.benchmarks.worker OTHER_CHECKOUT [ROUNDS]

Both take turns, round by round, as processes on one Redis: how soon an idle worker takes up a job,
how long a call takes to its note where each answer of a service takes 50 ms, CPU per call, memory, and what
the imports cost. Read the ratios; the figures are this machine's.
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

from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.processes import started
from tests.reaper import Reaper
from tests.support import Bridge, ended
from tests.waiting import eventually

HERE = Path(__file__).resolve().parents[2]
_IDLE, _CALLS, _BURST = 20, 20, 200
_rounds = 0
_TICKS = os.sysconf("SC_CLK_TCK")


def main(other: Path, rounds: int) -> None:
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with Reaper() as reaper, RunningSandbox() as sandbox:
        for service in (sandbox.kustomer, sandbox.cloudtalk):
            service.limit(1_000_000)
        server = EmbeddedRedis(reaper.folder, appendfsync="everysec")
        server.start()
        bridge = Bridge(connect(server.url), sandbox)
        environ = {
            **os.environ,
            **sandbox.environ(),
            "REDIS_URL": server.url,
            "KUSTOMER_REQUESTS_PER_MINUTE": "1000000",
            "CLOUDTALK_REQUESTS_PER_MINUTE": "1000000",
            "LOG_FORMAT": "json",
        }
        both = [("here", HERE), ("other", other)]
        for _ in range(rounds):
            # Who comes first pays more; an even number of rounds is fair.
            both.reverse()
            for name, checkout in both:
                for what, values in _round(bridge, sandbox, checkout, environ).items():
                    figures[what][name] += values
        server.stop()
    for what, of in figures.items():
        here, there = (statistics.median(of[name]) for name in ("here", "other"))
        print(f"{what:28} here {here:8.1f}   other {there:8.1f}   ratio {here / there:.2f}")  # noqa: T201


def _round(
    bridge: Bridge, sandbox: RunningSandbox, checkout: Path, environ: Mapping[str, str]
) -> dict[str, list[float]]:
    global _rounds
    # Calls and customers that the services do not know yet.
    _rounds += 1
    found: dict[str, list[float]] = defaultdict(list)
    environ = {**environ, "PYTHONPATH": str(checkout)}
    found["import, CPU ms"].append(_import_ms(checkout, environ))
    bridge.ledger.redis.flushall()
    command = [sys.executable, "-m", "bridge", "worker"]
    with started(
        command, cwd=checkout, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        _call(bridge, 0, whole=True)
        for n in range(_IDLE):
            # Told before it has ended: the job runs and asks nobody.
            found["idle pick-up, ms"].append(_call(bridge, 1000 + n, whole=False))
        sandbox.kustomer.delay_next(0.05, times=1_000_000)
        for n in range(_CALLS):
            found["webhook to note, ms"].append(_call(bridge, 2000 + n, whole=True))
        sandbox.kustomer.forget_faults()
        before = cpu_s(one.pid)
        for n in range(_BURST):
            _tell(bridge, 3000 + n, whole=True)
        eventually(
            lambda: bridge.ledger.counts().get("job:sync:done", 0) >= 1 + _IDLE + _CALLS + _BURST, "all done"
        )
        found["CPU per call, ms"].append((cpu_s(one.pid) - before) * 1000 / _BURST)
        found["memory, MB"].append(memory_mb(one.pid))
        one.terminate()
        one.wait(25)
    return found


def _key(n: int) -> str:
    return f"11111111-2222-4333-8444-{_rounds * 10_000 + n:012d}"


def _tell(bridge: Bridge, n: int, *, whole: bool) -> None:
    number = _rounds * 10_000 + n
    body = ended(call_id=1_000_000_000 + number, uuid=_key(n), external_number=f"+44163{number:07d}")
    if whole:
        bridge.receive("call-ended", body)
    else:
        bridge.receive("call-started", {**body, "event": "call_started"})


def _call(bridge: Bridge, n: int, *, whole: bool) -> float:
    """Milliseconds from the learn's return until the record says how it stands."""
    _tell(bridge, n, whole=whole)
    began = time.perf_counter()
    wanted = ("synced",) if whole else ("waiting", "synced", "skipped")

    def is_there() -> bool:
        return bridge.ledger.redis.hget(f"{{callbridge}}:call:uuid:{_key(n)}", "state") in wanted

    eventually(is_there, "it was run", within_s=30, every_s=0.001)
    return (time.perf_counter() - began) * 1000


def _import_ms(checkout: Path, environ: Mapping[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import workers.main"], cwd=checkout, env=dict(environ), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 4)
