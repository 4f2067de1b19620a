"""A ledger whose texts are encrypted, on a real Redis: what it holds, what it reads, and other keys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from redis.client import NEVER_DECODE

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.errors import KeyMissing, Tampered
from bridge.jobs.encrypting import Encrypting
from bridge.ledger import keys, scripts
from bridge.ledger.calls.held import held_events
from bridge.ledger.calls.packing import pack_calls, unpack_outputs
from bridge.ledger.calls.received import received
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.ledger import Ledger
from bridge.ledger.reencrypting import PLAIN, Reencryption
from bridge.ledger.search.hidden import shown_column, wipe_erased
from bridge.ledger.search.index import CallIndex
from bridge.reports.call_list import Search, find_calls
from bridge.sandbox.running import RunningSandbox
from bridge.storage import open_storage
from bridge.storage.encrypted import EncryptedStorage
from tests.jobs.test_contradictions import NATIVE, TRUE, receive_signed
from tests.processes import started
from tests.support import Bridge, ended
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
ONE, TWO = new_key(), new_key()
UUID_TEXT = "11111111-2222-4333-8444-555555557700"
ID = 1000007700
NUMBER, NAME = "+441632960777", "Adelheid Example"
WORDS = ("441632960777", "1632 960777", "Adelheid", "adelheid", "Bo Sample", "bo sample", "About the invoice")


def call(**more: Any) -> dict[str, Any]:
    told = {"external_number": NUMBER, "contact_name": NAME, "call_notes": "About the invoice", **more}
    return ended(call_id=ID, uuid=UUID_TEXT, **told)


@pytest.fixture
def safe(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    return Bridge(redis_client, sandbox, also={"ENCRYPTION_KEYS": ONE})


def summary(text: str) -> dict[str, str]:
    """A later webhook, by which the note changes."""
    return {"call_id": str(ID), "call_uuid": UUID_TEXT, "summary": text}


def raw(client: redis.Redis, *words: str) -> Any:
    """What Redis answers, as bytes."""
    return client.execute_command(*words, **{NEVER_DECODE: True})  # type: ignore[no-untyped-call]


def everything(client: redis.Redis) -> str:
    """All that Redis holds, names of keys included."""
    found: list[Any] = []
    words: dict[str, tuple[str, ...]] = {
        "hash": ("HGETALL",), "string": ("GET",), "set": ("SMEMBERS",), "zset": ("ZRANGE", "0", "-1"),
        "list": ("LRANGE", "0", "-1"),
    }  # fmt: skip
    for name in map(str, client.scan_iter("*", count=1000)):
        command, *rest = words[str(client.type(name))]
        found.append((name, raw(client, command, name, *rest)))
    return repr(found)


def found_by(bridge: Bridge, q: str) -> list[str]:
    return [row.key for row in find_calls(bridge.ledger, bridge.rules, Search(q=q)).rows]


def indexed(bridge: Bridge) -> CallIndex:
    index = CallIndex(bridge.ledger, bridge.rules, newest_left=0, settled_ms=-10_000)
    index.keep(within_s=5)
    return index


def text_message(text: str) -> dict[str, str]:
    return {"sender": NUMBER, "recipient": "+15550100101", "text": text, "contact_name": NAME}


def test_after_a_whole_run_redis_holds_no_word_of_the_call(safe: Bridge, sandbox: RunningSandbox) -> None:
    safe.receive("call-started", call())
    safe.receive("call-ended", call())
    safe.receive(None, {"nothing": "known", "from": NUMBER, "text": NAME})
    safe.receive("message-received", text_message("About the invoice"))
    safe.run_jobs_for(300, step_s=60)
    indexed(safe)

    kept = everything(safe.ledger.redis)

    assert sandbox.kustomer.notes and sandbox.kustomer.messages
    assert [word for word in WORDS if word in kept] == []
    record = safe.record(f"uuid:{UUID_TEXT}")
    assert record.call(safe.rules).contact_name == NAME
    assert NAME in str(record.outputs["conversation"].sent) + str(record.outputs["note"].sent)


def test_what_stands_in_redis_is_read_as_if_it_were_plain(safe: Bridge) -> None:
    safe.receive("call-ended", call())
    safe.receive(None, {"nothing": "known", "from": NUMBER})

    newest, before = received(safe.ledger, most=2)
    (held,) = held_events(safe.ledger)

    assert newest.body["from"] == held.body["from"] == NUMBER and before.body["contact_name"] == NAME


def test_a_repeat_that_is_signed_is_known_though_the_same_text_is_encrypted_differently_each_time(
    safe: Bridge,
) -> None:
    safe.receive(None, NATIVE)

    assert receive_signed(safe.ledger, None, NATIVE) == "duplicate"

    (event,) = safe.record(f"uuid:{TRUE}").events
    assert event.signed and event.times == 2 and "digest" not in event.body


def test_a_signed_event_is_no_repeat_of_another_body_in_its_name(safe: Bridge) -> None:
    safe.receive(None, {**NATIVE, "data": {**NATIVE["data"], "talk_time": 5}})  # type: ignore[dict-item]

    assert receive_signed(safe.ledger, None, NATIVE) == "accepted"

    assert sorted(event.signed for event in safe.record(f"uuid:{TRUE}").events) == [False, True]


def test_a_ledger_of_before_goes_on_and_its_calls_are_encrypted_as_they_change(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    plain = Bridge(redis_client, sandbox, also={"ENCRYPTION_KEYS": ""})
    plain.receive("call-ended", call())
    plain.run_jobs()
    assert NAME in everything(redis_client)

    safe = Bridge(redis_client, sandbox, also={"ENCRYPTION_KEYS": ONE})
    safe.receive("insights-ready", summary("another note"))
    safe.run_jobs_for(60, step_s=20)

    assert len(sandbox.kustomer.notes) == len(sandbox.kustomer.customers) == 1
    assert "another note" in str(sandbox.kustomer.notes) and "another note" not in everything(redis_client)


def test_turned_off_again_what_is_encrypted_is_read_and_new_texts_are_plain(
    redis_client: redis.Redis, sandbox: RunningSandbox, safe: Bridge
) -> None:
    safe.receive("call-ended", call())
    safe.run_jobs()

    plain = Bridge(redis_client, sandbox, also={"ENCRYPTION_KEYS": f"none,{ONE}"})
    plain.receive("insights-ready", summary("another note"))
    plain.run_jobs_for(60, step_s=20)

    assert len(sandbox.kustomer.notes) == 1 and "another note" in str(sandbox.kustomer.notes)
    assert "another note" in everything(redis_client)


def test_without_its_key_a_job_waits_says_which_one_and_loses_nothing(
    redis_client: redis.Redis, sandbox: RunningSandbox, safe: Bridge
) -> None:
    safe.receive("call-ended", call())
    before = redis_client.hgetall(keys.events(f"uuid:{UUID_TEXT}"))
    other = Bridge(redis_client, sandbox, also={"ENCRYPTION_KEYS": TWO})

    for _ in range(8):
        other.run_jobs()
        other.let_pass(30)

    (job,) = [json.loads(str(text)) for text in redis_client.hvals(keys.JOBS)]
    assert job["cause"] == "KeyMissing" and Keyring([ONE]).ids[0] in job["error"]
    assert other.ledger.parked_count() == 0 and sandbox.kustomer.requests == []
    assert set(redis_client.hgetall(keys.events(f"uuid:{UUID_TEXT}"))) == set(before)
    both = Bridge(redis_client, sandbox, also={"ENCRYPTION_KEYS": f"{TWO},{ONE}"})
    both.let_pass(60)
    both.run_jobs()
    assert len(sandbox.kustomer.notes) == 1


def test_a_text_that_was_moved_to_another_record_is_not_used(safe: Bridge, sandbox: RunningSandbox) -> None:
    safe.receive("call-ended", call())
    other = str(UUID(int=5))
    safe.receive("call-ended", ended(call_id=5, uuid=other))
    client, name = safe.ledger.redis, keys.events(f"uuid:{other}")
    (mine,) = client.hgetall(keys.events(f"uuid:{UUID_TEXT}")).values()
    (fingerprint,) = client.hkeys(name)

    client.hset(name, fingerprint, mine)

    with pytest.raises(Tampered, match=other):
        safe.ledger.read(f"uuid:{other}")
    safe.run_jobs()
    assert [job["cause"] for job in safe.ledger.parked().values()] == ["Tampered"]
    assert len(sandbox.kustomer.notes) == 1


def test_calls_are_found_by_part_of_number_name_and_agent_though_none_stands_in_the_index(
    safe: Bridge,
) -> None:
    safe.receive("call-ended", call())
    safe.receive("call-ended", ended(call_id=5, uuid=str(UUID(int=5))))
    safe.run_jobs()
    indexed(safe)
    safe.ledger.redis.hset(keys.FIND, "hi", safe.ledger.now_ms() + 60_000)

    for q in ("0777", "632960777", "adelheid", "heid exa"):
        assert found_by(safe, q) == [f"uuid:{UUID_TEXT}"], q
    assert sorted(found_by(safe, "bo sample")) == [f"uuid:{UUID(int=5)}", f"uuid:{UUID_TEXT}"]


def test_what_is_forgotten_leaves_the_encrypted_columns_too(safe: Bridge) -> None:
    for number in range(3, 6):
        safe.receive("call-ended", ended(call_id=number, uuid=str(UUID(int=number))))
    safe.receive("call-ended", call())
    safe.run_jobs()
    indexed(safe)

    def column() -> list[bytes]:
        texts, client = safe.ledger.texts, safe.ledger.redis
        names = list(client.scan_iter(keys.find("*:d")))
        stored = [raw(client, "GET", str(name)) for name in names]
        return [line for one in stored for line in shown_column(texts, "d", one).split(b"\n")]

    assert NUMBER[1:].encode() in column()

    safe.ledger.forget(safe.record(f"uuid:{UUID_TEXT}"))

    assert wipe_erased(safe.ledger) == 1 and wipe_erased(safe.ledger) == 0
    assert NUMBER[1:].encode() not in column() and len([line for line in column() if line]) == 3


def test_another_key_has_the_index_built_anew(safe: Bridge) -> None:
    safe.receive("call-ended", call())
    index = indexed(safe)
    before = safe.ledger.redis.hget(keys.FIND, "mark")

    safe.ledger.texts.keyring.use([TWO, ONE])
    index.keep(within_s=5)
    index.keep(within_s=5)

    assert safe.ledger.redis.hget(keys.FIND, "mark") != before and found_by(safe, "adelheid")


def run_encrypting(bridge: Bridge, folder: Path, *, within_s: float | None = None) -> Encrypting:
    storage = EncryptedStorage(open_storage(f"file:{folder}", data_dir=folder), bridge.ledger.texts.keyring)
    return Encrypting(bridge.ledger, storage, folder / "journal", within_s=within_s)


def test_all_that_older_keys_hold_comes_under_the_first_one_and_the_old_key_is_needed_no_more(
    safe: Bridge, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    safe.receive("call-started", call())
    safe.receive("call-ended", call())
    safe.receive(None, {"nothing": "known", "from": NUMBER})
    safe.receive("message-received", text_message("hello"))
    safe.run_jobs()
    keyring = safe.ledger.texts.keyring
    old = keyring.ids[0]
    work = run_encrypting(safe, tmp_path)
    storage = EncryptedStorage(open_storage(f"file:{tmp_path}", data_dir=tmp_path), keyring)
    storage.write("2026/03/02/1.wav", [b"sound" * 50_000], content_type="audio/wav")

    keyring.use([TWO, ONE])
    found = work.look()
    done = work.apply()

    new = keyring.ids[0]
    assert found.by_key[old] == done.by_key[new] > 8 and dict(found.left(keyring)) == {old: found.by_key[old]}
    assert done.left(keyring) == {} and done.is_whole and not done.damaged
    keyring.use([TWO])
    assert safe.record(f"uuid:{UUID_TEXT}").call(safe.rules).contact_name == NAME
    assert b"".join(storage.open("2026/03/02/1.wav")) == b"sound" * 50_000
    safe.receive("insights-ready", summary("another note"))
    safe.run_jobs_for(60, step_s=20)
    assert len(sandbox.kustomer.customers) == 1 and "another note" in str(sandbox.kustomer.notes)


def test_a_plain_ledger_is_encrypted_and_one_that_is_comes_back_plain(
    redis_client: redis.Redis, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge = Bridge(redis_client, sandbox, also={"ENCRYPTION_KEYS": ""})
    bridge.receive("call-ended", call(talking_time="0", answered_at=None))
    bridge.receive("message-received", text_message("hello"))
    bridge.run_jobs()
    redis_client.hset(keys.ASSIGNED, NUMBER, "1" * 24)
    redis_client.zadd(keys.ASSIGNED_AT, {NUMBER: bridge.ledger.now_ms()})
    keyring = bridge.ledger.texts.keyring
    misses = redis_client.hgetall(keys.caller(NUMBER))
    assert misses

    keyring.use([ONE])
    done = run_encrypting(bridge, tmp_path).apply()

    indexed(bridge)
    assert [word for word in WORDS if word in everything(redis_client)] == []
    assert done.left(keyring) == {}
    chosen = bridge.ledger.memory.customer_of(NUMBER)
    assert chosen is not None and chosen.id == "1" * 24
    assert set(redis_client.hgetall(keys.caller(bridge.ledger.texts.number(NUMBER)))) == set(misses)

    keyring.use(["none", ONE])
    again = run_encrypting(bridge, tmp_path).apply()

    assert again.left(keyring) == {} and set(again.by_key) == {PLAIN}
    assert redis_client.hgetall(keys.caller(NUMBER)) == misses
    assert redis_client.hget(keys.ASSIGNED, NUMBER) == "1" * 24
    keyring.use([])
    assert bridge.record(f"uuid:{UUID_TEXT}").call(bridge.rules).contact_name == NAME


def test_a_quiet_call_is_packed_and_encrypted_read_as_before_and_comes_under_another_key(
    safe: Bridge, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    safe.receive("call-ended", call())
    safe.run_jobs()
    key, keyring = f"uuid:{UUID_TEXT}", safe.ledger.texts.keyring
    before = safe.record(key)

    assert pack_calls(safe.ledger, [key]) > 0 and pack_calls(safe.ledger, [key]) == 0

    after = safe.record(key)
    assert Field.PACKED in safe.ledger.redis.hkeys(keys.record(key))
    assert (after.outputs, after.log) == (before.outputs, before.log)
    assert [event.body for event in after.events] == [event.body for event in before.events]
    assert [word for word in WORDS if word in everything(safe.ledger.redis)] == []
    assert received(safe.ledger)[0].body["contact_name"] == NAME
    old = keyring.ids[0]
    keyring.use([TWO, ONE])
    assert run_encrypting(safe, tmp_path).apply().left(keyring) == {}
    keyring.use([TWO])
    assert safe.record(key).outputs == before.outputs and old not in everything(safe.ledger.redis)
    unpack_outputs(safe.ledger, key)
    assert safe.record(key).outputs == before.outputs
    assert [word for word in WORDS if word in everything(safe.ledger.redis)] == []
    safe.receive("insights-ready", summary("another note"))
    safe.run_jobs_for(60, step_s=20)
    assert len(sandbox.kustomer.notes) == 1 and "another note" in str(sandbox.kustomer.notes)


def test_what_is_written_meanwhile_stays(safe: Bridge) -> None:
    body = call()
    safe.receive("call-ended", body)
    name = keys.events(f"uuid:{UUID_TEXT}")
    (fingerprint,) = safe.ledger.redis.hkeys(name)
    old = safe.ledger.redis.hget(name, fingerprint)
    reseal = safe.ledger.redis.register_script(scripts.source("reseal"))

    safe.receive("call-ended", body)
    newer = safe.ledger.redis.hget(name, fingerprint)
    done = reseal(keys=[name], args=[fingerprint, str(old), "stale"])

    assert done == 0 and safe.ledger.redis.hget(name, fingerprint) == newer != old


def test_a_run_that_is_bounded_says_that_something_is_left(safe: Bridge, tmp_path: Path) -> None:
    for number in range(1, 400):
        safe.receive("call-ended", ended(call_id=number, uuid=str(UUID(int=number))))
    safe.ledger.texts.keyring.use([TWO, ONE])

    first = run_encrypting(safe, tmp_path, within_s=0.0).apply()
    last = run_encrypting(safe, tmp_path).apply()

    assert 0 < first.ledger.changed < 399 and not first.is_whole
    assert last.is_whole and last.left(safe.ledger.texts.keyring) == {}
    assert first.ledger.changed + last.ledger.changed >= 399


def test_without_the_old_key_its_texts_are_left_and_counted(safe: Bridge, tmp_path: Path) -> None:
    safe.receive("call-ended", call())
    before = safe.ledger.redis.hgetall(keys.events(f"uuid:{UUID_TEXT}"))
    old = safe.ledger.texts.keyring.ids[0]

    safe.ledger.texts.keyring.use([TWO])
    found = run_encrypting(safe, tmp_path).apply()

    assert found.unreadable == found.by_key[old] >= 1 and found.ledger.changed == 0
    assert safe.ledger.redis.hgetall(keys.events(f"uuid:{UUID_TEXT}")) == before
    with pytest.raises(KeyMissing, match=old):
        safe.ledger.read(f"uuid:{UUID_TEXT}")


@pytest.mark.slow
def test_killed_at_any_time_the_command_goes_on_and_no_call_is_lost(
    redis_url: str, safe: Bridge, tmp_path: Path
) -> None:
    count = 600
    for number in range(1, count + 1):
        safe.receive("call-ended", ended(call_id=number, uuid=str(UUID(int=number))))
    environ = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path / "data"), "ENCRYPTION_KEYS": f"{TWO},{ONE}",
    }  # fmt: skip
    command = [sys.executable, "-m", "bridge", "encryption", "apply", "--json"]
    keyring = Keyring([TWO, ONE])

    def moved() -> int:
        return Reencryption(Ledger(safe.ledger.redis, keyring=keyring), dry=True).run().by_key[keyring.ids[0]]

    def is_under_way(process: subprocess.Popen[bytes], share: int) -> bool:
        return moved() >= share or process.poll() is not None

    for share in (5, 300):
        with started(command, env=environ, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
            eventually(partial(is_under_way, process, share), "some are moved", within_s=90)
            process.send_signal(signal.SIGKILL)
            process.wait(10)

    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)

    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["left"] == {} and moved() >= count
    new = Ledger(safe.ledger.redis, keyring=Keyring([TWO]))
    assert all(new.read(f"uuid:{UUID(int=number)}").events for number in range(1, count + 1))
