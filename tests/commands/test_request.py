"""`callbridge request`: any request, its bytes untouched, over either road."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.sandbox import CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.sample import DESK
from tests.actions.given import A_RECORDED_CALL
from tests.commands.terminal import Terminal

A_NOTE = '{"body": "By hand"}'
NOTES = f"/v1/conversations/{DESK['conversation']}/notes"
A_SOUND = f"/calls/recording/{A_RECORDED_CALL}.json"


@pytest.fixture(params=["direct", "membrane", "id"])
def road(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def by(services: RunningSandbox, terminal: Terminal) -> Callable[[str, str], str]:
    """Sets a road up, and gives the name of a service's connection there."""

    def set_up(road: str, service: str) -> str:
        terminal.knows(
            services.environ(through_membrane=[] if road == "direct" else ["cloudtalk", "kustomer"])
        )
        of_app = [str(one["id"]) for one in services.membrane.connections if one["app"] == service]
        return of_app[0] if road == "id" else service

    return set_up


def test_an_answer_comes_as_it_is(
    road: str, by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal
) -> None:
    connection = by(road, "cloudtalk")

    ran = terminal.types("request", connection, "/agents/index.json", "--query", "limit=1")

    assert ran.code == 0, ran.err
    assert ran.json["responseData"]["limit"] == 1
    assert [one.path for one in services.cloudtalk.requests] == ["/core/api/agents/index.json"]
    assert bool(services.membrane.requests) == (road != "direct")


@pytest.mark.parametrize("mark", ["\r\n", "\n", "\x00", "\x1b[2J", "\x7f", "\u2028", "\udcff"])
@pytest.mark.parametrize(
    "args",
    [
        ("request", "kustomer", "/v1~"),
        ("request", "kustomer", "~/v1/x"),
        ("request", "kustomer", "https://a~b/v1"),
        ("request", "kustomer~", "/v1"),
        ("request", "kustomer", "/v1", "--dry-run", "-X", "GET~"),
        ("request", "kustomer", "/v1", "-X", "GE~T"),
        ("request", "kustomer", "/v1", "-H", "X-A~c: b"),
        ("request", "kustomer", "/v1", "-H", "X-A: b~c"),
        ("connection", "get", "kustomer~"),
        ("connection", "ensure", "https://kustomer.example/~"),
        ("action", "run", "get-customer-by-id~"),
        ("action", "run", "get-customer-by-id", "--connectionId", "an~id"),
        ("send", "call-ended~", "--url", "http://127.0.0.1:1"),
        ("send", "call-ended", "--token", "a~b"),
        ("send", "call-ended", "--url", "http://127.0~.0.1:1"),
        ("templates", "--url", "https://h~x"),
    ],
)
def test_a_control_character_in_an_argument_is_wrong_use(
    args: tuple[str, ...], mark: str, services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ())

    ran = terminal.types(*(text.replace("~", mark) for text in args))

    assert ran.code == 2
    assert ran.err and ran.raw == b"" and "\x1b" not in ran.err
    assert services.kustomer.requests == services.membrane.requests == []


@pytest.mark.parametrize(
    "args",
    [
        ("request", "kustomer", "https://[::1"),
        ("request", "kustomer", "/v1/" + "x" * 70_000),
        ("request", "kustomer", "/v1", "-H", "X A: b"),
        ("send", "call-ended", "--url", "http://[::1"),
    ],
)
def test_what_makes_no_address_is_wrong_use(
    args: tuple[str, ...], services: RunningSandbox, terminal: Terminal
) -> None:
    terminal.knows(services.environ())

    ran = terminal.types(*args)

    assert ran.code == 2 and ran.err
    assert services.kustomer.requests == []


def test_a_body_and_a_query_may_have_several_lines(services: RunningSandbox, terminal: Terminal) -> None:
    terminal.knows(services.environ())

    noted = terminal.types("request", "kustomer", NOTES, "-d", '{\n"body": "By hand"}\n')
    asked = terminal.types("request", "kustomer", "/v1/customers", "--query", "page=1", "--query", "q=a\nb")

    assert (noted.code, asked.code) == (0, 0), noted.err + asked.err


def test_bytes_go_to_a_file_and_to_a_pipe_untouched(
    road: str, by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal, tmp_path: Path
) -> None:
    connection = by(road, "cloudtalk")
    audio = services.cloudtalk.recording_of(A_RECORDED_CALL)

    to_file = terminal.types("request", connection, A_SOUND, "-o", "a.wav")
    to_pipe = terminal.types("request", connection, A_SOUND)

    assert (to_file.code, to_file.raw) == (0, b"")
    assert (tmp_path / "a.wav").read_bytes() == to_pipe.raw == audio


def test_bytes_are_kept_from_a_screen_and_text_is_not(
    by: Callable[[str, str], str], terminal: Terminal
) -> None:
    connection = by("direct", "cloudtalk")

    audio = terminal.types("request", connection, A_SOUND, on_screen=True)
    text = terminal.types("request", connection, "/agents/index.json", on_screen=True)

    assert (audio.code, audio.raw) == (0, b"")
    assert "200: audio/x-wav, not for a terminal; -o FILE keeps it" in audio.err
    assert "responseData" in text.json


def test_a_body_is_sent_with_a_path_filled_in(
    road: str, by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal
) -> None:
    connection = by(road, "kustomer")
    path = ("/v1/conversations/{id}/notes", "--path-param", f"id={DESK['conversation']}")

    ran = terminal.types("request", connection, *path, "--json", "-d", A_NOTE)

    assert ran.code == 0, ran.err
    assert ran.json["data"]["attributes"]["body"] == "By hand"
    assert [(one.method, one.path) for one in services.kustomer.writes] == [("POST", NOTES)]


def test_what_a_service_says_to_an_error_is_shown_and_kept_out_of_files(
    road: str, by: Callable[[str, str], str], terminal: Terminal, tmp_path: Path
) -> None:
    connection = by(road, "kustomer")

    ran = terminal.types("request", connection, "/v1/customers/5f0e0000000000000000ffff", "-o", "out.json")

    assert (ran.code, ran.raw) == (1, b"")
    assert "404 Not Found" in ran.err and '"errors"' in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "given"),
    [
        (["--json", A_NOTE], b""),
        (["-d", A_NOTE], b""),
        (["-d", "@note.json"], b""),
        (["-X", "post", "-d", "-"], A_NOTE.encode()),
        (["--rawData", "-d", A_NOTE, "-H", "Content-Type: application/json"], b""),
        (["--raw-data", "--data", A_NOTE, "--header", "content-type:application/json"], b""),
    ],
)
def test_a_body_can_be_given_in_each_of_these_ways(
    args: list[str],
    given: bytes,
    by: Callable[[str, str], str],
    services: RunningSandbox,
    terminal: Terminal,
    tmp_path: Path,
) -> None:
    (tmp_path / "note.json").write_text(A_NOTE)

    ran = terminal.types("request", by("direct", "kustomer"), NOTES, *args, given=given)

    assert ran.code == 0, ran.err
    assert services.kustomer.notes[-1]["attributes"]["body"] == "By hand"


def test_a_flag_before_the_path_does_not_take_it_for_its_value(
    by: Callable[[str, str], str], terminal: Terminal
) -> None:
    ran = terminal.types("request", by("direct", "cloudtalk"), "--json", "/agents/index.json")

    assert (ran.code, "responseData" in ran.json) == (0, True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["https://example.com/steal"], "its key goes to"),
        (["//example.com/steal"], "its key goes to"),
        (["/v1/notes", "-d", "body=x"], "-d is not JSON: Expecting value (line 1, column 1"),
        (["/v1/notes", "--json", "{", "-d", "{}"], "--json already has a body"),
        (["/v1/notes", "--json", "--rawData", "-d", "{}"], "give only one"),
        (["/v1/notes", "-d", "@nowhere"], "cannot read nowhere"),
        (["/v1/notes", "-X", "BREW"], "method BREW"),
        (["/v1/notes", "-H", "no colon"], "-H 'no colon': give a name"),
        (["/v1/notes", "-H", "X-Name: a\nX-Other: b"], "on one line"),
        (["/v1/notes", "--query", "limit"], "--query 'limit': give a name"),
        (["/v1/notes/{id}"], "give --pathParam id="),
        (["/v1/notes", "--pathParam", "id=7"], "neither {id} nor :id"),
        (["/v1/notes", "-o", "no/such/folder"], "cannot write"),
        ([], "Missing argument 'PATH'"),
    ],
)
def test_wrong_use_is_said_and_nothing_is_sent(
    args: list[str],
    says: str,
    by: Callable[[str, str], str],
    services: RunningSandbox,
    terminal: Terminal,
) -> None:
    ran = terminal.types("request", by("direct", "kustomer"), *args)

    assert (ran.code, says in ran.err) == (2, True), ran.err
    assert services.kustomer.requests == []


@pytest.mark.parametrize("place", ["{name}", ":name"])
def test_what_fills_a_place_in_a_path_stays_one_segment(place: str, terminal: Terminal) -> None:
    ran = terminal.types(
        *("request", "kustomer", f"/v1/customers/{place}/notes", "--pathParam", "name=a/b?c", "--dry-run")
    )

    assert ran.out.splitlines()[0] == "GET https://api.kustomerapp.com/v1/customers/a%2Fb%3Fc/notes"


def test_a_dry_run_shows_the_request_without_credentials_and_sends_nothing(
    by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal
) -> None:
    ran = terminal.types(
        *("request", by("direct", "kustomer"), NOTES, "--json", A_NOTE, "--query", "x=1 2", "--dry-run")
    )

    assert ran.code == 0
    assert ran.out.startswith(f"POST {services.kustomer.url}{NOTES}?x=1%202\ncontent-type: application/json")
    assert A_NOTE in ran.out and "sandbox-kustomer-key" not in ran.out
    assert services.kustomer.requests == []


def test_a_lost_answer_to_a_write_may_have_been_done_and_one_to_a_read_has_not(
    by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal
) -> None:
    connection = by("direct", "kustomer")
    services.kustomer.lose_next_reply(times=2)

    write = terminal.types("request", connection, NOTES, "-d", A_NOTE)
    read = terminal.types("request", connection, "/v1/notes")

    assert (write.code, read.code) == (3, 1)
    assert "may have been done and is not retried" in write.err
    assert len(services.kustomer.writes) == 1


def test_a_service_that_repeats_credentials_is_not_quoted_on_that(
    by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal
) -> None:
    connection = by("direct", "cloudtalk")
    pair = f"{CLOUDTALK_KEY_ID}:{CLOUDTALK_KEY_SECRET}"
    detail = f"{services.cloudtalk.url}/analytics/api/calls/1000000110"

    # Typed without its `Basic`, which the analytics host answers with what it got.
    for header in (pair, base64.b64encode(pair.encode()).decode()):
        ran = terminal.types("request", connection, detail, "-H", f"Authorization: {header}")

        assert ran.code == 1
        assert "401 Unauthorized" in ran.err and "Invalid Authorization header - ***" in ran.err


def test_a_spent_budget_of_theirs_says_when_to_ask_again(
    by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal
) -> None:
    connection = by("direct", "cloudtalk")
    services.cloudtalk.fail_next(429, headers={"retry-after": "9"})

    ran = terminal.types("request", connection, "/agents/index.json")

    assert (ran.code, "try again in 9 s" in ran.err) == (1, True)


def test_a_connection_of_membranes_takes_paths_and_addresses_of_its_app(
    by: Callable[[str, str], str], services: RunningSandbox, terminal: Terminal
) -> None:
    own = terminal.types("request", by("id", "kustomer"), f"{services.kustomer.url}/v1/notes")
    other = terminal.types("request", by("id", "kustomer"), "https://kustomerapp.com.example/v1/notes")

    assert own.code == 0
    assert other.code == 2 and "Give a path" in other.err
    shown = terminal.types("request", by("id", "kustomer"), "/v1/notes", "--dry-run")
    assert json.dumps(shown.out).startswith("\"GET (the app's address)/v1/notes")
