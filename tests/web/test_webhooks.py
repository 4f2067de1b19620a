"""The contract of the webhook endpoint, row by row, over real HTTP."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from bridge.ledger import keys
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.web.webhooks.body import LARGEST
from tests.web.conftest import RedisServer
from tests.web.crowd import CROWD, burst, kept
from tests.web.serving import BEARER, ENDED, TOKEN, UUID, Site

KEY = f"uuid:{UUID}"


def padded(size: int) -> bytes:
    """A body of exactly so many bytes."""
    raw = json.dumps({**ENDED, "pad": ""}).encode()
    return raw.replace(b'"pad": ""', b'"pad": "%s"' % (b"x" * (size - len(raw))))


def test_a_webhook_is_accepted_once_and_then_known_as_a_repeat(site: Site, ledger: Ledger) -> None:
    first, again = site.post(ENDED), site.post(json.dumps(ENDED, indent=3).encode())

    assert (first.status, first.json) == (202, {"status": "accepted", "call": KEY})
    assert (again.status, again.json) == (200, {"status": "duplicate", "call": KEY})
    assert ledger.read(KEY).events[0].times == 2


def test_a_webhook_of_a_call_that_was_forgotten_is_answered_as_a_repeat(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    ledger.forget(ledger.read(KEY))

    late = site.post({**ENDED, "notes": "told too late"})

    assert (late.status, late.json) == (200, {"status": "duplicate", "call": KEY})


@pytest.mark.parametrize(
    ("trigger", "body", "reason"),
    [
        ("call-ended", {}, "has no usable call_id"),
        ("call-ended", {"call_id": "test-missed-123"}, "has no usable call_id"),
        ("contact-updated", {"id": 5}, "belongs to no call"),
        ("call-teleported", {"call_id": 5}, "unknown trigger"),
        ("", {"call_id": 5}, "names no event"),
        ("x" * 300, {"call_id": 5}, "unknown trigger"),
    ],
)
def test_what_names_no_call_is_held_with_the_reason(
    site: Site, ledger: Ledger, trigger: str, body: dict[str, Any], reason: str
) -> None:
    answer = site.post(body, trigger)

    assert answer.status == 202
    assert answer.json["status"] == "held"
    assert reason in answer.json["reason"]
    apart = trigger == "contact-updated"
    assert (ledger.held_count(), ledger.other_count()) == ((0, 1) if apart else (1, 0))


def test_the_bare_address_takes_bodies_that_name_their_event(site: Site) -> None:
    assert site.post(ENDED, "").json == {"status": "accepted", "call": KEY}
    assert site.post(ENDED, "call-ended/").json == {"status": "duplicate", "call": KEY}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/webhooks/cloudtalk", "/webhooks/cloudtalk/call-ended"])
def test_only_post_is_taken_also_from_strangers(site: Site, method: str, path: str) -> None:
    answer = site.ask(method, path)

    assert answer.status == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/webhooks/cloudtalk/a/b", "/webhooks/cloudtalkx", "/webhooks"])
def test_other_paths_are_not_there(site: Site, path: str) -> None:
    assert site.ask("POST", path, b"{}", BEARER).status == 404
    assert site.get(path).status == 404


def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not(site: Site) -> None:
    assert site.post(padded(LARGEST)).status == 202
    assert site.post(padded(LARGEST + 1)).status == 413
    assert site.post(iter([padded(LARGEST)])).status == 200
    assert site.post(iter([padded(LARGEST + 1)])).status == 413


def test_too_large_comes_before_the_token_when_it_is_announced_and_after_it_when_not(site: Site) -> None:
    assert site.post(padded(LARGEST + 1), headers={}).status == 413
    assert site.post(iter([padded(LARGEST + 1)]), headers={}).status == 401
    assert site.post(padded(LARGEST), headers={}).status == 401


def test_what_is_too_large_is_not_read_to_its_end(site: Site) -> None:
    with site.connect() as connection:
        head = f"POST /webhooks/cloudtalk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"10001\r\n" + b" " * 65_537)

        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_trickles_in_is_given_up(serve: Callable[..., Site], store: redis.Redis) -> None:
    site = serve(app={"body_within_s": 0.2})

    with site.connect() as connection:
        head = f"POST /webhooks/cloudtalk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Length: 10\r\n\r\n".encode() + b"{")
        answer = connection.recv(10_000)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
    assert store.hget(keys.COUNTS, "refused:other:too-slow") == "1"


def test_a_slow_stranger_is_refused_at_once(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(b"POST /webhooks/cloudtalk HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")

        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def test_a_sender_who_hangs_up_leaves_no_traceback(
    site: Site, caplog: pytest.LogCaptureFixture, store: redis.Redis
) -> None:
    with site.connect() as connection:
        head = f"POST /webhooks/cloudtalk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Length: 10\r\n\r\n".encode() + b"{")

    assert site.post(ENDED).status == 202
    assert [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; charset='UTF-8'",
        "application/json;charset=utf8mb4; x=y",
        "application/json; charset=UTF_8",
        "application/json; charset=us-ascii",
        "application/cloudevents+json",
    ],
)
def test_json_by_any_of_its_names_is_taken(site: Site, content_type: str) -> None:
    assert site.post(ENDED, headers={**BEARER, "Content-Type": content_type}).status == 202


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "+json", ""]
    + [
        f"application/json; charset={name}"
        for name in ("utf-7", "unicode_escape", "hex", "no-such-one", "\u00e9")
    ],
)
def test_what_is_not_announced_as_json_is_refused(site: Site, content_type: str) -> None:
    assert site.post(ENDED, headers={**BEARER, "Content-Type": content_type}).status == 415
    # Before the body is looked at, and after the token was.
    assert site.post(b"not json", headers={**BEARER, "Content-Type": content_type}).status == 415
    assert site.post(ENDED, headers={"Content-Type": content_type}).status == 401


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_json_in_any_encoding_of_unicode_is_taken_where_it_is_announced(site: Site, charset: str) -> None:
    text = json.dumps({**ENDED, "contact_name": 'Ada "Łódź" [Example'}, ensure_ascii=False)
    headers = {**BEARER, "Content-Type": f"application/json; charset={charset.removesuffix('-sig')}"}

    assert site.post(text.encode(charset), headers=headers).status == 202
    assert site.post(text.encode(charset)[:-1], headers=headers).status == 400


def test_a_mark_of_the_byte_order_is_no_part_of_the_json(site: Site) -> None:
    assert site.post(b"\xef\xbb\xbf" + json.dumps(ENDED).encode()).status == 202
    assert site.post(ENDED).json["status"] == "duplicate"


@pytest.mark.parametrize("coding", ["gzip", "X-GZIP", "identity, gzip"])
def test_a_body_may_be_compressed_with_gzip(site: Site, coding: str) -> None:
    raw = json.dumps(ENDED).encode()
    headers = {**BEARER, "Content-Encoding": coding}

    assert site.post(gzip.compress(raw), headers=headers).status == 202
    assert site.post(gzip.compress(raw[:9]) + gzip.compress(raw[9:]), headers=headers).status == 200


def test_a_compressed_body_counts_as_large_as_it_was_before(site: Site) -> None:
    headers = {**BEARER, "Content-Encoding": "gzip"}
    bomb = gzip.compress(b" " * 60_000_000)
    assert len(bomb) < LARGEST

    assert site.post(gzip.compress(padded(LARGEST)), headers=headers).status == 202
    assert site.post(gzip.compress(padded(LARGEST + 1)), headers=headers).status == 413
    assert site.post(bomb, headers=headers).status == 413
    assert site.post(bomb, headers={"Content-Encoding": "gzip"}).status == 401


@pytest.mark.parametrize(
    "raw",
    [b"{}", gzip.compress(json.dumps(ENDED).encode(), mtime=0)[:-4], gzip.compress(b"{}", mtime=0) + b"x"],
)
def test_what_is_announced_as_gzip_and_is_not_is_refused(site: Site, raw: bytes) -> None:
    answer = site.post(raw, headers={**BEARER, "Content-Encoding": "gzip"})

    assert answer.status == 400
    assert "gzip" in answer.json["error"]


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, br", "gzip, gzip"])
def test_another_compression_is_refused_by_its_name(site: Site, coding: str) -> None:
    answer = site.post(ENDED, headers={**BEARER, "Content-Encoding": coding})

    assert answer.status == 415
    assert coding in answer.json["error"]
    assert "gzip" in answer.headers["accept-encoding"]


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/cloudtalk/call_ended", "/webhooks/cloudtalk/Call-Ended", "/webhooks/cloudtalk/callEnded/",
        "/webhooks/cloudtalk/call%20ended",
        "/webhooks/cloudtalk/call.ended//", "//webhooks//cloudtalk//CALL_ENDED",
        "/Webhooks/CloudTalk/call-ended",
    ],
)  # fmt: skip
def test_the_address_is_read_as_patiently_as_the_body(site: Site, ledger: Ledger, path: str) -> None:
    unnamed = {name: value for name, value in ENDED.items() if name != "event"}

    assert site.ask("POST", path, json.dumps(unnamed).encode(), BEARER).status == 202
    assert site.post(unnamed).json == {"status": "duplicate", "call": KEY}
    assert ledger.read(KEY).events[0].trigger == "call-ended"


def test_an_upgrade_that_nobody_offers_is_passed_over(site: Site) -> None:
    headers = {
        **BEARER,
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAMAAABk",
    }

    assert site.post(ENDED, headers=headers).status == 202


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"a": 1} x', "not-json"),
        (b"{'a': 1}", "not-json"),
        (b'{"a": NaN}', "not-json"),
        (b'{"a": Infinity}', "not-json"),
        (b'{"a": -Infinity}', "not-json"),
        (b'{"a": 1e999}', "not-json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not-json"),
        (b'{"a": "\xff"}', "not-utf8"),
        (b"[]", "not-an-object"),
        (b'"text"', "not-an-object"),
        (b"null", "not-an-object"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too-deep"),
        (b'{"a":' * 13_000, "too-deep"),
        (b"[" * 65_000, "too-deep"),
        (b'"' + b'\\"' * 200 + b"[" * 60_000, "not-json"),
    ],
)
def test_what_is_not_a_json_object_is_refused_and_counted(
    site: Site, store: redis.Redis, raw: bytes, cause: str
) -> None:
    answer = site.post(raw)

    assert answer.status == 400
    assert answer.json["error"] and answer.json["hint"]
    assert store.hgetall(keys.COUNTS) == {f"refused:call-ended:{cause}": "1"}


def test_32_levels_and_any_number_of_brackets_in_texts_are_taken(site: Site) -> None:
    deep = b'{"call_id": 7, "a":' + b'{"a":' * 31 + b'"' + b"[{" * 100 + b'\\""' + b"}" * 32

    assert site.post(deep).status == 202


def test_of_repeated_keys_the_last_one_counts(site: Site) -> None:
    assert site.post(b'{"call_id": 7, "call_id": 8}').json["call"] == "id:8"


def test_half_an_emoji_does_not_cost_the_call(site: Site, ledger: Ledger) -> None:
    raw = b'{"call_id": 7, "event": "call_ended", "notes": "cut \\ud83d", "\\ude00": "\\ud83d\\ude00"}'

    assert site.post(raw).status == 202
    assert site.post(raw).status == 200
    assert ledger.read("id:7").events[0].body["notes"] == "cut \ufffd"
    assert ledger.read("id:7").events[0].body["\ufffd"] == "\U0001f600"


def test_half_an_emoji_as_the_name_of_the_event_is_held(site: Site) -> None:
    assert site.post(b'{"event": "\\ud800"}', "").json["status"] == "held"


def test_a_body_that_our_parser_trips_over_is_held(
    site: Site, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr("bridge.web.webhooks.accept.identify", broken)

    assert site.post(ENDED).json["status"] == "held"
    assert ledger.held_count() == 1


def test_one_webhook_is_one_command_to_redis(site: Site, store: redis.Redis) -> None:
    # Connects, and has the scripts loaded.
    site.post(ENDED)
    site.post({})

    with store.monitor() as monitor:  # type: ignore[no-untyped-call]
        site.post({**ENDED, "talking_time": "98"})
        site.post({})
        site.post({}, headers={})
        store.echo("that was all")
        result = [monitor.next_command()]
        while result[-1]["command"] != "ECHO that was all":
            result.append(monitor.next_command())

    # What a script does is told too, as of a client of its own.
    sent = [one["command"].split()[0] for one in result if one["client_type"] != "lua"]
    # The others are of the test's own second connection.
    ours = [name for name in sent if name not in ("HELLO", "CLIENT", "PING")]
    refused = ["HINCRBY", "HSET", "HINCRBY", "EXPIRE"]
    assert ours == ["EVALSHA", "EVALSHA", *refused, "ECHO"]


def test_with_redis_not_there_the_sender_is_asked_to_come_again(
    serve: Callable[..., Site], own_redis: RedisServer
) -> None:
    site = serve(redis_url=own_redis.url)

    away = site.post(ENDED)

    assert (away.status, away.headers["retry-after"]) == (503, "2")
    assert away.json["error"] and away.took_s < 2
    own_redis.start()
    assert site.post(ENDED).status == 202


def test_with_redis_frozen_an_answer_comes_within_two_seconds(site: Site, redis_server: RedisServer) -> None:
    site.post(ENDED)

    with redis_server.frozen():
        kept, held = site.post({**ENDED, "call_id": "1"}), site.post({})
        stranger = site.post(ENDED, headers={})

    assert (kept.status, held.status, stranger.status) == (503, 503, 401)
    assert max(kept.took_s, held.took_s) < 2
    assert stranger.took_s < 0.8
    assert site.post({**ENDED, "call_uuid": "x", "call_id": "77"}).json["call"] == "id:77"


def test_a_burst_is_kept_to_the_last_webhook(site: Site, ledger: Ledger) -> None:
    assert kept(site) <= {b"202", b"200"}
    assert ledger.queue()[Lane.LIVE].due == CROWD


@pytest.mark.slow
def test_a_burst_into_a_frozen_redis_is_answered_in_time_and_forgotten(
    site: Site, redis_server: RedisServer
) -> None:
    kept(site)

    with redis_server.frozen():
        answers = burst(site)

    assert {answer.status for answer in answers} == {b"503"}
    assert max(answer.took_s for answer in answers) < 2
    assert kept(site) == {b"200"}


def test_redis_gone_and_back_is_noticed_by_nobody_else(
    serve: Callable[..., Site], own_redis: RedisServer
) -> None:
    own_redis.start()
    site = serve(redis_url=own_redis.url)
    assert site.post(ENDED).status == 202

    own_redis.stop()

    assert site.post(ENDED).status == 503
    own_redis.start()
    assert site.post(ENDED).json["status"] == "accepted"


def test_nothing_of_a_caller_and_no_secret_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    site.post(ENDED)
    site.post({})
    site.post(ENDED, headers={"Authorization": "Bearer a-wrong-one"})
    site.post(b'{"external_number": "+441632960304"')

    logged = "\n".join(str(vars(record)) for record in caplog.records)
    for secret in (TOKEN, "a-wrong-one", "960304", "Ada", "Bo Sample"):
        assert secret not in logged


def test_events_are_kept_with_the_time_they_came(serve: Callable[..., Site], ledger: Ledger) -> None:
    before = time.time()

    serve().post(ENDED)

    assert ledger.read(KEY).events[0].at.timestamp() >= before - 1


def test_each_webhook_taken_leaves_one_line_in_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="bridge.web.webhooks.routes")

    for _ in range(2):
        site.post(ENDED)

    lines = [vars(record) for record in caplog.records if record.getMessage() == "webhook received"]
    assert [(line["trigger"], line["answer"]) for line in lines] == [
        ("call-ended", "accepted"),
        ("call-ended", "duplicate"),
    ]
    assert {line["call"] for line in lines} == {f"uuid:{UUID}"}
    assert all(line["ms"] >= 0 for line in lines)


def test_a_refused_webhook_is_logged_with_the_request_id_that_its_answer_has(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    site.post(ENDED, headers={"X-Request-Id": "of-the-proxy.1"})
    answer = site.post(b"[]", headers={**BEARER, "X-Request-Id": "two lines\x85of text"})

    lines = [vars(record) for record in caplog.records if record.getMessage() == "webhook refused"]
    ours = answer.headers["x-request-id"]
    assert len(ours) == 16
    assert [(line["status"], line["cause"], line["request_id"]) for line in lines[-2:]] == [
        (401, "no-token", "of-the-proxy.1"),
        (400, "not-an-object", ours),
    ]


def test_a_flood_of_refused_webhooks_is_counted_and_not_all_logged(
    site: Site, store: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    began = time.monotonic()
    for _ in range(100):
        site.post(ENDED, headers={})
    seconds = time.monotonic() - began

    lines = [record for record in caplog.records if record.getMessage() == "webhook refused"]
    assert len(lines) <= 5 * (seconds + 2)
    assert store.hget(keys.COUNTS, "refused:call-ended:no-token") == "100"
