"""Replaces all processes of a bridge under load, one after the other, as a cluster does on an upgrade.

As Kubernetes does it with `deploy/helm/callbridge`: a new process is started beside the old ones; once it is
ready, an old one is taken out of the balancer (which learns of that a moment later), waits (`preStop`), gets
SIGTERM, and is killed if it has not ended in its grace period. The three kinds are replaced at the same time.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.chaos.house import TOKEN, House, Process, free_port
from tests.failover.balancer import Balancer, Kind
from tests.failover.drill import compare, is_quiet, longest, notes_at
from tests.failover.load import Load
from tests.waiting import eventually

WEBS, WORKERS, CLOCKS = 2, 3, 1
# How long the balancer goes on sending to a process that is to end: the news has a way to go.
_NEWS_TAKE_S = 0.5
_PRE_STOP_S, DRAIN_S = 1.0, 6.0
# terminationGracePeriodSeconds of the chart, whose test compares.
GRACE_S = {"web": 31, "worker": 30, "clock": 30}
# Each request to Kustomer takes as long, so that workers always have work in hand.
_UPSTREAM_S = 0.1
_WITHIN_S = 120.0
# Of load before the first and after the last.
_STEADY = 100


@dataclass(slots=True, kw_only=True)
class Rolled:
    """What came of it.

    Attributes:
        rounds: how many times all processes were replaced.
        refused: webhooks that were not accepted, by status; 0 is no answer at all.
        killed: processes that had not ended in their grace period.
        slowest_end_s: from SIGTERM to the end, by kind.
        memory_mb: the most that a process of a kind had in memory; Linux only.
        cores: the most processor time that one took, as a share of the time it ran, its start included.
        leases_late: runs of jobs that lost their lease, or were left by a stopping worker.
        handed_back: jobs that stopping workers handed back for others, in their lease.
        gap_s: the longest time without an accepted webhook.
        first_note_s: the longest time without a new note in Kustomer.
    """

    rounds: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    accepted: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    slowest_end_s: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    cores: dict[str, float] = field(default_factory=dict)
    leases_late: int = 0
    handed_back: int = 0
    gap_s: float = 0.0
    first_note_s: float = 0.0
    drained_s: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.twice or self.refused or self.killed or self.leases_late)


class Pod:
    """One process, as a pod has one; with a data folder of its own."""

    def __init__(self, kind: str, process: Process, port: int) -> None:
        self.kind, self.process, self.port = kind, process, port

    def answers(self) -> bool:
        assert self.process.alive, f"{self.process.name} ended while it started"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


class Cluster(House):
    """Redis, and pods that `roll` replaces; the balancer knows the web pods that are ready."""

    def __init__(self, folder: Path, balancer: Balancer, *, drain_s: float, on_disk: bool = False) -> None:
        super().__init__(
            folder,
            workers=0,
            settings={
                "RECONCILE_EVERY_S": "0",
                "DRAIN_S": f"{drain_s:g}",
                "RECORDINGS_URL": f"file:{folder / 'recordings'}",
            },
            on_disk=on_disk,
        )
        self._balancer = balancer
        self._count_of: Counter[str] = Counter()
        self.pods: dict[str, list[Pod]] = {"web": [], "worker": [], "clock": []}
        self.outcome = Rolled()

    def __enter__(self) -> Cluster:
        super().__enter__()
        self.pods["web"].append(Pod("web", self.web, self.port))
        for kind, wanted in (("web", WEBS), ("worker", WORKERS), ("clock", CLOCKS)):
            while len(self.pods[kind]) < wanted:
                self.pods[kind].append(self._start_one(kind))
        for pod in (pod for pods in self.pods.values() for pod in pods):
            self._wait_until_ready(pod)
        self._tell_balancer()
        return self

    def _start_one(self, kind: str) -> Pod:
        self._count_of[kind] += 1
        name, port = f"{kind}-{self._count_of[kind]}", free_port()
        environ = {**self.environ, "PORT": str(port), "DATA_DIR": str(self.folder / name)}
        pod = Pod(kind, self.process(kind, name, environ), port)
        pod.process.start()
        self._ending.callback(pod.process.close)
        return pod

    def _wait_until_ready(self, pod: Pod) -> None:
        look = pod.answers if pod.kind == "web" else partial(self._reports, pod)
        eventually(look, f"a new {pod.kind} is ready", within_s=_WITHIN_S, every_s=0.2)

    def _reports(self, pod: Pod) -> bool:
        """As `callbridge health` sees it."""
        assert pod.process.popen is not None
        return any(one.pid == pod.process.popen.pid for one in self.ledger.processes())

    def _tell_balancer(self) -> None:
        self._balancer.set_targets([pod.port for pod in self.pods["web"]])

    def roll(self) -> None:
        """Replace every process once."""
        with ThreadPoolExecutor(len(self.pods)) as pool:
            for done in [pool.submit(self._roll_one_kind, kind) for kind in self.pods]:
                done.result()
        self.outcome.rounds += 1

    def _roll_one_kind(self, kind: str) -> None:
        pods = self.pods[kind]
        for old in list(pods):
            new = self._start_one(kind)
            self._wait_until_ready(new)
            pods.append(new)
            self._tell_balancer()
            pods.remove(old)
            self._end(old)
            self.outcome.replaced[kind] += 1

    def _end(self, pod: Pod) -> None:
        kind = pod.kind
        if kind == "web":
            threading.Timer(_NEWS_TAKE_S, self._tell_balancer).start()
            _pass(_PRE_STOP_S)
        assert pod.process.popen is not None
        self._measure(kind, pod.process.popen.pid)
        began = time.monotonic()
        pod.process.send(signal.SIGTERM)
        try:
            pod.process.popen.wait(GRACE_S[kind])
        except subprocess.TimeoutExpired:
            self.outcome.killed.append(pod.process.name)
        pod.process.close()
        slowest = self.outcome.slowest_end_s
        slowest[kind] = max(slowest.get(kind, 0.0), time.monotonic() - began)

    def _measure(self, kind: str, pid: int) -> None:
        proc = Path(f"/proc/{pid}")
        if not proc.exists():
            return
        peak = re.search(r"VmHWM:\s+(\d+) kB", (proc / "status").read_text())
        fields = (proc / "stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        lived_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / ticks
        share = (int(fields[11]) + int(fields[12])) / ticks / lived_s
        memory, cores = self.outcome.memory_mb, self.outcome.cores
        memory[kind] = max(memory.get(kind, 0.0), int(peak[1]) * 1024 / 1e6 if peak else 0.0)
        cores[kind] = max(cores.get(kind, 0.0), share)


def _pass(seconds: float) -> None:
    threading.Event().wait(seconds)


def rolling(
    folder: Path,
    kind: Kind,
    *,
    rounds: int,
    a_second: float = 50,
    drain_s: float = DRAIN_S,
    on_disk: bool = False,
    says: Callable[[str], None] = lambda text: None,
) -> Rolled:
    """Run it.

    Raises:
        AssertionError: a new process did not become ready, or jobs did not end, within the time they have.
    """
    with Balancer(kind) as balancer, Cluster(folder, balancer, drain_s=drain_s, on_disk=on_disk) as cluster:
        cluster.sandbox.kustomer.delay_next(_UPSTREAM_S, times=10_000_000)
        outcome, began = cluster.outcome, time.monotonic()
        with Load(balancer.port, TOKEN, a_second=a_second) as load:
            _wait_for(load, _STEADY)
            for number in range(rounds):
                cluster.roll()
                says(f"round {number + 1}: {sum(outcome.replaced.values())} processes replaced")
            _wait_for(load, _STEADY)
        ended_at = time.monotonic()
        eventually(partial(is_quiet, cluster), "all jobs have ended", within_s=_WITHIN_S, every_s=0.2)
        outcome.drained_s = time.monotonic() - ended_at
        outcome.sent = len(load.sent)
        outcome.accepted = sum(one.is_accepted for one in load.sent)
        outcome.refused.update(one.status for one in load.sent if not one.is_accepted)
        compare(load.sent, cluster, outcome)
        accepted = [one.answered_at for one in load.sent if one.is_accepted]
        outcome.gap_s = longest(accepted, start=began, end=ended_at)
        outcome.first_note_s = longest(notes_at(cluster), start=began, end=ended_at)
        _read_logs(cluster.folder, outcome)
    return outcome


def _wait_for(load: Load, webhooks: int) -> None:
    now = time.monotonic()
    eventually(lambda: load.accepted_since(now) >= webhooks, "webhooks are accepted", within_s=_WITHIN_S)


def _read_logs(folder: Path, outcome: Rolled) -> None:
    for line in _log_lines(folder):
        outcome.leases_late += line.get("outcome") in ("lost", "left")
        outcome.leases_late += "did not stop in time" in str(line.get("event"))
        outcome.handed_back += int(line.get("handed_back", 0))


def _log_lines(folder: Path) -> Sequence[Mapping[str, Any]]:
    texts = [path.read_text("utf-8", "replace") for path in folder.glob("*.log")]
    return [json.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]
