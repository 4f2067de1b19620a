"""What senders meet while Redis is frozen (SIGSTOP) or killed: how soon they have a 503, and a 202 again.

    python -m tests.benchmarks.redis_away [ROUNDS]

Eight senders, each with its next webhook 10 ms after the answer to the last. Redis is away for a second and a
half at a time. Every webhook counts that had no answer when Redis went, or was sent until it came back.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import redis

from bridge.ledger import keys
from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import web_process
from tests.benchmarks.load import webhook
from tests.benchmarks.report import Row, say
from tests.reaper import Reaper

SENDERS = 8
PAUSE_S = 0.01
AWAY_S = 1.5
# Of an answer that did not come by then nobody hears.
HUNG_S = 2.0


@dataclass
class Answers:
    """What senders were answered."""

    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, sys.maxsize)))
    accepted: list[int] = field(default_factory=list)
    # Sent, answered, status.
    all: list[tuple[float, float, int]] = field(default_factory=list)
    hung: int = 0

    async def send(self, port: int, is_over: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while not is_over.is_set():
            number, sent_at = next(self.numbers), loop.time()
            writer.write(webhook(number))
            try:
                async with asyncio.timeout(HUNG_S):
                    status = await status_of(reader)
            except TimeoutError:
                self.hung += 1
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            self.all.append((sent_at, loop.time(), status))
            if status < 300:
                self.accepted.append(number)
            await asyncio.sleep(PAUSE_S)
        writer.close()


async def status_of(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
    await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])


@dataclass
class Outage:
    """One kind of outage, over all its rounds; in seconds."""

    to_503_s: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)

    def add(self, answers: Answers, went: float, came: float) -> None:
        """Args: went, came: when Redis went, and when it could answer again."""
        self.to_503_s += [
            # What was on its way when Redis went has waited only since then for nothing.
            answered - max(sent, went)
            for sent, answered, status in answers.all
            if status == 503 and answered > went and sent < came
        ]
        self.back_s.append(
            min(answered for sent, answered, status in answers.all if status < 300 and answered > came) - came
        )


async def _rounds(
    port: int, rounds: int, pool: ThreadPoolExecutor, *, go: Callable[[], None], come: Callable[[], None]
) -> tuple[Outage, Answers]:
    loop = asyncio.get_running_loop()
    outage, answers, is_over = Outage(), Answers(), asyncio.Event()
    senders = [asyncio.create_task(answers.send(port, is_over)) for _ in range(SENDERS)]
    for _ in range(rounds):
        await asyncio.sleep(random.uniform(0.3, 0.6))
        answers.all.clear()
        went = loop.time()
        go()
        await asyncio.sleep(AWAY_S)
        await loop.run_in_executor(pool, come)
        came = loop.time()
        await asyncio.sleep(1.2)
        outage.add(answers, went, came)
    is_over.set()
    await asyncio.gather(*senders)
    return outage, answers


def run(short: bool) -> list[Row]:
    return measure(3 if short else 20)


def measure(rounds: int) -> list[Row]:
    rows: list[Row] = []
    with Reaper() as reaper, tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        folder = Path(text)
        server = EmbeddedRedis(folder, appendfsync="everysec")
        # A server ends with the thread that started it.
        pool = stack.enter_context(ThreadPoolExecutor(1))
        pool.submit(server.start).result()
        stack.callback(server.stop)
        site = web_process(stack, reaper.folder, server.url, LOG_LEVEL="ERROR")

        def freeze(signal_: signal.Signals) -> None:
            assert server.pid is not None
            os.kill(server.pid, signal_)

        ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "frozen": (lambda: freeze(signal.SIGSTOP), lambda: freeze(signal.SIGCONT)),
            "killed": (server.kill, server.start),
        }
        for name, (go, come) in ways.items():
            outage, answers = asyncio.run(_rounds(site.port, rounds, pool, go=go, come=come))
            rows += _rows(name, outage, answers, lost=_lost(server.url, answers.accepted), rounds=rounds)
            with closing(redis.Redis.from_url(server.url)) as client:
                client.flushall()
    return rows


def _lost(url: str, accepted: list[int]) -> int:
    with closing(redis.Redis.from_url(url)) as client:
        pipe = client.pipeline(transaction=False)
        for number in accepted:
            pipe.exists(keys.events(f"id:{number}"))
        return sum(not held for held in pipe.execute())


def _rows(name: str, outage: Outage, answers: Answers, *, lost: int, rounds: int) -> list[Row]:
    note = f"{rounds} rounds, {len(outage.to_503_s):,} webhooks"
    return [
        Row(what=f"Redis {name}: to 503, p50", value=1000 * statistics.median(outage.to_503_s), unit="ms"),
        Row(
            what=f"Redis {name}: to 503, worst",
            value=1000 * max(outage.to_503_s),
            unit="ms",
            at_most=250,
            note=note,
        ),
        Row(what=f"Redis {name}: without an answer", value=answers.hung, at_most=0),
        Row(
            what=f"Redis {name}: from its return to the first 202, worst",
            value=1000 * max(outage.back_s),
            unit="ms",
            at_most=1000,
        ),
        Row(what=f"Redis {name}: answered 202 and not there", value=lost, at_most=0),
    ]


if __name__ == "__main__":
    from tests.benchmarks.report import table

    say(table(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20)))
