"""How long the work of a killed process lies idle. The figures go to stderr.

Measured on request only, CHAOS_RECOVERIES=10: `test_kills.py` shows once that it is no more than a lease, and
`test_run.py` that all is done whatever was killed.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from bridge.ledger.ledger import LEASE_MS
from tests.chaos.house import House
from tests.support import ended
from tests.waiting import eventually

KILLS = int(os.environ.get("CHAOS_RECOVERIES", "0"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not KILLS, reason="measured on request: CHAOS_RECOVERIES=10"),
]
# The dispatcher of another worker looks at what is due at the latest after this.
BEAT_S = 1.0
# A process on a busy machine.
SLACK_S = 2.0


def _uuid(n: int) -> str:
    return f"11111111-2222-4333-8444-{n:012d}"


def _was_taken(house: House, n: int, *, times: int) -> bool:
    """Whether the call's sync was claimed this often without an end, or has ended by now."""
    found = house.ledger.job_states(f"uuid:{_uuid(n)}")
    taken = next((job["deliveries"] for job in found if job["kind"] == "sync"), None)
    return taken == times or (times > 1 and taken is None)


def _has_notes(house: House, count: int) -> bool:
    return len(house.sandbox.kustomer.notes) == count


def test_another_worker_takes_the_work_of_a_killed_one_within_a_lease(tmp_path: Path) -> None:
    """From the SIGKILL to the moment at which another worker has the job: a lease is 10 s, the issue's limit.

    The other worker is stopped while the job is given out, so that it is known who has it.
    """
    idle_s = []
    with House(tmp_path, workers=2) as house:
        eventually(lambda: house.listening() == 2, "both workers listen")
        for n in range(KILLS):
            doomed, other = house.workers[n % 2], house.workers[1 - n % 2]
            assert doomed.popen is not None and other.popen is not None
            other.popen.send_signal(signal.SIGSTOP)
            house.sandbox.kustomer.delay_next(60.0, path="/customers/phone")
            house.post("call-ended", ended(call_id=1_000_000_000 + n, uuid=_uuid(n)))
            eventually(partial(_was_taken, house, n, times=1), "the job is taken")
            other.popen.send_signal(signal.SIGCONT)

            doomed.end(signal.SIGKILL)
            killed_at = time.monotonic()
            eventually(partial(_was_taken, house, n, times=2), "it is taken again", within_s=30, every_s=0.05)
            idle_s.append(time.monotonic() - killed_at)

            doomed.start()
            eventually(partial(_has_notes, house, n + 1), "the note is there")
            eventually(lambda: house.listening() == 2, "the killed one is up again", within_s=30)

    sys.stderr.write(
        f"{KILLS} workers killed: their work taken again after {statistics.median(idle_s):.1f} s (median), "
        f"{max(idle_s):.1f} s (worst)\n"
    )
    assert max(idle_s) < LEASE_MS / 1000 + BEAT_S + SLACK_S


def test_after_redis_was_killed_all_work_goes_on_within_a_lease_of_its_start(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        eventually(lambda: house.listening() == 1, "the worker listens")
        house.sandbox.kustomer.delay_next(1.0, method="POST", times=3)
        for n in range(20):
            body = ended(call_id=1_000_000_000 + n, uuid=_uuid(n), external_number=f"+4416329603{n:02d}")
            house.post("call-ended", body)
        eventually(lambda: house.sandbox.kustomer.writes, "writes are under way")

        house.server.kill()
        house.server.start()
        started_at = time.monotonic()
        eventually(partial(_has_notes, house, 20), "all notes are there", within_s=40)
        took_s = time.monotonic() - started_at

        sys.stderr.write(f"Redis killed under 20 calls: all of them done {took_s:.1f} s after it was back\n")
        assert took_s < LEASE_MS / 1000 + BEAT_S + SLACK_S
        assert house.ledger.parked() == {}
        assert len(house.sandbox.kustomer.conversations) == 20
