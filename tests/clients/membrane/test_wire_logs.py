"""What we send is what Membrane's own SDK sends, byte for byte, save where the SDK is wrong.

Each case is checked against what stands here, and against the recorded log too where that is at hand.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bridge.clients.membrane import Membrane
from bridge.clients.membrane.tokens import Ready
from bridge.errors import BridgeError, RateLimited, Rejected, Unauthorized, WrongUse
from tests.clients.membrane.given import C1, C2, Far, action, items, minted

LOGS = Path(__file__).parents[4] / "shared" / "data" / "membrane-wire"
D1 = "66f0000000000000000000d1"
VENDOR = "application/json, text/plain, */*"
NOTE = {"conversationId": "conv_demo", "body": "x"}

Do = Callable[[Membrane], object]


def over(method: str, path: str, connection: str = C1, **more: Any) -> Do:
    """A request by the proxy. The SDK gives a path where we give the vendor's whole address."""

    def do(membrane: Membrane) -> object:
        with membrane.road(connection) as road:
            headers = {"accept": VENDOR} | more.pop("headers", {})
            return road.request(method, f"https://vendor.example/{path}", headers=headers, **more)

    return do


# By log: what to do, then (method, target, body) of each request expected.
CASES: dict[str, tuple[Do, list[tuple[str, str, Any]]]] = {
    "action-create-intent": (
        lambda m: m.actions.create(C1, "create a note on a conversation"),
        [("POST", "/actions", {"intent": "create a note on a conversation", "connectionId": C1})],
    ),
    "action-get": (lambda m: m.actions.get(D1), [("GET", f"/actions/{D1}", None)]),
    "action-run": (
        lambda m: m.actions.run_raw(
            D1, {"input": {"conversationId": "conv_demo", "body": "Call summary"}}, [("connectionId", C1)]
        ),
        [],
    ),
    "action-run-by-key": (
        lambda m: m.actions.run_raw("create-note", {"input": NOTE}, [("connectionKey", "kustomer-prod")]),
        [("POST", "/actions/create-note/run?connectionKey=kustomer-prod", {"input": NOTE})],
    ),
    "action-run-error-400": (
        lambda m: m.actions.run_raw(
            D1, {"input": {"conversationId": "nope", "body": "x"}}, [("connectionId", C1)]
        ),
        [
            (
                "POST",
                f"/actions/{D1}/run?connectionId={C1}",
                {"input": {"conversationId": "nope", "body": "x"}},
            )
        ],
    ),
    "actions-list-all-pages": (
        lambda m: list(m.actions.all(C1)),
        [
            ("GET", f"/actions?connectionId={C1}&limit=1000&cursor=0", None),
            ("GET", f"/actions?connectionId={C1}&limit=1000&cursor=1", None),
        ],
    ),
    "actions-list-intent": (
        lambda m: m.actions.search(C1, "add a note to a conversation"),
        [("GET", f"/actions?connectionId={C1}&intent=add+a+note+to+a+conversation&limit=10", None)],
    ),
    "connection-create-intent": (
        lambda m: m.connections.create(intent="Connect to Kustomer", name="Kustomer"),
        [("POST", "/connections", {"intent": "Connect to Kustomer", "name": "Kustomer"})],
    ),
    "connection-custom-api": (
        lambda m: m.api.ask("custom", "POST", f"/connections/{C1}/api/sync", json={"a": 1}),
        [("POST", f"/connections/{C1}/api/sync", {"a": 1})],
    ),
    "connection-execute-request": (
        lambda m: m.api.ask(
            "custom", "POST", f"/connections/{C1}/execute-request",
            json={"key": "list-things", "payload": {"a": 1}},
        ),
        [("POST", f"/connections/{C1}/execute-request", {"key": "list-things", "payload": {"a": 1}})],
    ),
    "connection-ensure-ready": (
        lambda m: m.connections.ensure("https://www.kustomer.com/"),
        [("POST", "/connections/ensure", {"appUrl": "https://www.kustomer.com/"})],
    ),
    "connection-get": (
        lambda m: m.connections.get(C1),
        [("GET", f"/connections/{C1}?includeSecrets=false", None)],
    ),
    "connection-get-building": (
        lambda m: m.connections.get(C2),
        [("GET", f"/connections/{C2}?includeSecrets=false", None)],
    ),
    "connection-get-wait": (
        lambda m: m.connections.wait(C2, timeout_s=30),
        [("GET", f"/connections/{C2}?wait=true&timeout=30", None)],
    ),
    "connection-patch": (
        lambda m: m.connections.change(C1, key="kustomer-prod", name="Kustomer (prod)"),
        [("PATCH", f"/connections/{C1}", {"key": "kustomer-prod", "name": "Kustomer (prod)"})],
    ),
    "connection-request-create": (
        lambda m: m.connections.request_reconnect(C2),
        [("POST", "/connection-requests", {"connectionId": C2})],
    ),
    "connections-list": (lambda m: list(m.connections.all()), [("GET", "/connections", None)]),
    "error-401": (lambda m: list(m.connections.all()), [("GET", "/connections", None)]),
    "error-404": (
        lambda m: m.connections.get("missing"),
        [("GET", "/connections/missing?includeSecrets=false", None)],
    ),
    "error-429": (lambda m: list(m.connections.all()), [("GET", "/connections", None)]),
    "search-connectors": (
        lambda m: m.search("kustomer", element_type="connector", limit=5),
        [("GET", "/search?q=kustomer&elementType=connector&limit=5", None)],
    ),
    "self-get": (lambda m: m.whoami(), [("GET", "/self", None)]),
    "proxy-get": (over("GET", "v1/customers?page=2&pageSize=50"), []),
    "proxy-get-by-connection-key": (over("GET", "v1/users", "kustomer"), []),
    "proxy-generic-extra-header": (
        over("GET", "v1/users?page=1", headers={"accept": "application/vnd.api+json", "x-trace": "t1"}),
        [],
    ),
    "proxy-binary-via-generic-get": (over("GET", "calls/recording/1.json"), []),
    "proxy-delete": (over("DELETE", "contacts/delete/77.json"), []),
    "proxy-post-json": (
        over("POST", "v1/conversations/conv_demo/notes", json={"body": "Call summary"}),
        [],
    ),
    "proxy-put": (over("PUT", "v1/customers/cus_demo", json={"name": "Ada"}), []),
    "proxy-post-bytes": (
        over("POST", "x", content=b"\x01\x02\x03\x04", headers={"content-type": "audio/wav"}),
        [],
    ),
    "proxy-post-string": (over("POST", "x", content=b"raw text", headers={"content-type": "text/plain"}), []),
    "proxy-upstream-404": (over("GET", "v1/customers/none"), []),
    "proxy-upstream-type-collision": (over("GET", "x"), []),
}  # fmt: skip

# Where we differ from the SDK, and why.
WRONG_CONTENT_TYPE = {
    "proxy-post-bytes": "bytes are no form: the caller says what they are",
    "proxy-post-string": "a text is no form: the caller says what it is",
}
NOT_COPIED = {
    "act-api": "no part of the bridge uses it",
    "action-run-log-get": "no part of the bridge uses it",
    "connection-refresh-credentials": "no part of the bridge uses it",
    "action-run-connection-level": "posts the input without its wrapper; we run by /actions/{id}/run",
    "action-run-selector-object": "a singular path that no documentation names; we run by id",
}
# Told elsewhere: no request, or a token that is made at that moment.
ELSEWHERE = {
    "auth-minted-jwt", "auth-minted-jwt-reuse", "auth-not-a-jwt", "auth-pat", "enums", "jwt-vector",
    "ensure-app-url-validation",
}  # fmt: skip


def any_answer(request: httpx2.Request) -> httpx2.Response:
    """Fits every call: a connection, an action, a run and a list in one."""
    body: dict[str, Any] = {
        "id": C1,
        "requestId": "r1",
        "state": "READY",
        "items": [action("d1")],
        "output": {},
    }
    if request.url.params.get("cursor") == "0":
        body["cursor"] = "1"
    return httpx2.Response(200, json=body)


@pytest.mark.parametrize("name", [name for name, (_, expected) in CASES.items() if expected])
def test_a_call_is_sent_as_the_sdk_sends_it(name: str) -> None:
    far = Far(any_answer)
    do, expected = CASES[name]

    do(far.membrane)

    sent = [
        (one.method, one.url.raw_path.decode(), json.loads(one.content) if one.content else None)
        for one in far.requests
    ]
    assert sent == expected
    assert {one.headers["membrane-api-version"] for one in far.requests} == {"2025-10-21"}


@pytest.mark.skipif(not LOGS.is_dir(), reason="the recorded logs are not beside the project")
def test_every_recorded_log_is_compared_or_has_its_reason() -> None:
    known = {*CASES, *NOT_COPIED, *ELSEWHERE}

    assert {path.stem for path in LOGS.glob("*.json")} - known == set()


@pytest.mark.skipif(not LOGS.is_dir(), reason="the recorded logs are not beside the project")
@pytest.mark.parametrize("name", CASES)
def test_a_call_is_sent_byte_for_byte_as_recorded(name: str) -> None:
    path = LOGS / f"{name}.json"
    if not path.is_file():
        pytest.skip("not among these logs")
    log = json.loads(path.read_text("utf-8"))
    replies = [httpx2.Response(200, json=r["body_json"]) for r in log["replies"] if "items" in str(r)]
    far = Far(*(replies if len(log["requests"]) == 1 and replies else [any_answer]))

    CASES[name][0](far.membrane)

    assert len(far.requests) == len(log["requests"])
    for ours, theirs in zip(far.requests, log["requests"], strict=True):
        assert ours.method == theirs["method"]
        # The whole address where the SDK has a path; which one a connector adds is not known.
        target = ours.url.raw_path.decode().replace("/proxy/https://vendor.example/", "/proxy/")
        assert target == theirs["target"]
        assert ours.content == recorded_body(theirs)
        for header in ("accept", "membrane-api-version", "content-type", "x-trace"):
            if header == "content-type" and name in WRONG_CONTENT_TYPE:
                assert ours.headers.get(header) != theirs["headers"].get(header), WRONG_CONTENT_TYPE[name]
            else:
                assert ours.headers.get(header) == theirs["headers"].get(header), header
        assert ours.headers["authorization"].split()[0] == theirs["authorization"]["scheme"]


@pytest.mark.skipif(not LOGS.is_dir(), reason="the recorded logs are not beside the project")
@pytest.mark.parametrize(
    ("name", "kind"), [("error-401", Unauthorized), ("error-404", Rejected), ("error-429", RateLimited)]
)
def test_a_recorded_error_becomes_ours(name: str, kind: type[BridgeError]) -> None:
    log = json.loads((LOGS / f"{name}.json").read_text("utf-8"))
    reply = log["replies"][0]
    far = Far(httpx2.Response(reply["status"], json=reply["body_json"], headers=reply["headers"]))

    with pytest.raises(kind) as raised:
        CASES[name][0](far.membrane)

    if isinstance(raised.value, RateLimited):
        assert raised.value.retry_after_s == 2


@pytest.mark.skipif(not LOGS.is_dir(), reason="the recorded logs are not beside the project")
def test_app_addresses_are_taken_and_refused_as_by_their_schema() -> None:
    rows = json.loads((LOGS / "ensure-app-url-validation.json").read_text("utf-8"))["rows"]
    far = Far(any_answer)
    taken = []
    for row in rows:
        try:
            far.membrane.connections.ensure(row["appUrl"])
        except WrongUse:
            continue
        taken.append(row["appUrl"])

    assert taken == [row["appUrl"] for row in rows if row["accepted"]]


def test_one_minted_token_serves_both_of_two_calls() -> None:
    far = Far(items(), tokens=minted(lambda: 1_767_603_600))

    list(far.membrane.connections.all())
    list(far.membrane.connections.all())

    assert far.bearers[0] == far.bearers[1]


def test_a_personal_token_is_passed_on_unread() -> None:
    far = Far(items(), tokens=Ready("pat-opaque"))

    list(far.membrane.connections.all())

    assert far.bearers == ["pat-opaque"]


def recorded_body(request: dict[str, Any]) -> bytes:
    if "body_base64" in request:
        return base64.b64decode(request["body_base64"])
    if "body_text" in request:
        return str(request["body_text"]).encode()
    if "body_json" in request:
        text = json.dumps(request["body_json"], separators=(",", ":"), ensure_ascii=False)
        assert len(text.encode()) == request["body_bytes"]
        return text.encode()
    return b""
