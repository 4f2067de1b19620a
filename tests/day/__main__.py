"""Runs the scripted day by hand: `python -m tests.day --help`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import structlog

from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.day.checking import Held, compare
from tests.day.killing import run_day_with_kills
from tests.day.running import run_day
from tests.day.script import CALLS, Day, write_day
from tests.day.teams import CHOICES, Choice
from tests.reaper import Reaper

WAYS = ("in order", "shuffled twice", "shuffled twice, with kills")
_SHOWN = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    choice: str
    way: str
    calls: int
    seconds: float
    kustomer: int | None
    cloudtalk: int | None
    customers: int
    conversations: int
    notes: int
    findings: list[str]


def go(name: str, way: str, day: Day, folder: Path, *, seed: int, kills: int) -> Outcome:
    """One day under one rules file."""
    choice, began = CHOICES[name], time.monotonic()
    requests: tuple[int | None, int | None] = (None, None)
    if way == WAYS[2]:
        held = run_day_with_kills(folder, day, choice, seed=seed, kills=kills)
    else:
        held, requests = _in_process(choice, way, day, folder, seed=seed)
    return Outcome(
        choice=name,
        way=way,
        calls=len(day.calls),
        seconds=time.monotonic() - began,
        kustomer=requests[0],
        cloudtalk=requests[1],
        customers=len(held.customers),
        conversations=len(held.talks),
        notes=len(held.notes),
        findings=compare(choice.team.expected(day), held),
    )


def _in_process(
    choice: Choice, way: str, day: Day, folder: Path, *, seed: int
) -> tuple[Held, tuple[int | None, int | None]]:
    with _redis(folder) as url, RunningSandbox() as sandbox:
        client = connect(url)
        in_order = way == WAYS[0]
        counts = run_day(
            client,
            sandbox,
            day,
            choice,
            shuffle=None if in_order else seed,
            copies=1 if in_order else 2,
        )
        client.close()
        return Held.of(sandbox), (counts.kustomer, counts.cloudtalk)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    server = EmbeddedRedis(folder, appendfsync="everysec")
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def report(outcomes: list[Outcome], *, seed: int) -> str:
    lines = [
        "# The scripted day",
        "",
        f"`python -m tests.day`, seed {seed}: what Kustomer holds in the end, all of it compared.",
        "",
        "| rules | webhooks | calls | s | customers | conversations | notes | Kustomer requests"
        " | CloudTalk requests | wrong |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        asked = " | ".join("" if n is None else f"{n:,}" for n in (one.kustomer, one.cloudtalk))
        lines.append(
            f"| {one.choice} | {one.way} | {one.calls:,} | {one.seconds:.0f} | {one.customers}"
            f" | {one.conversations} | {one.notes} | {asked} | {len(one.findings)} |"
        )
    for one in outcomes:
        if one.findings:
            lines += ["", f"## {one.choice}, {one.way}", "", *(f"- {line}" for line in one.findings[:_SHOWN])]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.day", description="A day of calls, and the Kustomer that should come of it."
    )
    parser.add_argument("--rules", nargs="*", choices=[*CHOICES], default=[*CHOICES])
    parser.add_argument("--way", nargs="*", choices=WAYS, default=[*WAYS])
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--report", type=Path, help="a Markdown file to write")
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    day, outcomes = write_day(wanted.seed, wanted.calls), []
    with Reaper() as reaper:
        for n, (name, way) in enumerate(product(wanted.rules, wanted.way)):
            folder = reaper.folder / str(n)
            folder.mkdir()
            outcomes.append(go(name, way, day, folder, seed=wanted.seed, kills=wanted.kills))
            sys.stderr.write(f"{name}, {way}: {len(outcomes[-1].findings)} wrong\n")
    text = report(outcomes, seed=wanted.seed)
    if wanted.report:
        wanted.report.write_text(text, "utf-8")
    sys.stdout.write(text)
    return 1 if any(one.findings for one in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
