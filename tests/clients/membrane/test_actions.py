"""Actions: found under the documents' keys, checked before they are run, run once."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bridge.clients.membrane.actions import SchemaChanged, slug
from bridge.clients.membrane.checking import check_input
from bridge.clients.membrane.pins import Pin, Pins
from bridge.errors import (
    BridgeError,
    Disconnected,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    WrongUse,
)
from bridge.sandbox.running import RunningSandbox
from tests.clients.membrane.given import C1, Far, action, bodies, items, says
from tests.clients.membrane.over import membrane_of

NOTE = {"conversationId": "c", "body": "x"}
RUN = httpx2.Response(200, json={"output": {"id": "note"}, "actionRunId": "run_1"})


def run(far: Far, given: Any = NOTE, key: str = "create-note") -> Any:
    return far.membrane.actions.run(C1, key, given).output


# Keys


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Create Note", "create-note"),
        ("Get Customer by ID", "get-customer-by-id"),
        ("Add Tags to Contact", "add-tags-to-contact"),
        ("  Odd -- name! ", "odd-name"),
    ],
)
def test_a_name_becomes_the_key_that_the_documents_use(name: str, key: str) -> None:
    assert slug(name) == key


def test_an_action_without_a_key_is_found_by_its_name_and_run_by_its_id() -> None:
    far = Far(items(action("d1", name="Create Note")), RUN)

    found = far.membrane.actions.run(C1, "create-note", NOTE)

    assert (found.output, found.run_id) == ({"id": "note"}, "run_1")
    assert far.targets[-1] == f"POST /actions/d1/run?connectionId={C1}"


def test_a_key_of_its_own_wins_over_a_name_that_reads_like_it() -> None:
    far = Far(items(action("d1", name="Create Note"), action("d2", key="create-note", name="Other")), RUN)

    run(far)

    assert far.targets[-1].startswith("POST /actions/d2/run")


def test_keys_are_resolved_once_for_all_runs() -> None:
    far = Far(items(action("d1")), RUN)

    run(far)
    run(far)

    assert [one.split("?")[0] for one in far.targets] == [
        "GET /actions", "POST /actions/d1/run", "POST /actions/d1/run",
    ]  # fmt: skip


def test_an_unknown_key_is_named_with_the_nearest() -> None:
    with pytest.raises(WrongUse, match="did you mean create-note"):
        run(Far(items(action())), key="creat-note")


def test_an_action_that_is_gone_is_looked_for_again() -> None:
    gone = says(404, key="not_found")
    far = Far(items(action("d1")), gone, items(action("d9")), RUN)

    assert run(far) == {"id": "note"}
    assert far.targets[-1].startswith("POST /actions/d9/run")


def test_an_action_that_stays_gone_is_told() -> None:
    far = Far(items(action("d1")), says(404, key="not_found"), items(action("d1")), RUN)

    with pytest.raises(Rejected, match="404 to run_action d1"):
        run(far)


# The lock file


def test_what_a_key_stands_for_is_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "data" / "actions.lock.json"
    pins = Pins(path)
    pins.keep(Pin(connection=C1, key="b", id="2", schema="sha256:2"))
    pins.keep(Pin(connection=C1, key="a", id="1", schema="sha256:1"))

    assert Pins(path).find(C1, "a") == Pin(connection=C1, key="a", id="1", schema="sha256:1")
    assert Pins(path).find("other", "a") is None
    assert [row["key"] for row in json.loads(path.read_text())["actions"]] == ["a", "b"]
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_schema_that_changed_is_told_and_nothing_is_run(sandbox: RunningSandbox, tmp_path: Path) -> None:
    path = tmp_path / "actions.lock.json"
    with membrane_of(sandbox, lock_file=path) as membrane:
        connection = membrane.connections.get("kustomer").id
        before = membrane.actions.resolve(connection, "create-company")
        Pins(path).keep(Pin(connection=connection, key=before.key, id=before.id, schema="sha256:older"))

    with membrane_of(sandbox, lock_file=path) as membrane:
        with pytest.raises(SchemaChanged, match="removing its entry") as raised:
            membrane.actions.run(connection, "create-company", {"name": "Example Ltd"})
        Pins(path).keep(raised.value.pin)
        assert membrane.actions.resolve(connection, "create-company").id == before.id

    assert sandbox.kustomer.writes == []


@pytest.mark.parametrize("content", ["", "[]", '{"actions": [{"key": "a"}]}', "\xff"])
def test_a_file_that_is_no_lock_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "actions.lock.json"
    path.write_text(content, "latin-1")

    with pytest.raises(WrongUse, match=r"actions\.lock\.json is not a valid lock file"):
        Pins(path).find(C1, "a")


# Input


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "conversationId": {"type": "string", "referenceCollection": "conversations"},
        "phones": {"type": "array", "items": {"type": "object", "properties": {"phone": {"type": "string"}}}},
        "custom": {"type": "object", "properties": {}, "additionalProperties": True},
        "priority": {"type": "integer", "maximum": 5},
    },
    "required": ["conversationId"],
}


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ({"conversation_id": "c", "conversationId": "c"}, "did you mean conversationId"),
        ({}, "'conversationId' is a required property"),
        ({"conversationId": 7}, "conversationId: 7 is not of type 'string'"),
        ({"conversationId": "c", "priority": 9}, "priority: 9 is greater than the maximum of 5"),
        ({"conversationId": "c", "phones": [{"fone": "1"}]}, "phones.0.fone is unknown; did you mean phone"),
        ({"conversationId": "c", "zzz": 1}, "it takes conversationId, custom, phones, priority"),
        ("text", "'text' is not of type 'object'"),
    ],
)  # fmt: skip
def test_input_that_does_not_fit_is_told_by_field(given: Any, result: str) -> None:
    with pytest.raises(WrongUse, match="create-note") as raised:
        check_input("create-note", given, SCHEMA)

    assert result in str(raised.value)


@pytest.mark.parametrize(
    ("given", "schema"),
    [
        ({"conversationId": "c", "custom": {"anyStr": "x"}}, SCHEMA),
        ({"anything": 1}, None),
        ({"anything": 1}, {}),
        ({"anything": 1}, {"type": "object", "additionalProperties": {"type": "integer"}, "properties": {}}),
        ({"a": 1}, {"type": "nonsense", "properties": {"a": {}}}),
        ({"a": 1}, {"anyOf": [{"properties": {"a": {}}}], "properties": {"b": {}}}),
    ],
)
def test_input_that_may_be_right_is_let_through(given: Any, schema: Any) -> None:
    check_input("any", given, schema)


def test_a_schema_cannot_make_us_fetch_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda url, *rest: asked.append(url))

    check_input("any", {"a": 1}, {"properties": {"a": {"$ref": "http://127.0.0.1:1/schema.json"}}})

    assert asked == []


def test_input_that_does_not_fit_is_not_sent() -> None:
    far = Far(items(action("d1")), RUN)

    with pytest.raises(WrongUse, match="did you mean body"):
        run(far, {"conversationId": "c", "bodi": "x"})

    assert far.targets == [f"GET /actions?connectionId={C1}&limit=1000&cursor=0"]


# Runs


def failed(status: int, app: int | None = None, **more: Any) -> httpx2.Response:
    data = (
        {} if app is None else {"data": {"response": {"status": app, "data": {"errors": [{"title": "Bad"}]}}}}
    )
    return says(status, "action_run", actionRunId="run_5", **data, **more)


@pytest.mark.parametrize(
    ("answer", "kind", "app_status"),
    [
        (failed(400, 422), Rejected, 422),
        (failed(400, 404), Rejected, 404),
        (failed(400), Rejected, 0),
        (failed(400, 429), RateLimited, None),
        (failed(400, 401), Unauthorized, None),
        (failed(400, 503), Unavailable, None),
        (failed(500), Unavailable, None),
        (says(400, "connection", key="connection_is_defunct", actionRunId="run_5"), Disconnected, None),
        (says(429, "connection", key="rate_limit_exceeded", actionRunId="run_5"), RateLimited, None),
        (says(403, key="access_denied", actionRunId="run_5"), Unauthorized, None),
    ],
)
def test_a_run_that_failed_is_sent_once_and_named(
    answer: httpx2.Response, kind: type[BridgeError], app_status: int | None
) -> None:
    far = Far(items(action("d1")), answer)

    with pytest.raises(kind, match="run_5") as raised:
        run(far)

    assert len(far.requests) == 2
    if isinstance(raised.value, Rejected):
        assert raised.value.status == app_status


def test_the_apps_words_are_kept_however_deep_they_stand() -> None:
    inner = {
        "type": "action_run",
        "message": "x",
        "data": {"response": {"status": 422, "data": ["Bad phone"]}},
    }
    far = Far(items(action("d1")), says(400, "action_run", causedByError={"causedByError": inner}))

    with pytest.raises(Rejected, match="Bad phone"):
        run(far)


@pytest.mark.parametrize("broken", [httpx2.ReadTimeout("late"), httpx2.RemoteProtocolError("cut")])
def test_a_run_without_an_answer_is_not_repeated(broken: httpx2.HTTPError) -> None:
    def breaks(request: httpx2.Request) -> httpx2.Response:
        raise broken

    far = Far(items(action("d1")), breaks)

    with pytest.raises(Unavailable, match="run_action"):
        run(far)

    assert len(far.requests) == 2


@pytest.mark.parametrize("body", [{}, [], {"id": 1}, None])
def test_an_answer_without_an_output_is_not_known_to_have_run(body: Any) -> None:
    with pytest.raises(Unavailable, match="may or may not have run"):
        run(Far(items(action("d1")), httpx2.Response(200, json=body)))


def test_our_own_id_goes_along_for_the_log() -> None:
    far = Far(items(action("d1")), RUN)

    far.membrane.actions.run(C1, "create-note", NOTE, meta={"call": "k"})

    assert bodies(far.requests)[-1] == {"input": NOTE, "meta": {"call": "k"}}


# Against the sandbox


def test_an_intent_finds_an_action(sandbox: RunningSandbox) -> None:
    with membrane_of(sandbox) as membrane:
        found = membrane.actions.search("kustomer", "create a note " + "x" * 300, limit=3)

    assert found[0].key == "create-note"
    assert len(found) <= 3


def test_all_documented_keys_are_found_over_small_pages(sandbox: RunningSandbox) -> None:
    sandbox.membrane.read_as(largest_page=7)
    with membrane_of(sandbox) as membrane:
        cloudtalk, kustomer = (membrane.connections.get(name).id for name in ("cloudtalk", "kustomer"))
        keys = [one.key for c in (cloudtalk, kustomer) for one in membrane.actions.all(c)]

    assert len(keys) == len(set(keys)) == 32
    assert {"send-sms", "add-tags-to-contact", "get-call-recording", "get-customer-by-email"} <= set(keys)


def test_an_action_does_in_the_app_what_it_says(sandbox: RunningSandbox) -> None:
    with membrane_of(sandbox) as membrane:
        kustomer = membrane.connections.get("kustomer").id
        made = membrane.actions.run(kustomer, "create-customer", {"name": "Ada Example"})
        found = membrane.actions.run(kustomer, "get-customer-by-id", {"id": made.output["data"]["id"]})

    assert found.output["data"]["attributes"]["name"] == "Ada Example"
    assert [one["id"] for one in sandbox.kustomer.customers] == [made.output["data"]["id"]]


def test_a_recording_comes_whole_out_of_an_action(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=1000000500, talking_time=3, recorded=True)
    with membrane_of(sandbox) as membrane:
        cloudtalk = membrane.connections.get("cloudtalk").id
        output = membrane.actions.run(cloudtalk, "get-call-recording", {"id": 1000000500}).output

    assert base64.b64decode(output["base64"]) == sandbox.cloudtalk.recording_of(1000000500)


def test_what_the_app_refuses_is_told_with_its_status(sandbox: RunningSandbox) -> None:
    with membrane_of(sandbox) as membrane:
        kustomer = membrane.connections.get("kustomer").id
        with pytest.raises(Rejected, match="run_") as raised:
            membrane.actions.run(kustomer, "get-customer-by-id", {"id": "5f0e0000000000000000a1cc"})

    assert raised.value.status == 404
