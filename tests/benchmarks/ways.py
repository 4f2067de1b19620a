"""The ways to take webhooks in that are measured side by side: how each is started, and what it has used."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2
import redis

from bridge.ledger import keys
from tests.benchmarks.attacks import before_others, web_process
from tests.benchmarks.load import PATH, load, webhook
from tests.benchmarks.peer_packages import PEERS
from tests.benchmarks.stores import InRedis, Nowhere, Store
from tests.benchmarks.usage import cpu_s_of, cpu_s_of_one, memory_mb_of
from tests.benchmarks.ways_node import service_of
from tests.chaos.house import TOKEN, free_port
from tests.processes import started
from tests.waiting import eventually

BARE, BRIDGE = "starlette alone", "callbridge"
# Sent before the rounds, to see that a repeat is recognised.
_REPEATED = 999_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One way to take webhooks in.

    Args:
        app: its module in `peers/`; empty for the bridge.
        event: the name in Redis under which it keeps an event, where NUMBER is the call's.
        jobs: the Redis command that counts its jobs.
        pipelining: WEBHOOK_PIPELINING, of the bridge.
        node: instead of `app`, its folder in `peers/`, of what runs in Node.js.
    """

    app: str = ""
    node: str = ""
    event: str = "event:call_ended:NUMBER"
    jobs: tuple[str, str] | None = None
    pipelining: str = "true"


_EVENTS_OF_BRIDGE = keys.events("id:NUMBER")
WAYS = {
    BARE: Peer(app="bare"),
    BRIDGE: Peer(event=_EVENTS_OF_BRIDGE, jobs=("HLEN", keys.JOBS)),
    f"{BRIDGE}, WEBHOOK_PIPELINING=false": Peer(
        event=_EVENTS_OF_BRIDGE, jobs=("HLEN", keys.JOBS), pipelining="false"
    ),
    "starlette + dramatiq": Peer(app="starlette_dramatiq", jobs=("LLEN", "dramatiq:default")),
    "FastAPI + Celery": Peer(app="fastapi_celery", jobs=("LLEN", "celery")),
    "Flask + RQ": Peer(app="flask_rq", jobs=("LLEN", "rq:queue:default")),
    "FastAPI + arq": Peer(
        app="fastapi_arq", event="arq:job:event:call_ended:NUMBER", jobs=("ZCARD", "arq:queue")
    ),
    "FastAPI + taskiq": Peer(app="fastapi_taskiq", jobs=("LLEN", "taskiq")),
    "Node-RED": Peer(node="node_red"),
    "n8n": Peer(node="n8n"),
}


@dataclass
class Running:
    """A way that runs, and what was measured of it."""

    name: str
    peer: Peer
    port: int
    pid: int
    store: Store
    redis_pid: int
    rates: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    redis_cpu_s: float = 0.0
    memory_mb: float = 0.0
    ranges: list[range] = field(default_factory=list)

    def measure(self, seconds: float, senders: int, *, first: int) -> int:
        """One round; how many webhooks were accepted, the first of which has the number `first`."""
        before, redis_before = cpu_s_of(self.pid), cpu_s_of_one(self.redis_pid)
        began = time.perf_counter()
        took = load(self.port, seconds, senders, first=first)
        # Slow ones answer much of it only after `seconds`.
        lasted_s = max(seconds, time.perf_counter() - began)
        self.cpu_s += cpu_s_of(self.pid) - before
        self.redis_cpu_s += cpu_s_of_one(self.redis_pid) - redis_before
        self.memory_mb = max(self.memory_mb, memory_mb_of(self.pid))
        self.rates.append(len(took) / lasted_s)
        self.took_s += took
        self.ranges.append(range(first, first + len(took)))
        return len(took)

    def forget(self) -> None:
        """What was measured so far does not count."""
        self.rates.clear()
        self.took_s.clear()
        self.cpu_s = self.redis_cpu_s = 0.0

    @property
    def cpu_us(self) -> float:
        """Of one webhook."""
        return self.cpu_s / len(self.took_s) * 1e6

    def ms(self, share: float) -> float:
        ordered = sorted(self.took_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000

    def rate_against(self, other: Running) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))

    def try_out(self) -> None:
        """It refuses a wrong token, and keeps a repeat once, if it is one that can."""
        if not self.store.answers:
            return
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as http:
            body = webhook(_REPEATED).partition(b"\r\n\r\n")[2]
            answers = tuple(
                http.post(
                    PATH,
                    content=body,
                    headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
                ).status_code
                for token in ("wrong", TOKEN, TOKEN)
            )
        assert answers == self.store.answers, (
            f"{self.name} answers a wrong token, a webhook and its repeat {answers}"
        )
        eventually(lambda: self.store.count() == 1, f"{self.name} has one job for one call")

    def missing(self) -> int:
        """Webhooks that were accepted, and whose event or job is not there."""
        accepted = [number for numbers in self.ranges for number in numbers]
        if not self.store.answers:
            return 0
        # One more is that of `try_out`.
        return self.store.lost(accepted) + abs(self.store.count() - 1 - len(accepted))


def command_of(app: str, port: int, python: Path) -> list[str | Path]:
    """What serves an application of `peers/`, in one process."""
    if app == "flask_rq":
        serve = "gunicorn --worker-class gthread --threads 8 --workers 1 --keep-alive 60 --log-level warning"
        return [python, "-m", *serve.split(), "--bind", f"127.0.0.1:{port}", f"{app}:app"]
    serve = "uvicorn --loop uvloop --http httptools --no-access-log --log-level warning --backlog 2048"
    return [python, "-m", *serve.split(), "--port", str(port), f"{app}:app"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where ways run."""

    stack: ExitStack
    folder: Path
    socket: Path
    redis_pid: int
    cores: Collection[int]
    goes_first: bool
    python: Path
    peers: Path | None

    def start(self, name: str, peer: Peer, database: int) -> Running:
        """Raises: AssertionError: it does not do the job."""
        url = f"unix://{quote(str(self.socket))}?db={database}"
        own = self.folder / str(database)
        own.mkdir()
        if peer.node:
            running = self._start_node(name, peer, own)
        elif peer.app:
            running = self._start_peer(name, peer, self._store(peer, url), url, database, own / "log")
        else:
            site = web_process(
                self.stack,
                own,
                url,
                cores=self.cores,
                goes_first=self.goes_first,
                LOG_LEVEL="ERROR",
                WEBHOOK_PIPELINING=peer.pipelining,
            )
            running = Running(name, peer, site.port, site.pid, self._store(peer, url), self.redis_pid)
        running.try_out()
        return running

    def _store(self, peer: Peer, url: str) -> Store:
        if peer.jobs is None:
            return Nowhere()
        client = redis.Redis.from_url(url)
        self.stack.callback(client.close)
        return InRedis(client, peer.event, peer.jobs)

    def _start_peer(self, name: str, peer: Peer, store: Store, url: str, database: int, log: Path) -> Running:
        port = free_port()
        environ = {
            **os.environ,
            "TOKEN": TOKEN,
            "REDIS_URL": url,
            "CELERY_BROKER": f"redis+socket://{quote(str(self.socket))}?virtual_host={database}",
            "REDIS_SOCKET": str(self.socket),
            "REDIS_DATABASE": str(database),
            # Its own packages only.
            "PYTHONPATH": "",
        }
        python = Path(sys.executable) if peer.app == "bare" else self.python
        command = command_of(peer.app, port, python)
        return self._served(name, peer, store, command, environ, port, log)

    def _start_node(self, name: str, peer: Peer, own: Path) -> Running:
        assert self.peers is not None
        port = free_port()
        service = service_of(peer.node, self.peers / peer.node / "node_modules" / ".bin", own, port)
        return self._served(name, peer, service.store, service.command, service.environ, port, own / "log")

    def _served(
        self,
        name: str,
        peer: Peer,
        store: Store,
        command: Sequence[str | Path],
        environ: Mapping[str, str],
        port: int,
        log: Path,
    ) -> Running:
        def bound() -> None:
            if self.goes_first:
                before_others()
            os.sched_setaffinity(0, self.cores)

        out = self.stack.enter_context(log.open("wb"))
        process = self.stack.enter_context(
            started(command, env=environ, stdout=out, stderr=out, cwd=PEERS, preexec_fn=bound)
        )

        def answers() -> bool:
            assert process.poll() is None, f"{name} ended: {log.read_text()[-2000:]}"
            try:
                return httpx2.get(f"http://127.0.0.1:{port}/").status_code == 404
            except httpx2.HTTPError:
                return False

        eventually(answers, f"{name} answers", within_s=90, every_s=0.1)
        return Running(name, peer, port, process.pid, store, self.redis_pid)
