"""`/readyz` tries what webhooks try and names the cause they name; it is not 200 while they get 503."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from bridge.errors import KEY_REFUSED, Disconnected
from bridge.journal.files import JournalFile
from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Heartbeat
from bridge.ledger.queue.connections import Connections
from tests.users import PASSWORD, user
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID, Site

Serve = Callable[..., Site]
Eventually = Callable[[Callable[[], bool]], None]

# As each server that is supported, and some that only speak its protocol, say it.
OF_THE_SERVER = {
    "-ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.": "quota",
    "-ERR unknown command 'EVALSHA', with args beginning with: 'ab'": "EVALSHA",
    "-ERR command not allowed": "does not allow",
    "-ERR something that nobody has seen": "refuses the bridge's commands",
    "-LOADING Redis is loading the dataset in memory": "LOADING",
    "-MISCONF Errors writing to the AOF file: No space left on device": "MISCONF",
    "-NOPERM this user has no permissions to run the 'evalsha' command": "NOPERM",
    "-BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": "BUSY",
    "-ERR Error running script (call to f_0123456789): @user_script:155: @user_script: 155: "
    "-READONLY You can't write against a read only replica.": "READONLY",
    "-ERR Error running script (call to f_0123456789): @user_script:155: @user_script: 155: "
    "-OOM command not allowed when used memory > 'maxmemory'.": "OOM",
    "-ERR Protocol error: unauthenticated multibulk length": "NOAUTH",
}


class OneError(socketserver.ThreadingTCPServer):
    """Answers every command with one error, but those by which a client says who it is."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.text = b"-ERR"
        self.answers_ping = False
        self.refused = 0
        super().__init__(("127.0.0.1", 0), _Client)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}/0"


class _Client(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, OneError)
        while (line := self.rfile.readline())[:1] == b"*":
            words = [self._word() for _ in range(int(line[1:]))]
            name = words[0].upper()
            if name == b"PING" and self.server.answers_ping:
                self.wfile.write(b"+PONG\r\n")
            elif name == b"HELLO" and self.server.answers_ping:
                self.wfile.write(b"%1\r\n+proto\r\n:3\r\n")
            elif name in (b"CLIENT", b"SELECT"):
                self.wfile.write(b"+OK\r\n")
            else:
                self.server.refused += 1
                self.wfile.write(self.server.text)

    def _word(self) -> bytes:
        size = int(self.rfile.readline()[1:])
        return self.rfile.read(size + 2)[:-2]


@pytest.fixture
def refusing() -> Iterator[OneError]:
    server = OneError()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("text", "cause"), OF_THE_SERVER.items())
def test_a_refusal_of_the_server_sends_webhooks_to_the_journal_and_readyz_names_the_cause(
    refusing: OneError, serve: Serve, tmp_path: Path, text: str, cause: str
) -> None:
    refusing.text = text.encode() + b"\r\n"
    site = serve(redis_url=refusing.url, journal_mb=1, data_dir=tmp_path)

    answer, ready = site.post(ENDED), site.get("/readyz")

    assert (answer.status, answer.json["status"]) == (202, "accepted")
    assert ready.status == 200
    assert cause in ready.json["note"] and "webhooks are stored in the journal" in ready.json["note"]


@pytest.mark.parametrize(("text", "cause"), OF_THE_SERVER.items())
def test_without_a_journal_a_webhook_and_readyz_are_503_for_the_same_cause(
    refusing: OneError, serve: Serve, text: str, cause: str
) -> None:
    refusing.text = text.encode() + b"\r\n"
    site = serve(redis_url=refusing.url)

    answer, ready = site.post(ENDED), site.get("/readyz")

    assert (answer.status, ready.status) == (503, 503)
    assert cause in ready.json["reason"] and "cannot be reached" not in ready.json["reason"]
    assert ready.json["reason"] in answer.json["error"]


@pytest.mark.slow
@pytest.mark.parametrize("text", OF_THE_SERVER)
def test_what_is_in_the_journal_waits_and_is_not_set_aside_while_the_server_refuses(
    refusing: OneError, serve: Serve, tmp_path: Path, eventually: Eventually, text: str
) -> None:
    # As a replica of 6.2 before it is promoted: it answers, and each script fails with a wrapped refusal.
    refusing.text, refusing.answers_ping = text.encode() + b"\r\n", True
    site = serve(redis_url=refusing.url, journal_mb=1, data_dir=tmp_path)
    assert site.post(ENDED).status == 202
    asked = refusing.refused

    eventually(lambda: refusing.refused > asked + 1)

    (file,) = (tmp_path / "journal").iterdir()
    assert file.suffix == ".journal"


def test_a_full_journal_is_told_alike_by_a_webhook_and_by_readyz(
    refusing: OneError, serve: Serve, tmp_path: Path
) -> None:
    refusing.text = b"-READONLY You can't write against a read only replica.\r\n"
    site = serve(redis_url=refusing.url, journal_mb=1, data_dir=tmp_path)
    large = {**ENDED, "notes": "x" * 60_000}
    while (answer := site.post(large)).status == 202:
        pass

    ready = site.get("/readyz")

    assert (answer.status, ready.status) == (503, 503)
    assert ready.json["reason"] in answer.json["error"]
    assert "READONLY" in ready.json["reason"] and "the journal is full" in ready.json["reason"]


def test_a_user_who_may_not_use_the_bridges_keys_is_not_ready(
    serve: Serve, redis_server: RedisServer, store: redis.Redis
) -> None:
    with user(store, "resetkeys ~callbridge:*"):
        site = serve(redis_url=f"unix://app:{PASSWORD}@{redis_server.socket}")
        answer, ready = site.post(ENDED), site.get("/readyz")

    assert (answer.status, ready.status) == (503, 503)
    assert ready.json["reason"] == "the Redis user of REDIS_URL may not use the bridge's keys (NOPERM)"
    assert ready.json["reason"] in answer.json["error"]


def test_asking_whether_it_is_ready_leaves_nothing_in_redis(site: Site, store: redis.Redis) -> None:
    assert site.get("/readyz").status == 200

    assert set(store.scan_iter()) <= {keys.PROCESSES}


def test_a_webhook_that_redis_refuses_for_itself_is_held_and_others_are_taken(
    site: Site, store: redis.Redis
) -> None:
    # A key of another type where this one call's events go, as only a fault of ours could leave it.
    store.set(keys.events(f"uuid:{UUID}"), "text")

    answer, ready = site.post(ENDED), site.get("/readyz")
    other = site.post({**ENDED, "call_uuid": None, "call_id": "5"})

    assert (answer.status, answer.json["status"]) == (202, "held")
    assert "refuses this webhook" in answer.json["reason"]
    assert ready.status == 200 and other.status == 202
    assert store.hlen(keys.HELD) == 1


def test_a_record_that_redis_refuses_for_itself_is_set_aside_and_the_others_are_handed_on(
    serve: Serve, own_redis: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    site = serve(redis_url=own_redis.url, journal_mb=1, data_dir=tmp_path)
    assert [site.post(body).status for body in ({"call_id": "5"}, {"call_id": "6"})] == [202, 202]
    folder = tmp_path / "journal"
    _start_with(own_redis, {keys.events("id:5"): "text"})

    eventually(lambda: [path.suffix for path in folder.iterdir()] == [".refused"])

    (aside,) = folder.iterdir()
    with connect(own_redis.url) as client:
        assert client.exists(keys.record("id:6")) and not client.exists(keys.record("id:5"))
    adopted = JournalFile.adopt(aside)
    assert adopted is not None and adopted.events == 1
    adopted.release()


def _start_with(server: RedisServer, texts: dict[str, str]) -> None:
    """Start a server that takes nothing until these keys are there."""
    server.start("--min-replicas-to-write", "1")
    with connect(server.url) as client:
        client.config_set("min-replicas-to-write", 0)
        client.mset(texts)


def test_that_nobody_does_the_work_is_a_note_and_no_failure(site: Site, store: redis.Redis) -> None:
    alone = site.get("/readyz")
    workers = [Heartbeat(store, kind) for kind in ("worker", "clock")]
    for one in workers:
        one.start()
        one.beat()
    together = site.get("/readyz")
    for one in workers:
        one.stop()

    assert (alone.status, alone.json) == (200, {"status": "ready", "note": "no worker runs; no clock runs"})
    assert (together.status, together.json) == (200, {"status": "ready"})


def test_a_service_that_is_paused_or_slow_is_a_note_without_details(
    site: Site, store: redis.Redis, ledger: Ledger
) -> None:
    services = Connections(ledger, check_every_s=10, through={})
    refusal = Disconnected(
        "refused", connection="", state=KEY_REFUSED, text="The key of Bo.", service="kustomer"
    )
    services.mark_down("kustomer", refusal)
    services.mark_down("cloudtalk:call_detail", refusal)
    services.mark_slow("cloudtalk", "list_calls")

    result = site.get("/readyz")

    assert result.status == 200
    assert result.json["note"].partition("no clock runs; ")[2] == (
        "CloudTalk is paused for call_detail; Kustomer is paused; CloudTalk is slow"
    )


def test_processes_are_told_by_the_api_the_metrics_and_the_page(
    site: Site, store: redis.Redis, eventually: Eventually
) -> None:
    eventually(lambda: site.get("/api/processes").json["processes"] != [])

    result = site.get("/api/processes").json
    metrics, page = site.get("/metrics").text, site.get("/").text

    (web,) = result["processes"]
    assert result["next"] is None
    assert web["kind"] == "web" and web["threads"] > 0
    assert set(web) == {"kind", "host", "pid", "version", "started_at", "seen_at", "busy", "threads"}
    for line in ('{kind="web"} 1.0', '{kind="worker"} 0.0', '{kind="clock"} 0.0'):
        assert f"callbridge_processes{line}" in metrics
    assert str(web["pid"]) in page and "No worker runs, so no call is written to Kustomer." in page
