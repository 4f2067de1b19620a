"""The same actions, with keys of our own and through Membrane."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest

from bridge.actions import OPERATIONS
from bridge.commands.membrane_actions import save_output
from bridge.sandbox.running import RunningSandbox
from tests.actions.given import A_CONTACT, A_RECORDED_CALL, CATALOGUE
from tests.commands.both_roads import run_over_both
from tests.commands.terminal import Terminal

THE_32 = [key for keys in CATALOGUE.values() for key in keys]


@pytest.mark.parametrize("key", THE_32)
def test_an_action_gives_the_same_over_both_roads(
    key: str, services: RunningSandbox, terminal: Terminal
) -> None:
    both = run_over_both(key, services, terminal)

    assert both.membrane == both.direct
    assert both.sent_through == both.sent_directly
    if key == "get-call-recording":
        audio = services.cloudtalk.recording_of(A_RECORDED_CALL)
        assert base64.b64decode(both.membrane["content_base64"]) == audio


@pytest.mark.parametrize("through", [[], ["cloudtalk", "kustomer"]])
def test_all_32_are_listed_over_each_road(
    through: list[str], services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ(through_membrane=through))

    listed = terminal.types("action", "list", "--json").json

    assert [one["key"] for one in listed] == THE_32
    fields = {"id", "key", "name", "description", "effect", "inputSchema", "outputSchema", "connectionId"}
    assert all(set(one) == fields for one in listed)
    assert {one["connectionId"] for one in listed} == {"cloudtalk", "kustomer"}
    assert terminal.types("action", "list", "--json", "--connectionId", "kustomer").json == listed[12:]


def test_a_connection_of_membranes_has_the_same_keys_and_its_own_schemas(
    services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ())

    listed = []
    for connection in services.membrane.connections:
        listed += terminal.types("action", "list", "--connection-id", connection["id"], "--json").json

    assert sorted(one["key"] for one in listed) == sorted(THE_32)
    assert {one["effect"] for one in listed} == {"read", "write", "delete"}
    (get_contact,) = [one for one in listed if one["key"] == "get-contact"]
    assert get_contact["inputSchema"]["required"] == ["id"]
    assert "contact_id" in OPERATIONS["get-contact"].input_schema()["properties"]


def of(services: RunningSandbox, app: str) -> str:
    return next(str(one["id"]) for one in services.membrane.connections if one["app"] == app)


def test_an_action_of_membranes_answers_what_the_service_says(
    services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ())
    given = json.dumps({"id": A_CONTACT})

    ran = terminal.types(
        *("action", "run", "get-contact", "--connectionId", of(services, "cloudtalk")),
        *("--input", given, "--json"),
    )

    assert ran.code == 0, ran.err
    assert "action run run_" in ran.err
    asked = terminal.types("request", "cloudtalk", f"/contacts/show/{A_CONTACT}.json")
    assert ran.json == {"output": asked.json}


def test_a_recording_by_an_action_of_membranes_has_the_same_bytes(
    services: RunningSandbox, terminal: Terminal, tmp_path: Path
) -> None:
    terminal.knows(services.environ())

    ran = terminal.types(
        *("action", "run", "get-call-recording", "--connectionId", of(services, "cloudtalk")),
        *("--input", json.dumps({"id": A_RECORDED_CALL}), "-o", "theirs.wav"),
    )

    assert ran.code == 0, ran.err
    assert (tmp_path / "theirs.wav").read_bytes() == services.cloudtalk.recording_of(A_RECORDED_CALL)


@pytest.mark.parametrize("name", ["uri", "downloadUrl"])
def test_bytes_that_membrane_keeps_elsewhere_are_fetched_by_their_link(
    name: str, services: RunningSandbox
) -> None:
    file = io.BytesIO()

    size, content_type = save_output({name: services.cloudtalk.public_link_of(A_RECORDED_CALL)}, file)

    assert file.getvalue() == services.cloudtalk.recording_of(A_RECORDED_CALL)
    assert (size, content_type) == (len(file.getvalue()), "audio/x-wav")


@pytest.mark.parametrize(
    ("output", "content", "content_type"),
    [
        ({"contentType": "audio/wav", "content_base64": "UklGRg=="}, b"RIFF", "audio/wav"),
        ("UklGRg==", b"RIFF", "application/octet-stream"),
        # It reads like base64 by chance; an output without bytes is kept as it is.
        ({"name": "Test"}, b'{\n  "name": "Test"\n}', "application/json"),
    ],
)
def test_bytes_in_an_output_are_found_where_they_may_be(
    output: object, content: bytes, content_type: str
) -> None:
    file = io.BytesIO()

    assert save_output(output, file) == (len(content), content_type)
    assert file.getvalue() == content


def test_input_for_an_action_of_membranes_is_checked_against_its_schema(
    services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ())
    run = ("action", "run", "--connectionId", of(services, "cloudtalk"))

    slip = terminal.types(*run, "list-contacts", "--input", '{"keywrd": "960"}')
    unknown = terminal.types(*run, "list-contact")
    rehearsed = terminal.types(*run, "delete-contact", "--input", f'{{"id": {A_CONTACT}}}', "--dry-run")

    assert (slip.code, unknown.code) == (2, 2)
    assert "did you mean keyword?" in slip.err
    assert "did you mean list-contacts?" in unknown.err
    assert rehearsed.code == 0 and "POST" in rehearsed.out and "nothing was sent" in rehearsed.out
    assert [one for one in services.membrane.requests if one.method == "POST"] == []


def test_membranes_own_search_finds_for_its_connections(services: RunningSandbox, terminal: Terminal) -> None:
    terminal.knows(services.environ())
    connection = of(services, "cloudtalk")

    found = terminal.types(
        *("action", "list", "--connectionId", connection, "--intent", "send an sms", "--limit", "2", "--json")
    ).json

    assert found[0]["key"] == "send-sms" and len(found) <= 2
    (asked,) = [one for one in services.membrane.requests if "intent" in one.query]
    assert "connectionId" in asked.query


def test_a_connection_that_is_down_is_a_matter_for_a_person(
    services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ(through_membrane=["cloudtalk"]))
    services.membrane.disconnect("cloudtalk")

    by_setting = terminal.types("action", "run", "list-agents")
    by_id = terminal.types("action", "run", "list-agents", "--connectionId", of(services, "cloudtalk"))

    assert (by_setting.code, by_id.code) == (3, 3)
    for ran in (by_setting, by_id):
        assert "CLIENT_ACTION_REQUIRED" in ran.err
        assert "/_ui/connect?connectionRequestId=" in ran.err
