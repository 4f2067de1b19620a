"""The protocol of the due set, one promise a test, against a real Redis."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.errors import Busy, LeaseLost
from bridge.ledger import keys, scripts
from bridge.ledger.calls.learning import Retention
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from tests.support import ended, let_pass

UUID_1 = "11111111-2222-4333-8444-555555555501"
KEY = f"uuid:{UUID_1}"


def _learn(ledger: Ledger, trigger: str = "call-ended", **body: Any) -> str:
    event = read_event(trigger, body, Rules())
    assert isinstance(event, Event)
    return ledger.record_event(event, body).status


def _claimed(ledger: Ledger, key: str = KEY) -> Claim:
    ledger.dispatch(10)
    claim = ledger.claim("sync", key)
    assert claim is not None
    return claim


def test_an_event_is_kept_once_and_makes_its_call_due(ledger: Ledger) -> None:
    assert _learn(ledger, **ended(uuid=UUID_1)) == "accepted"
    assert _learn(ledger, **ended(uuid=UUID_1)) in ("accepted", "duplicate")
    body = ended(uuid=UUID_1)
    _learn(ledger, **body)
    assert _learn(ledger, **body) == "duplicate"

    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]
    kept = {event.fingerprint: event.times for event in ledger.read(KEY).events}
    assert max(kept.values()) >= 2


def test_a_body_comes_back_as_it_was_however_large_its_numbers(ledger: Ledger) -> None:
    body: dict[str, Any] = {
        "call_uuid": UUID_1,
        "x": 2**63 + 1,
        "empty": [],
        "none": {},
        "text": 'a "quoted" ☎ \n',
    }
    _learn(ledger, **body)

    assert ledger.read(KEY).events[0].body == body


def test_only_one_claim_holds_a_job(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))
    ledger.dispatch(10)

    claims = [ledger.claim("sync", KEY) for _ in range(3)]

    assert [claim is not None for claim in claims] == [True, False, False]


def test_a_message_for_a_job_that_is_not_due_is_dropped(ledger: Ledger) -> None:
    ledger.schedule("sync", KEY, in_ms=60_000)

    assert ledger.claim("sync", KEY) is None
    assert ledger.claim("sync", "uuid:unknown") is None


def test_a_job_handed_out_and_never_claimed_is_due_again(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))

    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]
    assert ledger.dispatch(10)[1] == []
    let_pass(ledger.redis, 3.1)
    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]


def test_the_job_of_a_dead_worker_is_due_when_its_lease_ends(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))
    dead = _claimed(ledger)

    let_pass(ledger.redis, 3.5)
    assert ledger.dispatch(10)[1] == []
    let_pass(ledger.redis, 0.6)
    heir = _claimed(ledger)

    assert heir.token != dead.token
    with pytest.raises(LeaseLost):
        ledger.keep(dead, {"out:note": "x"})
    ledger.complete(dead)
    ledger.park(dead, cause="late", error="late")
    assert ledger.reschedule(dead, in_ms=0, cause="late", error="late", failed=True) == "lost"
    ledger.keep(heir, {"state": "synced"})
    assert ledger.read(KEY).fields["state"] == "synced"


def test_what_a_wrong_clock_planned_for_long_after_is_looked_at_now(ledger: Ledger) -> None:
    ledger.schedule("detail", KEY, in_ms=24 * 3_600_000)
    assert ledger.dispatch(10)[1] == []

    # Planned by a clock that was a week ahead, and has been put right since.
    let_pass(ledger.redis, -7 * 86_400)

    assert ledger.dispatch(10)[1] == [f"detail|{KEY}"]


def test_a_run_that_was_overtaken_neither_plans_a_job_nor_takes_one_back(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))
    late = _claimed(ledger)
    let_pass(ledger.redis, 4.1)
    heir = _claimed(ledger)
    ledger.schedule("detail", KEY, in_ms=60_000, under=heir)

    with pytest.raises(LeaseLost):
        ledger.cancel("detail", KEY, under=late)
    with pytest.raises(LeaseLost):
        ledger.schedule("identify", KEY, in_ms=60_000, under=late)

    assert [job["kind"] for job in ledger.job_states(KEY)] == ["sync", "detail"]
    ledger.cancel("detail", KEY, under=heir)
    assert [job["kind"] for job in ledger.job_states(KEY)] == ["sync"]


def test_a_renewed_lease_lasts(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))
    claim = _claimed(ledger)

    for _ in range(5):
        let_pass(ledger.redis, 3)
        assert ledger.renew([claim]) == []

    assert ledger.dispatch(10)[1] == []
    ledger.complete(claim)
    assert ledger.job_states(KEY) == []
    assert ledger.renew([claim]) == [claim.name]


def test_what_is_learnt_during_a_run_makes_the_job_due_again(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))
    claim = _claimed(ledger)

    _learn(ledger, "call-answered", call_uuid=UUID_1)
    assert ledger.dispatch(10)[1] == []
    ledger.complete(claim)

    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]


def test_news_does_not_hurry_a_job_that_is_backing_off(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))
    claim = _claimed(ledger)
    ledger.reschedule(claim, in_ms=60_000, cause="Unavailable", error="down", failed=True)

    _learn(ledger, "call-answered", call_uuid=UUID_1)

    assert ledger.dispatch(10)[1] == []
    let_pass(ledger.redis, 61)
    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]


def test_better_lanes_go_first_and_no_more_than_there_is_room_for(ledger: Ledger) -> None:
    for lane in (Lane.BACKFILL, Lane.INSIGHTS, Lane.RECORDING, Lane.LIVE):
        for n in range(3):
            ledger.schedule("sync", f"id:{int(lane)}{n}", in_ms=0, lane=lane)

    first, second = ledger.dispatch(5)[1], ledger.dispatch(100)[1]

    assert [name[8] for name in first] == list("11122")
    assert [name[8] for name in second] == list("2333444")


def test_a_live_event_lifts_a_job_out_of_the_backfill(ledger: Ledger) -> None:
    ledger.schedule("sync", KEY, in_ms=60_000, lane=Lane.BACKFILL)

    _learn(ledger, **ended(uuid=UUID_1))

    assert ledger.queue()[Lane.LIVE].due == 1
    assert ledger.queue()[Lane.BACKFILL].waiting == 0


def test_the_numbers_tell_due_overdue_waiting_and_running_apart(ledger: Ledger) -> None:
    for n in range(6):
        ledger.schedule("sync", f"id:{n}", in_ms=0)
    let_pass(ledger.redis, 6)
    for n in range(6, 9):
        ledger.schedule("sync", f"id:{n}", in_ms=0)
    ledger.schedule("sync", "id:99", in_ms=60_000)
    ledger.dispatch(1)
    assert ledger.claim("sync", "id:0") is not None

    live = ledger.queue()[Lane.LIVE]

    assert (live.due, live.overdue, live.waiting, live.running) == (8, 5, 1, 1)
    assert 6 <= live.oldest_due_s < 8


def test_a_wake_up_is_heard_when_something_is_learnt(ledger: Ledger) -> None:
    with ledger.redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(keys.WAKE)
        channel.get_message(timeout=5)
        _learn(ledger, **ended(uuid=UUID_1))

        assert channel.get_message(timeout=5) is not None


def test_two_records_become_one_and_keep_their_outputs(ledger: Ledger) -> None:
    _learn(ledger, "recording-uploaded", call_id=42, external_number="+441632960304")
    claim = _claimed(ledger, "id:42")
    ledger.keep(claim, {"out:customer": {"id": "c", "sent": {}}})
    ledger.complete(claim)
    _learn(ledger, call_uuid=UUID_1, direction="incoming")

    _learn(ledger, "call-modified", call_id=42, call_uuid=UUID_1)

    for name in (KEY, "id:42", "42", UUID_1.upper()):
        record = ledger.find(name)
        assert record is not None
        assert (record.key, record.call_id, record.uuid) == (KEY, 42, UUID(UUID_1))
        assert len(record.events) == 3
        assert record.outputs["customer"].id == "c"
    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]


def test_while_one_part_is_being_written_the_joined_call_waits_for_it(ledger: Ledger) -> None:
    _learn(ledger, "recording-uploaded", call_id=42)
    claim = _claimed(ledger, "id:42")

    _learn(ledger, call_id=42, call_uuid=UUID_1)
    assert ledger.dispatch(10)[1] == []
    assert ledger.claim("sync", KEY) is None
    ledger.complete(claim)

    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]
    assert ledger.claim("sync", KEY) is not None


def test_an_id_belongs_to_one_call_only(ledger: Ledger) -> None:
    other = "11111111-2222-4333-8444-555555555502"
    _learn(ledger, call_id=42, call_uuid=UUID_1)
    _learn(ledger, call_id=42, call_uuid=other)

    record = ledger.find("42")
    assert record is not None
    assert record.key == KEY
    assert ledger.read(f"uuid:{other}").fields["conflict"] == "42"


def test_events_go_after_their_time_and_outputs_stay_longer(ledger: Ledger) -> None:
    keep = Ledger(ledger.redis, keep=Retention(events_s=100, outputs_s=1000))
    _learn(keep, **ended(uuid=UUID_1, call_id=42))

    for part in (KEY, "id:42"):
        assert 900 < ledger.redis.ttl(keys.record(part)) <= 1000
    assert 0 < ledger.redis.ttl(keys.events(KEY)) <= 100


def test_a_lock_is_for_one_job_and_given_back(ledger: Ledger) -> None:
    _learn(ledger, call_uuid=UUID_1)
    _learn(ledger, call_id=42)
    one, other = _claimed(ledger), _claimed(ledger, "id:42")

    with ledger.lock(one, "customer:x"):
        with pytest.raises(Busy), ledger.lock(other, "customer:x"):
            raise AssertionError("two hold it")
        with ledger.lock(other, "customer:y"):
            pass
    with ledger.lock(other, "customer:x"):
        pass


def test_a_lock_ends_with_the_lease_of_its_job(ledger: Ledger) -> None:
    _learn(ledger, call_uuid=UUID_1)
    dead = _claimed(ledger)
    with ledger.lock(dead, "customer:x"):
        let_pass(ledger.redis, 4.1)
        _learn(ledger, call_id=42)
        heir = _claimed(ledger, "id:42")

        with ledger.lock(heir, "customer:x"):
            pass

        # It was only stopped, and cannot go on as if the lock were still its own.
        assert ledger.renew([dead]) == [dead.name]
        with pytest.raises(LeaseLost):
            ledger.keep(dead, {"state": "synced"})


def test_scripts_come_back_after_redis_has_forgotten_them(ledger: Ledger) -> None:
    _learn(ledger, **ended(uuid=UUID_1))
    ledger.redis.script_flush()

    assert ledger.dispatch(10)[1] == [f"sync|{KEY}"]


def test_every_script_says_what_it_takes_answers_and_guarantees() -> None:
    for name in (*scripts.NAMES, *scripts.APART):
        text = scripts.source(name)
        for word in ("-- KEYS", "ARGV", "Answers"):
            assert word in text or name == "queue", f"{name}.lua does not say: {word}"
