"""A call is forgotten on request, and a late event does not bring it back."""

from __future__ import annotations

from collections.abc import Collection

import pytest
import redis

from bridge.jobs.erasure import Erasure
from bridge.jobs.erasure_receipt import Receipt
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.disk import Rewrite
from bridge.sandbox.running import RunningSandbox
from tests.jobs.test_recording import ENDED, UPLOADED, UUID, _with_sound
from tests.support import Bridge


def _forget(bridge: Bridge, *, remove_at: Collection[str] = ()) -> Receipt:
    return erasure(bridge, remove_at=remove_at).of_call(bridge.record(UUID))


def erasure(bridge: Bridge, *, remove_at: Collection[str] = (), services: bool = True) -> Erasure:
    """As the command makes it. This Redis keeps its file in a folder that goes with the run."""
    deps = bridge.deps
    return Erasure(
        ledger=bridge.ledger,
        storage=deps.open_storage(),
        rules=bridge.rules,
        journal=bridge.data_dir / "journal",
        who="test",
        services=deps if services else None,
        remove_at=remove_at,
        rewrite=lambda ledger: Rewrite(done=True, said="Not rewritten in this test."),
        kustomer_url="https://kustomer.example",
    )


def _everything(client: redis.Redis) -> str:
    found: list[object] = []
    for name in map(str, client.scan_iter("*")):
        match client.type(name):
            case "hash":
                found.append(client.hgetall(name))
            case "string":
                found.append(client.get(name))
            case "zset":
                found.append(client.zrange(name, 0, -1))
            case "list":
                found.append(client.lrange(name, 0, -1))
        found.append(name)
    return repr(found)


def test_nothing_of_a_person_is_left_here(bridge: Bridge, sandbox: RunningSandbox) -> None:
    _with_sound(sandbox)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(30)
    kept = bridge.record(UUID).observations["recording"].body
    assert "Ada Example" in _everything(bridge.ledger.redis)

    receipt = _forget(bridge)

    assert {one.where: one.count for one in receipt.removed if one.where == "storage"} == {"storage": 2}
    storage = bridge.deps.open_storage()
    assert storage.size(kept["original"]["name"]) is storage.size(kept["speech"]["name"]) is None
    left = _everything(bridge.ledger.redis)
    for word in ("Ada", "441632960304", "Bo Sample", "invoice"):
        assert word not in left
    assert sandbox.cloudtalk.recording_of(1000000500)


@pytest.mark.parametrize("late", [("call-ended", ENDED), ("recording-uploaded", UPLOADED)])
def test_a_late_event_does_not_bring_it_back(
    bridge: Bridge, sandbox: RunningSandbox, late: tuple[str, dict[str, object]]
) -> None:
    bridge.receive("call-ended", ENDED)
    bridge.run_jobs()
    _forget(bridge)
    sandbox.kustomer.forget_requests()

    answer = bridge.receive(*late)
    ends = bridge.run_jobs_for(60, step_s=10)

    assert isinstance(answer, Learnt)
    assert answer.status == "forgotten"
    assert ends == []
    assert sandbox.kustomer.requests == []
    assert bridge.record(UUID).events == ()


def test_a_job_that_runs_meanwhile_writes_nothing_down_any_more(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.wire.once("before", "POST", "/conversations$", lambda: _forget(bridge))
    bridge.receive("call-ended", ENDED)

    assert bridge.run_jobs() == ["sync lost"]

    assert bridge.record(UUID).outputs == {}
    assert bridge.run_jobs_for(60, step_s=10) == []


def test_a_recording_that_arrives_meanwhile_goes_too(bridge: Bridge, sandbox: RunningSandbox) -> None:
    _with_sound(sandbox)
    bridge.wire.once("before", "GET", "/calls/recording/", lambda: _forget(bridge))
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)

    bridge.run_jobs_for(30)

    kept = [path for path in bridge.data_dir.rglob("*") if path.is_file()]
    assert kept == []
    assert bridge.record(UUID).observations == {}


def test_a_call_forgotten_by_hand_and_synced_by_hand_stays_forgotten(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ENDED)
    _forget(bridge)

    bridge.ledger.replay("sync", f"uuid:{UUID}", who="test")
    bridge.run_jobs()

    assert sandbox.kustomer.requests == []


def test_the_recording_at_cloudtalk_goes_too_where_that_is_asked_for(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    _with_sound(sandbox)
    bridge.receive("call-ended", ENDED)
    bridge.receive("recording-uploaded", UPLOADED)
    bridge.run_jobs_for(30)

    receipt = _forget(bridge, remove_at=("cloudtalk",))

    assert [one.state for one in receipt.elsewhere if one.service == "CloudTalk"] == ["removed"]

    assert [r.method for r in sandbox.cloudtalk.requests][-1] == "DELETE"
