"""A thousand accounts in one web process, one worker and one clock: what they cost, and whether one of them
that is noisy slows the others down.

    python -m tests.benchmarks.accounts [--short]

All accounts together have 50 calls a minute, each through the web process, Redis and the worker to a Kustomer
whose answers come 50 ms later; three of them come before a note. In turns with that, one more account has 500
calls a minute: the ratio is that of the others' times from webhook to note, with and without it. Idle is
before the first call. As root, all this runs before the other work of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.pickup import UPSTREAM_S, go_first, is_up
from tests.benchmarks.report import Row, main
from tests.benchmarks.usage import cpu_s_of, cpu_s_of_one, memory_mb_of
from tests.chaos.house import free_port
from tests.processes import started
from tests.reaper import Reaper
from tests.support import ended
from tests.waiting import eventually

_UPSTREAM = (sys.executable, "-m", "tests.benchmarks.accounts_upstream")
_KINDS = ("web", "worker", "clock")
NOISY = "noisy"
_CALLS_A_MINUTE, _NOISY_A_MINUTE = 50, 500
_THREADS = 8
# What the processes have to do at their start, and the first round of the clock, are no idling.
_SETTLES_S = 65.0
_TAKES_AT_MOST_S = 20.0
# Percent of a core, and MB, of 1,000 accounts.
_IDLE_GOALS = {"web": 5.0, "worker": 10.0, "clock": 25.0, "Redis": 10.0}
_MEMORY_GOALS = {"web": 250.0, "worker": 250.0, "clock": 250.0, "Redis": 200.0}
_numbers = iter(range(1, 1_000_000))


def run(short: bool) -> list[Row]:
    accounts, idle_s, phase_s, rounds = (100, 3.0, 4.0, 1) if short else (1000, 20.0, 30.0, 2)
    a_minute = 300 if short else _CALLS_A_MINUTE
    go_first()
    with _deployment(accounts) as town:
        time.sleep(2.0 if short else _SETTLES_S)
        idle, in_redis = town.cpu_shares(idle_s), town.redis_kb()
        town.measure(phase_s / 2, a_minute=a_minute)
        times: dict[bool, list[float]] = defaultdict(list)
        for round_ in range(2 * rounds):
            with_noise = round_ % 2 == 1
            times[with_noise] += town.measure(phase_s, a_minute=a_minute, with_noise=with_noise)
        memory = town.memory()
        noisy = town.noisy_calls
    quiet, noise = times[False], times[True]
    rows = [
        Row(
            what="webhook to note, the others, p50: with a noisy account against without",
            value=statistics.median(noise) / statistics.median(quiet),
            unit="x",
            at_most=1.25,
            guard=True,
            less_is_better=True,
            note=f"n {len(quiet)} and {len(noise)}; the noisy one had {noisy} calls",
        ),
        Row(
            what="webhook to note, 50 ms upstream, p50, without",
            value=1000 * statistics.median(quiet),
            unit="ms",
        ),
        Row(
            what="webhook to note, p50, with a noisy account",
            value=1000 * statistics.median(noise),
            unit="ms",
        ),
        Row(what="webhook to note, p95, without", value=1000 * _p95(quiet), unit="ms"),
        Row(what="webhook to note, p95, with a noisy account", value=1000 * _p95(noise), unit="ms"),
    ]
    for kind, share in idle.items():
        goal = None if short else _IDLE_GOALS[kind]
        rows.append(
            Row(
                what=f"{kind}: CPU, {accounts:,} idle accounts, of a core",
                value=share,
                unit="%",
                at_most=goal,
            )
        )
    for kind, mb in memory.items():
        goal = None if short else _MEMORY_GOALS[kind]
        rows.append(Row(what=f"{kind}: memory, {accounts:,} accounts", value=mb, unit="MB", at_most=goal))
    rows.append(Row(what="Redis: data of an idle account", value=in_redis, unit="kB"))
    return rows


def _p95(times: Sequence[float]) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


@dataclass(slots=True)
class Town:
    """A deployment at work."""

    names: list[str]
    port: int
    server: EmbeddedRedis
    pids: dict[str, int]
    empty_bytes: int
    client: httpx2.Client
    # When webhooks were sent that have no note yet, by account.
    sent: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    took: list[float] = field(default_factory=list)
    noisy_calls: int = 0

    def cpu_shares(self, seconds: float) -> dict[str, float]:
        """Of one core, in percent."""
        before = self._cpu_s()
        time.sleep(seconds)
        return {kind: 100 * (used - before[kind]) / seconds for kind, used in self._cpu_s().items()}

    def _cpu_s(self) -> dict[str, float]:
        assert self.server.pid is not None
        found = {kind: cpu_s_of(pid) for kind, pid in self.pids.items()}
        return {**found, "Redis": cpu_s_of_one(self.server.pid)}

    def memory(self) -> dict[str, float]:
        assert self.server.pid is not None
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        in_redis = int(status.partition("VmRSS:")[2].split()[0]) / 1024
        return {**{kind: memory_mb_of(pid) for kind, pid in self.pids.items()}, "Redis": in_redis}

    def redis_kb(self) -> float:
        """What Redis has come to keep for an account since it was empty."""
        return (_used_bytes(self.server) - self.empty_bytes) / 1024 / len(self.names)

    def measure(self, seconds: float, *, a_minute: int, with_noise: bool = False) -> list[float]:
        """Send webhooks for so long; seconds from each webhook of the quiet accounts to its note."""
        self.took.clear()
        began, gap_s = time.monotonic(), 60 / a_minute
        count = int(seconds * a_minute / 60)
        noise = threading.Thread(target=self._noise, args=(seconds,)) if with_noise else None
        if noise is not None:
            noise.start()
        for n in range(count):
            time.sleep(max(0.0, began + (n + random.uniform(0.1, 0.9)) * gap_s - time.monotonic()))
            self.send(self.client, random.choice(self.names))
        if noise is not None:
            noise.join()
        deadline = time.monotonic() + _TAKES_AT_MOST_S
        while (
            any(times for name, times in self.sent.items() if name != NOISY) and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        found = list(self.took)
        if len(found) < count:
            raise AssertionError(
                f"{count - len(found)} of {count} calls have no note after {_TAKES_AT_MOST_S:.0f} s"
            )
        return found

    def _noise(self, seconds: float) -> None:
        began, gap_s = time.monotonic(), 60 / _NOISY_A_MINUTE
        with httpx2.Client(timeout=5) as client:
            for n in range(int(seconds / gap_s)):
                time.sleep(max(0.0, began + n * gap_s - time.monotonic()))
                self.send(client, NOISY)
                self.noisy_calls += 1

    def send(self, client: httpx2.Client, account: str) -> None:
        n = next(_numbers)
        uuid = f"11111111-2222-4333-8444-{n:012d}"
        body = json.dumps(ended(call_id=1_000_000_000 + n, uuid=uuid, external_number=f"+44163{n:07d}"))
        sent_at = time.time()
        self.sent[account].append(sent_at)
        answer = client.post(
            f"http://127.0.0.1:{self.port}/webhooks/{account}/cloudtalk/call-ended",
            content=body.encode(),
            headers={"authorization": f"Bearer {_token(account)}", "content-type": "application/json"},
        )
        assert answer.status_code == 202, answer.text

    def hear(self, upstream: subprocess.Popen[bytes]) -> None:
        """Take down when notes come."""
        assert upstream.stdout is not None
        for line in upstream.stdout:
            _, account, at = line.decode().split()
            if self.sent[account]:
                took_s = float(at) - self.sent[account].popleft()
                if account != NOISY:
                    self.took.append(took_s)


def _used_bytes(server: EmbeddedRedis) -> int:
    with contextlib.closing(connect(server.url)) as client:
        return int(client.info("memory")["used_memory"])


def _token(account: str) -> str:
    return f"token-of-{account}-0123456789"


def _table(account: str, upstream: str) -> str:
    return (
        f'[accounts.{account}]\nwebhook_tokens = ["{_token(account)}"]\n'
        f'cloudtalk_access_key_id = "id"\ncloudtalk_access_key_secret = "secret"\n'
        f'kustomer_api_key = "key"\nkustomer_api_url = "{upstream}/{account}"\n'
        f'cloudtalk_api_url = "{upstream}/{account}"\ncloudtalk_analytics_url = "{upstream}/{account}"\n'
        # The share is not what is measured.
        "cloudtalk_requests_per_minute = 1000000\nkustomer_requests_per_minute = 1000000\n"
    )


@contextlib.contextmanager
def _deployment(accounts: int) -> Iterator[Town]:
    names = [f"company-{n}" for n in range(accounts)]
    with Reaper() as reaper, contextlib.ExitStack() as stack:
        upstream_port, port = free_port(), free_port()
        upstream = stack.enter_context(
            started(
                [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.accounts_upstream",
                    str(upstream_port),
                    str(UPSTREAM_S),
                ],
                stdout=subprocess.PIPE,
            )
        )
        file = reaper.folder / "accounts.toml"
        file.write_text(
            "\n".join(_table(name, f"http://127.0.0.1:{upstream_port}") for name in [*names, NOISY])
        )
        server = EmbeddedRedis(reaper.folder)
        server.start()
        stack.callback(server.stop)
        empty_bytes = _used_bytes(server)
        environ = {
            **os.environ,
            "REDIS_URL": server.url,
            "CALLBRIDGE_ACCOUNTS": str(file),
            "DATA_DIR": str(reaper.folder / "data"),
            "OPS_TOKEN": "benchmark-ops-token",
            "PORT": str(port),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "ERROR",
            "WORKER_THREADS": str(_THREADS),
            "WEBHOOK_TOKENS": "",
        }
        pids = {}
        for kind in _KINDS:
            log = stack.enter_context((reaper.folder / f"{kind}.log").open("wb"))
            command = [sys.executable, "-m", "bridge", kind]
            pids[kind] = stack.enter_context(started(command, env=environ, stdout=log, stderr=log)).pid
        eventually(lambda: is_up(port), "web is up", within_s=60)
        client = stack.enter_context(httpx2.Client(timeout=5))
        town = Town(names, port, server, pids, empty_bytes, client)
        threading.Thread(target=town.hear, args=(upstream,), daemon=True).start()
        yield town


if __name__ == "__main__":
    main("accounts")
