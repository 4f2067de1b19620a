"""`callbridge parked` and `trail`, and the same over `/api`, as an operator meets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import main
from bridge.commands import parked as command
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys, trail
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import parked
from tests.commands.terminal import Terminal
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, Site


@pytest.fixture(autouse=True)
def here(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_server.url)


def park(ledger: Ledger, *numbers: int, cause: str = "Rejected") -> list[str]:
    found = []
    for number in numbers:
        body = {**ENDED, "call_id": str(number), "call_uuid": None}
        event = read_event("call-ended", body, Rules())
        assert isinstance(event, Event)
        ledger.record_event(event, body)
        found.append(give_up(ledger, f"id:{number}", cause))
    return found


def give_up(ledger: Ledger, key: str, cause: str = "Rejected") -> str:
    ledger.dispatch(100)
    claim = ledger.claim("sync", key)
    assert claim is not None
    ledger.park(claim, cause=cause, error="the service said no")
    return claim.name


def done(ledger: Ledger) -> None:
    """A worker that does all that is due."""
    for name in ledger.dispatch(100)[1]:
        claim = ledger.claim("sync", name.removeprefix("sync|"))
        assert claim is not None
        ledger.complete(claim)


def asked(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> Any:
    assert main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def listen(ledger: Ledger) -> Any:
    channel = ledger.redis.pubsub()  # type: ignore[no-untyped-call]
    channel.subscribe("{callbridge}:wake")
    channel.get_message(timeout=5)
    return channel


def test_parked_jobs_are_listed_by_filter_and_one_is_told_in_full(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    park(ledger, 1)
    park(ledger, 2, cause="Unauthorized")

    assert [job["call"] for job in asked(capsys, "parked", "ls")["parked"]] == ["id:1", "id:2"]
    assert [job["call"] for job in asked(capsys, "parked", "ls", "--call", "2")["parked"]] == ["id:2"]
    assert [job["name"] for job in asked(capsys, "parked", "ls", "--cause", "Rejected")["parked"]] == [
        "sync|id:1"
    ]
    assert asked(capsys, "parked", "show", "sync|id:2")["error"] == "the service said no"
    assert main(["parked", "show", "sync|id:3"]) == 1


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    names = park(ledger, 1, 2)

    assert asked(capsys, "parked", "replay", "--dry-run")["chosen"] == names
    assert asked(capsys, "parked", "drop", "--reason", "a test", "--dry-run")["dropped"] == 0

    assert list(ledger.parked()) == names


def test_phases_are_a_few_a_tenth_and_the_rest(ledger: Ledger) -> None:
    park(ledger, *range(1, 51))

    assert [len(phase) for phase in parked.phases(parked.choose(ledger, {}))] == [3, 5, 42]
    assert [len(phase) for phase in parked.phases(parked.choose(ledger, {})[:2])] == [2]
    assert list(parked.phases([])) == []


def test_all_are_run_again_while_they_end_well(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    park(ledger, *range(1, 13))
    monkeypatch.setattr(command, "_pause", lambda: done(ledger))
    channel = listen(ledger)

    answer = asked(capsys, "parked", "replay")

    channel.close()
    assert (answer["replayed"], answer["done"], answer["failed"]) == (12, 12, [])
    assert ledger.parked() == {}


def test_what_is_dropped_between_two_phases_is_not_run(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    park(ledger, *range(1, 6))
    channel = listen(ledger)

    def somebody_drops_the_last() -> None:
        parked.drop(ledger, parked.choose(ledger, {"call": "5"}), who="test", reason="a test")
        done(ledger)

    monkeypatch.setattr(command, "_pause", somebody_drops_the_last)
    assert main(["parked", "replay"]) == 0

    channel.close()
    said = capsys.readouterr().out
    assert "Of 3: 3 done" in said and "Of 1: 1 done" in said
    assert "No longer parked, left alone: 1" in said
    assert [entry["what"] for entry in ledger.read("id:5").log] == ["dropped", "parked"]
    again = [line["call"] for line in trail.read(ledger) if line["what"] == "run again: sync"]
    assert again == ["id:4", "id:3", "id:2", "id:1"]


def test_a_phase_of_which_nothing_is_left_ends_well(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    park(ledger, *range(1, 6))
    channel = listen(ledger)

    def somebody_drops_the_rest() -> None:
        for key in ("id:4", "id:5"):
            parked.drop(ledger, parked.choose(ledger, {"call": key}), who="test", reason="a test")
        done(ledger)

    monkeypatch.setattr(command, "_pause", somebody_drops_the_rest)

    answer = asked(capsys, "parked", "replay")

    channel.close()
    assert (answer["replayed"], answer["gone"], answer["done"]) == (3, 2, 3)


def test_it_stops_after_the_first_few_when_they_fail_again(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = park(ledger, *range(1, 13))
    monkeypatch.setattr(command, "_pause", lambda: [give_up(ledger, f"id:{n}") for n in (1, 2, 3)])
    channel = listen(ledger)

    answer = asked(capsys, "parked", "replay", code=3)

    channel.close()
    assert (answer["replayed"], answer["failed"]) == (3, names[:3])
    assert len(ledger.parked()) == 12


def test_without_a_worker_it_queues_a_few_and_does_not_wait(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    park(ledger, *range(1, 13))

    assert main(["parked", "replay"]) == 3
    assert "No worker is running" in capsys.readouterr().out
    assert len(ledger.parked()) == 9
    assert main(["parked", "replay", "--no-wait"]) == 0
    assert ledger.parked() == {}


def test_the_trail_prints_a_line_that_names_no_call_without_a_gap(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.leave(ledger, who="Amy", what="replay begun", more="2 jobs")

    assert main(["trail"]) == 0

    assert capsys.readouterr().out.rstrip().endswith("  Amy  replay begun  2 jobs")


def test_dropping_wants_a_reason_which_the_call_and_the_trail_keep(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    park(ledger, 1, 2)

    assert main(["parked", "drop"]) == 2
    assert main(["parked", "drop", "--reason", " "]) == 2
    assert asked(capsys, "parked", "drop", "--call", "1", "--reason", "a call of a test")["dropped"] == 1

    assert list(ledger.parked()) == ["sync|id:2"]
    assert "a call of a test" in str(ledger.read("id:1").log[0])
    line = asked(capsys, "trail")["trail"][0]
    assert (line["who"], line["what"], line["call"]) == (trail.person(), "dropped: sync", "id:1")
    assert asked(capsys, "trail", "--since", "2100-01-01")["trail"] == []


def test_dropping_everything_has_to_be_asked_for_and_confirmed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = park(ledger, 1, 2, 3)
    terminal = Terminal(monkeypatch)
    drop = ("parked", "drop", "--reason", "a test")

    which = terminal.types(*drop)
    unasked = terminal.types(*drop, "--all")
    refused = terminal.types(*drop, "--all", given=b"n\n", on_screen=True)

    assert (which.code, unasked.code, refused.code) == (2, 2, 130)
    assert "--all" in which.err and "--dry-run" in which.err
    assert "--yes" in unasked.err
    assert "Permanently drop these 3 jobs? [y/N]" in refused.err
    assert list(ledger.parked()) == names

    agreed = terminal.types(*drop, "--all", given=b"y\n", on_screen=True)

    assert (agreed.code, ledger.parked()) == (0, {})


def test_a_program_drops_everything_with_yes(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    park(ledger, 1, 2)

    assert asked(capsys, "parked", "drop", "--reason", "a test", "--all", "--yes")["dropped"] == 2
    assert ledger.parked() == {}


def test_a_filter_is_confirmed_at_a_terminal_where_it_takes_more_than_one(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    park(ledger, 1, 2, 3)
    terminal = Terminal(monkeypatch)
    drop = ("parked", "drop", "--reason", "a test")

    assert terminal.types(*drop, "--call", "1", on_screen=True).code == 0
    assert terminal.types(*drop, "--cause", "Rejected", given=b"n\n", on_screen=True).code == 130
    assert len(ledger.parked()) == 2
    assert terminal.types(*drop, "--cause", "Rejected").code == 0
    assert ledger.parked() == {}


def test_the_trail_takes_times_as_all_commands_do(
    ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hour, now = timedelta(hours=1), datetime.now(UTC)
    for n, ago in enumerate((3 * hour, hour, timedelta())):
        line = {"at": (now - ago).timestamp() * 1000, "who": "test", "what": str(n), "call": "", "more": ""}
        ledger.redis.lpush(keys.TRAIL, json.dumps(line))

    def result(*argv: str) -> list[str]:
        return [line["what"] for line in asked(capsys, "trail", *argv)["trail"]]

    assert result("--since", "2h") == ["2", "1"]
    assert result("--until", "30m") == ["1", "0"]
    assert result("--since", "2h", "--until", "30m") == ["1"]
    two_hours_ago = (now - 2 * hour).replace(tzinfo=None, microsecond=0).isoformat()
    assert result("--since", f"{two_hours_ago}Z") == ["2", "1"]
    assert result("--since", two_hours_ago) == ["2", "1"]
    # Where it is two hours later, that was four hours ago.
    monkeypatch.setenv("TIME_ZONE", "Etc/GMT-2")
    assert result("--since", two_hours_ago) == ["2", "1", "0"]


@pytest.mark.parametrize(
    "argv", [("--since", "yesterday"), ("--until", "24"), ("--since", "1h", "--until", "2h")]
)
def test_the_trail_says_what_times_would_do(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trail", *argv]) == 2

    assert argv[0] in capsys.readouterr().err


def test_the_same_over_http(site: Site, ledger: Ledger) -> None:
    park(ledger, 1, 2, 3)

    tried = site.ask("POST", "/api/parked/replay", b'{"dry_run": true, "call": "1"}')
    assert (tried.status, tried.json) == (200, {"would_replay": 1, "calls": ["id:1"]})
    assert len(ledger.parked()) == 3
    assert site.ask("POST", "/api/parked/replay", b'{"dry_run": 1}').status == 400
    assert site.ask("POST", "/api/parked/drop", b'{"call": "1"}').status == 400
    dropped = site.ask("POST", "/api/parked/drop", b'{"call": "1", "reason": "a call of a test"}')
    assert dropped.json == {"dropped": 1, "calls": ["id:1"], "left": 0}
    assert site.ask("POST", "/api/parked/replay").json["replayed"] == 2
    assert [line["who"] for line in trail.read(ledger)] == ["sandbox"] * 3
