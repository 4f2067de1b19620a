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
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import before_others
from tests.benchmarks.peer_packages import node_peer_in, peers_folder, peers_in
from tests.benchmarks.report import Row, say
from tests.benchmarks.ways import BARE, BRIDGE, WAYS, Place, Running
from tests.reaper import Reaper


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


# Takes 1.8 GB and minutes to install, so only where it is named.
_BY_NAME = "n8n"
# What the issue asks of the bridge beside each: requests/s, as a multiple.
_AT_LEAST = {
    "starlette + dramatiq": 4,
    "FastAPI + Celery": 10,
    "Flask + RQ": 10,
    "FastAPI + arq": 5,
    "FastAPI + taskiq": 5,
    "Node-RED": 4,
    "n8n": 100,
}


def rows_of(ways: Sequence[Running], missing: int) -> list[Row]:
    base, ours = ways[0], next(way for way in ways if way.name == BRIDGE)
    against = f"against {BARE}"
    rows = [
        Row(what=f"{against}: requests/s", value=ours.rate_against(base), unit="x", at_least=0.7, guard=True),
        Row(what=f"{against}: CPU", value=base.cpu_us / ours.cpu_us, unit="x", at_least=0.85, guard=True),
    ]
    for way in ways:
        if way in (base, ours):
            continue
        goal = _AT_LEAST.get(way.name)
        rate, cpu = ours.rate_against(way), way.cpu_us / ours.cpu_us
        rows += [
            Row(
                what=f"against {way.name}: requests/s",
                value=rate,
                unit="x",
                at_least=goal,
                # What only we offer is no rival whose loss is ours.
                guard=goal is not None,
                chart="requests/s, as a multiple of each" if goal else "",
            ),
            Row(what=f"against {way.name}: CPU", value=cpu, unit="x", guard=goal is not None),
        ]
    for way in ways:
        rate = statistics.median(way.rates)
        rows += [
            Row(what=f"{way.name}: requests/s", value=rate, unit="/s", chart="requests/s"),
            Row(what=f"{way.name}: CPU a request", value=way.cpu_us, unit="us", chart="CPU a request"),
            Row(what=f"{way.name}: p50", value=way.ms(0.5), unit="ms"),
            Row(what=f"{way.name}: p99", value=way.ms(0.99), unit="ms", chart="p99"),
            Row(what=f"{way.name}: memory", value=way.memory_mb, unit="MB", chart="memory"),
        ]
    return [*rows, Row(what="events or jobs missing", value=missing, at_most=0)]


def side_by_side(
    names: Sequence[str],
    *,
    rounds: int,
    seconds: float,
    senders: int,
    peers: Path | None,
    goes_first: bool,
    own_python: bool = False,
) -> tuple[list[Running], int]:
    """Prints the table; the ways as measured, and how much of what they accepted is missing.

    Args:
        own_python: the others run in this environment, which has what is named.
    """
    cores = sorted(os.sched_getaffinity(0))
    # What this process starts runs where it does: Redis.
    os.sched_setaffinity(0, cores[1:] or cores)
    if goes_first:
        before_others()
    with Reaper() as reaper, tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = peers or reaper.folder / "peers"
        needed = not own_python and any(WAYS[name].app not in ("", "bare") for name in names)
        python = peers_in(folder) if needed else Path(sys.executable)
        names = [name for name in names if not WAYS[name].node or node_peer_in(folder, WAYS[name].node)]
        server = EmbeddedRedis(Path(text), appendfsync="everysec")
        server.start()
        stack.callback(server.stop)
        assert server.pid is not None
        place = Place(
            stack,
            Path(text),
            server.socket_path,
            server.pid,
            cores[:1],
            goes_first,
            python.absolute(),
            folder.absolute(),
        )
        ways = []
        for database, name in enumerate(names):
            try:
                ways.append(place.start(name, WAYS[name], database))
            except AssertionError as error:
                if not WAYS[name].node:
                    raise
                say(f"{name} is left out: {error}")
        _take_turns(ways, rounds=rounds, seconds=seconds, senders=senders)
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
    return ways, sum(missing.values())


def _take_turns(ways: Sequence[Running], *, rounds: int, seconds: float, senders: int) -> None:
    number = 1
    # The first round is not counted: code that runs for the first time, memory that is fetched.
    for way in ways:
        number += way.measure(min(seconds, 0.3), senders, first=number)
        way.forget()
    for _ in range(rounds):
        for way in ways:
            number += way.measure(seconds, senders, first=number)


def run(short: bool) -> list[Row]:
    """Short: beside starlette alone and starlette with dramatiq, which are installed here anyway."""
    ways, missing = side_by_side(
        [BARE, BRIDGE, "starlette + dramatiq"] if short else [name for name in WAYS if name != _BY_NAME],
        rounds=7 if short else 5,
        seconds=0.6 if short else 1.2,
        senders=64,
        peers=peers_folder(),
        goes_first=True,
        own_python=short,
    )
    return rows_of(ways, missing)


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
    names = [
        name for name in WAYS if name == BARE or (name in given.names if given.names else name != _BY_NAME)
    ]
    if given.smoke:
        given.rounds, given.seconds, names = 1, 0.3, [BARE, BRIDGE]
    _, missing = side_by_side(
        names,
        rounds=given.rounds,
        seconds=given.seconds,
        senders=given.senders,
        peers=given.peers,
        goes_first=given.first,
    )
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
