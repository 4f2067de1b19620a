from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from bridge.errors import WrongUse
from bridge.sandbox.handles import CloudTalkHandle, KustomerHandle
from bridge.sandbox.hosting import listen
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.processes import started

_SERVE = """
from pathlib import Path
from bridge.sandbox.server import serve
serve(host="127.0.0.1", cloudtalk_port={}, kustomer_port={}, membrane_port=0, path=Path({!r}), sample=True)
"""


def test_what_a_test_removes_is_gone_after_a_start_too(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    with RunningSandbox(path) as running:
        customer = running.kustomer.add_customer(phones=[{"type": "other", "phone": "+441632960304"}])
        running.kustomer.remove("customer", customer)
        assert running.kustomer.customers == []
        again = running.kustomer.add_customer(phones=[{"type": "other", "phone": "+441632960304"}])

    with RunningSandbox(path) as running:
        assert [one["id"] for one in running.kustomer.customers] == [again]


def test_control_needs_no_key_and_leaves_no_trace(kustomer: KustomerHandle) -> None:
    kustomer.fail_next(503)

    state = httpx2.get(kustomer.url + "/_sandbox/state")

    assert set(state.json()) == {
        "customers",
        "conversations",
        "notes",
        "messages",
        "attachments",
        "users",
        "teams",
        "companies",
        "custom_objects",
        "tags",
    }
    assert "x-ratelimit-remaining" not in state.headers
    assert httpx2.get(kustomer.url + "/_sandbox/requests").json() == []


def test_everything_can_be_steered_over_http(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    control = kustomer.url + "/_sandbox"

    httpx2.post(control + "/faults", json={"kind": "status", "status": 502, "method": "get"})
    httpx2.post(control + "/limits", json={"limit": 1, "window_s": 60})
    readings = httpx2.post(control + "/readings", json={"error_shape": "new"}).json()

    assert [api.get("/customers").status_code for _ in range(3)] == [502, 200, 429]
    assert readings["error_shape"] == "new"
    assert [one["status"] for one in httpx2.get(control + "/requests").json()] == [502, 200, 429]
    httpx2.post(control + "/faults", json={"kind": "drop_request"})
    assert httpx2.delete(control + "/faults").status_code == 204
    assert httpx2.delete(control + "/requests").status_code == 204
    assert kustomer.requests == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"kind": "explode"}),
        ("faults", {"kind": "status", "path": "("}),
        ("readings", {"no_such": True}),
        ("readings", {"note_id": "maybe"}),
        ("limits", {"limit": "many"}),
        ("limits", []),
    ],
)
def test_control_says_what_it_does_not_understand(kustomer: KustomerHandle, path: str, body: object) -> None:
    answer = httpx2.post(f"{kustomer.url}/_sandbox/{path}", json=body)

    assert answer.status_code == 400
    assert "error" in answer.json()


def test_calls_and_agents_can_be_added_over_http(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    agent = httpx2.post(cloudtalk.url + "/_sandbox/agents", json={"firstname": "Di"}).json()[0]
    call = {"agent_id": agent["id"], "talking_time": 5}

    (added,) = httpx2.post(cloudtalk.url + "/_sandbox/calls", json=call).json()

    listed = core.get("/calls/index.json").json()["responseData"]["data"]
    assert [one["Cdr"]["id"] for one in listed] == [str(added["id"])]
    assert listed[0]["Agent"]["firstname"] == "Di"
    assert httpx2.post(cloudtalk.url + "/_sandbox/calls", json={"colour": "red"}).status_code == 400


def test_reset_empties_and_can_reload_the_sample_company(
    sandbox: RunningSandbox, core: httpx2.Client
) -> None:
    sandbox.kustomer.add_customer(name="Ada Example")

    httpx2.post(sandbox.kustomer.url + "/_sandbox/reset")
    httpx2.post(sandbox.cloudtalk.url + "/_sandbox/reset", params={"sample": "true"})

    assert sandbox.kustomer.customers == []
    assert {call["id"] for call in sandbox.cloudtalk.calls} >= {1000000104, 1000000110, 1000000120}


def test_the_sample_company_has_its_agents_on_both_sides_and_no_customers() -> None:
    with RunningSandbox(sample=True) as running:
        state = httpx2.get(running.kustomer.url + "/_sandbox/state").json()
        calls = {call["id"]: call for call in running.cloudtalk.calls}

        assert running.kustomer.customers == []

    emails = {user["attributes"]["email"] for user in state["users"]}
    assert emails == {None, "bo.sample@example.com", "cy.fictional@example.com"}
    assert calls[1000000104]["uuid"] == "a4423959-8387-41ca-b133-f19b0abb0915"
    assert calls[1000000103]["talking_time"] == 22
    assert calls[1000000110]["tags"] == ["Billing", "VIP"]
    assert len({call["uuid"] for call in calls.values()}) == len(calls)
    assert all(call["ended_at"] >= call["started_at"] for call in calls.values())


def test_the_environment_points_at_all_hosts(sandbox: RunningSandbox) -> None:
    environ = sandbox.environ()

    assert environ["CLOUDTALK_ANALYTICS_URL"] == sandbox.cloudtalk.url + "/analytics/api"
    assert environ["KUSTOMER_API_URL"] == sandbox.kustomer.url
    assert {"CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY"} < set(environ)


def test_pages_show_what_is_held_with_everything_escaped(sandbox: RunningSandbox, api: httpx2.Client) -> None:
    customer = sandbox.kustomer.add_customer(name="<b>Ada</b>", phones=[{"phone": "+441632960304"}])
    body = {"customer": customer, "name": "Call & more", "externalId": "<i>", "tags": ["voice"]}
    conversation = api.post("/conversations", json=body).json()["data"]["id"]
    api.post(f"/conversations/{conversation}/notes", json={"body": "<script>alert(1)</script>\nline two"})
    sandbox.cloudtalk.add_call(contact_name="<u>Ada</u>")
    sandbox.kustomer.forget_requests()

    kustomer_page = httpx2.get(sandbox.kustomer.url + "/")
    cloudtalk_page = httpx2.get(sandbox.cloudtalk.url + "/")

    assert kustomer_page.headers["content-type"].startswith("text/html")
    for shown in ("&lt;b&gt;Ada", "+441632960304", "Call &amp; more", "&lt;i&gt;", "voice", "line two"):
        assert shown in kustomer_page.text
    assert "&lt;script&gt;" in kustomer_page.text
    assert "&lt;u&gt;Ada" in cloudtalk_page.text
    assert "Bo Sample" in cloudtalk_page.text
    for page in (kustomer_page.text, cloudtalk_page.text):
        assert 'http-equiv="refresh" content="3"' in page
        assert page.count("<script") == 1 and "<b>" not in page and "<u>" not in page
    assert sandbox.kustomer.requests == []


def test_documents_are_there_again_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    with RunningSandbox(path) as first:
        customer = first.kustomer.add_customer(name="Ada Example", phones=[{"phone": "+441632960304"}])
        first.cloudtalk.add_call(id=7, recording_wav=b"RIFF")

    with RunningSandbox(path) as second:
        assert [one["id"] for one in second.kustomer.customers] == [customer]
        assert [one["id"] for one in second.cloudtalk.calls] == [7]
        headers = {"Authorization": "Bearer " + second.environ()["KUSTOMER_API_KEY"]}
        found = httpx2.get(second.kustomer.url + "/v1/customers/phone=441632960304", headers=headers)
        assert found.json()["data"]["id"] == customer


@pytest.mark.slow
def test_a_killed_server_has_lost_nothing_that_it_answered(tmp_path: Path) -> None:
    ports = []
    for _ in range(2):
        with listen("127.0.0.1", 0) as free:
            ports.append(free.getsockname()[1])
    script = _SERVE.format(*ports, str(tmp_path / "sandbox.sqlite"))
    url = f"http://127.0.0.1:{ports[1]}"
    headers = {"Authorization": "Bearer sandbox-kustomer-key"}
    transport = httpx2.HTTPTransport(retries=8)

    command = [sys.executable, "-c", script]
    with httpx2.Client(base_url=url, headers=headers, transport=transport) as client:
        with started(command) as first:
            created = client.post("/v1/customers", json={"name": "Ada Example"})
            first.kill()
        with started(command, stderr=subprocess.PIPE) as second:
            found = client.get(f"/v1/customers/{created.json()['data']['id']}")
            second.terminate()
            _, errors = second.communicate(timeout=10)

    assert created.status_code == 201
    assert found.status_code == 200
    assert (second.returncode, errors) == (0, b"")


def test_the_command_prints_addresses_and_keys_that_work(tmp_path: Path) -> None:
    ports = [word for name in ("cloudtalk", "kustomer", "membrane") for word in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "bridge", "sandbox", *ports]
    with started(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        lines = list(iter(running.stdout.readline, "  Ctrl-C ends it.\n"))
        result = dict(line.strip().split("=", 1) for line in lines if "=" in line)
        settings = Settings.from_env(result, dotenv=None).need("cloudtalk", "kustomer", "membrane")
        with httpx2.Client() as client:
            keys = (result["CLOUDTALK_ACCESS_KEY_ID"], result["CLOUDTALK_ACCESS_KEY_SECRET"])
            calls = client.get(f"{settings.cloudtalk_api_url}/calls/index.json", auth=keys)
            headers = {"Authorization": f"Bearer {result['KUSTOMER_API_KEY']}"}
            customers = client.get(f"{settings.kustomer_api_url}/v1/customers", headers=headers)

    assert (calls.status_code, customers.status_code) == (200, 200)
    assert f"  Sandbox Kustomer:  {settings.kustomer_api_url}\n" in lines


def test_a_taken_port_is_told_plainly() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(WrongUse, match=str(port)):
            listen("127.0.0.1", port)
