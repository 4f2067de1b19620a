"""Real processes, both services through Membrane: a connection drops while calls flow, and comes back."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bridge.ledger.keys import Lane
from tests.chaos.house import House
from tests.support import ended
from tests.waiting import eventually

CALLS = 10
FIRST = 1_000_000_000
BOTH = ("cloudtalk", "kustomer")


def _uuid(n: int) -> str:
    return f"11111111-2222-4333-8444-{n:012d}"


def _tell(house: House, n: int) -> None:
    """A call with a recording, every event twice."""
    number = f"+4416329{60000 + n:05d}"
    house.sandbox.cloudtalk.add_call(
        id=FIRST + n, uuid=_uuid(n), external_number=number, recorded=True, recording_seconds=1
    )
    result = ended(call_id=FIRST + n, uuid=_uuid(n), external_number=number, contact_name=f"Person {n}")
    for _ in range(2):
        house.post("call-ended", result)
        house.post("recording-uploaded", {"call_id": FIRST + n})


def _connections(house: House) -> dict[str, Any]:
    found: dict[str, Any] = house.http.get("/api/queue").json()["connections"]
    return found


def _quiet(house: House) -> bool:
    lanes = house.ledger.queue()
    return all(lanes[lane].due + lanes[lane].waiting + lanes[lane].running == 0 for lane in Lane)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_connections_that_drop_while_calls_flow_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    with House(tmp_path, through_membrane=BOTH) as house:
        for n in range(CALLS // 2):
            _tell(house, n)
        for service in BOTH:
            house.sandbox.membrane.disconnect(service)
        for n in range(CALLS // 2, CALLS):
            _tell(house, n)
        eventually(
            lambda: all(_connections(house)[name]["state"] != "READY" for name in BOTH), "it is noticed"
        )
        assert "/connect?" in _connections(house)["kustomer"]["link"]
        written = len(house.sandbox.kustomer.writes)
        # Who dies meanwhile takes nothing along.
        house.workers[0].end(signal.SIGKILL)
        house.workers[0].start()
        assert len(house.sandbox.kustomer.writes) == written
        assert len(house.sandbox.kustomer.notes) < CALLS

        for service in BOTH:
            house.sandbox.membrane.reconnect(service)
        eventually(lambda: _quiet(house), "nothing is left to do", within_s=60, every_s=0.1)

        kustomer = house.sandbox.kustomer
        expected = {f"cloudtalk:call:{_uuid(n)}" for n in range(CALLS)}
        keys = Counter(one["attributes"]["externalId"] for one in kustomer.conversations)
        notes = Counter(one["attributes"]["externalId"] for one in kustomer.notes)
        named = Counter(one["attributes"]["name"] for one in kustomer.attachments if one["referenced"])
        assert set(keys) == expected
        assert set(notes) == {f"{key}:note" for key in expected}
        assert set(named) == {f"call-{FIRST + n}.mp3" for n in range(CALLS)}
        assert len(kustomer.customers) == CALLS
        assert max(keys.values()) == max(notes.values()) == max(named.values()) == 1
        assert house.ledger.parked() == {}
        assert all(one["state"] == "READY" for one in _connections(house).values())
        assert "/connect?" not in house.logs(), "the link to reconnect is in a log"
