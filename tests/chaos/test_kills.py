"""kill -9 of one worker at a known moment; at random ones: `test_run.py`."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from bridge.ledger.keys import Lane
from bridge.ledger.scripted import LEASE_MS
from tests.chaos.house import House
from tests.support import ended
from tests.waiting import eventually


def _quiet(house: House) -> bool:
    lanes = house.ledger.queue()
    return all(lanes[lane].due + lanes[lane].waiting + lanes[lane].running == 0 for lane in Lane)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_work_of_a_killed_worker_is_done_within_one_lease_of_the_next(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        worker = house.workers[0]
        house.sandbox.kustomer.delay_next(5.0, method="POST", path="/customers$")
        house.post("call-ended", ended())
        eventually(lambda: house.sandbox.kustomer.writes, "a write is under way")

        worker.end(signal.SIGKILL)
        worker.start()
        restarted = time.monotonic()

        eventually(lambda: len(house.sandbox.kustomer.notes) == 1, "the note is there", within_s=30)
        # What a lease leaves at the most, and the time a process needs to start on a busy machine.
        assert time.monotonic() - restarted < LEASE_MS / 1000 + 5
        eventually(lambda: _quiet(house), "nothing is left to do")
        assert len(house.sandbox.kustomer.customers) == len(house.sandbox.kustomer.conversations) == 1
