"""`callbridge upgrade`: 0 if this version can take the ledger over, 2 if something is in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from bridge.commands import main
from bridge.ledger import keys
from bridge.ledger import processes as running
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Heartbeat
from bridge.ledger.schema import VERSION, begin_restore, read_schema
from tests.support import Bridge, ended

pytestmark = pytest.mark.usefixtures("at_a_terminal")


def _checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, tuple[str, str]]]:
    capsys.readouterr()
    code = main(["upgrade", "--json", *words])
    checks = json.loads(capsys.readouterr().out)
    return code, {one["name"]: (one["state"], one["says"]) for one in checks}


def test_check_looks_at_an_older_ledger_and_changes_nothing(
    bridge: Bridge, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge.receive("call-ended", ended())

    code, found = _checked(capsys, "--check")

    assert code == 0
    assert found["ledger"][1].startswith("schema 1")
    assert found["rules"][0] == found["settings"][0] == found["processes"][0] == "ok"
    assert not bridge.ledger.redis.exists(keys.SCHEMA)


def test_without_check_it_migrates(bridge: Bridge, capsys: pytest.CaptureFixture[str]) -> None:
    bridge.receive("call-ended", ended())

    assert _checked(capsys)[0] == 0

    assert read_schema(bridge.ledger.redis).version == VERSION


def test_a_newer_ledger_is_in_the_way(redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]) -> None:
    redis_client.hset(keys.SCHEMA, "version", VERSION + 1)

    code, found = _checked(capsys)

    assert code == 2 and found["ledger"][0] == "FAIL"
    assert read_schema(redis_client).version == VERSION + 1


def test_a_restore_that_did_not_finish_is_in_the_way(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_restore(redis_client)

    assert _checked(capsys, "--check")[0] == 2


def test_processes_of_another_version_are_named(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        old.setattr(running, "__version__", "0.0.1")
        beat = Heartbeat(redis_client, "worker")
        beat.start()
        beat.beat()
    code, found = _checked(capsys, "--check")
    beat.stop()

    assert code == 0 and Ledger(redis_client).processes() == []
    assert found["processes"] == ("warn", "1 process of another version: 0.0.1")


def test_a_rules_file_with_a_mistake_is_in_the_way(
    redis_client: redis.Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("version = 2\n[conversation]\ntgas = []\n")
    monkeypatch.setenv("CALLBRIDGE_RULES", str(file))

    assert main(["upgrade", "--check"]) == 2
    assert "did you mean tags?" in capsys.readouterr().err
