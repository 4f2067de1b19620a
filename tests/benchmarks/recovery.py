"""How soon the work of a killed worker runs again, what that costs, and which leases live workers lose.

    python -m tests.benchmarks.recovery [ROUNDS]

kill -9 of one of two workers with jobs in flight, at a random moment between two renewals: until each of its
jobs has been claimed by the other. Then, of workers that live: a worker or Redis that is stopped for a while,
a Redis that sleeps, a busy machine and a busy process; each beside an idle worker that would take the jobs.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from bridge.ledger import keys
from tests.benchmarks.report import Row, say
from tests.chaos.house import House, Process
from tests.processes import started
from tests.reaper import Reaper
from tests.support import ended
from tests.waiting import eventually

GOAL_S = 5.0
_HELD = 8
# Longer than what is left of a lease before its renewal: some are lost by nature.
_TOO_LONG = "worker stopped for 3.5 s"
_TICKS = os.sysconf("SC_CLK_TCK")
_numbers = iter(range(1, 1_000_000))


def run(short: bool) -> list[Row]:
    with Reaper() as reaper:
        again_s = _kills(reaper.folder / "kills", rounds=2 if short else 8)
        rows = [
            Row(
                what=f"killed worker: its jobs run again, {name}",
                value=value,
                unit="s",
                at_most=GOAL_S,
                chart="from kill -9 to the next run of a job",
                note=f"{len(again_s)} jobs",
            )
            for name, value in (("p50", statistics.median(again_s)), ("worst", max(again_s)))
        ]
        rows += _costs(reaper.folder, numbers=(0, 8) if short else (0, 8, 64))
        rows += [
            Row(
                what=f"leases lost by a live worker: {name}",
                value=lost,
                at_most=None if name == _TOO_LONG else 0,
                note=f"of {held}, beside an idle worker",
            )
            for name, lost, held in _troubles(reaper.folder / "troubles", short=short)
        ]
    return rows


# -- kill -9


def _kills(folder: Path, *, rounds: int) -> list[float]:
    """Seconds from each kill until another worker has claimed a job of the killed one."""
    found: list[float] = []
    with _house(folder, workers=2) as house:
        for round_ in range(rounds):
            doomed, other = house.workers[round_ % 2], house.workers[1 - round_ % 2]
            before = _hold(house, of=other, jobs=_HELD, for_s=8.0)
            # At any moment between two renewals.
            threading.Event().wait(random.uniform(0.0, 3.0))
            doomed.send(signal.SIGKILL)
            killed_at = time.monotonic()
            found += _until_all_run_again(house, before, since=killed_at)
            doomed.end(signal.SIGKILL)
            eventually(lambda: _is_quiet(house), "all is done", within_s=60)
            doomed.start()
            eventually(lambda: house.listening() == 2, "the killed one is up again", within_s=30)
        assert len(house.sandbox.kustomer.notes) == rounds * _HELD
    return found


def _until_all_run_again(house: House, before: dict[str, str], *, since: float) -> list[float]:
    left, found = dict(before), []
    while left:
        now = _tokens(house, [*left])
        taken = [name for name, token in left.items() if now[name] not in (token, None)]
        for name in taken:
            del left[name]
            found.append(time.monotonic() - since)
        assert time.monotonic() - since < 60, f"never run again: {[*left]}"
        threading.Event().wait(0.002)
    return found


# -- what renewals cost


def _costs(folder: Path, *, numbers: tuple[int, ...]) -> list[Row]:
    rows = []
    for held in numbers:
        with _house(folder / f"cost{held}", workers=1, WORKER_THREADS=str(max(8, held))) as house:
            if held:
                _hold(house, of=None, jobs=held, for_s=12.0)
            threading.Event().wait(1.5)
            calls, cpu_ms = _usage(house, for_s=6.0)
        said = f"{held} long jobs" if held else "no job"
        rows += [
            Row(what=f"scripts a second of a worker with {said}", value=calls, unit="/s"),
            Row(what=f"CPU of a worker with {said}", value=cpu_ms, unit="ms/s"),
        ]
    return rows


def _usage(house: House, *, for_s: float) -> tuple[float, float]:
    """Scripts run by Redis and milliseconds of the worker's CPU, each a second."""

    def now() -> tuple[int, float]:
        stats = house.client.info("commandstats")
        (worker,) = house.workers
        return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha")), _cpu_s(
            worker
        )

    calls, cpu_s = now()
    threading.Event().wait(for_s)
    calls_then, cpu_then_s = now()
    return (calls_then - calls) / for_s, 1000 * (cpu_then_s - cpu_s) / for_s


def _cpu_s(process: Process) -> float:
    assert process.popen is not None
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


# -- what a live worker must survive


def _troubles(folder: Path, *, short: bool) -> Iterator[tuple[str, int, int]]:
    """Name of the trouble, leases that were lost, and how many were held."""
    stops = (2.0,) if short else (1.0, 2.0, 2.8, 3.5)
    with _house(folder, workers=2) as house:
        worker = cast(subprocess.Popen[bytes], house.workers[0].popen).pid
        server = house.server.pid
        assert server is not None
        # A job of before has imported what the first one needs.
        _hold(house, of=house.workers[1], jobs=_HELD, for_s=0.1)
        for seconds in stops:
            yield _after(house, f"worker stopped for {seconds} s", partial(_stop, worker, seconds))
        for seconds in stops[:2]:
            yield _after(house, f"Redis stopped for {seconds} s", partial(_stop, server, seconds))
        yield _after(house, "Redis busy with one script for 2 s", partial(_keep_busy, house, 2))
        yield _after(house, "8 processes that compute for 5 s", partial(_hog, 8, for_s=5.0))
    if not short:
        with _house(folder / "threads", workers=2, WORKER_THREADS="128") as house:
            yield _after(
                house, "600 calls in 120 other threads of its process, 4 that compute", lambda: _crowd(house)
            )


def _after(house: House, name: str, disturb: Callable[[], object]) -> tuple[str, int, int]:
    # Only the first worker gets the jobs; the second is idle, and would take them.
    before = _hold(house, of=house.workers[1], jobs=_HELD, for_s=7.0)
    disturb()
    lost: set[str] = set()

    def is_over() -> bool:
        now = _tokens(house, [*before])
        lost.update(one for one, token in now.items() if token not in (before[one], None))
        return all(token is None for token in now.values())

    eventually(is_over, "all is done", within_s=60, every_s=0.005)
    return name, len(lost), len(before)


def _stop(pid: int, seconds: float) -> None:
    # At any moment between two renewals.
    threading.Event().wait(random.uniform(1.0, 2.0))
    os.kill(pid, signal.SIGSTOP)
    threading.Event().wait(seconds)
    os.kill(pid, signal.SIGCONT)


def _keep_busy(house: House, seconds: int) -> None:
    house.client.eval("local t = os.clock() while os.clock() - t < tonumber(ARGV[1]) do end", 0, str(seconds))


def _hog(count: int, *, for_s: float) -> None:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(started([sys.executable, "-c", "while True: pass"]))
        threading.Event().wait(for_s)


def _crowd(house: House) -> None:
    # The other worker does not help; it is let go while the threads are still busy.
    house.workers[1].send(signal.SIGSTOP)
    for _ in range(600):
        _post(house)
    threading.Event().wait(1.0)
    house.workers[1].send(signal.SIGCONT)
    _hog(4, for_s=3.0)


# -- a house with jobs that last


@contextmanager
def _house(folder: Path, *, workers: int, **settings: str) -> Iterator[House]:
    folder.mkdir(parents=True)
    with House(folder, workers=workers, settings={"LOG_LEVEL": "WARNING", **settings}) as house:
        eventually(lambda: house.listening() == workers, "the workers listen", within_s=30)
        yield house


def _hold(house: House, *, of: Process | None, jobs: int, for_s: float) -> dict[str, str]:
    """Have one worker begin so many jobs that wait this long for Kustomer; their names and tokens.

    Args:
        of: the worker that is not to get any: stopped meanwhile.
    """
    if of is not None:
        of.send(signal.SIGSTOP)
    house.sandbox.kustomer.delay_next(for_s, method="POST", path="/customers$", times=jobs)
    names = [_post(house) for _ in range(jobs)]
    held: dict[str, str] = {}

    def are_held() -> bool:
        held.update({name: token for name, token in _tokens(house, names).items() if token})
        return len(held) == jobs

    eventually(are_held, "all jobs are held", every_s=0.005)
    if of is not None:
        of.send(signal.SIGCONT)
    return held


def _post(house: House) -> str:
    """Deliver a call of a new caller; the name of its job."""
    n = next(_numbers)
    uuid = f"11111111-2222-4333-8444-{n:012d}"
    house.post("call-ended", ended(call_id=1_000_000_000 + n, uuid=uuid, external_number=f"+44163{n:07d}"))
    return keys.job("sync", f"uuid:{uuid}")


def _tokens(house: House, names: list[str]) -> dict[str, str | None]:
    """Token of the claim under which each job runs; None: it is over."""
    texts = cast(list[str | None], house.client.hmget(keys.JOBS, names))
    return {
        name: json.loads(text).get("token") if text else None for name, text in zip(names, texts, strict=True)
    }


def _is_quiet(house: House) -> bool:
    return not house.client.hlen(keys.JOBS)


def main(rounds: int) -> None:
    with Reaper() as reaper:
        again_s = sorted(_kills(reaper.folder / "kills", rounds=rounds))
        median_s, worst_s = statistics.median(again_s), again_s[-1]
        say(f"run again after kill -9: p50 {median_s:.2f} s, worst {worst_s:.2f} s, n {len(again_s)}")
        for row in _costs(reaper.folder, numbers=(0, 8, 64)):
            say(f"{row.what}: {row.value_text}")
        for name, lost, held in _troubles(reaper.folder / "troubles", short=False):
            say(f"leases lost by a live worker, {name}: {lost} of {held}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
