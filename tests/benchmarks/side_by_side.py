"""Webhooks a second beside those of other ways to take them in, all of which do the same job.

    python -m tests.benchmarks.side_by_side [--rounds N] [--seconds S] [--senders N] [--peers FOLDER]
                                            [--first] [--smoke] [NAME ...]

The job: check a bearer token, parse the JSON, recognise a repeat, store the event and enqueue a job in Redis,
then answer 202. Starlette alone, which answers 202 and does nothing, is what all are compared with. Each runs
in one process on one core, with a database of its own in the same Redis; Redis and the sender have the other.
Rounds take turns, so read the ratios. None writes a line of log for a webhook.

Before, each must refuse a wrong token and keep a repeat once. After, each must hold whatever it answered 202:
the event and one job for it.

The others (`peers/`) are installed into a virtual environment of their own, which is thrown away unless
`--peers` names a folder for it. `--first` runs what is measured before whatever else the machine does (root
only). `--smoke` is one very short round with Starlette and the bridge, which installs nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2
import redis

from bridge.ledger import keys
from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import before_others, web_process
from tests.benchmarks.load import PATH, load, webhook
from tests.benchmarks.peer_packages import PEERS, peers_in
from tests.benchmarks.usage import cpu_s_of, cpu_s_of_one, memory_mb_of
from tests.chaos.house import TOKEN, free_port
from tests.processes import started
from tests.reaper import Reaper
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
    """

    app: str = ""
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
}


@dataclass
class Running:
    """A way that runs, and what was measured of it."""

    name: str
    peer: Peer
    port: int
    pid: int
    client: redis.Redis
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
        took = load(self.port, seconds, senders, first=first)
        self.cpu_s += cpu_s_of(self.pid) - before
        self.redis_cpu_s += cpu_s_of_one(self.redis_pid) - redis_before
        self.memory_mb = max(self.memory_mb, memory_mb_of(self.pid))
        self.rates.append(len(took) / seconds)
        self.took_s += took
        self.ranges.append(range(first, first + len(took)))
        return len(took)

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
        """It refuses a wrong token, and keeps a repeat once."""
        if self.peer.jobs is None:
            return
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}") as http:
            body = webhook(_REPEATED).partition(b"\r\n\r\n")[2]
            answers = [
                http.post(
                    PATH,
                    content=body,
                    headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
                ).status_code
                for token in ("wrong", TOKEN, TOKEN)
            ]
        assert answers == [401, 202, 200], (
            f"{self.name} answers a wrong token, a webhook and its repeat {answers}"
        )
        assert self.jobs() == 1, f"{self.name} has {self.jobs()} jobs for one call"

    def jobs(self) -> int:
        assert self.peer.jobs is not None
        return int(self.client.execute_command(*self.peer.jobs))  # type: ignore[no-untyped-call]

    def missing(self) -> int:
        """Webhooks that were accepted, and whose event or job is not there."""
        if self.peer.jobs is None:
            return 0
        accepted = [number for numbers in self.ranges for number in numbers]
        lost = 0
        for at in range(0, len(accepted), 5000):
            pipe = self.client.pipeline(transaction=False)
            for number in accepted[at : at + 5000]:
                pipe.exists(self.peer.event.replace("NUMBER", str(number)))
            lost += sum(not held for held in pipe.execute())
        # One more is that of `try_out`.
        return lost + abs(self.jobs() - 1 - len(accepted))


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

    def start(self, name: str, peer: Peer, database: int) -> Running:
        """Raises: AssertionError: it does not do the job."""
        url = f"unix://{quote(str(self.socket))}?db={database}"
        client = redis.Redis.from_url(url)
        self.stack.callback(client.close)
        own = self.folder / str(database)
        own.mkdir()
        if not peer.app:
            site = web_process(
                self.stack,
                own,
                url,
                cores=self.cores,
                goes_first=self.goes_first,
                LOG_LEVEL="ERROR",
                WEBHOOK_PIPELINING=peer.pipelining,
            )
            running = Running(name, peer, site.port, site.pid, client, self.redis_pid)
        else:
            running = self._start_peer(name, peer, client, url, database, own / "log")
        running.try_out()
        return running

    def _start_peer(
        self, name: str, peer: Peer, client: redis.Redis, url: str, database: int, log: Path
    ) -> Running:
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

        def bound() -> None:
            if self.goes_first:
                before_others()
            os.sched_setaffinity(0, self.cores)

        python = Path(sys.executable) if peer.app == "bare" else self.python
        command = command_of(peer.app, port, python)
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

        eventually(answers, f"{name} answers", within_s=60, every_s=0.1)
        return Running(name, peer, port, process.pid, client, self.redis_pid)


def table(ways: Sequence[Running]) -> str:
    """In Markdown; the first is what the others are compared with."""
    base = ways[0]
    ours = next((way for way in ways if way.name == BRIDGE), None)
    lines = [
        "| | requests/s | p50, ms | p99, ms | CPU a request, us | of Redis, us | memory, MB "
        "| against starlette alone: requests/s | CPU | callbridge against it: requests/s | CPU |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for way in ways:
        gains = ""
        if ours is not None and way not in (ours, base):
            gains = f"{ours.rate_against(way):.1f}x | {way.cpu_us / ours.cpu_us:.1f}x"
        lines.append(
            f"| {way.name} | {statistics.median(way.rates):,.0f} | {way.ms(0.5):.1f} | {way.ms(0.99):.1f} "
            f"| {way.cpu_us:.0f} | {way.redis_cpu_s / len(way.took_s) * 1e6:.0f} | {way.memory_mb:.0f} "
            f"| {way.rate_against(base):.2f} "
            f"| {base.cpu_us / way.cpu_us:.2f} | {gains or '| '} |"
        )
    return "\n".join(lines)


def side_by_side(
    names: Sequence[str], *, rounds: int, seconds: float, senders: int, peers: Path | None, goes_first: bool
) -> bool:
    """Prints the table; whether all hold what they accepted."""
    say: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731, T201
    cores = sorted(os.sched_getaffinity(0))
    # What this process starts runs where it does: Redis.
    os.sched_setaffinity(0, cores[1:] or cores)
    if goes_first:
        before_others()
    with Reaper() as reaper, tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        needed = any(WAYS[name].app not in ("", "bare") for name in names)
        python = peers_in(peers or reaper.folder / "peers") if needed else Path(sys.executable)
        server = EmbeddedRedis(Path(text), appendfsync="everysec")
        server.start()
        stack.callback(server.stop)
        assert server.pid is not None
        place = Place(
            stack, Path(text), server.socket_path, server.pid, cores[:1], goes_first, python.absolute()
        )
        ways = [place.start(name, WAYS[name], database) for database, name in enumerate(names)]
        number = 1
        # The first round is not counted: code that runs for the first time, memory that is fetched.
        for way in ways:
            number += way.measure(min(seconds, 0.3), senders, first=number)
            way.rates.clear()
            way.took_s.clear()
            way.cpu_s = way.redis_cpu_s = 0.0
        for _ in range(rounds):
            for way in ways:
                number += way.measure(seconds, senders, first=number)
        say(table(ways))
        say(
            f"\n{rounds} rounds of {seconds:g} s, {senders} connections; load average "
            f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
        )
        missing = {way.name: way.missing() for way in ways}
        accepted = sum(len(numbers) for way in ways for numbers in way.ranges)
        for name, lost in missing.items():
            if lost:
                say(f"{name}: {lost} events or jobs missing")
        if not any(missing.values()):
            say(f"Accepted {accepted:,}, none missing.")
        return not any(missing.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of these: {'; '.join(WAYS)}")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--senders", type=int, default=64)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.names) - WAYS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    names = [name for name in WAYS if name == BARE or not given.names or name in given.names]
    if given.smoke:
        given.rounds, given.seconds, names = 1, 0.3, [BARE, BRIDGE]
    is_whole = side_by_side(
        names,
        rounds=given.rounds,
        seconds=given.seconds,
        senders=given.senders,
        peers=given.peers,
        goes_first=given.first,
    )
    sys.exit(0 if is_whole else 1)


if __name__ == "__main__":
    main()
