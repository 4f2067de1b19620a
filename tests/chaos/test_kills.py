"""kill -9, for real: of the worker at random moments while calls flow, and of Redis once.

Short form by default; longer with CHAOS_KILLS and CHAOS_CALLS, another course with CHAOS_SEED.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from bridge.ledger.keys import Lane
from tests.chaos.house import TOKEN, House
from tests.support import ended
from tests.waiting import eventually

KILLS = int(os.environ.get("CHAOS_KILLS", "50"))
CALLS = int(os.environ.get("CHAOS_CALLS", "200"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
LEASE_S = 10.0


def _uuid(n: int) -> str:
    return f"11111111-2222-4333-8444-{n:012d}"


def _quiet(house: House) -> bool:
    lanes = house.ledger.queue()
    return all(lanes[lane].due + lanes[lane].waiting + lanes[lane].running == 0 for lane in Lane)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killing_the_worker_again_and_again_loses_nothing_and_duplicates_nothing(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with House(tmp_path) as house:
        worker = house.workers[0]
        # Every call of its own caller, some callers call several times; events repeated and out of order.
        deliveries, recorded = [], set()
        for n in range(CALLS):
            body = ended(
                call_id=1_000_000_000 + n,
                uuid=_uuid(n),
                external_number=f"+4416329{60000 + n * 2 // 3:05d}",
                contact_name=f"Person {n * 2 // 3}",
            )
            parts = [
                ("call-ended", body),
                ("call-answered", {"call_uuid": _uuid(n), "agent_id": 400101}),
                # One call in four is recorded.
                ("recording-uploaded", {"call_id": 1_000_000_000 + n})
                if n % 4 == 0
                else ("call-ringing", {"call_uuid": _uuid(n), "agent_id": 400102}),
            ]
            chosen = chance.sample(parts * 2, 4)
            deliveries += [*chosen, parts[0]]
            if n % 4 == 0 and parts[2] in chosen:
                recorded.add(f"call-{1_000_000_000 + n}.mp3")
        # The services slow down a little, so that kills find writes under way.
        house.sandbox.kustomer.delay_next(0.02, times=1_000_000)
        for n in range(CALLS):
            house.sandbox.cloudtalk.add_call(
                id=1_000_000_000 + n,
                uuid=_uuid(n),
                external_number=f"+4416329{60000 + n * 2 // 3:05d}",
                recorded=True,
                recording_seconds=2,
            )

        for kill in range(KILLS):
            chunk = deliveries[kill::KILLS]
            feeder = threading.Thread(target=lambda chunk=chunk: [house.post(*one) for one in chunk])
            feeder.start()
            eventually(lambda: house.listening() == 1, "the worker is at work", within_s=30)
            threading.Event().wait(chance.uniform(0, 2.0))
            worker.end(signal.SIGKILL)
            if kill == KILLS // 2:
                house.server.kill()
                house.server.start()
            worker.start()
            feeder.join()
        restarted = time.monotonic()
        eventually(lambda: _quiet(house), "nothing is left to do", within_s=60, every_s=0.1)
        took_s = time.monotonic() - restarted

        keys = Counter(c["attributes"]["externalId"] for c in house.sandbox.kustomer.conversations)
        notes = Counter(n["attributes"]["externalId"] for n in house.sandbox.kustomer.notes)
        phones = Counter(
            p["phone"] for c in house.sandbox.kustomer.customers for p in c["attributes"]["phones"]
        )
        expected = {f"cloudtalk:call:{_uuid(n)}" for n in range(CALLS)}
        assert house.ledger.parked() == {}
        assert set(keys) == expected, "lost"
        assert set(notes) == {f"{key}:note" for key in expected}, "lost"
        named = Counter(
            a["attributes"]["name"] for a in house.sandbox.kustomer.attachments if a["referenced"]
        )
        assert set(named) == recorded, "a recording is lost"
        assert max(named.values()) == 1, "a recording is attached twice"
        orphans = len(house.sandbox.kustomer.attachments) - len(recorded)
        assert max(keys.values()) == max(notes.values()) == max(phones.values()) == 1, "duplicated"
        report = (
            f"{CALLS} calls, {len(deliveries)} deliveries, {KILLS} kills of the worker, 1 of Redis: "
            f"0 lost, 0 duplicated; {len(recorded)} recordings attached once, {orphans} attachments that "
            f"nothing names; all done {took_s:.1f} s after the last restart\n"
        )
        sys.stderr.write(report)

        logs = house.logs()
        for secret in (TOKEN, "Person ", "4416329", "Example", "invoice"):
            assert secret not in logs, f"{secret!r} is in a log"


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
        assert time.monotonic() - restarted < LEASE_S + 5
        eventually(lambda: _quiet(house), "nothing is left to do")
        assert len(house.sandbox.kustomer.customers) == len(house.sandbox.kustomer.conversations) == 1
