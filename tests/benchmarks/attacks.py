"""What strangers without a token can do to others: every attack against a `callbridge web` of its own.

    python -m tests.benchmarks.attacks [--seconds S] [--connections N] [--descriptors N] [--code DIR] [NAME …]

A stranger attacks on N connections, again and again; others send webhooks, half of them each on a new
connection. For each attack: what the others waited, resident memory before and at most, what the stranger was
answered, what the process counts as cut, how busy it was. Whatever was answered 2xx is looked for in Redis at
the end. `--code` runs the web process of another checkout, to compare.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from tests.chaos.house import TOKEN, free_port
from tests.processes import started
from tests.reaper import Reaper
from tests.waiting import eventually
from tests.web.attacks import ATTACKS

HEAD = f"POST /webhooks/cloudtalk/call-ended HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
SENDERS = 8
EVERY_S = 0.05


@dataclass
class Others:
    """Senders with a token, and what they met."""

    took_s: list[float] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def ms(self, share: float) -> float:
        ordered = sorted(self.took_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


@dataclass
class Site:
    """A web process under attack."""

    port: int
    pid: int
    log: Path

    @property
    def resident_mb(self) -> float:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(found[1]) / 1024 if found else 0.0

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def waited_s(self) -> float:
        """For how long it was ready to run and the machine ran others."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9

    def cuts(self) -> dict[str, int]:
        text = httpx2.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text
        found = re.findall(r'callbridge_http_cut_total\{cause="([^"]+)"\} (\d+)', text)
        return {cause: int(number) for cause, number in found if number != "0"}


@dataclass
class Report:
    name: str
    others: Others
    before_mb: float
    peak_mb: float
    seen: Counter[str]
    cuts: dict[str, int]
    cpu: float
    waited: float
    lost: int
    log_lines: int

    def row(self) -> str:
        seen = ", ".join(f"{what} {number}" for what, number in self.seen.most_common(4))
        cuts = ", ".join(f"{cause} {number}" for cause, number in self.cuts.items())
        failed = sum(self.others.failed.values())
        return (
            f"| {self.name} | {self.others.ms(0.5):.0f} / {self.others.ms(0.99):.0f} | {failed} of "
            f"{len(self.others.took_s) + failed} | {self.before_mb:.0f} / {self.peak_mb:.0f} "
            f"| {seen} | {cuts} | {self.cpu:.0%} / {self.waited:.0%} | {self.lost} | {self.log_lines} |"
        )


HEADER = (
    "| attack | others p50 / p99, ms | others failed | RSS before / peak, MB | the stranger saw | cut "
    "| busy / kept from the processor | lost | log lines |\n|---|---|---|---|---|---|---|---|---|"
)


def attacked(
    name: str,
    *,
    seconds: float,
    connections: int,
    descriptors: int | None = None,
    code: Path | None = None,
) -> Report:
    """One attack, against a process and a Redis of its own."""
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = Path(text)
        redis = EmbeddedRedis(folder, appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        site = web_process(stack, folder, redis.url, descriptors=descriptors, code=code)
        before = site.resident_mb
        cpu_s, waited_s = site.cpu_s, site.waited_s
        others, peak, seen = asyncio.run(_under_attack(site, name, seconds, connections))
        cpu, waited = (site.cpu_s - cpu_s) / seconds, (site.waited_s - waited_s) / seconds
        cuts = site.cuts()
        with connect(redis.url) as client:
            ledger = Ledger(client)
            lost = sum(not ledger.read(f"id:{number}").exists for number in others.accepted)
        lines = site.log.read_bytes().count(b"\n")
        return Report(name, others, before, max(before, peak), seen, cuts, cpu, waited, lost, lines)


def before_others() -> None:
    """What is measured runs before whatever else this machine does, strangers included; only root may."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def after_others() -> None:
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def web_process(
    stack: ExitStack,
    folder: Path,
    url: str,
    *,
    descriptors: int | None = None,
    code: Path | None = None,
    cores: Collection[int] | None = None,
    goes_first: bool = True,
    **settings: str,
) -> Site:
    """`callbridge web` with a token and a signing secret, until the stack ends.

    Args:
        cores: on which it runs.
        goes_first: it runs before what else this machine does.
    """
    port = free_port()
    environ = {
        **os.environ,
        "REDIS_URL": url,
        "WEBHOOK_TOKENS": TOKEN,
        "WEBHOOK_SIGNING_SECRETS": "whsec_Y2xvdWR0YWxrLXRlc3Qtb25seS1rZXkh",
        "METRICS_PUBLIC": "true",
        "WEBHOOKS_PER_MINUTE": "0",
        "PORT": str(port),
        "DATA_DIR": str(folder / "data"),
        "LOG_FORMAT": "json",
        **settings,
    }
    if code is not None:
        environ["PYTHONPATH"] = str(code)

    def bound() -> None:
        if goes_first:
            before_others()
        if cores is not None:
            os.sched_setaffinity(0, cores)
        if descriptors is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    log = folder / "web.log"
    out = stack.enter_context(log.open("wb"))
    web = started(
        [sys.executable, "-m", "bridge", "web"],
        env=environ,
        stdout=out,
        stderr=out,
        cwd=code or Path.cwd(),
        preexec_fn=bound,
    )
    process = stack.enter_context(web)

    def ready() -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        except httpx2.HTTPError:
            return False

    eventually(ready, "web is ready", within_s=60, every_s=0.1)
    return Site(port, process.pid, log)


async def _under_attack(
    site: Site, name: str, seconds: float, connections: int
) -> tuple[Others, float, Counter[str]]:
    attacker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.web.attacks", name, str(site.port), str(seconds), str(connections)),
        stdout=subprocess.PIPE,
        preexec_fn=after_others,
    )
    others, peak = Others(), 0.0
    # Until it has started.
    await asyncio.sleep(0.5)
    sending = asyncio.create_task(send_webhooks(site.port, others, seconds=seconds - 0.5, senders=SENDERS))
    while not sending.done():
        peak = max(peak, site.resident_mb)
        await asyncio.sleep(0.05)
    await sending
    out, _ = await attacker.communicate()
    return others, max(peak, site.resident_mb), Counter(json.loads(out or b"{}"))


async def send_webhooks(port: int, others: Others, *, seconds: float, senders: int) -> None:
    ends = time.monotonic() + seconds
    await asyncio.gather(*(_send(port, ends, others, number) for number in range(senders)))


async def _send(port: int, ends: float, others: Others, sender: int) -> None:
    """Webhooks one after the other; of every second sender each on a connection of its own."""
    number = sender * 1_000_000
    link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while time.monotonic() < ends:
        number += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(10):
                link = link or await asyncio.open_connection("127.0.0.1", port)
                status = await _post(*link, number)
            if status in (b"200", b"202"):
                others.took_s.append(time.monotonic() - began)
                others.accepted.append(number)
            else:
                others.failed[status.decode()] += 1
        except (OSError, EOFError, TimeoutError) as error:
            others.failed[type(error).__name__] += 1
            if link is not None:
                link[1].close()
            link = None
        if link is not None and sender % 2:
            link[1].close()
            link = None
        await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))
    if link is not None:
        link[1].close()


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bytes:
    body = b'{"event": "call_ended", "call_id": "%d", "notes": "%s"}' % (number, b"x" * 300)
    writer.write(HEAD.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().split(b"content-length: ")[1].split(b"\r")[0])
    await reader.readexactly(length)
    return answer[9:12]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*ATTACKS, []], metavar="NAME")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--descriptors", type=int)
    parser.add_argument("--code", type=Path)
    given = parser.parse_args()
    before_others()
    print(HEADER)  # noqa: T201
    with Reaper():
        for name in given.names or ATTACKS:
            report = attacked(
                name,
                seconds=given.seconds,
                connections=given.connections,
                descriptors=given.descriptors,
                code=given.code and given.code.absolute(),
            )
            print(report.row(), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
