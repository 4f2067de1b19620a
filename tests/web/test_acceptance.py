"""What a 2xx promises, over real HTTP: on disk where that is asked for, in a journal while Redis is away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.web.webhooks.accept import KEPT_AT_ONCE
from tests.ledger.servers import never_syncs, syncs
from tests.web.conftest import RedisServer
from tests.web.crowd import answered
from tests.web.serving import ENDED, UUID, Site, is_ready
from tests.web.test_metrics import measured

KEY = f"uuid:{UUID}"
Serve = Callable[..., Site]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture
def on_disk(own_redis: RedisServer) -> RedisServer:
    """A Redis with an append-only file that the disk has after each command."""
    own_redis.start()
    with connect(own_redis.url) as client:
        syncs(client)
    return own_redis


def stops_syncing(server: RedisServer) -> None:
    with connect(server.url) as client:
        never_syncs(client)


def test_accepted_after_disk_the_answers_are_the_same(serve: Serve, on_disk: RedisServer) -> None:
    site = serve(redis_url=on_disk.url, accept_after="disk")

    answers = [site.post(ENDED), site.post(ENDED), site.post({})]

    assert [(a.status, a.json["status"]) for a in answers] == [
        (202, "accepted"),
        (200, "duplicate"),
        (202, "held"),
    ]
    assert is_ready(site)


def test_what_does_not_reach_the_disk_in_time_is_not_acknowledged_however_often_it_comes(
    serve: Serve, on_disk: RedisServer
) -> None:
    site = serve(redis_url=on_disk.url, accept_after="disk", accept_within_ms=100)
    stops_syncing(on_disk)

    answers = [site.post(ENDED), site.post(ENDED), site.post({})]

    for answer in answers:
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert "not on disk within 100 ms" in answer.json["error"] and answer.json["hint"]
        assert answer.took_s < 1
    assert measured(site)("refused_total", trigger="call-ended", cause="not-proven") == 3
    # It is not ready while webhooks are refused, and says why as they do.
    ready = site.get("/readyz")
    assert ready.status == 503 and ready.json["reason"] in answers[-1].json["error"]


@pytest.mark.slow
def test_the_longest_limit_still_answers_within_two_seconds(serve: Serve, on_disk: RedisServer) -> None:
    site = serve(redis_url=on_disk.url, accept_after="disk", accept_within_ms=1400)
    stops_syncing(on_disk)

    answer = site.post(ENDED)

    assert answer.status == 503
    assert 1.4 <= answer.took_s < 2


def test_a_redis_that_cannot_prove_is_told_and_nothing_is_promised(
    serve: Serve, redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A journal would only fill, and is not used for it.
    site = serve(accept_after="disk", journal_mb=1, data_dir=tmp_path)

    assert "every webhook will be answered 503" in caplog.text

    answer, ready = site.post(ENDED), site.get("/readyz")

    assert (answer.status, ready.status) == (503, 503)
    assert "appendonly yes" in answer.json["error"] and "appendonly yes" in ready.json["reason"]
    assert not (tmp_path / "journal").exists()


@pytest.mark.slow
def test_a_redis_that_syncs_when_it_likes_is_told_at_the_start_and_is_not_ready(
    serve: Serve, on_disk: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(on_disk.url) as client:
        client.config_set("appendfsync", "no")
    site = serve(redis_url=on_disk.url, accept_after="disk")

    assert "every webhook will be answered 503" in caplog.text
    answer, ready = site.post(ENDED), site.get("/readyz")

    assert (answer.status, ready.status) == (503, 503)
    assert "appendfsync always" in ready.json["reason"]


@pytest.mark.slow
def test_a_crowd_waits_for_the_disk_together(serve: Serve, on_disk: RedisServer) -> None:
    site = serve(redis_url=on_disk.url, accept_after="disk")

    answers = answered(site)

    assert len(answers) > 5 * KEPT_AT_ONCE
    assert {answer.status for answer in answers} == {b"202"}
    assert max(answer.took_s for answer in answers) < 2


@pytest.fixture
def site(serve: Serve, own_redis: RedisServer, tmp_path: Path) -> Site:
    """With a journal, before a Redis that is not there yet."""
    return serve(redis_url=own_redis.url, journal_mb=1, data_dir=tmp_path / "data")


def journal_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data" / "journal").iterdir())


def test_while_redis_is_away_webhooks_go_to_the_journal_and_from_there_to_redis(
    site: Site, own_redis: RedisServer, eventually: Eventually, tmp_path: Path
) -> None:
    before = time.time()
    answers = [
        site.post(ENDED),
        site.post(ENDED),
        site.post({"call_id": "5", "event": "call_ended"}),
        site.post({}),
    ]
    after = time.time()

    assert [(a.status, a.json["status"]) for a in answers] == [
        (202, "accepted"),
        (202, "accepted"),
        (202, "accepted"),
        (202, "held"),
    ]
    assert [a.json.get("call") for a in answers] == [KEY, KEY, "id:5", None]
    own_redis.start()
    eventually(lambda: not journal_files(tmp_path))
    with connect(own_redis.url) as client:
        ledger = Ledger(client)
        (kept,) = ledger.read(KEY).events
        assert kept.times == 2
        assert before - 0.01 <= kept.at.timestamp() <= kept.last_at.timestamp() <= after
        assert kept.body == ENDED
        assert len(ledger.read("id:5").events) == 1
        assert ledger.held_count() == 1
    assert site.post(ENDED).json["status"] == "duplicate"


def test_the_journals_depth_is_told_while_redis_is_away_and_after(
    site: Site, own_redis: RedisServer, eventually: Eventually
) -> None:
    for number in range(3):
        site.post({**ENDED, "talking_time": str(number)})

    value = measured(site)
    ready = site.get("/readyz")

    assert value("ledger_up") == 0
    assert value("journal_events") == 3
    size, age = value("journal_bytes"), value("journal_oldest_seconds")
    assert size is not None and size > 3 * len(json.dumps(ENDED))
    assert age is not None and 0 <= age < 60
    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert "Redis cannot be reached" in ready.json["note"]
    own_redis.start()
    eventually(lambda: measured(site)("journal_events") == 0)
    assert measured(site)("ledger_up") == 1
    assert is_ready(site)


def test_a_file_that_cannot_be_read_holds_up_no_other(
    serve: Serve, own_redis: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    unreadable = tmp_path / "data" / "journal" / "00000000000000000001-1.journal"
    unreadable.mkdir(parents=True)
    site = serve(redis_url=own_redis.url, journal_mb=1, data_dir=tmp_path / "data")
    assert [site.post({"call_id": number}).status for number in range(1, 4)] == [202] * 3

    own_redis.start()

    eventually(lambda: measured(site)("journal_events") == 0)
    # A file that is handed on whole is removed just after.
    eventually(lambda: journal_files(tmp_path) == [unreadable])
    with connect(own_redis.url) as client:
        assert all(Ledger(client).read(f"id:{number}").exists for number in range(1, 4))
    ready = site.get("/readyz")
    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert "cannot be replayed" in ready.json["note"]
    assert measured(site)("journal_stuck") == 1


def test_a_full_journal_asks_the_sender_to_come_again(
    site: Site, own_redis: RedisServer, eventually: Eventually
) -> None:
    large = {**ENDED, "notes": "x" * 60_000}
    statuses = [site.post({**large, "talking_time": str(number)}).status for number in range(20)]

    answer, ready = site.post(large), site.get("/readyz")

    assert statuses == [202] * 16 + [503] * 4
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert "full" in answer.json["error"]
    # Others may have a place for it: this one says so, as long as it has none.
    assert ready.status == 503 and "full" in ready.json["reason"]
    # What is smaller still has one.
    assert site.post({"call_id": 5}).status == 202
    assert site.get("/readyz").status == 503
    own_redis.start()
    eventually(lambda: is_ready(site))


@pytest.mark.slow
def test_a_call_that_was_forgotten_does_not_come_back_by_the_journal(
    serve: Serve, redis_server: RedisServer, tmp_path: Path, eventually: Eventually, store: redis.Redis
) -> None:
    site = serve(journal_mb=1, data_dir=tmp_path / "data")
    site.post(ENDED)
    ledger = Ledger(store)
    ledger.forget(ledger.read(KEY))

    with redis_server.frozen():
        assert site.post({**ENDED, "notes": "told too late"}).status == 202
        assert len(journal_files(tmp_path)) == 1
    eventually(lambda: not journal_files(tmp_path))

    # Once by the request whose answer was lost, once by the journal.
    assert store.hget(keys.COUNTS, "webhook:call-ended:forgotten") == "2"
    record = ledger.read(KEY)
    assert record.forgotten and not record.events


@pytest.mark.slow
def test_before_a_frozen_redis_only_the_first_waits(
    serve: Serve, redis_server: RedisServer, tmp_path: Path, eventually: Eventually, store: redis.Redis
) -> None:
    site = serve(journal_mb=1, data_dir=tmp_path / "data")
    site.post({"call_id": 1})

    with redis_server.frozen():
        first, *others = [site.post({"call_id": number}) for number in range(2, 12)]
        held = site.post({})

    assert {a.status for a in (first, *others, held)} == {202}
    assert first.took_s < 2
    assert max(a.took_s for a in (*others, held)) < 0.5
    ledger = Ledger(store)
    eventually(lambda: not journal_files(tmp_path))
    # The first was sent, too: its answer was lost.
    assert all(len(ledger.read(f"id:{number}").events) == 1 for number in range(1, 12))


@pytest.mark.slow
def test_without_a_journal_only_the_first_waits_as_well(serve: Serve, redis_server: RedisServer) -> None:
    bare = serve()
    bare.post({"call_id": 1})

    with redis_server.frozen():
        first, *others = [bare.post({"call_id": number}) for number in range(2, 6)]

    assert {a.status for a in (first, *others)} == {503}
    assert first.took_s < 2
    assert max(a.took_s for a in others) < 0.8
    assert bare.post({"call_id": 2}).status < 300


@pytest.mark.slow
def test_a_burst_before_a_frozen_redis_is_all_in_the_journal_and_then_in_redis(
    serve: Serve, redis_server: RedisServer, tmp_path: Path, eventually: Eventually, store: redis.Redis
) -> None:
    site = serve(journal_mb=1, data_dir=tmp_path / "data")
    site.post({"call_id": 1})

    with redis_server.frozen():
        answers = answered(site)

    assert {answer.status for answer in answers} == {b"202"}
    assert max(answer.took_s for answer in answers) < 2
    eventually(lambda: not journal_files(tmp_path))
    assert int(store.zcard(keys.CALLS)) == 250


@pytest.mark.slow
def test_a_record_that_redis_refuses_for_its_own_sake_is_kept_aside_and_told(
    serve: Serve, redis_server: RedisServer, tmp_path: Path, eventually: Eventually, store: redis.Redis
) -> None:
    site = serve(journal_mb=1, data_dir=tmp_path / "data")
    store.set(keys.events("id:7"), "not a hash")
    ledger = Ledger(store)

    with redis_server.frozen():
        assert [site.post({"call_id": number}).status for number in (7, 8)] == [202, 202]
    eventually(lambda: ledger.read("id:8").exists)
    eventually(lambda: measured(site)("journal_set_aside") == 1)

    (aside,) = journal_files(tmp_path)
    assert aside.suffix == ".refused" and b'"call_id": 7' in aside.read_bytes()
