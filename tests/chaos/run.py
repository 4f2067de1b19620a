"""The chaos run: `python -m tests.chaos.run --duration 2m --seed 7 --report FILE.md`.

A made-up day goes through web, workers, clock and Redis while all of them are killed, stopped and lied to.
Then everything is left alone, and what Kustomer holds is compared with what happened. Exit code 0: nothing
was lost, duplicated or wrong, and nothing is stuck.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import redis

from bridge.ledger.keys import QUEUE_KEYS, Lane, split_job
from tests.chaos.checking import Held, Verdict, check
from tests.chaos.days import AGENTS, LATEST_S, Day, make_day
from tests.chaos.faults import Fault, Trouble, schedule
from tests.chaos.house import TOKEN
from tests.chaos.options import OPTIONS, add_insights, add_texts, read_options, rules_of
from tests.chaos.sending import DayClock, Sender
from tests.chaos.stage import Stage
from tests.chaos.wires import CALM, ROUGH
from tests.reaper import Reaper

WORKERS = 2
# A job that keeps failing waits for up to 5 minutes, and so does a second look into CloudTalk's list; neither
# for longer, and some runs need a tenth of that.
SETTLES_WITHIN_S = 330.0
# On a machine too slow for the load a run lasts longer, up to this many times: the day waits while
# deliveries are late or jobs pile up, the faults do not.
_SLOWEST = 10
_LATEST_S, _MOST_DUE = 1.0, 150
_TOLD_EVERY_S = 30.0
# Where some calls are never told of, CloudTalk's list is compared this often.
_RECONCILE_EVERY_S = 15.0
# A clock that was killed leaves its turn to the next for up to a minute.
_RECONCILED_AFTER_S = 90.0
# A run longer than this ends with its time, with as much of the day as there was time for.
_LONG_S = 600.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """All that a run showed."""

    seed: int
    # Of the day, and how long load and faults really took.
    duration_s: float
    lasted_s: float
    began_at: float
    day: Day
    verdict: Verdict
    struck: list[Fault]
    # Deliveries by the Unix time at which each was taken.
    taken: list[float | None]
    answers: Counter[str]
    # By wire: requests, replies, and what was done to them.
    wires: dict[str, Counter[str]]
    # At the services: kind of fault -> how many requests it hit.
    service_faults: Counter[str]
    settled_s: float | None
    stuck: list[str]
    leaked: list[str]
    versions: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)
    # By workers that were not stopped for longer than a lease lasts.
    leases_lost: int = 0

    @property
    def kills(self) -> Counter[str]:
        return Counter(fault.target for fault in self.struck if fault.kind == "kill")

    @property
    def process_kills(self) -> int:
        return sum(count for target, count in self.kills.items() if target != "redis")

    @property
    def replies(self) -> int:
        return sum(wire["replies"] for wire in self.wires.values())

    @property
    def replies_lost(self) -> int:
        return sum(wire[how] for wire in self.wires.values() for how in ("lose", "cut", "hang"))

    @property
    def share_lost(self) -> dict[str, float]:
        """By wire: the share of replies that did not come, or not whole."""
        return {
            name: sum(wire[how] for how in ("lose", "cut", "hang")) / max(1, wire["replies"])
            for name, wire in self.wires.items()
        }

    @property
    def untaken(self) -> int:
        return sum(one is None for one in self.taken)

    @property
    def failures(self) -> list[str]:
        """Everything that should not be; empty after a good run."""
        found = list(self.verdict.findings)
        found += [f"stuck: {one}" for one in self.stuck]
        found += [f"in a log: {one!r}" for one in self.leaked]
        if self.leases_lost:
            found.append(f"{self.leases_lost} leases were lost by workers that were alive")
        if self.untaken:
            found.append(f"{self.untaken} deliveries were never taken")
        return found


def run(
    folder: Path,
    *,
    seed: int,
    duration_s: float,
    calls_per_s: float,
    unheard: float = 0.0,
    least_kills: Mapping[str, int] = MappingProxyType({}),
    on_disk: bool = False,
    options: Collection[str] = (),
) -> Outcome:
    """One run; the processes' logs stay in `folder`.

    Args:
        unheard: share of calls whose webhooks never come, and which CloudTalk's list tells of.
        least_kills: the faults go on until there were so many of `process` and of `redis`.
        on_disk: as of `House`.
        options: of the rules that are on; see `tests.chaos.options`.
    """
    every_s = _RECONCILE_EVERY_S if unheard else 0
    rules = rules_of(options) if options else ""
    with Stage(
        folder, workers=WORKERS, seed=seed, reconcile_every_s=every_s, on_disk=on_disk, rules=rules
    ) as stage:
        for agent, (first, last) in AGENTS.items():
            stage.sandbox.cloudtalk.add_agent(id=agent, firstname=first, lastname=last)
        # A 429 of theirs tells a reset time within this.
        stage.sandbox.cloudtalk.limit(1_000_000, window_s=2)
        stage.sandbox.kustomer.limit(1_000_000, window_s=2)
        began = datetime.now(UTC)
        day = make_day(seed, began=began, duration_s=duration_s, calls_per_s=calls_per_s, unheard=unheard)
        if "messages" in options:
            add_texts(day, seed=seed, began=began, duration_s=duration_s)
        if "insights" in options:
            add_insights(day, seed=seed, duration_s=duration_s)
        clock = DayClock()
        sender = Sender(day.deliveries, port=stage.port, token=TOKEN, clock=clock)
        trouble = Trouble(schedule(seed, duration_s=duration_s * _SLOWEST, workers=WORKERS), stage)
        threads = [
            threading.Thread(target=_make_calls, args=(stage, day, clock), name="calls", daemon=True),
            threading.Thread(target=_pace, args=(stage, sender, clock), name="pace", daemon=True),
        ]
        stage.wires.weather(ROUGH)
        start = time.monotonic()
        sender.start()
        for thread in threads:
            thread.start()
        if duration_s > _LONG_S:
            ending = threading.Timer(duration_s - LATEST_S, lambda: day.curtail(sender.curtail()))
            ending.daemon = True
            ending.start()

        def enough() -> bool:
            kills = Counter("redis" if one.target == "redis" else "process" for one in trouble.kills)
            return sender.done and time.monotonic() - start >= duration_s and kills >= Counter(least_kills)

        trouble.run(until=enough)
        for thread in threads:
            thread.join()
        faults = trouble.service_faults()
        stage.wires.weather(CALM)
        stage.sandbox.kustomer.forget_faults()
        stage.sandbox.cloudtalk.forget_faults()
        calm = time.monotonic()
        settled = _settle(stage, least_s=_RECONCILED_AFTER_S if unheard else 0, within_s=SETTLES_WITHIN_S)
        kustomer = stage.sandbox.kustomer
        held = Held(
            customers=kustomer.customers,
            conversations=kustomer.conversations,
            notes=kustomer.notes,
            attachments=kustomer.attachments,
            messages=kustomer.messages,
        )
        return Outcome(
            seed=seed,
            duration_s=duration_s,
            lasted_s=calm - start,
            began_at=began.timestamp(),
            day=day,
            verdict=check(day, held, options),
            struck=trouble.struck,
            taken=[
                taken
                for one, taken in zip(sender.deliveries, sender.taken, strict=True)
                if one.call < len(day.calls)
            ],
            answers=sender.counts,
            wires={name: wire.counts for name, wire in stage.wires.by_name.items()},
            service_faults=faults,
            settled_s=time.monotonic() - calm if settled else None,
            stuck=_stuck(stage),
            leaked=_leaked(stage),
            versions=_versions(stage),
            counts=stage.ledger.counts(),
            leases_lost=trouble.leases_lost_by_live_workers(),
        )


def _pace(stage: Stage, sender: Sender, clock: DayClock) -> None:
    """Have the day wait while the machine cannot keep up; until all is sent. Tells how far it is."""
    pause = threading.Event()
    told_s = time.monotonic()
    while not sender.done:
        try:
            lanes = stage.ledger.queue().values()
            crowded = sum(lane.due for lane in lanes) > _MOST_DUE
        except redis.RedisError:
            # Killed just now.
            crowded = True
        clock.go(not crowded and sender.late_s < _LATEST_S)
        if time.monotonic() - told_s >= _TOLD_EVERY_S:
            told_s = time.monotonic()
            taken = sum(at is not None for at in sender.taken)
            sys.stderr.write(f"{clock.now_s():.0f} s into the day, {taken} of {len(sender.taken)} taken\n")
        pause.wait(0.1)
    clock.go(True)


def _make_calls(stage: Stage, day: Day, clock: DayClock) -> None:
    """CloudTalk knows of each call from its end on."""
    pause = threading.Event()
    for one in day.upstream:
        while (left_s := one.at_s - clock.now_s()) > 0 and one.call < len(day.calls):
            pause.wait(min(left_s, 0.1))
        if one.call < len(day.calls):
            stage.sandbox.cloudtalk.add_call(**one.fields)


def _quiet(stage: Stage) -> bool:
    lanes = stage.ledger.queue()
    return all(lanes[lane].due + lanes[lane].waiting + lanes[lane].running == 0 for lane in Lane)


def _settle(stage: Stage, *, least_s: float, within_s: float) -> bool:
    """Whether nothing was left to do in time. Nothing is replayed, and no time is moved."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    pause.wait(least_s)
    while not _quiet(stage):
        if time.monotonic() > deadline:
            return False
        pause.wait(0.2)
    return True


def _stuck(stage: Stage) -> list[str]:
    """Jobs that wait for a person, and jobs that were not done in time, each with its cause."""
    found = [
        f"{name} parked: {job.get('cause')}: {job.get('error')}"
        for name, job in stage.ledger.parked().items()
    ]
    waiting = [str(name) for due in QUEUE_KEYS[:4] for name in stage.client.zrange(due, 0, -1)]
    for name in waiting:
        kind, key = split_job(name)
        found += [
            f"{name} {job['state']}, {job['attempts']} attempts, {job['cause']}: {job['error']}"
            for job in stage.ledger.job_states(key)
            if job["kind"] == kind
        ]
    return found


def _leaked(stage: Stage) -> list[str]:
    """What must never stand in a log."""
    logs = stage.logs()
    return [text for text in (TOKEN, "Person ", "4416329", "4411349", "Fictional", "invoice") if text in logs]


def _versions(stage: Stage) -> dict[str, str]:
    return {
        "callbridge": importlib.metadata.version("callbridge"),
        "Python": platform.python_version(),
        "server": f"{info['server_name']} {info['valkey_version']}"
        if "valkey_version" in (info := stage.client.info("server"))
        else f"Redis {info['redis_version']}",
        "dramatiq": importlib.metadata.version("dramatiq"),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }


def span_s(text: str) -> float:
    """`90s`, `2m`, `1h` as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span such as 90s, 2m or 1h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def main() -> int:
    from tests.chaos.report import write_report

    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.run", description="Break everything, lose nothing."
    )
    parser.add_argument("--duration", type=span_s, default=120.0, help="of the load and the faults: 2m, 1h")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate", type=float, default=17.5, help="calls a second (17.5)")
    parser.add_argument("--unheard", type=float, default=0.0, help="share of calls whose webhooks never come")
    parser.add_argument(
        "--options",
        type=read_options,
        default=frozenset(),
        help=f"of the rules that are on: all, or some of {','.join(OPTIONS)}",
    )
    parser.add_argument("--report", type=Path, help="a Markdown file to write, and its chart beside it")
    parser.add_argument("--keep", type=Path, help="a folder for the processes' logs and data, to look into")
    wanted = parser.parse_args()
    # Whoever is told to end takes the processes along.
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(143))
    with Reaper() as reaper:
        folder = wanted.keep or reaper.folder
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run(
            folder,
            seed=wanted.seed,
            duration_s=wanted.duration,
            calls_per_s=wanted.rate,
            unheard=wanted.unheard,
            on_disk=True,
            options=wanted.options,
        )
    text = write_report(outcome, wanted.report)
    sys.stdout.write(text)
    for line in outcome.failures:
        sys.stderr.write(f"{line}\n")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
