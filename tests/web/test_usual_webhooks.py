"""The short way of usual webhooks: it answers and keeps what the long one does, and leaves the rest to it."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.ledger import pipelined
from bridge.ledger.ledger import Ledger
from bridge.web.server.cycle import Cycle
from bridge.web.webhooks import routes
from bridge.web.webhooks.accept import WebhookAcceptor
from bridge.web.webhooks.admission import Admission
from bridge.web.webhooks.usual import UsualWebhooks
from tests.waiting import eventually
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, SIGNING_SECRET, TOKEN, UUID, Site, signed
from tests.web.test_server import read_all

# At which the application believes itself to be.
NOW = 1_800_000_000.0
Serve = Callable[..., Site]
HEADERS = {"Host": "x", "Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def request(
    body: bytes, *, path: str = "/call-ended", version: str = "1.1", method: str = "POST", **more: str
) -> bytes:
    """A webhook as one text; headers given as "" are left out."""
    headers = {
        **HEADERS,
        "Content-Length": str(len(body)),
        **{k.replace("_", "-"): v for k, v in more.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"{method} /webhooks/cloudtalk{path} HTTP/{version}\r\n{lines}\r\n".encode() + body


def sign(body: bytes) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in signed(body, at=NOW).items()}


def send(site: Site, *texts: bytes) -> bytes:
    """What is answered to texts of which each is sent at once."""
    with site.connect() as connection:
        for text in texts:
            connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def alike(answer: bytes) -> bytes:
    """Without what is another one each time."""
    return re.sub(rb"(?im)^(date|x-request-id): .*\r\n", b"", answer)


def whole(**fields: Any) -> bytes:
    return json.dumps({**ENDED, **fields}).encode()


USUAL = {
    "a call's end": request(whole()),
    "its repeat": request(whole()) + request(whole()),
    "one with an id of digits": request(b'{"event": "call_ended", "call_id": "77"}'),
    "without a type": request(whole(), Content_Type=""),
    "in UTF-16": request(whole().decode().encode("utf-16"), Content_Type="application/json; charset=utf-16"),
    "with the token of its own header": request(whole(), Authorization="", X_Webhook_Token=TOKEN),
    "half an emoji": request(b'{"event": "call_ended", "call_id": "78", "notes": "\\ud83d"}'),
    "native": request(whole(), path=""),
    "the last on its connection": request(whole(), Connection="close"),
    "of HTTP/1.0": request(whole(), version="1.0"),
    "with a query": request(whole(), path="/call-ended?a=b"),
}
OTHERS = {
    "no token": request(whole(), Authorization=""),
    "a wrong token": request(whole(), Authorization="Bearer wrong"),
    "a form": request(whole(), Content_Type="application/x-www-form-urlencoded"),
    "no JSON": request(b"{"),
    "no object": request(b"[]"),
    "no call": request(b"{}"),
    "too deep": request(b'{"a":' * 40 + b"1" + b"}" * 40),
    "too large": request(b'{"call_id": "1", "a": "%s"}' % (b"x" * 66_000)),
    "no such trigger": request(whole(), path="/call-eaten"),
    "a path of its own": request(whole(), path="/call/ended"),
    "in other letters": request(whole(), path="/Call-Ended/"),
    "GET": request(b"", method="GET"),
    "an unknown compression": request(whole(), Content_Encoding="br"),
    "a contact": request(b'{"id": "5", "name": "Ada Example"}', path="/contact-updated"),
    "a signature": request(whole(), **sign(whole())),
    "a wrong signature": request(whole(), **sign(b"{}")),
    "no more than its head, at first": request(whole(), Expect="100-continue"),
}


CLOSED = ("the last on its connection", "of HTTP/1.0")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each request that came whole, whether the short way took it."""
    seen: list[bool] = []
    take = UsualWebhooks.take

    def watched(self: UsualWebhooks, request: Cycle) -> bool:
        seen.append(take(self, request))
        return seen[-1]

    monkeypatch.setattr(UsualWebhooks, "take", watched)
    return seen


@contextlib.contextmanager
def long_way() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Cycle, "begin", lambda self, app, takes_whole: self.start(app))
        yield


# Milliseconds since 1970.
_TIME = re.compile(r"\b\d{13}(?:\.\d+)?\b")
# What has no minute or hour in it, which may pass meanwhile.
_KEPT = re.compile(r"\{callbridge\}:(?:call:|calls$|counts$|events:|due:|held|other)")


def held_by(store: redis.Redis) -> dict[str, Any]:
    """Calls, events, jobs, counts and held bodies that Redis holds, without times."""
    found: dict[str, Any] = {}
    for key in sorted(str(key) for key in store.keys("*") if _KEPT.match(str(key))):
        if store.type(key) == "hash":
            found[key] = {name: _TIME.sub("", str(value)) for name, value in store.hgetall(key).items()}
        elif store.type(key) == "zset":
            found[key] = sorted(store.zrange(key, 0, -1))
    return found


def outcome(site: Site, store: redis.Redis, text: bytes, caplog: pytest.LogCaptureFixture) -> list[Any]:
    """What is answered, kept, logged and counted."""
    store.flushall()
    caplog.clear()
    before = timed(site)
    answer = alike(send(site, text))
    lines = [
        {name: vars(line).get(name) for name in ("levelname", "trigger", "answer", "call")}
        for line in caplog.records
        # Of refusals not all are logged.
        if line.getMessage() == "webhook received"
    ]
    return [answer, held_by(store), lines, timed(site) - before]


def timed(site: Site) -> Counter[str]:
    """How many answers were timed, by trigger and answer."""
    lines = site.get("/metrics").text.splitlines()
    counts = (line.rsplit(" ", 1) for line in lines if "webhook_duration_seconds_count" in line)
    return Counter({labels: int(float(count)) for labels, count in counts})


@pytest.mark.parametrize("name", [*USUAL, *OTHERS])
def test_both_ways_answer_keep_log_and_count_alike(
    name: str,
    serve: Serve,
    store: redis.Redis,
    taken: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    # A busy machine must not keep a refusal from being counted.
    monkeypatch.setattr(routes, "COUNT_WITHIN_S", 5.0)
    text = (USUAL | OTHERS)[name]
    site = ready(serve, webhook_signing_secrets=[SIGNING_SECRET], app={"now": lambda: NOW})
    with long_way():
        taken.clear()
        by_long = outcome(site, store, text, caplog)
        assert not taken

    by_short = outcome(site, store, text, caplog)

    assert by_short == by_long
    assert by_long[0].startswith(b"HTTP/1.1 ")
    assert (True in taken) == (name in USUAL)
    assert (b"connection: close" in by_short[0]) == (name in CLOSED)


def ready(serve: Serve, **changes: Any) -> Site:
    """A site that is connected to Redis."""
    site = serve(**changes)
    assert site.post({"event": "call_ended", "call_id": "1"}).status == 202
    return site


def test_a_script_that_redis_forgot_is_sent_again(
    serve: Serve, store: redis.Redis, ledger: Ledger, taken: list[bool]
) -> None:
    site = ready(serve)
    store.script_flush()

    answer = send(site, request(whole()))

    assert answer.startswith(b"HTTP/1.1 202 ") and taken[-1]
    assert len(ledger.read(f"uuid:{UUID}").events) == 1


@pytest.mark.parametrize("journal_mb", [0, 1])
def test_what_a_frozen_redis_does_not_answer_goes_where_the_long_way_puts_it(
    serve: Serve, redis_server: RedisServer, journal_mb: int, taken: list[bool], tmp_path: Path
) -> None:
    site = ready(serve, journal_mb=journal_mb, data_dir=tmp_path)

    with redis_server.frozen():
        answer = send(site, request(whole()))
        was_taken = taken[-1]
        later = send(site, request(whole(call_uuid="", call_id="79")))

    status = b"202" if journal_mb else b"503"
    assert answer.startswith(b"HTTP/1.1 %b " % status) and later.startswith(b"HTTP/1.1 %b " % status)
    # The second finds the gate shut.
    assert was_taken and not taken[-1]
    assert (b"retry-after: 2" in answer) == (not journal_mb)


def test_an_error_of_ours_while_answering_is_a_500_and_costs_nobody_else_anything(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    # A sandbox in this process has made uvicorn silent.
    caplog.set_level(logging.ERROR, "uvicorn.error")
    site = ready(serve)
    kept = WebhookAcceptor.in_redis

    def fails(self: WebhookAcceptor, event: Any, status: str, key: str, came_at: float) -> Any:
        if key == "id:80":
            raise ZeroDivisionError
        return kept(self, event, status, key, came_at)

    monkeypatch.setattr(WebhookAcceptor, "in_redis", fails)
    texts = [request(b'{"event": "call_ended", "call_id": "%d"}' % number) for number in (80, 81, 82)]

    answers = at_once(site, texts)

    assert [answer[9:12] for answer in answers] == [b"500", b"202", b"202"]
    assert "Exception in ASGI application" in caplog.text


def test_an_error_of_ours_before_redis_is_asked_leaves_it_to_the_long_way(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "uvicorn.error")
    site = ready(serve)

    def fails(*given: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(UsualWebhooks, "_may_be_signed", fails)

    assert send(site, request(whole())).startswith(b"HTTP/1.1 202 ")
    assert "the short way of a request failed" in caplog.text


def test_a_sender_who_left_before_the_answer_leaves_a_call_and_no_error(
    serve: Serve,
    redis_server: RedisServer,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[Cycle] = []
    take = UsualWebhooks.take

    def seen(self: UsualWebhooks, request: Cycle) -> bool:
        requests.append(request)
        return take(self, request)

    monkeypatch.setattr(UsualWebhooks, "take", seen)
    site = ready(serve)
    requests.clear()

    with redis_server.frozen():
        with site.connect() as connection:
            connection.sendall(request(whole()))
            eventually(lambda: len(requests) == 1, "it is taken")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        eventually(lambda: requests[-1].disconnected, "the server sees that it left")

    eventually(lambda: len(ledger.read(f"uuid:{UUID}").events) == 1, "it is kept")
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


def test_a_token_that_was_replaced_admits_nobody_any_more(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[UsualWebhooks] = []
    take = UsualWebhooks.take

    def seen(self: UsualWebhooks, request: Cycle) -> bool:
        ways.append(self)
        return take(self, request)

    monkeypatch.setattr(UsualWebhooks, "take", seen)
    site = ready(serve)
    send(site, request(whole()))

    # As `take_secrets` does it.
    ways[0].webhooks.admission = Admission(tokens=(b"another-made-up-token",))

    assert send(site, request(whole())).startswith(b"HTTP/1.1 401 ")
    new = request(whole(), Authorization="Bearer another-made-up-token")
    assert send(site, new).startswith(b"HTTP/1.1 200 ")


def test_what_is_over_the_rate_is_counted_once(serve: Serve, taken: list[bool]) -> None:
    site = ready(serve, webhooks_per_minute=4)

    answers = [send(site, request(whole()))[9:12] for _ in range(4)]

    # One was of `ready`.
    assert answers == [b"202", b"200", b"200", b"429"]
    assert taken[-4:] == [True, True, True, False]


def test_when_too_many_wait_for_redis_the_long_way_refuses(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, taken: list[bool]
) -> None:
    site = ready(serve)
    monkeypatch.setattr(pipelined, "MOST_WAITING", 0)

    assert send(site, request(whole())).startswith(b"HTTP/1.1 503 ")
    assert not taken[-1]


def test_a_connection_that_stays_open_has_each_of_its_webhooks_answered(
    serve: Serve, taken: list[bool]
) -> None:
    site = ready(serve)
    taken.clear()
    texts = [request(b'{"event": "call_ended", "call_id": "%d"}' % number) for number in range(90, 95)]

    answer = send(site, b"".join(texts))

    assert re.findall(rb'"call": "id:(\d+)"', answer) == [b"90", b"91", b"92", b"93", b"94"]
    assert taken == [True] * 5


def at_once(site: Site, texts: list[bytes]) -> list[bytes]:
    """What is answered to texts, each on a connection of its own."""
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(site.connect()) for _ in texts]
        for connection, text in zip(all_of_them, texts, strict=True):
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
        return [read_all(connection) for connection in all_of_them]
