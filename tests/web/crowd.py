"""Many webhooks at once, and what of their time the machine took and not the bridge."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bridge.web.webhooks.accept import TURN_WITHIN_S
from tests.web.serving import TOKEN, Site

CROWD = 250


@dataclass(frozen=True, slots=True)
class Crowded:
    """One answer. Seconds without those for which our threads were ready to run and others ran."""

    number: int
    status: bytes
    took_s: float


def burst(site: Site, numbers: Iterable[int] = range(CROWD)) -> list[Crowded]:
    """A webhook for each number, all at once, each on a connection of its own."""

    async def all_at_once() -> list[tuple[bytes, float]]:
        return await asyncio.gather(*(_post(site.port, number) for number in asked))

    asked = list(numbers)
    before_s = _kept_waiting_s()
    answers = asyncio.run(all_at_once())
    waited_s = _kept_waiting_s() - before_s
    return [
        Crowded(number, status, took_s - waited_s)
        for number, (status, took_s) in zip(asked, answers, strict=True)
    ]


def answered(site: Site) -> list[Crowded]:
    """A burst's answers. What a busy machine alone kept from its turn is sent again, as senders do."""
    found: list[Crowded] = []
    left = list(range(CROWD))
    while left:
        before_s = _kept_waiting_s()
        answers = burst(site, left)
        busy = _kept_waiting_s() - before_s > TURN_WITHIN_S / 2
        left = [answer.number for answer in answers if busy and answer.status == b"503"]
        found += [answer for answer in answers if answer.number not in left]
    return found


def kept(site: Site) -> set[bytes]:
    return {answer.status for answer in answered(site)}


def _kept_waiting_s() -> float:
    """How long our threads have waited for a processor, all in all; always 0 where this is not Linux."""
    waited_ns = 0
    for result in Path("/proc/self/task").glob("*/schedstat"):
        # A thread may end meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            waited_ns += int(result.read_text().split()[1])
    return waited_ns / 1e9


async def _post(port: int, number: int) -> tuple[bytes, float]:
    """Status, and seconds on the clock."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"call_id": "%d"}' % (number + 1)
    head = f"POST /webhooks/cloudtalk/call-ended HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return answer[9:12], time.monotonic() - began
