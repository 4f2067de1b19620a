"""kill -9 of a worker whose threads wait for one bulk request: each of their calls is written once.

Kustomer is as unhelpful as it may be: it carries the request out later, and neither refuses a second thing
with the same external id nor takes the id of a note.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from bridge.clients.kustomer.batches import LEAST_ITEMS
from bridge.clients.kustomer.bulk import Kind
from bridge.ledger import bulk, keys
from bridge.ledger.keys import Lane
from tests.chaos.house import House
from tests.support import ended
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# A backlog is 100.
CALLS, THREADS = 110, 64


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, settings={"WORKER_THREADS": str(THREADS), "KUSTOMER_BULK": "auto"}) as house:
        # What `callbridge doctor --bulk` keeps.
        bulk.keep_worked(house.ledger, at_ms=house.ledger.now_ms(), took_s=1.0)
        house.sandbox.kustomer.read_as(external_id="duplicate", note_id="ignore", bulk_takes_s=None)
        yield house


def _uuid(n: int) -> str:
    return str(UUID(int=n, version=4))


def _begin_with_a_backlog(house: House) -> None:
    (worker,) = house.workers
    worker.send(signal.SIGSTOP)
    for n in range(CALLS):
        house.post(
            "call-ended", ended(call_id=1000000500 + n, uuid=_uuid(n), external_number=f"+1555010{n:04d}")
        )
    worker.send(signal.SIGCONT)


def _taken(house: House, kind: Kind) -> int:
    """How many items of this kind wait to be carried out; where none does, everything else is carried out."""
    with house.sandbox.world.lock:
        waiting = [
            len(job["items"])
            for job in house.sandbox.world.store.all("bulk")
            if job["kind"] == kind and job["status"] != "complete"
        ]
        if not waiting:
            house.sandbox.kustomer.finish_bulk()
    return sum(waiting)


def _are_looked_at_in_vain(house: House, kind: Kind, count: int) -> bool:
    """Whether a later worker has come as far as it can: it creates customers again, and has others wait."""
    if kind == "customers":
        return _taken(house, kind) > count
    return house.ledger.queue()[Lane.LIVE].waiting >= count


def _let_notes_run_out(house: House) -> None:
    """Of requests that were never sent, too: after 15 minutes."""
    for name in house.client.scan_iter(keys.in_bulk("*")):
        house.client.delete(name)


def _is_done(house: House) -> bool:
    for n in range(CALLS):
        # As somebody does who asks for it; nobody waits for the pause between two tries.
        if house.ledger.read(f"uuid:{_uuid(n)}").fields.get("state") != "synced":
            house.ledger.schedule("sync", f"uuid:{_uuid(n)}", in_ms=0)
    lanes = house.ledger.queue()
    return all(lanes[lane].due + lanes[lane].waiting + lanes[lane].running == 0 for lane in Lane)


def _each_is_there_once(house: House) -> None:
    kustomer = house.sandbox.kustomer
    calls = {f"cloudtalk:call:{_uuid(n)}" for n in range(CALLS)}
    for found, wanted in (
        (kustomer.conversations, calls),
        (kustomer.notes, {f"{key}:note" for key in calls}),
    ):
        there = Counter(str(one["attributes"].get("externalId")) for one in found)
        twice, lost = there - Counter(wanted), Counter(wanted) - there
        assert not twice and not lost, f"twice: {sorted(twice)}, lost: {sorted(lost)}"
    numbers = Counter(phone["phone"] for one in kustomer.customers for phone in one["attributes"]["phones"])
    assert numbers == Counter(f"+1555010{n:04d}" for n in range(CALLS))
    assert house.ledger.parked() == {}


@pytest.mark.parametrize("is_late", [False, True], ids=["made before the look", "made after the look"])
@pytest.mark.parametrize("kind", ["customers", "conversations", "notes"])
def test_calls_of_a_worker_killed_during_their_bulk_request_are_written_once(
    house: House, kind: Kind, is_late: bool
) -> None:
    kustomer = house.sandbox.kustomer
    _begin_with_a_backlog(house)
    count = eventually(partial(_taken, house, kind), f"a bulk request for {kind} is taken", within_s=60)

    house.workers[0].end(signal.SIGKILL)
    assert count >= LEAST_ITEMS
    if not is_late:
        kustomer.finish_bulk()
    house.workers[0].start()
    if is_late:
        eventually(partial(_are_looked_at_in_vain, house, kind, count), "they are looked at", within_s=60)
        kustomer.finish_bulk()

    kustomer.read_as(bulk_takes_s=0)
    _let_notes_run_out(house)
    eventually(partial(_is_done, house), "nothing is left to do", within_s=90, every_s=0.5)
    _each_is_there_once(house)
