"""How long the work of a killed process lies idle, by Redis' own clock. The figures go to stderr.

One kill of each kind in CI; CHAOS_RECOVERIES=10 measures more. What is judged is what the bridge decides:
when a lease ends, and how soon after that its job is taken. How long a process needs to start, and the work
itself, is the machine's business, and only told.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from bridge.ledger import keys
from bridge.ledger.keys import QUEUE_KEYS
from bridge.ledger.scripted import LEASE_MS
from tests.chaos.house import House
from tests.support import ended
from tests.waiting import eventually

KILLS = int(os.environ.get("CHAOS_RECOVERIES", "1"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
# Another worker looks at what is due at the latest after this.
BEAT_MS = 1_000
# A thread of a process on a busy machine has its turn; with Redis back, redis-py's last pause (1 s) is over.
SLACK_MS = 4_000


def _uuid(n: int) -> str:
    return f"11111111-2222-4333-8444-{n:012d}"


def _sync(n: int) -> str:
    return keys.job("sync", f"uuid:{_uuid(n)}")


def _lease_ends(house: House, n: int) -> float | None:
    """When the lease of the call's sync ends, ms by Redis' clock; None while nobody holds it."""
    return house.client.zscore(QUEUE_KEYS[4], _sync(n))


def _taken_at(house: House, n: int, before: float) -> float | None:
    """When another took the job whose lease ended at `before`; ms by Redis' clock."""
    ends = _lease_ends(house, n)
    # It was taken one lease before the end of the new one; had it been renewed by now, rather earlier.
    return ends - LEASE_MS if ends is not None and ends > before else None


def _has_notes(house: House, count: int) -> bool:
    return len(house.sandbox.kustomer.notes) == count


def test_another_worker_takes_the_work_of_a_killed_one_within_a_lease(tmp_path: Path) -> None:
    """The other worker is stopped while the job is given out, so that it is known who has it."""
    idle_ms, late_ms = [], []
    with House(tmp_path, workers=2) as house:
        eventually(lambda: house.listening() == 2, "both workers listen", within_s=30)
        for n in range(KILLS):
            if n:
                house.workers[(n - 1) % 2].start()
                eventually(lambda: house.listening() == 2, "the killed one is up again", within_s=30)
            doomed, other = house.workers[n % 2], house.workers[1 - n % 2]
            other.send(signal.SIGSTOP)
            # Who takes it again is not done with it before that was seen.
            house.sandbox.kustomer.delay_next(3.0, path="/customers/phone", times=2)
            house.post("call-ended", ended(call_id=1_000_000_000 + n, uuid=_uuid(n)))
            eventually(partial(_lease_ends, house, n), "the job is taken")

            doomed.end(signal.SIGKILL)
            other.send(signal.SIGCONT)
            killed_ms, ends_ms = house.ledger.now_ms(), _lease_ends(house, n)
            assert ends_ms is not None
            assert ends_ms <= killed_ms + LEASE_MS
            taken_ms = eventually(
                partial(_taken_at, house, n, ends_ms), "it is taken again", within_s=30, every_s=0.02
            )
            assert taken_ms is not None
            idle_ms.append(taken_ms - killed_ms)
            late_ms.append(taken_ms - ends_ms)

            eventually(partial(_has_notes, house, n + 1), "the note is there", within_s=30)
        assert len(house.sandbox.kustomer.conversations) == KILLS
        assert house.ledger.parked() == {}

    median_s, worst_s = statistics.median(idle_ms) / 1000, max(idle_ms) / 1000
    sys.stderr.write(
        f"{KILLS} workers killed: their work taken again {median_s:.1f} s (median), {worst_s:.1f} s (worst) "
        f"after the kill, {max(late_ms):.0f} ms (worst) after the end of the lease\n"
    )
    # Not while the lease lasts, and then at once.
    assert min(late_ms) >= 0
    assert max(late_ms) <= BEAT_MS + SLACK_MS


def _lies_ms(house: House, since_ms: float) -> float:
    """For how long a job has been due since then, and nobody has it; ms by Redis' clock."""
    pipe = house.client.pipeline()
    pipe.time()
    for due in QUEUE_KEYS[:4]:
        pipe.zrange(due, 0, 0, withscores=True)
    (seconds, micros), *firsts = pipe.execute()
    now_ms = int(seconds) * 1000 + int(micros) / 1000
    return max((now_ms - max(at, since_ms) for first in firsts for _, at in first), default=0.0)


def _lease_ends_of_all(house: House) -> list[float]:
    found = [house.client.zrange(held, 0, -1, withscores=True) for held in QUEUE_KEYS[4:8]]
    return [ends for some in cast(list[list[tuple[str, float]]], found) for _, ends in some]


def test_after_redis_was_killed_all_work_goes_on_within_a_lease_of_its_start(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        eventually(lambda: house.listening() == 1, "the worker listens", within_s=30)
        house.sandbox.kustomer.delay_next(1.0, method="POST", times=3)
        for n in range(20):
            body = ended(call_id=1_000_000_000 + n, uuid=_uuid(n), external_number=f"+4416329603{n:02d}")
            house.post("call-ended", body)
        eventually(lambda: house.sandbox.kustomer.writes, "writes are under way")

        house.server.kill()
        house.server.start()
        started_at, started_ms = time.monotonic(), house.ledger.now_ms()
        leases = _lease_ends_of_all(house)
        lay_ms = [0.0]

        def all_is_done() -> bool:
            lay_ms.append(_lies_ms(house, started_ms))
            return _has_notes(house, 20)

        eventually(all_is_done, "all notes are there", within_s=60)
        took_s = time.monotonic() - started_at

        sys.stderr.write(
            f"Redis killed under 20 calls: all of them done {took_s:.1f} s after it was back; "
            f"no job lay for more than {max(lay_ms):.0f} ms\n"
        )
        assert leases and max(leases) <= started_ms + LEASE_MS
        assert max(lay_ms) <= BEAT_MS + SLACK_MS
        assert house.ledger.parked() == {}
        assert len(house.sandbox.kustomer.conversations) == 20
