"""Every 2xx is in the ledger in the end, with real processes that are killed while webhooks come."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.chaos.house import House
from tests.waiting import eventually

SENDERS = 4


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = {"JOURNAL_MB": "10", "ACCEPT_AFTER": "disk"}
    folder = tmp_path_factory.mktemp("house")
    with House(folder, workers=0, settings=settings, appendfsync="always") as one:
        yield one


def post(house: House, number: int) -> bool:
    """One webhook, sent once: whether it was acknowledged."""
    body = {"call_id": number, "event": "call_ended"}
    try:
        return house.http.post("/webhooks/cloudtalk/call-ended", json=body).status_code < 300
    except httpx2.HTTPError:
        return False


def known(house: House) -> set[int]:
    return {int(str(key).removeprefix("id:")) for key in house.client.zrange("{callbridge}:calls", 0, -1)}


def journals(house: House) -> list[Path]:
    return sorted((house.folder / "data" / "journal").glob("*"))


def _more_than(house: House, count: int) -> bool:
    return len(known(house)) > count


@pytest.mark.slow
def test_redis_killed_while_webhooks_come_loses_none_and_refuses_none(house: House) -> None:
    stop = threading.Event()

    def send(first: int) -> tuple[set[int], int]:
        number, taken = first, set()
        while not stop.is_set():
            if post(house, number):
                taken.add(number)
            number += SENDERS
        return taken, (number - first) // SENDERS

    with ThreadPoolExecutor(SENDERS) as senders:
        sent = [senders.submit(send, first) for first in range(1001, 1001 + SENDERS)]
        try:
            for _ in range(2):
                eventually(partial(_more_than, house, len(known(house))), "webhooks reach Redis")
                house.server.kill()
                eventually(
                    lambda: "journal_events 0" not in house.http.get("/metrics").text,
                    "they reach the journal",
                )
                house.server.start()
        finally:
            stop.set()
        done = [one.result() for one in sent]

    eventually(lambda: not journals(house), "the journal is handed on")
    accepted = set[int]().union(*(taken for taken, _ in done))
    assert accepted - known(house) == set(), "acknowledged, and lost"
    assert len(accepted) == sum(count for _, count in done), "refused, with a journal"


@pytest.mark.slow
def test_a_web_process_killed_in_the_middle_of_a_line_loses_nothing_it_acknowledged(house: House) -> None:
    house.server.kill()
    assert all(post(house, number) for number in range(1, 21))

    house.web.end(signal.SIGKILL)
    (file,) = journals(house)
    whole = file.read_bytes()
    # As a kill leaves it between two writes: half of one more like the last.
    file.write_bytes(whole + whole.splitlines(keepends=True)[-1][:-40])
    house.server.start()
    house.web.start()

    eventually(lambda: not journals(house), "the next process hands it on", within_s=60)
    assert known(house) >= set(range(1, 21))
    assert "half-written journal line" in house.logs()
