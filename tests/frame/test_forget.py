"""`callbridge forget`: what it asks, what it says, and its exit codes."""

from __future__ import annotations

import io
import json

import pytest
import redis

from bridge.commands import main
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, Held, read_event
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from tests.support import ended

pytestmark = pytest.mark.usefixtures("at_a_terminal")
NUMBER, UUID = "+441632960304", "11111111-2222-4333-8444-555555555500"


@pytest.fixture(autouse=True)
def known(redis_client: redis.Redis) -> Ledger:
    ledger, body = Ledger(redis_client), ended()
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)
    held = read_event("call-ended", {"external_number": NUMBER}, Rules())
    assert isinstance(held, Held)
    ledger.hold(held, {"external_number": NUMBER})
    return ledger


def test_a_number_is_forgotten_with_a_receipt_to_read(
    known: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", "--number", "+44 1632 960304", "--yes"]) == 0

    said = capsys.readouterr().out
    for part in (
        "Forgotten: …304 (1 call)",
        f"uuid:{UUID}",
        "ledger: 1 record",
        "held: 1 event",
        "append-only file",
    ):
        assert part in said
    assert known.redis.hlen(keys.HELD) == 0


def test_the_receipt_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "--call", UUID, "--yes", "--json"]) == 0

    result = json.loads(capsys.readouterr().out)
    assert result["calls"] == [f"uuid:{UUID}"] and result["disk_rewritten"] is True
    assert {"where": "ledger", "what": "record", "count": 1} in result["removed"]
    assert result["elsewhere"][0]["service"] == "CloudTalk"


def test_calls_forget_is_the_same_for_one_call(
    sandbox: RunningSandbox, known: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calls", "forget", "1000000500", "--upstream", "--yes", "--json"]) == 0

    result = json.loads(capsys.readouterr().out)
    assert result["call"] == f"uuid:{UUID}" and result["done"] and result["calls"] == [f"uuid:{UUID}"]
    assert [request.method for request in sandbox.cloudtalk.requests] == ["DELETE"]
    assert known.read(f"uuid:{UUID}").forgotten


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--number", NUMBER, "--call", "5"],
        ["--number", ""],
        ["--number", "anonymous"],
        ["--number", "Ada"],
        ["--number", "01632 960304"],
    ],
)
def test_what_names_nobody_is_wrong_use_and_removes_nothing(known: Ledger, args: list[str]) -> None:
    assert main(["forget", *args, "--yes"]) == 2

    assert known.redis.hlen(keys.HELD) == 1


def test_a_call_that_nobody_knows_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "--call", "4711", "--yes"]) == 1
    assert "No call found" in capsys.readouterr().err


def test_unasked_for_it_is_asked_first(known: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert main(["forget", "--number", NUMBER]) == 2

    assert known.redis.hlen(keys.HELD) == 1
