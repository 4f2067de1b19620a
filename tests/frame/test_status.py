"""`callbridge status`: 0 all is well, 3 a person has to act, 1 Redis takes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.commands import main
from bridge.errors import ROLE_MISSING, Disconnected
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Heartbeat
from bridge.ledger.queue.connections import Connections
from tests.support import ended

pytestmark = pytest.mark.usefixtures("at_a_terminal")


@contextmanager
def running(client: redis.Redis, *kinds: str, rules: tuple[str, str] = ("default", "")) -> Iterator[None]:
    beats = [Heartbeat(client, kind, rules=lambda: rules) for kind in kinds]
    for one in beats:
        one.start()
    for one in beats:
        # The first one is sent from its thread; this one surely is there.
        one.beat()
    yield
    for one in beats:
        one.stop()


def asked(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["status", "--json"])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, result


def test_all_is_well_while_all_three_run_and_nothing_is_parked(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(redis_client, "web", "worker", "clock"):
        code, result = asked(capsys)
        assert main(["status"]) == 0
        said = capsys.readouterr().out

    assert (code, result["ok"], result["says"]) == (0, True, [])
    assert set(result) == {"ok", "says", "processes", "queue", "budgets", "schema"}
    assert [one["kind"] for one in result["processes"]] == ["web", "worker", "clock"]
    assert result["queue"]["parked"] == 0 and set(result["budgets"]) == {"cloudtalk", "kustomer"}
    assert "All is well" in said and "worker" in said


def test_a_mistake_in_the_rules_file_needs_a_person(
    redis_client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("version = 2\n[conversation]\ntgas = []\n")
    monkeypatch.setenv("CALLBRIDGE_RULES", str(file))
    wrong = f"{file}:3:1: conversation.tgas is unknown; did you mean tags?"
    with running(redis_client, "web", "worker", "clock", rules=("abc123", wrong)):
        code, result = asked(capsys)

    assert (code, result["ok"]) == (3, False)
    assert wrong in result["says"][0]
    assert {one["rules"] for one in result["processes"]} == {"abc123"}
    # What works by the file itself does not go on.
    assert main(["calls", "ls"]) == 2


@pytest.mark.parametrize("absent", ["web", "worker", "clock"])
def test_a_process_that_does_not_run_needs_a_person(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str], absent: str
) -> None:
    with running(redis_client, *({"web", "worker", "clock"} - {absent})):
        code, result = asked(capsys)

    assert (code, result["ok"]) == (3, False)
    (said,) = result["says"]
    assert said.startswith(f"no {absent} runs, so ") and said.endswith(f": start `callbridge {absent}`")


def test_a_parked_job_and_a_paused_service_need_a_person(
    redis_client: redis.Redis,
    ledger: Ledger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bridge.domain.rules.model import Rules
    from bridge.domain.webhook.events import Event, read_event

    event = read_event("call-ended", ended(), Rules())
    assert isinstance(event, Event)
    key = ledger.record_event(event, ended()).key
    claim = ledger.claim("sync", key)
    assert claim is not None
    ledger.park(claim, cause="fault", error="made up")
    down = Connections(ledger, check_every_s=30, through={"kustomer": "a-connection"})
    down.mark_down("kustomer", Disconnected("down", connection="a-connection", service="kustomer"))
    monkeypatch.setenv("KUSTOMER_VIA", "membrane")
    monkeypatch.setenv("MEMBRANE_KUSTOMER_CONNECTION", "a-connection")
    monkeypatch.setenv("MEMBRANE_TOKEN", "a-token")

    role = Disconnected("no role", connection="", state=ROLE_MISSING, service="kustomer:create_note")
    down.mark_down("kustomer:create_note", role)
    down.mark_slow("cloudtalk", "list_calls")

    with running(redis_client, "web", "worker", "clock"):
        code, result = asked(capsys)
        main(["status"])
        said = capsys.readouterr().out

    assert code == 3
    assert any("Kustomer is paused for create_note (ROLE_MISSING)" in text for text in result["says"])
    assert "CloudTalk did not answer list_calls in time" in said
    assert any("Kustomer is paused (DISCONNECTED)" in text for text in result["says"])
    assert "1 job is parked: callbridge parked ls" in result["says"]


def test_a_redis_that_takes_nothing_is_named_with_its_cause(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    code, result = asked(capsys)

    assert (code, result["ok"]) == (1, False)
    assert result == {
        "ok": False,
        "says": ["Redis cannot be reached"],
        "processes": [],
        "queue": {},
        "budgets": {},
        "schema": {},
    }


def test_without_an_address_and_without_up_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL")

    code, result = asked(capsys)

    assert (code, result["ok"]) == (1, False)
    assert "REDIS_URL is not set" in result["says"][0]
