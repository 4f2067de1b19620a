"""Commands that work on one account, or on all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bridge.commands import main
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from tests.accounts.given import ENVIRONMENT, table

NO_KEYS = ("WEBHOOK_TOKENS", "KUSTOMER_API_KEY", "CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET")
KEY = "id:1000000500"


@pytest.fixture
def deployment(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Its accounts file: acme and bolt, each with a parked job; nothing is in the environment itself."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "accounts.toml"
    file.write_text(table("acme") + table("bolt"))
    given = {**ENVIRONMENT, "REDIS_URL": redis_url, "CALLBRIDGE_ACCOUNTS": str(file)}
    for name, value in {**given, "DATA_DIR": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, value)
    for name in NO_KEYS:
        monkeypatch.delenv(name, raising=False)
    for place, account in enumerate(("acme", "bolt")):
        ledger = Ledger(connect(redis_url, account=account))
        key = f"id:{1000000500 + place}"
        ledger.schedule("sync", key, in_ms=0)
        claim = ledger.claim("sync", key)
        assert claim is not None
        ledger.park(claim, cause="Rejected", error=f"of {account}")
    yield file


def parked(capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    assert main([*argv, "--json"]) == 0
    return [one["error"] for one in json.loads(capsys.readouterr().out)["parked"]]


@pytest.mark.usefixtures("deployment")
def test_a_command_works_on_the_account_that_is_named_before_or_after_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parked(capsys, "--account", "acme", "parked", "ls") == ["of acme"]
    assert parked(capsys, "parked", "ls", "--account", "bolt") == ["of bolt"]
    monkeypatch.setenv("CALLBRIDGE_ACCOUNT", "acme")
    assert parked(capsys, "parked", "ls") == ["of acme"]
    # What is said wins over what is set.
    assert parked(capsys, "--account", "bolt", "parked", "ls") == ["of bolt"]


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["parked", "ls"], "Which account? This deployment has only named ones"),
        (["parked", "ls"], "There are: acme, bolt."),
        (["--account", "acm", "parked", "ls"], "There is no account 'acm' in"),
        (["--account", "acm", "parked", "ls"], "Did you mean acme?"),
        (["--account", "acme", "worker"], "callbridge worker serves all accounts: leave out --account"),
        (["--account", "acme", "backup", "x", "--all-accounts"], "leave out --account"),
        (["--account", "acme", "forget", "--yes"], "take its table out first"),
        (["--account", "../x", "forget", "--yes"], "is not an account name"),
    ],
)
def test_what_is_missing_or_wrong_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], argv: list[str], told: str
) -> None:
    assert main(argv) == 2

    assert told in capsys.readouterr().err


def test_an_account_that_is_wrong_is_told_with_its_lines(
    deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.write_text(table("acme", kustomer_api_key=None) + table("bolt"))

    assert main(["--account", "acme", "parked", "ls"]) == 2
    assert "[accounts.acme] kustomer_api_key  is missing" in capsys.readouterr().err
    assert parked(capsys, "--account", "bolt", "parked", "ls") == ["of bolt"]


def test_without_accounts_naming_one_is_an_error(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)

    assert main(["--account", "acme", "parked", "ls"]) == 2
    assert "this deployment has no accounts" in capsys.readouterr().err


def test_all_of_a_removed_account_is_forgotten_and_nothing_of_another(
    deployment: Path, redis_client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings = deployment.parent / "data" / "recordings"
    for name in ("acme", "bolt"):
        (recordings / name / "2026").mkdir(parents=True)
        (deployment.parent / "data" / "accounts" / name).mkdir(parents=True)
    deployment.write_text(table("bolt"))

    assert main(["forget", "--account", "acme", "--yes"]) == 0

    assert "entries of the ledger removed" in capsys.readouterr().out
    left = {
        str(name).partition("}")[0]
        for name in redis.Redis(connection_pool=redis_client.connection_pool).scan_iter()
    }
    assert left == {"{callbridge:bolt"}
    assert [one.name for one in recordings.iterdir()] == ["bolt"]
    assert [one.name for one in (deployment.parent / "data" / "accounts").iterdir()] == ["bolt"]
    assert parked(capsys, "--account", "bolt", "parked", "ls") == ["of bolt"]


@pytest.mark.parametrize("prefix", ["acme/", "acme/new/"])
def test_recordings_that_another_account_took_over_are_not_forgotten(
    deployment: Path, capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    """As when an account is renamed and keeps its recordings."""
    place = deployment.parent / "data" / "recordings" / "acme"
    place.mkdir(parents=True)
    deployment.write_text(table("renamed", recordings_prefix=prefix))

    assert main(["forget", "--account", "acme", "--yes"]) == 0

    assert place.is_dir()
    assert f"Recordings below file:{place} stay: renamed keeps its own there." in capsys.readouterr().out


def test_accounts_are_backed_up_each_into_a_file_and_restored_one_by_one(
    deployment: Path, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = deployment.parent / "backups"

    assert main(["backup", str(folder), "--all-accounts"]) == 0
    redis_client.flushall()
    assert main(["restore", str(folder / "acme.backup"), "--account", "acme"]) == 0

    assert sorted(one.name for one in folder.iterdir()) == ["acme.backup", "bolt.backup"]
    capsys.readouterr()
    assert parked(capsys, "--account", "acme", "parked", "ls") == ["of acme"]
    assert parked(capsys, "--account", "bolt", "parked", "ls") == []


def test_the_list_of_accounts_says_how_each_stands(
    deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.write_text(table("acme", paused=True) + table("bolt") + table("core", kustomer_api_key=None))

    assert main(["accounts", "ls", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["accounts"]
    assert main(["accounts"]) == 0
    shown = capsys.readouterr()

    assert [(row["name"], row["state"], row["parked"]) for row in rows] == [
        ("acme", "paused", 1),
        ("bolt", "running", 1),
        ("core", "wrong", 0),
    ]
    assert "[accounts.core] kustomer_api_key  is missing" in shown.err and "bolt" in shown.out


def test_the_accounts_file_is_checked_before_it_is_put_in_force(
    deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = deployment.parent / "new.toml"
    new.write_text(table("acme") + table("bolt", webhook_tokens=["short"]))

    assert main(["accounts", "check"]) == 0
    assert "2 accounts correct" in capsys.readouterr().out
    assert main(["accounts", "check", str(new)]) == 2
    said = capsys.readouterr()
    assert f"{new}: [accounts.bolt] webhook_tokens  must have at least 8" in said.err
    assert "1 account correct" in said.out


@pytest.mark.usefixtures("deployment")
def test_the_templates_of_an_account_have_its_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--account", "acme", "templates", "call-ended"]) == 0

    assert "https://YOUR-BRIDGE/webhooks/acme/cloudtalk/call-ended" in capsys.readouterr().out


def test_a_file_can_be_checked_before_there_is_a_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    file = tmp_path / "new.toml"
    file.write_text(table("acme") + table("bolt"))

    assert main(["accounts", "check", str(file)]) == 0

    assert capsys.readouterr().out == "2 accounts correct, 0 of them paused; 0 mistakes.\n"
