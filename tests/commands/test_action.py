"""`callbridge action`, with keys of our own: what is found, refused, rehearsed and run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.sandbox.running import RunningSandbox
from tests.actions.given import A_CALL, A_CONTACT, A_RECORDED_CALL, INPUTS
from tests.commands.terminal import Terminal

AN_SMS = json.dumps(INPUTS["send-sms"])


@pytest.fixture
def direct(services: RunningSandbox, terminal: Terminal) -> Terminal:
    own = services.environ()
    terminal.knows(own, *(name for name in own if name.startswith("MEMBRANE_")))
    return terminal


def test_actions_are_found_by_what_one_wants_to_do_without_any_setting(terminal: Terminal) -> None:
    found = terminal.types(
        "action", "list", "--intent", "who calls from this number", "--limit", "3", "--json"
    )

    assert found.json[0]["key"] == "get-customer-by-phone"
    assert len(found.json) == 3
    table = terminal.types("action", "list", "--intent", "text a customer").out.splitlines()
    assert table[1].split()[:3] == ["send-sms", "cloudtalk", "write"]
    assert "recipient, sender, message (+3)" in table[1]
    assert terminal.types("action", "list", "--intent", "xyzzy").out.startswith("No action matches")


def test_look_ups_of_our_own_are_listed_on_demand(terminal: Terminal) -> None:
    listed = terminal.types("action", "list", "--all", "--json").json

    assert len(listed) == 35
    assert {"get-customer-by-phone", "get-customer-by-external-id"} < {one["key"] for one in listed}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["list-contact"], "did you mean list-contacts?"),
        (["get-call", "--input", '{"callid": 1}'], "callid: no such field; did you mean call_id?"),
        (["send-sms", "--input", '{"recipient": "+441632960304"}'], "message: is needed"),
        (
            ["get-call", "--input", '{"call_id": 1'],
            "--input is not JSON: Expecting ',' delimiter (line 1, column 14",
        ),
        (["get-call", "--input", '{"call_id": NaN}'], "NaN is not a number"),
        (["get-call", "--input", "[1]"], "--input must be a JSON object"),
        (["get-call", "--input", "@nowhere.json"], "--input: cannot read nowhere.json: No such file"),
        (["get-call", "--connectionId", "kustomer"], "get-call belongs to cloudtalk"),
        (["get-call", "--connectionId", "kustomr"], "There is no connection kustomr"),
        (["list-agents", "-o", "agents.json"], "list-agents returns JSON, not a file"),
        (["get-call-recording", "--input", '{"call_id": 1}'], "save it with -o FILE"),
        (["get-call-recording", "--input", '{"call_id": 1}', "-o", "no/such/folder.wav"], "cannot write"),
        (["get-call-recording", "--input", '{"call_id": 1}', "-o", "."], "is a folder"),
    ],
)
def test_wrong_use_is_said_and_nothing_is_sent(
    args: list[str], says: str, direct: Terminal, services: RunningSandbox
) -> None:
    ran = direct.types("action", "run", *args)

    assert (ran.code, says in ran.err) == (2, True), ran.err
    assert services.cloudtalk.requests == services.kustomer.requests == []


def test_a_missing_key_is_named_with_where_to_make_it(terminal: Terminal) -> None:
    ran = terminal.types("action", "run", "list-agents")

    assert ran.code == 3
    assert "CLIENT_ACTION_REQUIRED" in ran.err
    assert "CLOUDTALK_ACCESS_KEY_ID  from CloudTalk: Account > Settings > API keys" in ran.err


@pytest.mark.parametrize(("text", "given"), [("@in.json", b""), ("-", b'{"call_id": %d}' % A_CALL)])
def test_input_comes_from_a_file_or_from_standard_input(
    text: str, given: bytes, direct: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "in.json").write_text(json.dumps({"call_id": A_CALL}))

    ran = direct.types("action", "run", "get-call", "--input", text, "--json", given=given)

    assert ran.json["output"]["uuid"] == "9bb304eb-e783-4713-b785-067864832c14"


def test_output_is_a_table_or_fields_for_people(direct: Terminal) -> None:
    page = direct.types("action", "run", "list-contacts").out
    one = direct.types("action", "run", "get-contact", "--input", json.dumps({"contact_id": A_CONTACT})).out

    assert page.splitlines()[0].split()[:3] == ["id", "name", "company"]
    assert "4 items, 4 on all pages" in page
    assert "name " in one and "Di Madeup" in one


@pytest.mark.parametrize(
    "key", [key for key in INPUTS if key.startswith(("create", "update", "delete", "send"))]
)
def test_a_dry_run_says_what_would_be_sent_and_writes_nothing(
    key: str, direct: Terminal, services: RunningSandbox
) -> None:
    here = services.cloudtalk if key in ("send-sms",) or key.endswith("contact") else services.kustomer

    result = direct.types("action", "run", key, "--input", json.dumps(INPUTS[key]), "--dry-run", "--json")

    assert result.code == 0 and here.writes == []
    assert direct.types("action", "run", key, "--input", json.dumps(INPUTS[key])).code == 0
    (written,) = here.writes
    assert (result.json["dryRun"]["method"], result.json["dryRun"]["path"]) == (written.method, written.path)


def test_a_dry_run_needs_no_keys_and_says_when_there_is_nothing_to_rehearse(terminal: Terminal) -> None:
    sms = terminal.types("action", "run", "send-sms", "--input", AN_SMS, "--dry-run")
    read = terminal.types("action", "run", "list-agents", "--dry-run")

    assert (sms.code, read.code) == (0, 0)
    assert "send-sms would write at cloudtalk; nothing was written" in sms.out
    assert "/sms/send.json" in sms.out and "Your invoice is on its way." in sms.out
    assert "never retries it" in sms.out
    assert "only reads. Nothing was sent" in read.out


def test_a_recording_is_written_as_it_is(direct: Terminal, services: RunningSandbox, tmp_path: Path) -> None:
    given = json.dumps({"call_id": A_RECORDED_CALL})

    ran = direct.types("action", "run", "get-call-recording", "--input", given, "-o", "a.wav", "--json")

    content = (tmp_path / "a.wav").read_bytes()
    assert content == services.cloudtalk.recording_of(A_RECORDED_CALL)
    assert ran.json == {"output": {"file": "a.wav", "size": len(content), "content_type": "audio/x-wav"}}


def test_a_download_that_breaks_off_leaves_the_old_file_and_nothing_else(
    direct: Terminal, services: RunningSandbox, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"old")
    services.cloudtalk.cut_next(1000, path="recording")
    given = json.dumps({"call_id": A_RECORDED_CALL})

    ran = direct.types("action", "run", "get-call-recording", "--input", given, "-o", "a.wav")

    assert ran.code == 1 and "Traceback" not in ran.err
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a.wav", b"old")]


def test_what_the_service_says_is_kept(direct: Terminal, services: RunningSandbox) -> None:
    services.cloudtalk.read_as(sms_failure="Sender is not one of your numbers")

    ran = direct.types("action", "run", "send-sms", "--input", AN_SMS)

    services.cloudtalk.read_as(sms_failure=None)
    assert ran.code == 1
    assert "Sender is not one of your numbers" in ran.err


def test_a_lost_answer_to_an_sms_is_for_a_person_to_look_at(
    direct: Terminal, services: RunningSandbox
) -> None:
    services.cloudtalk.lose_next_reply(path="sms")

    ran = direct.types("action", "run", "send-sms", "--input", AN_SMS, "--json")

    assert ran.code == 3
    assert "may have been done and is not retried" in ran.err
    assert ran.out == ""
    assert len(services.cloudtalk.writes) == 1


def test_requests_count_against_the_budget_that_all_share(
    direct: Terminal, services: RunningSandbox, redis_client: object, redis_url: str
) -> None:
    direct.knows({"REDIS_URL": redis_url, "CLOUDTALK_REQUESTS_PER_MINUTE": "1"})

    assert direct.types("action", "run", "list-agents").code == 0
    spent = direct.types("action", "run", "list-agents")
    asked = direct.types("connection", "get", "cloudtalk")

    assert spent.code == 1
    assert "our share of cloudtalk's budget is used up; try again in" in spent.err
    assert asked.code == 1 and "try again in" in asked.out
    assert len(services.cloudtalk.requests) == 1


def test_without_its_redis_an_action_goes_uncounted_and_says_so(direct: Terminal, tmp_path: Path) -> None:
    direct.knows({"REDIS_URL": f"unix://{tmp_path}/nobody.sock"})

    ran = direct.types("action", "run", "list-agents", "--json")

    assert (ran.code, len(ran.json["output"]["items"])) == (0, 2)
    assert "not counted in the shared budget" in ran.err
