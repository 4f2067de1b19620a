"""`callbridge rules try`: what a person sees and what a script gets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import DONE, NEEDS_A_PERSON, WRONG_USE, main, rules_apply
from bridge.ledger.ledger import Ledger
from tests.reports.many_calls import FIRST_ID, body_of, put_on_record

MISSED_DONE = 'version = 2\n[[rule]]\nwhen = { outcome = "missed" }\nthen = { status = "done" }\n'


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.delenv("CALLBRIDGE_RULES", raising=False)


def lately(number: int, **other: Any) -> dict[str, Any]:
    began = datetime.now(UTC) - timedelta(hours=number)
    ended = began + timedelta(minutes=1)
    return body_of(number, started_at=began.isoformat(), ended_at=ended.isoformat(), **other)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "new.toml"
    path.write_text(MISSED_DONE)
    return path


def test_the_json_names_the_calls_that_differ(
    ledger: Ledger, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put_on_record(ledger, [lately(1), lately(3), lately(6), lately(30)])

    assert main(["rules", "try", str(file), "--since", "24h", "--json"]) == DONE

    answer = json.loads(capsys.readouterr().out)
    assert (answer["calls"], answer["requests"], answer["minutes"]) == (3, 4, 0.1)
    assert {one["call_id"] for one in answer["differ"]} == {FIRST_ID + 3, FIRST_ID + 6}
    assert answer["differ"][0]["was"] == {"status": "open"}
    assert answer["differ"][0]["would"] == {"status": "done"}


def test_without_calls_the_json_is_whole(
    ledger: Ledger, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rules", "try", str(file), "--since", "7d", "--json"]) == DONE

    assert json.loads(capsys.readouterr().out)["differ"] == []


def test_the_lines_say_old_and_new(ledger: Ledger, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_on_record(ledger, [lately(1), lately(3)])

    assert main(["rules", "try", str(file), "--since", "24h", "--diff"]) == DONE

    shown = capsys.readouterr().out
    assert "status: open -> done" in shown
    assert "1 of 2 calls would differ." in shown
    assert "about 2 requests to Kustomer" in shown


def test_a_wrong_file_ends_as_the_check_does(
    ledger: Ledger, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text('version = 2\n[conversation]\nstatus = { missed = "closed" }\n')

    assert main(["rules", "try", str(file), "--since", "24h"]) == WRONG_USE
    tried = capsys.readouterr().err
    assert main(["rules", "check", str(file)]) == WRONG_USE

    assert tried == capsys.readouterr().err
    assert tried.startswith(f"{file}:3:")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"[" * 100_000, b"version = 2\n" * 40_000, b'version = 2\nx = "' + b"a" * 300_000, b""],
)
def test_a_hostile_file_is_refused_in_one_line_each(
    ledger: Ledger, file: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(content)

    assert main(["rules", "try", str(file), "--since", "24h"]) in (DONE, WRONG_USE)
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_is_put_in_force_at_once_and_the_former_one_is_kept(
    ledger: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = file.with_name("rules.toml")
    rules.write_text("version = 2\n")
    monkeypatch.setenv("CALLBRIDGE_RULES", str(rules))
    monkeypatch.setattr(rules_apply, "_RELOADED_AFTER_S", 0)
    put_on_record(ledger, [lately(1), lately(3)])

    # Nobody runs the syncs here.
    assert main(["rules", "try", str(file), "--since", "24h", "--apply", "--yes"]) == NEEDS_A_PERSON

    assert rules.read_text() == MISSED_DONE
    assert rules.with_name("rules.toml.before").read_text() == "version = 2\n"
    assert "No worker is running" in capsys.readouterr().out
    assert [name.split("|")[0] for name in ledger.dispatch(10)[1]] == ["sync"]


@pytest.mark.parametrize(
    ("in_force", "more", "says"),
    [
        (None, [], "Set CALLBRIDGE_RULES="),
        (MISSED_DONE, [], "is in force already"),
        ("version = 2\n", ["--against", "default"], "is not in force"),
    ],
)
def test_what_cannot_be_applied_says_how(
    ledger: Ledger,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_force: str | None,
    more: list[str],
    says: str,
) -> None:
    if in_force is not None:
        rules = file.with_name("rules.toml")
        rules.write_text(in_force)
        monkeypatch.setenv("CALLBRIDGE_RULES", str(rules))

    assert main(["rules", "try", str(file), "--since", "24h", "--apply", *more]) == WRONG_USE

    assert says in capsys.readouterr().err


def test_rules_in_force_are_compared_with_those_before(
    ledger: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CALLBRIDGE_RULES", str(file))
    put_on_record(ledger, [lately(3)])

    argv = ["rules", "try", str(file), "--since", "24h", "--against", "default", "--apply", "--json"]
    assert main(argv) == NEEDS_A_PERSON

    answer = json.loads(capsys.readouterr().out)
    assert answer["applied"] == {"state": "going", "done": 0, "failed": 0}
