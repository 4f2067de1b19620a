"""`drain` with real worker processes: a backlog against Kustomer's budget, with time scaled.

    python -m tests.benchmarks.drain_workers [--calls 1000] [--others 10] [--window 12] [--limits 60 1000]

Two worker processes of eight threads, a Redis, and the sandbox's Kustomer, which counts in one of three
ways and takes 60 or 1,000 requests a window; a window is 12 s in place of a minute. The bridge's share is
the whole limit. A call of a customer who is remembered takes two requests. The others send so many requests
a window. The least time is that in which the service takes all that was sent, ours and theirs, at its limit.
What `drain` does not see is in it: processes, threads, sockets, a busy machine, and whole seconds in headers,
which are a twelfth of such a window. With 1,000 calls and 60 a window, a case takes 400 s.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.benchmarks.drain import SERVERS
from tests.benchmarks.report import Row, say, table
from tests.ledger.upstream import Upstream
from tests.processes import started
from tests.reaper import Reaper
from tests.support import ended
from tests.waiting import eventually

PROCESSES, THREADS = 2, 8
_REQUESTS = 2
# Beside the least; a busy machine is in it.
_MOST = 1.1


@dataclass(kw_only=True)
class Counting:
    """A service's way to count, in the place of the sandbox's own; called under the sandbox's lock."""

    service: Upstream
    limit: int
    window_s: float
    taken: list[float] = field(default_factory=list)
    refused: int = 0

    def take(self) -> bool:
        taken = self.service.ask(time.time())
        if taken:
            self.taken.append(time.time())
        else:
            self.refused += 1
        return taken

    @property
    def remaining(self) -> int:
        return self.service.state(time.time()).remaining

    @property
    def resets_at(self) -> int:
        """Unix seconds, rounded up."""
        return -int(-self.service.state(time.time()).resets_at // 1)

    def forget(self) -> None:
        self.taken.clear()
        self.refused = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """
    Args:
        took_s: until the last note was there.
        ratio: that beside the least time.
        sent, refused: our requests, and how many of them got a 429.
    """

    took_s: float
    ratio: float
    sent: int
    refused: int


def drain(
    folder: Path, service: Callable[..., Upstream], *, limit: int, window_s: float, calls: int, others: float
) -> Drained:
    """Args: others: requests that somebody else sends in a window, at random times."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(RunningSandbox())
        server = EmbeddedRedis(folder / "redis", appendfsync="everysec")
        server.start()
        stack.callback(server.stop)
        ledger = Ledger(stack.enter_context(connect(server.url)))
        ledger.redis.hset(keys.META, "born_at", str(ledger.now_ms() - 3_600_000))
        _tell(ledger, sandbox, calls)
        counting = Counting(service=service(limit, window_s), limit=limit, window_s=window_s)
        with sandbox.world.lock:
            cast(Any, sandbox.world.kustomer).window = counting
            sandbox.world.kustomer.requests.clear()
        environ = {
            "REDIS_URL": server.url,
            "DATA_DIR": str(folder),
            "LOG_LEVEL": "ERROR",
            "WORKER_THREADS": str(THREADS),
            "KUSTOMER_REQUESTS_PER_MINUTE": str(limit),
            "KUSTOMER_WINDOW_S": str(window_s),
            **sandbox.environ(),
        }
        for n in range(PROCESSES):
            stack.enter_context(_worker(folder / f"worker{n}.log", environ))
        theirs = stack.enter_context(_others(counting, sandbox, others / window_s)) if others else []
        (began, *_) = eventually(lambda: counting.taken, "a first request", within_s=60)
        while len(sandbox.world.store.all("note")) < calls:
            if time.time() - began > 5 * calls * _REQUESTS / limit * window_s + 60:
                raise AssertionError("the backlog was not worked off in time")
            time.sleep(0.02)
        took_s = time.time() - began
        with sandbox.world.lock:
            sent, refused = len(counting.taken) + counting.refused, counting.refused
            taken = len(counting.taken) + sum(at <= began + took_s for at in theirs)
    return Drained(took_s=took_s, ratio=took_s / (taken / limit * window_s), sent=sent, refused=refused)


@contextmanager
def _worker(log: Path, environ: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "bridge", "worker"]
    with log.open("wb") as out, started(command, env={**os.environ, **environ}, stdout=out, stderr=out):
        yield


def _tell(ledger: Ledger, sandbox: RunningSandbox, calls: int) -> None:
    """Calls that have ended, of customers who are remembered; they wait as what a search for calls found."""
    for n in range(calls):
        number = f"+1555010{n:04d}"
        customer = sandbox.kustomer.add_customer(name=f"Ada {n}", phones=[{"phone": number}])
        ledger.memory.remember_customer(number, customer, named=True)
        uuid = str(UUID(int=n, version=4))
        body = ended(call_id=1_000_000_500 + n, uuid=uuid, external_number=number)
        event = read_event("call-ended", body, Rules())
        assert isinstance(event, Event)
        key = ledger.record_event(event, body).key
        ledger.cancel("sync", key)
        ledger.schedule("sync", key, in_ms=0, lane=Lane.BACKFILL)


@contextmanager
def _others(counting: Counting, sandbox: RunningSandbox, a_second: float) -> Iterator[list[float]]:
    """When requests of somebody else were taken."""
    taken: list[float] = []
    dice, ending = random.Random(1), threading.Event()

    def ask() -> None:
        while not ending.wait(dice.expovariate(a_second)):
            with sandbox.world.lock:
                if counting.service.ask(now := time.time()):
                    taken.append(now)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield taken
    ending.set()
    thread.join()


def measure(*, calls: int, others: float, window_s: float, cases: Sequence[tuple[int, str]]) -> list[Row]:
    """Args: cases: limit and name of the server; each alone and with others."""
    rows = []
    with Reaper() as reaper:
        for limit, name in cases:
            for theirs in (0.0, others) if others else (0.0,):
                folder = reaper.folder / f"{limit} {name} {theirs}"
                folder.mkdir()
                found = drain(
                    folder, SERVERS[name], limit=limit, window_s=window_s, calls=calls, others=theirs
                )
                case = f"worker processes, {limit:,}/min, {name}, "
                case += f"{theirs:g}/min of others" if theirs else "alone"
                refused = 100 * found.refused / found.sent
                say(f"{case}: {found.ratio:.3f} of the least time, {refused:.2f} % of {found.sent} refused")
                rows += [
                    Row(
                        what=f"{case}: time beside the least",
                        value=found.ratio,
                        unit="x",
                        at_most=_MOST,
                        guard=True,
                        less_is_better=True,
                        note=f"{found.took_s:,.0f} s",
                    ),
                    Row(
                        what=f"{case}: requests refused",
                        value=refused,
                        unit="%",
                        at_most=0.2 if theirs else 0,
                    ),
                ]
    return rows


def run(short: bool) -> list[Row]:
    """One case, which takes less than a minute; the long form is a command of its own."""
    return measure(calls=60 if short else 120, others=0, window_s=12, cases=[(60, "sliding log")])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--others", type=float, default=10, metavar="N", help="requests a window")
    parser.add_argument("--window", type=float, default=12, metavar="S")
    parser.add_argument("--limits", type=int, nargs="+", default=[60, 1000])
    given = parser.parse_args()
    cases = [(limit, name) for limit in given.limits for name in SERVERS]
    rows = measure(calls=given.calls, others=given.others, window_s=given.window, cases=cases)
    say(f"\n{table(rows)}")


if __name__ == "__main__":
    main()
