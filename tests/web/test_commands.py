"""`callbridge calls` and `callbridge web`, as a person at a terminal meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import main
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys, trail
from bridge.ledger.ledger import Ledger
from tests.commands.terminal import Terminal
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID, Site

KEY = f"uuid:{UUID}"


@pytest.fixture(autouse=True)
def here(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("COLUMNS", "200")


def learn(ledger: Ledger, **more: Any) -> None:
    body = {**ENDED, **more}
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)


def test_calls_are_listed_with_the_tail_of_their_numbers(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(ledger, contact_name="[red]Ada[/red]")

    assert main(["calls", "ls"]) == 0

    out = capsys.readouterr().out
    assert "1000000110" in out and "behind" in out and "…304" in out
    assert "960304" not in out


def test_forgetting_a_call_is_asked_once_and_without_a_terminal_wants_yes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(ledger)
    terminal = Terminal(monkeypatch)

    unasked = terminal.types("calls", "forget", KEY)
    refused = terminal.types("calls", "forget", KEY, given=b"n\n", on_screen=True)

    assert (unasked.code, refused.code) == (2, 130)
    assert "--yes" in unasked.err
    assert ledger.read(KEY).exists
    assert terminal.types("calls", "forget", KEY, given=b"y\n", on_screen=True).code == 0
    assert not ledger.read(KEY).events


def test_a_forgotten_call_is_not_offered_for_a_sync_and_is_not_synced(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    learn(ledger)
    terminal = Terminal(monkeypatch)
    terminal.types("calls", "forget", KEY, "--yes")

    shown = terminal.types("calls", "show", KEY)
    synced = terminal.types("calls", "sync", KEY)
    over_http = site.ask("POST", f"/api/calls/{KEY}/sync")

    assert shown.code == 0
    assert "nothing: the call was forgotten on request" in shown.out
    assert "calls sync" not in shown.out
    assert (synced.code, over_http.status) == (1, 409)
    assert "forgotten on request" in synced.err and "forgotten on request" in over_http.text
    assert not any("sync" in line["what"] for line in trail.read(ledger))


def test_the_ids_of_listed_calls_are_whole_in_a_pipe(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    learn(ledger, call_id=None)
    conversation = "60f1c2d3e4a5b6c7d8e9f001"
    ledger.redis.hset(keys.record(KEY), "out:conversation", json.dumps({"id": conversation, "sent": {}}))

    assert main(["calls", "ls"]) == 0

    _, line = capsys.readouterr().out.splitlines()
    assert UUID in line and conversation in line


def test_the_list_can_be_narrowed_and_read_by_programs(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(ledger)

    assert main(["calls", "ls", "--q", "ada", "--state", "behind", "--limit", "5", "--json"]) == 0
    assert [call["key"] for call in json.loads(capsys.readouterr().out)["calls"]] == [KEY]
    assert main(["calls", "ls", "--q", "eve"]) == 0
    assert "No calls match" in capsys.readouterr().out
    assert main(["calls", "ls", "--state", "lost"]) == 2


def test_one_call_is_told_with_what_came_and_what_is_next(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(ledger)

    assert main(["calls", "show", UUID.upper()]) == 0

    out = capsys.readouterr().out
    for text in ("Call 1000000110", UUID, "event call-ended", "nothing yet", "sync: due now"):
        assert text in out
    assert "960304" not in out
    assert main(["calls", "show", KEY, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events"][0]["body"] == dict(ENDED)


def test_a_call_is_synced_again(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    learn(ledger)

    assert main(["calls", "sync", "1000000110", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == {"status": "queued", "call": KEY}
    assert ledger.read(KEY).verify_requested


@pytest.mark.parametrize("command", ["show", "sync"])
def test_an_unknown_call_is_said_to_be_unknown(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main(["calls", command, "12"]) == 1
    assert "No call found for '12'" in capsys.readouterr().err


def test_a_redis_that_does_not_answer_is_said_so_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/none.sock")

    assert main(["calls", "ls"]) == 1
    assert "Redis cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["web"], ["calls", "ls"]])
def test_a_missing_address_of_redis_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.delenv("REDIS_URL")

    assert main(command) == 2
    assert "REDIS_URL" in capsys.readouterr().err


def test_the_list_takes_the_filters_of_the_api(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    learn(
        ledger,
        started_at="2026-11-22T00:25:09Z",
        direction="incoming",
        talking_time=60,
        agent_name="Bo Sample",
    )
    answered = ["--outcome", "answered", "--direction", "incoming", "--agent", "bo", "--since", "2026-11-01"]

    assert main(["calls", "ls", *answered, "--json"]) == 0
    assert [call["key"] for call in json.loads(capsys.readouterr().out)["calls"]] == [KEY]
    for other in (
        ["--outcome", "missed"],
        ["--direction", "outgoing"],
        ["--agent", "eve"],
        ["--until", "2026-11-01"],
    ):
        assert main(["calls", "ls", *other]) == 0
        assert "No calls match" in capsys.readouterr().out


def test_a_page_of_the_list_leads_to_the_next(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        learn(ledger, call_id=1000000200 + number, call_uuid=None)
    assert main(["calls", "ls", "--limit", "2", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)

    assert main(["calls", "ls", "--limit", "2", "--cursor", first["next"], "--json"]) == 0

    rest = json.loads(capsys.readouterr().out)
    assert len(first["calls"]) == 2 and len(rest["calls"]) == 1 and rest["next"] is None


def test_times_are_in_the_zone_of_the_desk_and_say_so(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIME_ZONE", "Europe/Prague")
    learn(ledger, started_at="2026-07-22T10:05:09Z")

    assert main(["calls", "ls"]) == 0
    assert "2026-07-22 12:05 CEST" in capsys.readouterr().out
    assert main(["calls", "show", UUID]) == 0
    assert "2026-07-22 12:05:09 CEST" in capsys.readouterr().out


def test_watching_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "ls", "--watch"]) == 2
    assert "--watch needs a terminal" in capsys.readouterr().err


def test_a_calls_addresses_are_printed_as_far_as_they_are_known(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(ledger)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.keep(claim, {"out:conversation": {"id": "c-1", "sent": {}, "created": True}})
    monkeypatch.setenv("PUBLIC_URL", "https://bridge.example")

    assert main(["calls", "open", UUID]) == 0
    few = capsys.readouterr().out
    monkeypatch.setenv("KUSTOMER_APP_URL", "https://acme.example")
    assert main(["calls", "open", UUID, "--json"]) == 0
    more = json.loads(capsys.readouterr().out)["links"]

    assert f"https://bridge.example/calls/{KEY}" in few and "acme" not in few
    assert {"what": "Conversation in Kustomer", "url": "https://acme.example/app/conversations/c-1"} in more
    assert any(link["what"] == "Call in CloudTalk" and "1000000110" in link["url"] for link in more)


def test_opening_an_unknown_call_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "open", "no-such-call"]) == 1
    assert "No call found" in capsys.readouterr().err
