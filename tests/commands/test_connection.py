"""`callbridge connection`: the built-in ones and Membrane's, in each state."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.sandbox.membrane import connections as membrane_connections
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.world import LoggedRequest
from tests.commands.terminal import Terminal
from tests.frame.conftest import Program
from tests.waiting import eventually

CLOUDTALK_KEYS = ("CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET")


@pytest.fixture
def direct(services: RunningSandbox, terminal: Terminal) -> Terminal:
    """Keys of our own, and no Membrane."""
    own = services.environ()
    terminal.knows(own, *(name for name in own if name.startswith("MEMBRANE_")))
    return terminal


@pytest.fixture
def both(services: RunningSandbox, terminal: Terminal) -> Iterator[Terminal]:
    terminal.knows(services.environ())
    yield terminal
    services.membrane.read_as(build_s=0.0, after_build="CLIENT_ACTION_REQUIRED", wait_holds="building")


def test_a_built_in_one_is_ready_once_its_key_is_taken_which_costs_one_request(
    direct: Terminal, services: RunningSandbox
) -> None:
    for name, here in (("cloudtalk", services.cloudtalk), ("kustomer", services.kustomer)):
        ran = direct.types("connection", "get", name)

        assert (ran.code, "READY" in ran.out) == (0, True), ran.err
        assert len(here.requests) == 1
    assert direct.types("connection", "get", "kustomer", "--json").json == {
        "id": "kustomer",
        "key": "kustomer",
        "name": "Kustomer (own keys)",
        "state": "READY",
        "connected": True,
    }


def test_a_missing_key_is_named_with_where_to_make_it_and_nothing_is_asked(
    direct: Terminal, services: RunningSandbox
) -> None:
    direct.forgets("CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY")

    cloudtalk = direct.types("connection", "get", "cloudtalk")
    kustomer = direct.types("connection", "get", "kustomer", "--json")

    assert (cloudtalk.code, kustomer.code) == (3, 3)
    assert "CLIENT_ACTION_REQUIRED" in cloudtalk.out
    assert "CLOUDTALK_ACCESS_KEY_SECRET" in cloudtalk.out
    assert "CLOUDTALK_ACCESS_KEY_ID" not in cloudtalk.out
    assert "Account > Settings > API keys" in cloudtalk.out
    assert kustomer.json["state"] == "CLIENT_ACTION_REQUIRED"
    assert "KUSTOMER_API_KEY" in kustomer.json["clientAction"]["description"]
    assert services.cloudtalk.requests == services.kustomer.requests == []


def test_a_refused_key_is_a_configuration_error_without_the_key_in_it(direct: Terminal) -> None:
    direct.knows({"KUSTOMER_API_KEY": "revoked-key-of-old"})

    ran = direct.types("connection", "get", "kustomer")

    assert ran.code == 1
    assert "CONFIGURATION_ERROR" in ran.out and "refused the API key (401)" in ran.out
    assert "Settings > Security > API Keys" in ran.out
    assert "revoked-key" not in ran.out + ran.err


@pytest.mark.parametrize("status", [429, 503])
def test_trouble_of_theirs_says_nothing_about_the_key(
    status: int, direct: Terminal, services: RunningSandbox
) -> None:
    services.cloudtalk.fail_next(status, headers={"retry-after": "7"})

    ran = direct.types("connection", "get", "cloudtalk")

    assert (ran.code, "UNREACHABLE" in ran.out) == (1, True)
    assert ("in 7 s" if status == 429 else "fault on its side") in ran.out


def test_a_web_page_is_no_accepted_key(direct: Terminal, services: RunningSandbox) -> None:
    services.cloudtalk.answer_next("<title>Maintenance</title>", "text/html", status=200)

    ran = direct.types("connection", "get", "cloudtalk")

    assert (ran.code, "UNREACHABLE" in ran.out) == (1, True)
    assert "a web page instead of data" in ran.out


def test_a_service_that_does_not_answer_is_said_so(direct: Terminal, services: RunningSandbox) -> None:
    services.cloudtalk.drop_next_request()

    ran = direct.types("connection", "get", "cloudtalk", "--json")

    assert (ran.code, ran.json["state"]) == (1, "UNREACHABLE")


def test_the_list_has_the_built_in_ones_and_membranes(both: Terminal, services: RunningSandbox) -> None:
    both.forgets("KUSTOMER_API_KEY")

    rows = both.types("connection", "list", "--json").json

    theirs = [str(one["id"]) for one in services.membrane.connections]
    assert [one["id"] for one in rows] == ["cloudtalk", "kustomer", *theirs]
    assert [one["state"] for one in rows] == ["READY", "CLIENT_ACTION_REQUIRED", "READY", "READY"]
    as_table = both.types("connection", "list").out
    assert "KUSTOMER_API_KEY" in as_table and theirs[0] in as_table


def test_a_service_reached_through_membrane_has_no_keys_to_miss(
    services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ(through_membrane=["cloudtalk"]))

    assert terminal.types("connection", "list", "--json").json[0]["id"] == "kustomer"
    found = terminal.types("connection", "get", "cloudtalk", "--json").json
    assert found["integrationId"] == "integration-cloudtalk"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://www.cloudtalk.io/", "cloudtalk"),
        ("my.cloudtalk.io", "cloudtalk"),
        ("https://www.kustomer.com/", "kustomer"),
        ("https://acme.kustomerapp.com/app", "kustomer"),
    ],
)
def test_ensure_without_membrane_answers_with_the_built_in_one(url: str, name: str, direct: Terminal) -> None:
    first, second = (direct.types("connection", "ensure", url, "--json") for _ in range(2))

    assert first.code == second.code == 0
    assert first.json == second.json
    assert first.json["id"] == name


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://www.example.com/", "MEMBRANE_WORKSPACE_KEY"),
        ("https://cloudtalk.io.example.com/", "neither CloudTalk's nor Kustomer's"),
        ("cloudtalk", "is not the URL of an app"),
    ],
)
def test_ensure_of_what_is_not_there_says_what_to_do(url: str, says: str, direct: Terminal) -> None:
    ran = direct.types("connection", "ensure", url)

    assert (ran.code, says in ran.err) == (2, True)


def test_ensure_twice_makes_one_of_membranes(both: Terminal, services: RunningSandbox) -> None:
    services.membrane.forget_connections()

    first = both.types("connection", "ensure", "https://www.kustomer.com/", "--name", "Desk", "--json")
    second = both.types("connection", "ensure", "kustomer.com", "--name", "Other", "--json")

    assert first.json["id"] == second.json["id"]
    assert [one["name"] for one in services.membrane.connections] == ["Desk"]
    # Somebody has to sign in first.
    assert (first.code, first.json["state"]) == (3, "CLIENT_ACTION_REQUIRED")


def test_ensure_says_how_to_wait_for_one_that_is_being_built(
    both: Terminal, services: RunningSandbox
) -> None:
    services.membrane.forget_connections()
    services.membrane.read_as(build_s=60.0)

    ran = both.types("connection", "ensure", "https://www.cloudtalk.io/")

    assert ran.code == 0 and "BUILDING" in ran.out
    assert f"callbridge connection get {services.membrane.connections[0]['id']} --wait" in ran.err


def test_waiting_ends_at_the_first_change_and_says_what_to_do(
    both: Terminal, services: RunningSandbox
) -> None:
    made = being_built(services)

    with moving(services, made, "CLIENT_ACTION_REQUIRED"):
        ran = both.types("connection", "get", made, "--wait", "--timeout", "60")

    assert ran.code == 3, ran.err
    result = [line.split(":")[0].strip() for line in ran.out.splitlines() if line.startswith("  ")]
    assert [one for one in result if one.isupper()] == ["BUILDING", "CLIENT_ACTION_REQUIRED"]
    assert "Sign in to" in ran.out
    assert f"Open: {services.membrane.url}/_ui/connect?connectionRequestId=req_{made}" in ran.out
    assert "For an agent: Open uiUrl for the user, then read the connection again." in ran.out


@pytest.mark.parametrize("state", ["READY", "CLIENT_ACTION_REQUIRED"])
def test_nothing_is_waited_for_where_only_a_person_can_change_it(
    state: str, both: Terminal, services: RunningSandbox
) -> None:
    services.membrane.set_state("cloudtalk", state)
    made = connection_id(services)
    services.membrane.forget_requests()

    ran = both.types("connection", "get", made, "--wait", "--timeout", "60")

    assert state in ran.out
    assert [one for one in services.membrane.requests if "wait=true" in one.query] == []


@pytest.mark.parametrize("state", ["CONFIGURATION_ERROR", "SETUP_FAILED"])
def test_waiting_ends_at_a_failure_with_what_is_wrong(
    state: str, both: Terminal, services: RunningSandbox
) -> None:
    made = being_built(services)

    with moving(services, made, state, fault="The app's API moved"):
        ran = both.types("connection", "get", made, "--wait", "--timeout", "60", "--json")

    assert (ran.code, ran.json["state"]) == (1, state)
    assert ran.json["errors"][0]["message"] == "The app's API moved"
    # The changes are told beside the answer.
    assert "BUILDING" in ran.err and state in ran.err and "The app's API moved" in ran.err


def test_a_wait_that_is_over_says_so(both: Terminal, services: RunningSandbox) -> None:
    made = being_built(services)

    ran = both.types("connection", "get", made, "--wait", "--timeout", "0")

    assert ran.code == 3
    assert "Still BUILDING after 0 s" in ran.err


@pytest.mark.parametrize("state", ["NOT_CONFIGURED", "DISCONNECTING"])
def test_a_state_that_is_new_to_us_is_shown_as_not_ready(
    state: str, both: Terminal, services: RunningSandbox
) -> None:
    services.membrane.set_state("cloudtalk", state)
    connection = str(services.membrane.connections[0]["id"])

    ran = both.types("connection", "get", connection)

    assert (ran.code, state in ran.out) == (3, True)
    assert both.types("connection", "list").code == 0


def test_an_unknown_connection_is_said_to_be_unknown(both: Terminal, direct: Terminal) -> None:
    assert both.types("connection", "get", "no-such").code == 1
    for name in ("MEMBRANE_WORKSPACE_KEY", "MEMBRANE_WORKSPACE_SECRET", "MEMBRANE_TENANT_KEY"):
        direct.forgets(name)

    ran = direct.types("connection", "get", "no-such")

    assert ran.code == 2
    assert "There is no connection no-such. cloudtalk and kustomer are built in" in ran.err


def test_half_of_membranes_settings_are_named(terminal: Terminal) -> None:
    terminal.knows({"MEMBRANE_WORKSPACE_KEY": "ws-made-up"})

    ran = terminal.types("connection", "list")

    assert ran.code == 2
    assert "MEMBRANE_WORKSPACE_SECRET" in ran.err and "MEMBRANE_TENANT_KEY" in ran.err


@pytest.mark.slow
def test_control_c_ends_the_wait_without_a_trace(services: RunningSandbox, tmp_path: Path) -> None:
    made = being_built(services)
    program = Program(
        [sys.executable, "-m", "bridge", "connection", "get", made, "--wait"],
        {"PATH": "", "DATA_DIR": str(tmp_path), **services.environ()},
    )
    try:
        program.wait_for("BUILDING")
        eventually(
            lambda: [one for one in services.membrane.requests if "wait=true" in one.query], "a long poll"
        )
        program.signal(signal.SIGINT)

        assert program.wait() == 130
        assert "Traceback" not in program.output
        assert list(tmp_path.iterdir()) == []
    finally:
        program.close()


def being_built(services: RunningSandbox) -> str:
    """The id of a new connection to Kustomer, which is not done before the test says so."""
    services.membrane.forget_connections()
    services.membrane.read_as(build_s=600.0, wait_holds="any")
    with services.world.lock:
        made = membrane_connections.make(services.world, app="kustomer", name="Kustomer")
    return str(made["id"])


@contextmanager
def moving(
    services: RunningSandbox, connection: str, *states: str, fault: str | None = None
) -> Iterator[None]:
    """Move it to each state in turn, once somebody waits for that."""
    held: list[LoggedRequest] = []

    def next_poll() -> LoggedRequest | None:
        open_ones = [one for one in services.membrane.requests if one.status is None]
        return next((one for one in open_ones if "wait=true" in one.query and one not in held), None)

    def move() -> None:
        for state in states:
            poll = eventually(next_poll, f"somebody waits for {state}")
            assert poll is not None
            held.append(poll)
            services.membrane.set_state(connection, state, fault=fault)

    mover = threading.Thread(target=move)
    mover.start()
    yield
    mover.join()


def test_the_list_is_searched_and_paged(both: Terminal, services: RunningSandbox) -> None:
    with services.world.lock:
        for name in ("Kustomer two", "Kustomer three"):
            membrane_connections.make(services.world, app="kustomer", name=name)

    found = both.types("connection", "list", "--search", "kustomer", "--json").json
    first = both.types("connection", "list", "--limit", "2", "--json")
    cursor = first.err.rpartition("--cursor ")[2].strip()
    second = both.types("connection", "list", "--limit", "2", "--cursor", cursor, "--json")

    names = {one["name"] for one in found if one["id"] != "kustomer"}
    assert names == {"Kustomer", "Kustomer two", "Kustomer three"}
    pages = [one["id"] for ran in (first, second) for one in ran.json if not one["id"].isalpha()]
    assert sorted(pages) == sorted(str(one["id"]) for one in services.membrane.connections)
    assert "There are more" not in second.err


def test_the_list_takes_an_integration(both: Terminal) -> None:
    found = both.types("connection", "list", "--integrationKey", "cloudtalk", "--json").json

    assert {one["name"] for one in found} == {"CloudTalk", "CloudTalk (own keys)"}


def test_input_that_is_asked_for_is_given_by_patch(both: Terminal, services: RunningSandbox) -> None:
    services.membrane.set_state("cloudtalk", "CLIENT_ACTION_REQUIRED")

    ran = both.types("connection", "patch", connection_id(services), "--data", '{"input": {"region": "eu"}}')

    assert ran.code == 0 and "READY" in ran.out
    assert both.types("connection", "patch", connection_id(services), "--data", "{}").code == 2


def test_archiving_asks_first(both: Terminal, services: RunningSandbox) -> None:
    name = connection_id(services)

    assert both.types("connection", "archive", name).code == 2
    assert both.types("connection", "archive", name, "--yes").code == 0
    assert "archived" in both.types("connection", "get", name).out


def test_a_built_in_connection_is_changed_in_the_settings(both: Terminal) -> None:
    for verb in (["archive", "cloudtalk", "--yes"], ["patch", "kustomer", "--data", '{"name": "x"}']):
        ran = both.types("connection", *verb)
        assert ran.code == 2 and "built in" in ran.err


def test_a_person_is_asked_to_reconnect_and_waited_for(both: Terminal, services: RunningSandbox) -> None:
    name = connection_id(services)
    services.membrane.set_state("cloudtalk", "CLIENT_ACTION_REQUIRED")

    asked = both.types("connection", "reconnect", name, "--json")
    pending = both.types("connection", "request", asked.json["requestId"])
    services.membrane.set_state("cloudtalk", "READY")
    done = both.types("connection", "request", asked.json["requestId"], "--wait")

    assert (asked.code, pending.code, done.code) == (3, 3, 0)
    assert asked.json["url"] in pending.out
    assert f"Connection: {name}" in done.out


def test_membranes_own_verbs_are_answered(both: Terminal, services: RunningSandbox) -> None:
    for verb in (["login"], ["login", "complete", "123456"], ["logout"]):
        ran = both.types(*verb)
        assert ran.code == 2 and "MEMBRANE_TOKEN" in ran.err
    assert both.types("token", "--json").json["token"].count(".") == 2
    assert both.types("action", "get", "get-call", "--json").json["inputSchema"]["required"] == ["call_id"]
    theirs = both.types("action", "get", "get-call", "--connectionId", connection_id(services), "--json").json
    assert theirs["key"] == "get-call" and theirs["inputSchema"]


def test_a_full_address_of_the_app_goes_through_its_connection(
    both: Terminal, services: RunningSandbox
) -> None:
    kustomer = str(services.membrane.connections[1]["id"])

    ours = both.types("request", kustomer, f"{services.kustomer.url}/v1/customers")
    other = both.types("request", kustomer, "https://elsewhere.example/v1/customers")

    assert ours.code == 0 and '"data"' in ours.out
    assert other.code == 2
    assert "app.invalid" not in other.err and "kustomerapp.com" in other.err


def connection_id(services: RunningSandbox) -> str:
    return str(services.membrane.connections[0]["id"])
