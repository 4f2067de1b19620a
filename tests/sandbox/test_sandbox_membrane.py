"""The sandbox's Membrane is as strict as the real one's documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import pytest

from bridge.sandbox import (
    CLOUDTALK_KEY_SECRET,
    KUSTOMER_KEY,
    MEMBRANE_TENANT_KEY,
    MEMBRANE_WORKSPACE_KEY,
    MEMBRANE_WORKSPACE_SECRET,
)
from bridge.sandbox.handles import MembraneHandle
from bridge.sandbox.running import RunningSandbox
from tests.sandbox.conftest import NO_TLS
from tests.waiting import eventually

NOW = int(time.time())
NEW = {"workspaceKey": MEMBRANE_WORKSPACE_KEY, "tenantKey": MEMBRANE_TENANT_KEY, "exp": NOW + 3600}
OLD = {"iss": MEMBRANE_WORKSPACE_KEY, "id": MEMBRANE_TENANT_KEY, "exp": NOW + 3600}


def token(claims: dict[str, Any], secret: str = MEMBRANE_WORKSPACE_SECRET, alg: str = "HS256") -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    signed = f"{part(json.dumps({'alg': alg, 'typ': 'JWT'}).encode())}.{part(json.dumps(claims).encode())}"
    hash_ = {"HS512": hashlib.sha512}.get(alg, hashlib.sha256)
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hash_).digest())}"


@pytest.fixture
def membrane(sandbox: RunningSandbox) -> MembraneHandle:
    return sandbox.membrane


@pytest.fixture
def api(membrane: MembraneHandle) -> Iterator[httpx2.Client]:
    headers = {"authorization": f"Bearer {token(NEW)}"}
    with httpx2.Client(base_url=membrane.url, headers=headers, verify=NO_TLS) as client:
        yield client


def asked_with(membrane: MembraneHandle, authorization: str | None) -> httpx2.Response:
    headers = {} if authorization is None else {"authorization": authorization}
    return httpx2.get(membrane.url + "/self", headers=headers, verify=NO_TLS)


# Who may ask


@pytest.mark.parametrize("sent", [token(NEW), token(OLD), token(NEW, alg="HS512")])
def test_both_forms_of_the_claims_are_taken(membrane: MembraneHandle, sent: str) -> None:
    assert asked_with(membrane, f"Bearer {sent}").json()["user"]["id"] == MEMBRANE_TENANT_KEY


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "Bearer",
        "Bearer a.b.c",
        f"Basic {token(NEW)}",
        f"Bearer {token(NEW, secret='another')}",
        f"Bearer {token(NEW, alg='none')}",
        f"Bearer {token({**NEW, 'exp': NOW - 1})}",
        f"Bearer {token({k: v for k, v in NEW.items() if k != 'exp'})}",
        f"Bearer {token({**NEW, 'workspaceKey': 'other'})}",
        f"Bearer {token({**NEW, 'tenantKey': ''})}",
    ],
)
def test_any_other_token_gets_their_401(membrane: MembraneHandle, sent: str | None) -> None:
    answer = asked_with(membrane, sent)

    assert answer.status_code == 401
    assert (answer.json()["type"], answer.json()["key"]) == ("bad_request", "not_authenticated")


def test_tenants_do_not_see_each_others_connections(membrane: MembraneHandle, api: httpx2.Client) -> None:
    mine = api.get("/connections").json()["items"]
    other = {"authorization": f"Bearer {token({**NEW, 'tenantKey': 'other'})}"}

    assert [one["key"] for one in mine] == ["cloudtalk", "kustomer"]
    assert api.get("/connections", headers=other).json()["items"] == []
    assert api.get(f"/connections/{mine[0]['id']}", headers=other).status_code == 404


# The proxy


def test_the_proxy_adds_the_apps_credentials_and_drops_ours(
    sandbox: RunningSandbox, api: httpx2.Client
) -> None:
    full = api.get(f"/connections/kustomer/proxy/{sandbox.kustomer.url}/v1/users?email=bo.sample@example.com")
    short = api.get("/connections/cloudtalk/proxy/agents/index.json?limit=1")

    assert [one["attributes"]["email"] for one in full.json()["data"]] == ["bo.sample@example.com"]
    assert len(short.json()["responseData"]["data"]) == 1
    for secret in (KUSTOMER_KEY, CLOUDTALK_KEY_SECRET):
        assert secret not in full.text + short.text + str(full.headers) + str(short.headers)


def test_the_proxy_leads_nowhere_else(sandbox: RunningSandbox, api: httpx2.Client) -> None:
    for host in ("http://127.0.0.1:9", sandbox.cloudtalk.url, "https://elsewhere.example"):
        assert api.get(f"/connections/kustomer/proxy/{host}/v1/users").status_code == 400
    assert sandbox.cloudtalk.requests == []


def test_an_encoded_address_reaches_the_app_as_it_was(sandbox: RunningSandbox, api: httpx2.Client) -> None:
    sandbox.kustomer.add_customer(name="Ada", externalId="a/b")

    answer = api.get(f"/connections/kustomer/proxy/{sandbox.kustomer.url}/v1/customers/externalId=a%2Fb")

    assert answer.json()["data"]["attributes"]["name"] == "Ada"


def test_limits_are_kept(sandbox: RunningSandbox, api: httpx2.Client) -> None:
    sandbox.membrane.read_as(largest_request=1000, largest_response=1000)
    road = f"/connections/kustomer/proxy/{sandbox.kustomer.url}/v1/customers"

    assert api.post(road, json={"name": "x" * 1000}).status_code == 413
    large = api.get(f"/connections/kustomer/proxy/{sandbox.kustomer.url}/v1/users")
    assert (large.status_code, large.json()["type"]) == (400, "bad_request")
    assert sandbox.kustomer.writes == []


def test_an_app_that_takes_too_long_gets_the_front_doors_html(
    sandbox: RunningSandbox, api: httpx2.Client
) -> None:
    sandbox.membrane.read_as(longest_s=0.05)
    sandbox.kustomer.delay_next(5)

    answer = api.get(f"/connections/kustomer/proxy/{sandbox.kustomer.url}/v1/users")

    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (504, "text/html")


def test_a_connection_that_is_down_carries_nothing(sandbox: RunningSandbox, api: httpx2.Client) -> None:
    road = f"/connections/kustomer/proxy/{sandbox.kustomer.url}/v1/users"
    sandbox.membrane.disconnect("kustomer")

    assert api.get(road).json()["key"] == "connection_is_defunct"
    sandbox.membrane.read_as(disconnected_as="code")
    assert api.get(road).json()["code"] == "CONNECTION_DISCONNECTED"
    assert sandbox.kustomer.requests == []


# Actions


def test_actions_of_the_catalogue_have_no_key_and_run_by_id_only(
    sandbox: RunningSandbox, api: httpx2.Client
) -> None:
    found = api.get("/actions", params={"connectionKey": "kustomer", "intent": "list the users"}).json()
    listed = next(one for one in found["items"] if one["name"] == "List Users")

    assert listed["key"] == ""
    where = {"connectionKey": "kustomer"}
    assert api.post("/actions/list-users/run", params=where, json={"input": {}}).status_code == 404
    ran = api.post(f"/actions/{listed['id']}/run", params=where, json={"input": {"pagesize": 1}})
    assert ran.status_code == 200
    assert len(ran.json()["output"]["data"]) > 1  # the misspelt one was ignored without a word
    sandbox.membrane.read_as(action_keys=True)
    assert api.post("/actions/list-users/run", params=where, json={"input": {}}).status_code == 200


def test_a_failed_run_tells_what_the_app_said(api: httpx2.Client) -> None:
    fields = {"connectionKey": "kustomer", "api": {"method": "GET", "path": "/v1/customers/none"}}
    body = api.post("/act", json=fields).json()

    assert body["type"] == "action_run"
    assert body["data"]["response"]["status"] == 404
    assert body["actionRunId"].startswith("run_")


@pytest.mark.parametrize("more", [{"id": "1", "key": "a"}, {"id": "1", "colour": "red"}, {}, {"code": "x"}])
def test_act_refuses_what_its_schema_refuses(api: httpx2.Client, more: dict[str, str]) -> None:
    assert api.post("/act", json={"connectionKey": "kustomer", **more}).status_code == 400


# On cue


def test_a_long_poll_ends_when_the_state_changes(membrane: MembraneHandle, api: httpx2.Client) -> None:
    membrane.read_as(build_s=3600, after_build="READY")
    made = api.post("/connections/ensure", json={"appUrl": "https://shop.example"}).json()
    states: queue.Queue[str] = queue.Queue()

    def poll() -> None:
        states.put(api.get(f"/connections/{made['id']}?wait=true&timeout=30").json()["state"])

    waiting = threading.Thread(target=poll)
    waiting.start()
    eventually(lambda: any("wait=true" in one.query for one in membrane.requests), "the poll")
    membrane.set_state(made["id"], "SETUP_FAILED", fault="No such app")
    waiting.join(10)

    assert made["state"] == "BUILDING"
    assert states.get_nowait() == "SETUP_FAILED"
    shown = api.get(f"/connections/{made['id']}").json()
    assert shown["errors"] == [{"type": "configuration", "message": "No such app"}]


def test_a_person_reconnects_by_a_page(membrane: MembraneHandle, api: httpx2.Client) -> None:
    membrane.disconnect("kustomer")
    action = api.get("/connections/kustomer").json()["clientAction"]
    wanted = api.get("/connections/kustomer").json()["id"]
    request = api.post("/connection-requests", json={"connectionId": wanted}).json()

    assert request["status"] == "pending"
    assert "Connect Kustomer" in httpx2.get(action["uiUrl"]).text
    assert "is connected" in httpx2.post(action["uiUrl"]).text
    assert api.get(f"/connection-requests/{request['requestId']}").json()["status"] == "success"
    assert httpx2.get(membrane.url + "/_ui/connect?connectionRequestId=req_none").status_code == 404


@pytest.mark.slow
def test_disconnects_and_reconnects_are_sent_to_a_webhook(membrane: MembraneHandle) -> None:
    got: queue.Queue[dict[str, Any]] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(next(answers))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    # The first one is refused, so that it has to come again.
    answers = iter([500, 204, 204])
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        membrane.read_as(webhook_url=f"http://127.0.0.1:{server.server_port}/")
        membrane.disconnect("kustomer")
        first, again = got.get(timeout=10), got.get(timeout=10)
        membrane.set_state("kustomer", "CLIENT_ACTION_REQUIRED")  # no change, so nothing is sent
        membrane.reconnect("kustomer")
        back = got.get(timeout=10)
        server.shutdown()

    assert first == again
    assert (first["event"], first["data"]["integrationKey"]) == ("connection.disconnected", "kustomer")
    assert (back["event"], back["data"]["disconnected"]) == ("connection.reconnected", False)


@pytest.mark.slow
def test_it_is_steered_over_http_too(membrane: MembraneHandle, api: httpx2.Client) -> None:
    control = membrane.url + "/_sandbox"

    httpx2.post(control + "/connections/kustomer", json={"state": "CONFIGURATION_ERROR", "fault": "Key"})
    httpx2.post(control + "/faults", json={"kind": "status", "status": 429})

    limited = api.get("/connections/kustomer")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "1")
    assert api.get("/connections/kustomer").json()["state"] == "CONFIGURATION_ERROR"
    assert httpx2.post(control + "/connections/none", json={"state": "READY"}).status_code == 400
    httpx2.post(control + "/reset")
    assert {one["state"] for one in httpx2.get(control + "/state").json()["connections"]} == {"READY"}


def test_its_page_shows_the_connections(membrane: MembraneHandle) -> None:
    membrane.disconnect("cloudtalk")

    text = httpx2.get(membrane.url).text

    assert "CloudTalk: CLIENT_ACTION_REQUIRED" in text
    assert "Kustomer: READY" in text
