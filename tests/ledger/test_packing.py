"""Records of quiet calls are packed: smaller, read as before, and open to whatever comes later."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys
from bridge.ledger.calls import packing
from bridge.ledger.calls.call_status import call_statuses
from bridge.ledger.calls.copying import copy_unwritten
from bridge.ledger.calls.packed import UnknownForm, compress, decompress, packed, unpacked
from bridge.ledger.calls.packing import all_read_packed, pack_calls, pack_quiet_calls
from bridge.ledger.calls.reading import noted_at
from bridge.ledger.calls.received import received
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.summary import Place, read_entries
from bridge.ledger.connect import connect
from bridge.ledger.dump import Dumped, dump_lines, put_line
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.ledger.test_processes import heartbeat
from tests.support import Bridge, ended, let_pass
from workers import clock_beat
from workers.clock_beat import Clock

ENDED = "made_up__call_ended__recommended_template_answered"
RECORDED = "made_up__recording_uploaded__recommended_template"
KEY, NUMBER = "uuid:2dae93e6-ac4e-4a1d-97be-aa3ef7aeb468", 1000000110
PARTS = (KEY, f"id:{NUMBER}")


@pytest.fixture
def written(redis_client: redis.Redis, sample_sandbox: RunningSandbox, tmp_path: Path) -> Bridge:
    """A bridge with one call, which is written with its recording."""
    bridge = Bridge(redis_client, sample_sandbox, data_dir=tmp_path)
    for case in (ENDED, RECORDED):
        bridge.receive_payload(case)
        bridge.run_jobs()
    return bridge


def says(record: Record) -> dict[str, Any]:
    """What a record says, however it is kept."""
    fields = {name: json.loads(text) if text[:1] in "{[" else text for name, text in record.fields.items()}
    whole = {"fields": fields, **{name: getattr(record, name) for name in ("outputs", "log", "events")}}
    return {**whole, "observations": record.observations, "call": record.call(Rules())}


def size(client: redis.Redis) -> int:
    names = [of(part) for part in PARTS for of in (keys.record, keys.events, keys.log)]
    return sum(client.memory_usage(name, samples=0) or 0 for name in names)


def is_packed(client: redis.Redis, key: str = KEY) -> bool:
    return bool(client.hexists(keys.record(key), Field.PACKED))


def test_a_packed_call_takes_less_than_half_and_says_the_same(written: Bridge) -> None:
    client = written.ledger.redis
    before, large = says(written.ledger.read(KEY)), size(client)

    assert pack_calls(written.ledger, [KEY]) == 2

    assert says(written.ledger.read(KEY)) == before
    assert size(client) < 0.45 * large


def test_packing_once_more_changes_nothing(written: Bridge) -> None:
    pack_calls(written.ledger, [KEY])
    kept = {name: written.ledger.redis.dump(name) for name in written.ledger.redis.scan_iter()}

    assert pack_calls(written.ledger, [KEY]) == 0

    assert {name: written.ledger.redis.dump(name) for name in written.ledger.redis.scan_iter()} == kept


def test_what_is_packed_ends_when_it_would_have(written: Bridge) -> None:
    client = written.ledger.redis
    names = [of(KEY) for of in (keys.record, keys.events)]
    client.expire(names[0], 4000)
    client.expire(names[1], 2000)

    pack_calls(written.ledger, [KEY])

    assert [client.ttl(name) for name in names] == [pytest.approx(4000, abs=3), pytest.approx(2000, abs=3)]


def test_a_repeat_of_a_packed_event_is_a_duplicate_and_counted(written: Bridge) -> None:
    pack_calls(written.ledger, [KEY])

    (learnt,) = written.receive_payload(ENDED)

    assert learnt.status == "duplicate"  # type: ignore[union-attr]
    (event,) = [one for one in written.record(KEY).events if one.trigger == "call-ended"]
    assert event.times == 2 and event.body["contact_name"] == "Ada Example"


def test_a_signed_event_in_the_place_of_a_packed_unsigned_one_leaves_both(written: Bridge) -> None:
    pack_calls(written.ledger, [KEY])
    (kept,) = [one for one in written.record(KEY).events if one.trigger == "call-ended"]
    event = read_event("call-ended", dict(kept.body), Rules())
    assert isinstance(event, Event)

    signed = replace(event, fingerprint=kept.fingerprint, signed=True)
    written.ledger.record_event(signed, {**kept.body, "contact_name": "Grace Example"})

    ends = [one for one in written.record(KEY).events if one.trigger == "call-ended"]
    assert {one.body["contact_name"]: one.signed for one in ends} == {
        "Ada Example": False,
        "Grace Example": True,
    }


def test_news_of_a_packed_call_changes_its_note_and_writes_nothing_twice(
    written: Bridge, sample_sandbox: RunningSandbox
) -> None:
    kustomer = sample_sandbox.kustomer
    before = [len(many) for many in (kustomer.customers, kustomer.conversations, kustomer.notes)]
    pack_calls(written.ledger, [KEY])

    written.receive("call-modified", {"call_id": NUMBER, "call_uuid": KEY[5:], "tags": "Refund"})
    written.run_jobs()

    assert [len(many) for many in (kustomer.customers, kustomer.conversations, kustomer.notes)] == before
    # CloudTalk was asked, and knows what the line is called.
    assert "Our line: Support" in kustomer.notes[-1]["attributes"]["body"]
    pack_calls(written.ledger, [KEY])
    done = [line["what"] for line in written.record(KEY).log]
    assert done.count("note updated") == 2 and done.count("note created") == 1


def test_an_output_that_is_taken_back_stays_gone_and_another_takes_its_place(written: Bridge) -> None:
    pack_calls(written.ledger, [KEY])
    client = written.ledger.redis

    client.hdel(keys.record(KEY), "out:note")
    written.ledger.forget_observation("recording", KEY)

    assert "note" not in written.record(KEY).outputs
    assert not written.record(KEY).observations
    client.hset(keys.record(KEY), "out:note", '{"id": "n2", "sent": {"body": "another"}}')
    assert written.record(KEY).outputs["note"].id == "n2"


def test_what_comes_while_a_call_is_packed_is_not_lost(
    written: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = packed

    def while_it_is_packed(part: Any) -> Any:
        written.receive("call-modified", {"call_id": NUMBER, "call_uuid": KEY[5:], "tags": "Refund"})
        return real(part)

    monkeypatch.setattr(packing, "packed", while_it_is_packed)
    # The part under the number has not changed meanwhile.
    assert pack_calls(written.ledger, [KEY]) == 1

    assert not is_packed(written.ledger.redis)
    assert "call-modified" in {one.trigger for one in written.record(KEY).events}


def test_a_call_that_was_forgotten_meanwhile_stays_so(
    written: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = packed

    def while_it_is_packed(part: Any) -> Any:
        written.ledger.forget(written.ledger.read(KEY))
        return real(part)

    monkeypatch.setattr(packing, "packed", while_it_is_packed)
    pack_calls(written.ledger, [KEY])

    client = written.ledger.redis
    assert not client.exists(*(of(part) for part in PARTS for of in (keys.record, keys.events, keys.log)))


def test_a_packed_call_is_forgotten_as_any_other(written: Bridge) -> None:
    pack_calls(written.ledger, [KEY])

    written.ledger.forget(written.ledger.read(KEY))

    assert not [name for name in written.ledger.redis.scan_iter() if "2dae93e6" in str(name)]


def test_lists_the_listener_and_the_comparison_read_packed_calls(written: Bridge) -> None:
    ledger = written.ledger
    listed = {"id": NUMBER, "ended_at": "2026-03-02T09:24:51Z"}
    ledger.record_observation("listed", listed, uuid=None, call_id=NUMBER, asked_at_ms=ledger.now_ms())
    score = int(ledger.redis.zscore(keys.CALLS, KEY) or 0)
    places = [Place(score=score, key=KEY)]
    ledger.redis.hdel(keys.record(KEY), Field.ROW)

    def shown() -> Any:
        deliveries = [(one.trigger, one.body) for one in received(ledger, most=9)]
        statuses = call_statuses(ledger, [NUMBER])[NUMBER]
        return read_entries(ledger, Rules(), places), deliveries, statuses, noted_at(ledger, PARTS)

    before = shown()
    assert before[2].end_listed and before[3][0] is not None and len(before[1]) == 2

    pack_calls(ledger, [KEY])

    assert shown() == before


def test_a_backup_of_packed_calls_is_restored_as_it_was(written: Bridge, tmp_path: Path) -> None:
    pack_calls(written.ledger, [KEY])
    before = says(written.ledger.read(KEY))
    plain = redis.Redis(connection_pool=None, **_address(written.ledger.redis))

    lines = list(dump_lines(plain, Dumped()))
    written.ledger.redis.flushall()
    pipe = plain.pipeline()
    for line in lines:
        put_line(pipe, line, verify=False)
    pipe.execute()

    assert is_packed(written.ledger.redis)
    assert says(written.ledger.read(KEY)) == before


def _address(client: redis.Redis) -> dict[str, Any]:
    known = client.connection_pool.connection_kwargs
    path = {"unix_socket_path": known["path"]} if "path" in known else {}
    return {**path, **{name: known[name] for name in ("host", "port", "db") if name in known}}


def test_a_rehearsal_works_on_what_was_learnt_of_a_packed_call(written: Bridge, tmp_path: Path) -> None:
    pack_calls(written.ledger, [KEY])
    server = EmbeddedRedis(tmp_path / "other", appendfsync="everysec")
    server.start()
    try:
        with connect(server.url) as client:
            copy_unwritten(written.ledger.read(KEY), written.ledger, Ledger(client))
            copy = Ledger(client).read(KEY)
    finally:
        server.stop()

    assert copy.call(Rules()) == written.ledger.read(KEY).call(Rules())
    assert not copy.outputs


def test_an_earlier_missed_call_takes_over_from_a_packed_leader(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(per="missed_caller"))
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=50)

    def miss(number: int, minute: int) -> dict[str, Any]:
        at = begun + timedelta(minutes=minute)
        nobody = dict.fromkeys(("agent_id", "agent_first_name", "agent_last_name", "answered_at"))
        times = {"started_at": at.isoformat(), "ended_at": (at + timedelta(seconds=20)).isoformat()}
        uuid = f"11111111-2222-4333-8444-{number:012d}"
        return ended(call_id=1000000000 + number, uuid=uuid, talking_time="0", **times, **nobody)

    later = bridge.receive("call-ended", miss(2, 20))
    bridge.run_jobs()
    pack_calls(bridge.ledger, [later.key])
    earlier = bridge.receive("call-ended", miss(1, 10))
    bridge.run_jobs()

    assert len(sandbox.kustomer.conversations) == 1
    own, former = (bridge.ledger.read(str(one.key)) for one in (earlier, later))
    (conversation,) = sandbox.kustomer.conversations
    assert own.outputs["conversation"].id == conversation["id"] and own.outputs["conversation"].sent
    assert any(line["what"] == "conversation created" for line in former.log)


# -- when


def _quiet(ledger: Ledger, number: int, minutes: float) -> str:
    """A call of which nothing was learnt for so long."""
    body = {"call_id": number, "notes": "The same words once more. " * 8}
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    key = ledger.record_event(event, body).key
    ledger.redis.zadd(keys.CALLS, {key: ledger.now_ms() - minutes * 60_000})
    return key


def _events_packed(ledger: Ledger, key: str) -> bool:
    return bool(ledger.redis.hexists(keys.events(key), Field.PACKED))


def test_calls_are_packed_ten_minutes_after_the_last_news(ledger: Ledger) -> None:
    old, young = _quiet(ledger, 1, 11), _quiet(ledger, 2, 9)

    assert pack_quiet_calls(ledger, within_s=5)

    assert (_events_packed(ledger, old), _events_packed(ledger, young)) == (True, False)


def test_what_was_written_late_is_packed_a_day_later(ledger: Ledger) -> None:
    key = _quiet(ledger, 1, 11)
    pack_quiet_calls(ledger, within_s=5)
    ledger.redis.hset(keys.record(key), "out:note", '{"id": "n", "sent": {"body": "late"}}')
    pack_quiet_calls(ledger, within_s=5)
    assert not is_packed(ledger.redis, key)

    let_pass(ledger.redis, 27 * 3600)
    pack_quiet_calls(ledger, within_s=5)

    assert is_packed(ledger.redis, key)
    assert ledger.read(key).outputs["note"].sent == {"body": "late"}


def test_many_calls_of_one_moment_are_all_packed_in_small_steps(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_AT_ONCE", 3)
    found = [_quiet(ledger, number, 20) for number in range(1, 11)]
    at = ledger.now_ms() - 1_200_000
    ledger.redis.zadd(keys.CALLS, dict.fromkeys(found[2:9], at))
    ledger.redis.zadd(keys.CALLS, {found[9]: at + 1000})

    steps = 1
    while not pack_quiet_calls(ledger, within_s=0):
        steps += 1

    assert all(_events_packed(ledger, key) for key in found)
    assert steps > 3


def test_nothing_is_packed_while_a_process_runs_that_cannot_read_it(ledger: Ledger) -> None:
    running = heartbeat(ledger.redis, "worker")
    try:
        assert all_read_packed(ledger)
        # As a version of before describes itself.
        name, text = next(iter(ledger.redis.hgetall(keys.PROCESSES).items()))
        seen, _, described = str(text).partition(" ")
        body = json.loads(described)
        del body["reads_packed"]
        ledger.redis.hset(keys.PROCESSES, str(name) + "1", f"{seen} {json.dumps(body)}")

        assert not all_read_packed(ledger)
    finally:
        running.stop()


def test_the_clock_packs_once_those_who_started_before_it_have_said_what_they_read(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _quiet(ledger, 1, 11)
    Clock(ledger).pack()
    assert not _events_packed(ledger, key)
    monkeypatch.setattr(clock_beat, "_PACK_AFTER_S", -1.0)
    clock, running = Clock(ledger), heartbeat(ledger.redis, "worker")
    try:
        name, text = next(iter(ledger.redis.hgetall(keys.PROCESSES).items()))
        older = str(text).replace('"reads_packed": true', '"reads_packed": false')
        ledger.redis.hset(keys.PROCESSES, str(name) + "1", older)
        clock.pack()
        assert not _events_packed(ledger, key)

        ledger.redis.hdel(keys.PROCESSES, str(name) + "1")
        clock.pack()
    finally:
        running.stop()

    assert _events_packed(ledger, key)


# -- what can be packed


@pytest.mark.parametrize(
    "text",
    ["Zoë \N{TELEPHONE RECEIVER}", "\x00\x01\x7f", 'quotes " and \\ slashes', "x" * 200_000, ""],
    ids=["beyond ASCII", "controls", "quotes", "long", "empty"],
)
def test_any_text_of_a_webhook_comes_back_as_it_was(ledger: Ledger, text: str) -> None:
    body = {"call_id": 7, "notes": text, "deep": [{"n": 10**30, "f": 0.1, "no": None}]}
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    key = ledger.record_event(event, body).key

    assert pack_calls(ledger, [key]) == 1

    assert [one.body for one in ledger.read(key).events] == [body]


def test_half_of_a_surrogate_pair_comes_back_too(ledger: Ledger) -> None:
    body = {"call_id": 7, "notes": "\ud83d"}
    learnt = {"trigger": "call-ended", "body": json.dumps(body), "at": 1, "last_at": 1}
    key = _quiet(ledger, 7, 11)
    ledger.redis.delete(keys.events(key))
    ledger.redis.hset(keys.events(key), "f" * 32, json.dumps(learnt))

    assert pack_calls(ledger, [key]) == 1

    assert [one.body for one in ledger.read(key).events] == [body]


def test_a_record_that_is_not_as_the_bridge_writes_it_is_left_alone(ledger: Ledger) -> None:
    key = _quiet(ledger, 1, 11)
    ledger.redis.hset(keys.events(key), "obs:strange", "no JSON")

    assert pack_calls(ledger, [key]) == 0

    assert not _events_packed(ledger, key)


def test_a_form_of_a_later_version_or_a_damaged_one_is_said_to_be_such() -> None:
    whole = compress({"out": {}, "log": []}).decode("utf-8", "surrogateescape")

    for text in ("", "\x02" + whole[1:], whole[:1] + "\udcff\udcff" + whole[3:], whole[:1]):
        with pytest.raises(UnknownForm):
            decompress(text)


def test_a_log_keeps_its_newest_lines(ledger: Ledger) -> None:
    key = _quiet(ledger, 1, 11)
    for batch in range(2):
        for n in range(150):
            at = batch * 150 + n
            ledger.redis.lpush(keys.log(key), json.dumps({"at": at, "what": f"line {at}"}))
        pack_calls(ledger, [key])

    assert [line["at"] for line in ledger.read(key).log] == list(range(299, 99, -1))


def test_a_part_in_its_plain_form_is_read_as_it_is() -> None:
    part = ({"state": "synced"}, {"f": '{"trigger":"call-ended","body":"{}","at":1,"last_at":1}'}, ["{}"])

    assert unpacked(part) == part
