"""`callbridge doctor`: each thing that may be wrong, and what to do."""

from __future__ import annotations

import contextlib
import re
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bridge.checks.check import Check, not_answered
from bridge.checks.examine import examine
from bridge.checks.redis_server import fault_check
from bridge.errors import ROLE_MISSING, Disconnected
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections
from bridge.local.embedded import EmbeddedRedis
from bridge.settings import Settings
from tests.certificates import KEY_AND_CERTIFICATE
from tests.ledger.test_faults import error_of, texts
from tests.users import PASSWORD, user

KEYS = {
    "WEBHOOK_TOKENS": "a-token-of-some-length",
    "CLOUDTALK_ACCESS_KEY_ID": "id",
    "CLOUDTALK_ACCESS_KEY_SECRET": "the-secret",
    "KUSTOMER_API_KEY": "the-key",
}


def services(
    *, status: int = 200, date: str | None = None, cloudtalk: int | None = None
) -> Callable[[httpx2.Request], httpx2.Response]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        headers = {"date": date} if date else {}
        if request.url.path == "/api/agents/index.json":
            assert request.headers["authorization"].startswith("Basic ")
            assert request.url.params["limit"] == "1"
            return httpx2.Response(cloudtalk or status, headers=headers, json={})
        assert request.url.path == "/v1/customers"
        assert request.headers["authorization"] == "Bearer the-key"
        return httpx2.Response(status, headers=headers, json={})

    return answer


def without_search(request: httpx2.Request) -> httpx2.Response:
    is_search = request.url.path == "/v1/customers/search"
    return httpx2.Response(401, json={}) if is_search else services()(request)


@pytest.fixture
def checked(tmp_path: Path) -> Callable[..., list[Check]]:
    def run(answer: Callable[[httpx2.Request], httpx2.Response] | None = None, **environ: str) -> list[Check]:
        settings = Settings.from_env({"DATA_DIR": str(tmp_path / "data"), **environ}, dotenv=None)
        with httpx2.Client(transport=httpx2.MockTransport(answer or services())) as client:
            return list(examine(settings, client))

    return run


def state(checks: list[Check], name: str) -> str:
    return next(check.state for check in checks if check.name == name)


def failed(checks: list[Check]) -> set[str]:
    return {check.name for check in checks if check.state == "FAIL"}


def test_a_set_up_that_does_is_ok_throughout(
    checked: Callable[..., list[Check]], redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path
) -> None:
    server = redis_in(tmp_path)
    server.start()

    checks = checked(**KEYS, REDIS_URL=server.url)

    assert failed(checks) == set()
    assert state(checks, "Redis on disk") == "ok"
    assert state(checks, "Redis eviction") == "ok"
    assert state(checks, "clock, Redis") == "ok"


def test_everything_missing_is_named_with_what_to_do(checked: Callable[..., list[Check]]) -> None:
    checks = checked()

    assert failed(checks) >= {"webhook tokens", "Redis", "CloudTalk", "Kustomer"}
    assert all(check.do for check in checks if check.state != "ok")


def test_a_name_and_tokens_that_are_not_wrong_and_not_good_are_warnings(
    checked: Callable[..., list[Check]],
) -> None:
    checks = checked(**KEYS | {"WEBHOOK_TOKENS": "12345678"}, OPS_TOKEN="12345678", LOGLEVEL="DEBUG")

    warned = {check.name: check.says for check in checks if check.state == "warn"}
    assert "fewer than 16" in warned["webhook tokens"] and "fewer than 16" in warned["OPS_TOKEN"]
    assert "LOG_LEVEL" in warned["settings"]
    assert state(checked(**KEYS, OPS_TOKEN="a-token-for-this-test"), "settings") == "ok"


def test_a_refused_key_is_told_with_where_to_mend_it(checked: Callable[..., list[Check]]) -> None:
    checks = checked(services(cloudtalk=401), **KEYS)

    assert state(checks, "CloudTalk") == "FAIL"
    assert state(checks, "Kustomer") == "ok"


@pytest.mark.parametrize(
    "reply",
    [
        {"html": "<!doctype html><title>Maintenance</title>"},
        {"content": b"<html>", "headers": {"content-type": "application/json"}},
        {"content": b""},
        {"content": b"OK"},
        {"json": "OK"},
    ],
    ids=["HTML", "HTML announced as JSON", "nothing", "text", "JSON text"],
)
def test_an_answer_that_is_no_data_is_no_accepted_key(
    checked: Callable[..., list[Check]], reply: dict[str, Any]
) -> None:
    checks = checked(lambda request: httpx2.Response(200, **reply), **KEYS)

    assert failed(checks) >= {"CloudTalk", "Kustomer"}
    assert "other than data" in said(checks, "CloudTalk")


def test_what_workers_found_closed_is_told_with_what_to_do(
    checked: Callable[..., list[Check]], ledger: Ledger, redis_url: str
) -> None:
    """Also a role that is missing, which no question of the doctor's own would show."""
    closed = Connections(ledger, check_every_s=10, through={})
    role = Disconnected(
        "no role", connection="", state=ROLE_MISSING, text="Give org.user.note.write.", service="kustomer"
    )
    closed.mark_down("kustomer:create_note", role)
    closed.mark_slow("cloudtalk", "list_calls")

    checks = checked(**KEYS, REDIS_URL=redis_url)

    failure, warning = (check for check in checks if check.name == "pause")
    assert (failure.state, failure.do) == ("FAIL", "Give org.user.note.write")
    assert failure.says.startswith("Kustomer is paused for create_note: Kustomer refuses create_note")
    assert "0 jobs wait since 20" in failure.says
    assert (warning.state, "CloudTalk did not answer list_calls in time" in warning.says) == ("warn", True)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_of_theirs_that_passes_is_no_failure(
    checked: Callable[..., list[Check]], status: int
) -> None:
    checks = checked(services(status=status), **KEYS)

    assert state(checks, "CloudTalk") == state(checks, "Kustomer") == "warn"


def test_a_service_that_cannot_be_reached_is_told_without_its_address(
    checked: Callable[..., list[Check]],
) -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectTimeout(f"no way to {request.url}", request=request)

    checks = checked(broken, **KEYS)

    assert failed(checks) >= {"CloudTalk", "Kustomer"}
    assert not [check for check in checks if "kustomerapp" in check.says]


def test_a_clock_that_is_off_is_a_warning(checked: Callable[..., list[Check]]) -> None:
    checks = checked(services(date="Mon, 02 Mar 2020 09:00:00 GMT"), **KEYS)

    assert state(checks, "clock, CloudTalk") == "warn"


def test_no_secret_is_said(checked: Callable[..., list[Check]]) -> None:
    checks = checked(services(status=403), **KEYS)

    assert not [
        check for check in checks for value in ("the-secret", "the-key", "a-token") if value in str(check)
    ]


def test_a_redis_that_forgets_is_a_failure(
    checked: Callable[..., list[Check]], redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path
) -> None:
    import redis

    server = redis_in(tmp_path)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("appendonly", "no")
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")

    checks = checked(**KEYS, REDIS_URL=server.url)

    assert failed(checks) == {"Redis on disk", "Redis eviction"}


def said(checks: list[Check], name: str) -> str:
    return next(check.says for check in checks if check.name == name)


def advised(checks: list[Check], name: str) -> str:
    return next(check.do for check in checks if check.name == name)


def test_everysec_is_a_warning_that_says_what_is_lost_and_when(
    checked: Callable[..., list[Check]], redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path
) -> None:
    import redis

    server = redis_in(tmp_path)
    server.start()

    with redis.Redis.from_url(server.url) as client:
        client.config_set("appendfsync", "everysec")
    bare = checked(**KEYS, REDIS_URL=server.url)
    waiting = checked(**KEYS, REDIS_URL=server.url, ACCEPT_AFTER="disk")

    assert state(bare, "Redis fsync") == "warn"
    assert "a power cut" in said(bare, "Redis fsync") and "last second" in said(bare, "Redis fsync")
    assert "acceptance" not in {check.name for check in bare}
    # This server's WAITAOF is not to be believed with everysec.
    assert failed(waiting) == {"Redis fsync", "acceptance"}
    assert "appendfsync always" in said(waiting, "acceptance")
    assert advised(waiting, "Redis fsync") == "set appendfsync always in its configuration"
    with redis.Redis.from_url(server.url) as client:
        client.config_set("appendfsync", "always")
    always = checked(**KEYS, REDIS_URL=server.url, ACCEPT_AFTER="disk")
    assert state(always, "Redis fsync") == "ok"
    assert said(always, "acceptance").startswith("on disk after")
    alone = checked(**KEYS, REDIS_URL=server.url, ACCEPT_AFTER="replica", ACCEPT_WITHIN_MS="10")
    assert failed(alone) == {"acceptance"}
    assert "no connected replica" in said(alone, "acceptance")
    assert "ACCEPT_WITHIN_MS" not in advised(alone, "acceptance")


def test_what_a_redis_keeps_on_its_disk_is_told_apart(
    checked: Callable[..., list[Check]], redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path
) -> None:
    import redis

    server = redis_in(tmp_path)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("appendfsync", "no")
        never = checked(**KEYS, REDIS_URL=server.url, ACCEPT_AFTER="disk", ACCEPT_WITHIN_MS="10")
        client.config_set("appendonly", "no")
        nothing = checked(**KEYS, REDIS_URL=server.url, ACCEPT_AFTER="disk")
        client.config_set("save", "3600 1")
        snapshots = checked(**KEYS, REDIS_URL=server.url)

    assert failed(never) == {"Redis fsync", "acceptance"}
    # This server's WAITAOF is not to be believed with everysec.
    assert advised(never, "Redis fsync") == "set appendfsync always in its configuration"
    assert failed(nothing) == {"Redis on disk", "acceptance"}
    assert "no persistence" in said(nothing, "Redis on disk")
    assert "snapshots only (save 3600 1)" in said(snapshots, "Redis on disk")


def test_a_redis_that_does_not_tell_its_settings_is_no_failure(
    checked: Callable[..., list[Check]], redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path
) -> None:
    import redis

    server = redis_in(tmp_path)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        # As providers do.
        client.acl_setuser("default", enabled=True, commands=["-config"])

    checks = checked(**KEYS, REDIS_URL=server.url)

    assert failed(checks) == set()
    assert state(checks, "Redis fsync") == "warn"
    assert "not checked" in said(checks, "Redis fsync")


def test_a_redis_that_is_away_is_a_failure(checked: Callable[..., list[Check]], tmp_path: Path) -> None:
    checks = checked(**KEYS, REDIS_URL=f"unix://{tmp_path}/nobody.sock")

    assert state(checks, "Redis") == "FAIL"


def test_a_data_folder_that_cannot_be_made_is_a_failure(
    checked: Callable[..., list[Check]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    checks = checked(**KEYS, DATA_DIR=str(tmp_path / "file" / "data"))

    assert state(checks, "data folder") == "FAIL"


def test_a_redis_that_refuses_what_webhooks_do_fails_with_the_cause(
    checked: Callable[..., list[Check]], redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path
) -> None:
    server = redis_in(tmp_path)
    server.start()
    refusals = {
        "maxmemory": ("1", "0", "OOM"),
        "min-replicas-to-write": ("1", "0", "NOREPLICAS"),
    }
    with connect(server.url) as client:
        for name, (bad, good, cause) in refusals.items():
            client.config_set(name, bad)
            checks = checked(**KEYS, REDIS_URL=server.url)
            client.config_set(name, good)

            assert failed(checks) == {"Redis writes"}
            assert cause in said(checks, "Redis writes") and advised(checks, "Redis writes")
        client.replicaof("127.0.0.1", "1")
        replica = checked(**KEYS, REDIS_URL=server.url)
    assert "READONLY" in said(replica, "Redis writes")


@pytest.mark.parametrize(("case", "text"), texts("server"))
def test_each_refusal_of_a_server_has_advice_and_its_code_once(case: str, text: str) -> None:
    check = fault_check("Redis writes", error_of(text))

    assert check.state == "FAIL" and check.do, f"{case}: {check}"
    code = re.search(r"\(([A-Z]{3,})\)", check.says)
    assert code is None or check.says.count(code[1]) == 1, check.says


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("-@scripting", "may not run the command"),
        ("resetkeys ~callbridge:*", "may not use the bridge's keys"),
        ("resetchannels", "may not publish"),
        ("-zadd", "may not run the command ZADD"),
    ],
)
def test_a_user_who_lacks_a_permission_fails_with_what_is_missing(
    checked: Callable[..., list[Check]],
    redis_in: Callable[[Path], EmbeddedRedis],
    tmp_path: Path,
    rules: str,
    says: str,
) -> None:
    server = redis_in(tmp_path)
    server.start()
    with connect(server.url) as client, user(client, rules):
        checks = checked(**KEYS, REDIS_URL=_as_user(server))

    assert failed(checks) == {"Redis writes"}
    assert says in said(checks, "Redis writes") and "ACL" in advised(checks, "Redis writes")


def test_a_user_who_may_do_what_the_bridge_needs_and_no_more_is_no_failure(
    checked: Callable[..., list[Check]], redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path
) -> None:
    server = redis_in(tmp_path)
    server.start()
    with connect(server.url) as client, user(client, "-@dangerous -@admin"):
        checks = checked(**KEYS, REDIS_URL=_as_user(server))

    assert failed(checks) == set()
    assert state(checks, "Redis writes") == "ok"
    assert "not checked" in said(checks, "Redis version")


def _as_user(server: EmbeddedRedis) -> str:
    return server.url.replace("unix://", f"unix://app:{PASSWORD}@")


@pytest.mark.parametrize(
    ("login", "says"), [("", "NOAUTH"), (":another@", "WRONGPASS"), ("nobody:x@", "WRONGPASS")]
)
def test_a_missing_or_wrong_password_is_named_and_not_called_unreachable(
    checked: Callable[..., list[Check]],
    redis_in: Callable[[Path], EmbeddedRedis],
    tmp_path: Path,
    login: str,
    says: str,
) -> None:
    import redis

    server = redis_in(tmp_path)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("requirepass", "a-password")

    checks = checked(**KEYS, REDIS_URL=server.url.replace("unix://", f"unix://{login}"))

    assert failed(checks) == {"Redis"}
    assert says in said(checks, "Redis") and "reached" not in said(checks, "Redis")


def test_a_certificate_that_nobody_signed_is_named(
    checked: Callable[..., list[Check]], tmp_path: Path
) -> None:
    with tls_server(tmp_path) as port:
        checks = checked(**KEYS, REDIS_URL=f"rediss://127.0.0.1:{port}/0")

    assert "certificate of Redis is not trusted (self-signed" in said(checks, "Redis")
    assert "ssl_ca_certs" in advised(checks, "Redis")


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """Does the handshake, as far as the client lets it; the port."""
    pem = folder / "server.pem"
    pem.write_text(KEY_AND_CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    class Handshake(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                context.wrap_socket(self.request, server_side=True).close()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handshake) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (httpx2.ReadTimeout("x"), "timed out"),
        (httpx2.RemoteProtocolError("x"), "connection closed"),
        (httpx2.ReadError("x"), "connection closed"),
        (httpx2.ConnectError("x"), "could not connect"),
    ],
)
def test_a_service_that_answered_is_not_called_unreachable(
    checked: Callable[..., list[Check]], error: httpx2.RequestError, says: str
) -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise error

    checks = checked(broken, **KEYS)

    assert says in said(checks, "CloudTalk") and says in said(checks, "Kustomer")


def test_a_certificate_of_a_service_that_nobody_signed_is_named(tmp_path: Path) -> None:
    with (
        tls_server(tmp_path) as port,
        httpx2.Client() as client,
        pytest.raises(httpx2.RequestError) as caught,
    ):
        client.get(f"https://127.0.0.1:{port}/")

    assert "certificate not trusted (self-signed" in not_answered("Kustomer", caught.value).says


def test_recordings_are_tried_where_they_are_kept_and_nothing_stays(
    checked: Callable[..., list[Check]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    good = checked(**KEYS, RECORDINGS_URL=f"file:{tmp_path}/sounds")
    bad = checked(**KEYS, RECORDINGS_URL=f"file:{tmp_path}/file/sounds")

    assert state(good, "recordings") == "ok"
    assert [path for path in (tmp_path / "sounds").rglob("*") if path.is_file()] == []
    assert state(bad, "recordings") == "FAIL" and "RECORDINGS_URL" in advised(bad, "recordings")


@pytest.mark.parametrize("rules", ["", '[customer]\nseveral = "none"\n'])
def test_the_role_for_searches_is_asked_for_where_the_rules_need_it(
    checked: Callable[..., list[Check]], tmp_path: Path, rules: str
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(f"version = 2\n{rules}")

    found = checked(without_search, **KEYS, CALLBRIDGE_RULES=str(file))

    named = [one for one in found if "org.permission.search.create" in one.do]
    assert len(named) == bool(rules)


NO_CALL = {"success": False, "errors": ["no such active call - call_uuid: x"]}
_NO_LINKS = "their address is not known, so cue cards get no links to Kustomer"
NO_TYPE = {"success": False, "errors": ["field validation for 'Type' failed (oneof)"]}


@pytest.mark.parametrize(
    ("status", "body", "app", "states"),
    [
        (424, NO_CALL, "https://example.kustomerapp.com", {"CloudTalk takes them": "ok"}),
        (424, NO_CALL, "", {"CloudTalk takes them": "ok", _NO_LINKS: "warn"}),
        (
            400,
            NO_TYPE,
            "https://example.kustomerapp.com",
            {"CloudTalk refuses their form (400): field validation for 'Type' failed (oneof)": "warn"},
        ),
    ],
)
def test_a_cue_card_of_no_call_tells_whether_cloudtalk_takes_them(
    checked: Callable[..., list[Check]],
    tmp_path: Path,
    status: int,
    body: dict[str, Any],
    app: str,
    states: dict[str, str],
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        is_card = request.url.path == "/api/cuecards"
        return httpx2.Response(status, json=body) if is_card else services()(request)

    file = tmp_path / "rules.toml"
    file.write_text("version = 2\n[cue_card]\nshow = true\n")
    found = checked(answer, **KEYS, CALLBRIDGE_RULES=str(file), KUSTOMER_APP_URL=app)

    assert {one.says: one.state for one in found if one.name in ("cue cards", "Kustomer pages")} == states
