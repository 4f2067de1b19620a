"""After `forget` nothing of a person is left in any key, any file, or any byte of Redis' own files."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.domain.fields import definition
from bridge.domain.mentions import Mentions
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.errors import Unauthorized
from bridge.jobs.erasure import Erasure
from bridge.jobs.erasure_receipt import Receipt
from bridge.journal.files import JournalFile
from bridge.journal.lines import line_of
from bridge.ledger import keys, trail
from bridge.ledger.calls import by_hand
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.connect import connect
from bridge.ledger.disk import rewrite_files
from bridge.ledger.queue import parked, replay_runs
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended
from tests.waiting import eventually

ADA = Phone(Kind.E164, "+441632960304")
CALL, UUID = 1000000500, "11111111-2222-4333-8444-555555555500"
SECOND, SECOND_UUID = 1000000501, "11111111-2222-4333-8444-555555555501"
OTHERS, OTHERS_UUID = 1000000900, "99999999-2222-4333-8444-555555555599"
# Of Ada and her calls: her number in all spellings, names, what was said, ids.
WORDS = (
    "441632960304", "1632960304", "01632 960304", "01632960304", "1632 960304", "1632-960304",
    "%2B441632960304", "Ada", "Example", "invoice", str(CALL), UUID, UUID.replace("-", ""),
    str(SECOND), SECOND_UUID,
)  # fmt: skip
SPELLINGS = ["+441632960304", "00441632960304", "01632 960304", "(01632) 960-304", "+44 1632 960304"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """Its file is in the data folder of the bridge, as with `callbridge up`."""
    server = EmbeddedRedis(tmp_path / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with connect(server.url) as client:
        yield client


@pytest.fixture
def desk(client: redis.Redis, sandbox: RunningSandbox, tmp_path: Path) -> Bridge:
    return Bridge(client, sandbox, data_dir=tmp_path / "data")


def erasure(desk: Bridge, **more: Any) -> Erasure:
    deps = desk.deps
    given = {"services": deps, "kustomer_url": "https://kustomer.example", **more}
    return Erasure(
        ledger=desk.ledger,
        storage=deps.open_storage(),
        rules=desk.rules.model_copy(update={"region": "GB"})
        if hasattr(desk.rules, "model_copy")
        else desk.rules,
        journal=desk.data_dir / "journal",
        who="ops@host",
        files=[desk.data_dir / "last-call.json"],
        **given,
    )


def a_full_house(desk: Bridge, sandbox: RunningSandbox) -> None:
    """Everything of Ada that the bridge can come to hold, and one call of somebody else."""
    for number, uuid in ((CALL, UUID), (SECOND, SECOND_UUID)):
        sandbox.cloudtalk.add_call(
            id=number, uuid=uuid, external_number=ADA.text, talking_time=12, recorded=True,
            started_at=ended()["started_at"],
        )  # fmt: skip
    desk.receive("call-ended", ended(call_id=CALL, uuid=UUID))
    desk.receive("recording-uploaded", {"call_id": CALL, "external_number": 441632960304})
    desk.run_jobs_for(30)
    # A person said whose calls these are.
    record = desk.ledger.read(f"uuid:{UUID}")
    chosen = sandbox.kustomer.add_customer(name="Ada Example", sharedPhones=[{"phone": ADA.text}])
    by_hand.assign(desk.ledger, record, chosen, number=ADA, who="ops@host")
    desk.run_jobs()
    # Parked, with the service's own words about her.
    desk.receive("call-ended", ended(call_id=SECOND, uuid=SECOND_UUID, external_number="01632 960304"))
    claim = desk.ledger.claim("sync", f"uuid:{SECOND_UUID}")
    assert claim is not None
    desk.ledger.park(claim, cause="Rejected", error="phone +44 1632 960304 of Ada Example is not taken")
    # Held, in each spelling.
    for spelling in SPELLINGS:
        desk.receive("call-ended", {"external_number": spelling, "contact_name": "Ada Example"})
    desk.receive("made-up-trigger", {"text": "call Ada back: (01632) 960-304"})
    _on_disk(desk)
    trail.leave(desk.ledger, who="ops@host", what="run again: sync", call=f"uuid:{UUID}")
    trail.leave(desk.ledger, who="ops@host", what="dropped: Ada 01632 960304 asked", call="")
    client = desk.ledger.redis
    # As a killed worker leaves them.
    client.set(f"{keys.TAG}:lock:customer:{ADA.text}", "x")
    client.set(f"{keys.TAG}:cache:uuid-of:{CALL}", json.dumps(UUID), ex=100)
    client.set(
        f"{keys.TAG}:reconcile", json.dumps({"began_at": 1, "since": 1, "until": 2, "missing": [CALL]})
    )
    client.zadd(f"{keys.TAG}:paused:kustomer", {f"sync|uuid:{UUID}": 1})
    client.zadd(f"{keys.TAG}:budget:kustomer:booked", {f"sync|uuid:{UUID}": 4e12})
    client.zadd(f"{keys.TAG}:budget:kustomer:places", {"4000000000000:1": 4e12})
    desk.receive("call-ended", ended(call_id=OTHERS, uuid=OTHERS_UUID, external_number="+15550100199",
                                     contact_name="Cy Sample", notes=None))  # fmt: skip
    desk.run_jobs_for(2)


def _on_disk(desk: Bridge) -> None:
    folder = desk.data_dir
    recordings = folder / "recordings" / ".incoming"
    recordings.mkdir(parents=True, exist_ok=True)
    started = ended(call_id=CALL, uuid=UUID)["started_at"][:10]
    (recordings / f"{started}-{UUID}.wav.123-abc").write_bytes(b"half of what Ada said")
    (folder / "last-call.json").write_text(json.dumps({"number": "+44 1632 960304"}))
    journal = folder / "journal"
    texts = [
        json.dumps({"at": 1, "trigger": "call-ended", "body": {"call_uuid": UUID}}),
        json.dumps({"at": 1, "trigger": "call-ended", "body": {"external_number": "01632\u00a0960304"}}),
        json.dumps({"at": 1, "trigger": "call-ended", "body": {"external_number": "+15550100199"}}),
    ]
    file = JournalFile.create(journal)
    file.append([text.encode() for text in texts], at_ms=1)
    file.release()
    aside = journal / f"{1:020d}-1.journal.refused"
    aside.write_bytes(b"".join(line_of(text.encode()) for text in texts))
    (journal / f"{1:020d}-1.journal.damaged").write_bytes(b"xx +44 1632 960304\n")


def everything_left(desk: Bridge) -> dict[str, str]:
    """Every key with its value, and every file with its bytes."""
    client, found = desk.ledger.redis, {}
    read = {
        "hash": client.hgetall,
        "string": client.get,
        "zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        "list": lambda name: client.lrange(name, 0, -1),
        "set": client.smembers,
    }
    for name in map(str, client.scan_iter("*")):
        found[f"key {name}"] = json.dumps([name, repr(read[str(client.type(name))](name))])
    found["slow log"] = repr(client.slowlog_get())
    for path in desk.data_dir.rglob("*"):
        if path.is_file():
            found[f"file {path.relative_to(desk.data_dir)}"] = path.name + path.read_bytes().decode("latin-1")
    return found


def hits(desk: Bridge, words: tuple[str, ...] = WORDS) -> list[tuple[str, str]]:
    return [
        (place, word)
        for place, text in everything_left(desk).items()
        for word in words
        # As written: `ada` may stand in any hash.
        if word in text
    ]


def hits_soon(desk: Bridge, words: tuple[str, ...] = WORDS) -> list[tuple[str, str]]:
    """Once Redis has deleted its old file, which it does in the background."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: not hits(desk, words), "nothing is left", within_s=5)
    return hits(desk, words)


def removed(receipt: Receipt) -> dict[tuple[str, str], int]:
    return {(one.where, one.what): one.count for one in receipt.removed}


def test_after_forgetting_a_number_no_key_no_file_and_no_byte_speaks_of_the_person(
    desk: Bridge, sandbox: RunningSandbox
) -> None:
    a_full_house(desk, sandbox)
    before = {word for _, word in hits(desk)}
    assert {"441632960304", "Ada", "invoice", UUID, str(SECOND)} <= before

    receipt = erasure(desk).of_number(ADA)

    assert hits_soon(desk) == []
    assert not receipt.unfinished and receipt.disk_rewritten
    assert sorted(receipt.calls) == [f"uuid:{UUID}", f"uuid:{SECOND_UUID}"]
    counts = removed(receipt)
    assert counts["held", "event"] == len(SPELLINGS) + 1
    assert counts["ledger", "record"] == 2
    assert counts["storage", "file"] == 2
    assert counts["journal", "record"] == 5
    # Somebody else's is still there.
    assert hits(desk, (OTHERS_UUID, "Cy Sample", "15550100199"))
    # `-rP` shows it: the receipt, and what is left.
    sys.stdout.write("\n".join(["", *receipt.lines(), "", *sorted(everything_left(desk)), ""]))


def test_a_forgotten_call_is_on_no_list_of_jobs_that_wait_were_refused_or_are_run_again(
    desk: Bridge, sandbox: RunningSandbox
) -> None:
    connections, ledger, key = desk.deps.connections, desk.ledger, f"uuid:{UUID}"
    refused = Unauthorized("no role", status=403, service="kustomer", operation="note", detail="Missing role")
    for uuid, call_id in ((UUID, CALL), (OTHERS_UUID, OTHERS)):
        desk.receive("call-ended", ended(call_id=call_id, uuid=uuid))
        claim = ledger.claim("sync", f"uuid:{uuid}")
        assert claim is not None
        closed = connections.refuses_all(claim, refused)
        assert closed is not None
        connections.mark_down(closed.service, closed)
        connections.pause(claim, closed)
    while (probe := connections.down("kustomer:note")) is None or probe.probe != f"sync|{key}":
        assert connections.probe("kustomer:note")
    ledger.schedule("recording", key, in_ms=0)
    parking = ledger.claim("recording", key)
    assert parking is not None
    ledger.park(parking, cause="Rejected", error="x")
    replay_runs.start(ledger, parked.choose(ledger, {}), who="ops@host", about="all")
    places = {place for place, word in hits(desk, (UUID,)) if word == UUID}
    assert {"paused:kustomer:note", "refused:kustomer:note", "connections", "received"} <= {
        place.partition("}:")[2] for place in places
    }

    erasure(desk).of_call(desk.record(UUID))

    assert hits_soon(desk, (UUID, str(CALL))) == []
    assert ledger.redis.zrange(keys.paused("kustomer:note"), 0, -1) == [f"sync|uuid:{OTHERS_UUID}"]
    assert connections.state()["kustomer:note"]["jobs_waiting"] == 1
    assert connections.mark_up("kustomer:note") == 1


def test_a_forgotten_number_stays_so_when_its_old_webhooks_come_late(
    desk: Bridge, sandbox: RunningSandbox
) -> None:
    a_full_house(desk, sandbox)
    erasure(desk).of_number(ADA)
    sandbox.kustomer.forget_requests()

    for body in (ended(call_id=CALL, uuid=UUID), {"call_id": SECOND}, {"call_uuid": SECOND_UUID}):
        answer = desk.receive("recording-uploaded", body)
        assert isinstance(answer, Learnt) and answer.status == "forgotten"
    desk.run_jobs_for(30)

    assert hits(desk) == []
    assert sandbox.kustomer.requests == []


def test_a_new_call_of_the_number_is_a_new_call(desk: Bridge, sandbox: RunningSandbox) -> None:
    a_full_house(desk, sandbox)
    erasure(desk).of_number(ADA)

    answer = desk.receive("call-ended", ended(call_id=1000000777, uuid=None))

    assert isinstance(answer, Learnt) and answer.status == "accepted"


def test_forgetting_one_call_leaves_the_persons_others(desk: Bridge, sandbox: RunningSandbox) -> None:
    a_full_house(desk, sandbox)

    receipt = erasure(desk).of_call(desk.record(UUID))

    assert hits_soon(desk, (UUID, str(CALL))) == []
    assert receipt.calls == [f"uuid:{UUID}"]
    assert desk.record(SECOND_UUID).events


def test_the_receipt_names_what_others_hold_and_removes_nothing_there_unasked(
    desk: Bridge, sandbox: RunningSandbox
) -> None:
    a_full_house(desk, sandbox)
    outputs = desk.record(UUID).outputs
    sandbox.cloudtalk.forget_requests()
    sandbox.kustomer.forget_requests()

    receipt = erasure(desk).of_number(ADA)

    there = {(one.service, one.what, one.id): one.state for one in receipt.elsewhere}
    assert there["CloudTalk", "recording of call", str(CALL)] == "kept"
    for name in ("customer", "conversation", "note", "attachment"):
        assert there["Kustomer", name, outputs[name].id] == "kept"
    place = next(one.place for one in receipt.elsewhere if one.what == "conversation")
    assert place == f"https://kustomer.example/v1/conversations/{outputs['conversation'].id}"
    assert sandbox.cloudtalk.requests == [] and sandbox.kustomer.requests == []
    result = "\n".join(receipt.lines())
    assert "Erased here" in result and outputs["note"].id in result
    assert json.loads(json.dumps(receipt.as_json()))["asked"] == "…304"


def test_on_request_it_is_removed_there_too_and_the_answers_are_told(
    desk: Bridge, sandbox: RunningSandbox
) -> None:
    a_full_house(desk, sandbox)
    record = desk.record(UUID)

    receipt = erasure(desk, remove_at=("cloudtalk", "kustomer")).of_call(record)

    states = {one.what: one.state for one in receipt.elsewhere}
    assert states["recording of call"] == states["conversation"] == states["note"] == "removed"
    assert "cannot delete it" in states["customer"] and "cannot delete it" in states["attachment"]
    with pytest.raises(LookupError):
        sandbox.cloudtalk.recording_of(CALL)
    note = next(n for n in sandbox.kustomer.notes if n["id"] == record.outputs["note"].id)
    assert "invoice" not in note["attributes"]["body"]
    conversation = next(
        one for one in sandbox.kustomer.conversations if one["id"] == record.outputs["conversation"].id
    )
    assert conversation["attributes"]["deleted"] is True
    again = erasure(desk, remove_at=("cloudtalk",))._recording_there(
        record.call(desk.rules), receipt, is_known=True
    )
    assert again.state == "not found"


def test_values_for_reports_are_emptied_there_too(
    client: redis.Redis, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    sandbox.kustomer.define_klass(definition("call", {}))
    sandbox.kustomer.read_as(custom_attributes=["callAgentStr"])
    for number, rules in enumerate((Rules(fields_as="klass"), Rules(fields_as="conversation"))):
        desk = Bridge(client, sandbox, rules, data_dir=tmp_path / "data")
        uuid = f"{UUID[:-1]}{number}"
        desk.receive("call-ended", ended(call_id=CALL + number, uuid=uuid))
        desk.run_jobs()
        receipt = erasure(desk, remove_at=("kustomer",)).of_call(desk.record(uuid))
        assert not receipt.unfinished

    (one,), (_, conversation) = sandbox.kustomer.custom_objects, sandbox.kustomer.conversations

    assert set(one["attributes"]["custom"].values()) == {None}
    assert one["attributes"]["title"] == "Removed on request." and not one["attributes"]["description"]
    assert conversation["attributes"]["custom"] == {"callAgentStr": None}


def test_a_refusal_there_is_told_and_the_rest_is_done(desk: Bridge, sandbox: RunningSandbox) -> None:
    a_full_house(desk, sandbox)
    sandbox.cloudtalk.fail_next(403, method="DELETE")

    receipt = erasure(desk, remove_at=("cloudtalk",)).of_call(desk.record(UUID))

    assert receipt.unfinished
    assert receipt.elsewhere[0].state.startswith("not deleted")
    assert desk.record(UUID).forgotten


def test_without_keys_all_of_it_is_removed_here(desk: Bridge, sandbox: RunningSandbox) -> None:
    desk.receive("call-started", ended(call_id=CALL, uuid=None))

    receipt = erasure(desk, services=None).of_number(ADA)

    assert receipt.calls == [f"id:{CALL}"]
    assert any("uuid of call" in note for note in receipt.notes)


def test_a_call_known_by_its_number_alone_is_forgotten_under_the_uuid_that_cloudtalk_tells(
    desk: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(id=CALL, uuid=UUID, external_number=ADA.text)
    desk.receive("call-started", ended(call_id=CALL, uuid=None))

    erasure(desk).of_number(ADA)

    answer = desk.receive("call-ended", ended(call_id=None, uuid=UUID))
    assert isinstance(answer, Learnt) and answer.status == "forgotten"


def test_the_number_in_other_peoples_calls_is_named_and_stays(desk: Bridge, sandbox: RunningSandbox) -> None:
    desk.receive("call-ended", ended(call_id=OTHERS, uuid=OTHERS_UUID, external_number="+15550100199",
                                     notes="call back 01632 960304"))  # fmt: skip

    receipt = erasure(desk).of_number(ADA)

    assert receipt.calls == []
    assert any(f"uuid:{OTHERS_UUID}" in note for note in receipt.notes)
    assert desk.record(OTHERS_UUID).events


def test_a_redis_that_does_not_rewrite_its_files_is_told_plainly(
    desk: Bridge, server: EmbeddedRedis, client: redis.Redis
) -> None:
    """As managed services do it, or a user with few rights."""
    rights = ["+@all", "-bgrewriteaof"]
    client.acl_setuser("few", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=rights)
    desk.receive("call-ended", ended(call_id=CALL, uuid=UUID))
    with connect(server.url.replace("unix://", "unix://few:x@")) as few:
        receipt = erasure(desk, rewrite=lambda ledger: rewrite_files(few)).of_number(ADA)

    assert receipt.unfinished and not receipt.disk_rewritten
    assert any("managed Redis" in note and "bgrewriteaof" in note for note in receipt.notes)


def test_a_rewrite_that_fails_is_told(desk: Bridge, server: EmbeddedRedis, client: redis.Redis) -> None:
    folder = server.socket_path.parent / "appendonlydir"
    shutil.rmtree(folder)
    folder.write_text("no folder any more")

    result = rewrite_files(client, within_s=5)

    assert not result.done


@pytest.mark.parametrize("text", [*SPELLINGS, "441632960304", "tel:+44-1632-960304", "0044 1632 960304",
                                  "+44 (0)1632 960304", "x%2B441632960304y", "1632960304"])  # fmt: skip
def test_a_number_is_found_in_every_spelling(text: str) -> None:
    assert Mentions(numbers=[ADA]).are_in(f"note: {text}.")


@pytest.mark.parametrize("text", ["4416329603045", "1441632960304", "441632960305", "9603 04", ""])
def test_another_number_is_not_taken_for_it(text: str) -> None:
    assert not Mentions(numbers=[ADA]).are_in(text)


def test_an_id_is_found_whole_only() -> None:
    mentions = Mentions(ids=[str(CALL), UUID])

    assert mentions.are_in(f'{{"call":"{CALL}"}}') and mentions.are_in(f"sync|uuid:{UUID}")
    assert not mentions.are_in(f"{CALL}1") and not mentions.are_in(f"a{UUID}b")
    assert not Mentions().are_in("anything")
