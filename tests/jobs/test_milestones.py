"""What happens to a call once is counted once, whatever is killed, lost or run again."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.ledger.measures import EDGES
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.jobs.test_exactly_once import CREATES, KEY, Died, die
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"


def _another(number: int) -> str:
    return UUID[:-2] + f"{number:02}"


def times(bridge: Bridge, name: str) -> tuple[int, float]:
    """How many values a histogram has, and their sum."""
    series = bridge.ledger.measures()[name].get(())
    return (sum(series.buckets), series.sum_s) if series else (0, 0.0)


def with_sound(sandbox: RunningSandbox, call: dict[str, Any]) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500,
        uuid=UUID,
        external_number="+441632960304",
        internal_number="+15550100101",
        talking_time=12,
        started_at=call["started_at"],
        recorded=True,
    )


def test_the_time_from_the_calls_own_end_to_its_note_is_counted(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended(ended_at="2026-03-02T09:24:51.000Z"))
    bridge.run_jobs()
    count, seconds = times(bridge, "end_to_note")
    assert count == 1 and seconds > 3600
    assert bridge.ledger.measures()["end_to_note"][()].buckets[len(EDGES["end_to_note"])] == 1

    bridge.receive("call-ended", ended(call_id=7, uuid=_another(7)))
    bridge.run_jobs()

    count, both = times(bridge, "end_to_note")
    assert count == 2
    # `ended` ends 2 s ago.
    assert 1.5 < both - seconds < 30


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize("name", CREATES)
def test_a_call_whose_worker_died_is_counted_once(bridge: Bridge, name: str, at: str) -> None:
    bridge.wire.once(at, "POST", CREATES[name], die)
    bridge.receive("call-ended", ended())
    with pytest.raises(Died):
        bridge.run_jobs()

    bridge.run_jobs_for(12)

    assert times(bridge, "end_to_note")[0] == 1
    assert bridge.ledger.counts()["customer:created"] == 1


def test_running_a_call_again_counts_nothing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    counts = {name: n for name, n in bridge.ledger.counts().items() if name.startswith("customer:")}

    bridge.ledger.replay("sync", KEY, who="test")
    bridge.run_jobs()
    # Also where a person deleted the note, and it is written anew.
    sandbox.world.store.clear(["conversation", "note"])
    bridge.ledger.replay("sync", KEY, who="test")
    bridge.run_jobs()

    assert times(bridge, "end_to_note")[0] == 1
    one_of_each(sandbox)
    again = {name: n for name, n in bridge.ledger.counts().items() if name.startswith("customer:")}
    assert again == counts == {"customer:created": 1}


@pytest.mark.parametrize("first", ["recording", "end"])
def test_the_time_to_the_recording_is_counted_once_it_is_attached(
    bridge: Bridge, sandbox: RunningSandbox, first: str
) -> None:
    call = ended()
    with_sound(sandbox, call)
    result = [("recording-uploaded", {"call_id": 1000000500}), ("call-ended", call)]
    for trigger, body in result if first == "recording" else reversed(result):
        bridge.receive(trigger, body)
        bridge.run_jobs_for(40)

    assert times(bridge, "end_to_recording")[0] == 1
    bridge.ledger.replay("sync", KEY, who="test")
    bridge.run_jobs_for(40)

    assert times(bridge, "end_to_recording")[0] == 1
    assert times(bridge, "end_to_note")[0] == 1


def test_a_customer_of_before_is_counted_by_how_they_were_found(bridge: Bridge) -> None:
    for number in (1, 2, 3):
        bridge.receive("call-ended", ended(call_id=number, uuid=_another(number)))
        bridge.run_jobs()

    counts = bridge.ledger.counts()
    assert (counts["customer:created"], counts["customer:phone"]) == (1, 2)


def test_what_an_earlier_version_wrote_is_not_counted_later(bridge: Bridge) -> None:
    """Its records have no marks."""
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    client = bridge.ledger.redis
    for field in ("counted:note", "counted:customer"):
        assert client.hdel(f"{{callbridge}}:call:{KEY}", field) == 1

    bridge.receive("call-modified", ended(event="call_modified", notes="more"))
    bridge.ledger.replay("sync", KEY, who="test")
    bridge.run_jobs_for(10)

    assert times(bridge, "end_to_note")[0] == 1
    assert bridge.ledger.counts()["customer:created"] == 1


def test_requests_and_retries_are_counted_with_their_times(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.fail_next(503)
    bridge.receive("call-ended", ended())
    bridge.run_jobs_for(5)

    upstream = bridge.ledger.measures()["upstream"]
    counts = bridge.ledger.counts()
    assert sum(upstream["kustomer", "create_note"].buckets) == 1
    for (service, operation), measured in upstream.items():
        prefix = f"upstream:{service}:{operation}:"
        sent = sum(number for name, number in counts.items() if name.startswith(prefix))
        assert sum(measured.buckets) == sent, operation
    assert counts["retry:Unavailable"] == 1
