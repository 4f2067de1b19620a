"""Accounts that are added, changed, paused and removed while a process runs."""

from __future__ import annotations

from pathlib import Path

from bridge.accounts.account import Change
from tests.accounts.given import Deployment, table


def changes_of(deployment: Deployment) -> list[Change]:
    seen: list[Change] = []
    deployment.source.on_change(seen.append)
    return seen


def test_an_account_is_added_paused_and_removed_while_others_stay_as_they_are(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, table("acme"))
    seen = changes_of(deployment)
    acme = deployment.source.now()["acme"]

    deployment.write(table("acme"), table("bolt"))
    deployment.look()
    deployment.write(table("acme"), table("bolt", paused=True))
    deployment.look()
    deployment.write(table("acme"))
    deployment.look()

    assert [(one.added, one.changed, one.removed) for one in seen] == [
        (["bolt"], [], []),
        ([], ["bolt"], []),
        ([], [], ["bolt"]),
    ]
    assert seen[1].after["bolt"].is_paused
    assert deployment.source.now()["acme"] is acme


def test_an_account_that_becomes_wrong_stays_as_it_was_and_is_told(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, table("acme"), table("bolt"))
    acme = deployment.source.now()["acme"]

    deployment.write(table("acme", kustomer_api_key=None), table("bolt", output_retention_days=9))
    told = deployment.look()

    assert deployment.source.now()["acme"] is acme
    assert deployment.of("bolt").output_retention_days == 9
    assert "[accounts.acme] kustomer_api_key  is missing" in told
    assert deployment.source.wrong_with("acme") and not deployment.source.wrong_with("bolt")

    deployment.write(table("acme"), table("bolt"))
    assert deployment.look() == ""


def test_a_file_that_breaks_leaves_all_accounts_as_they_were(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, table("acme"))
    seen, before = changes_of(deployment), deployment.source.now()

    deployment.write("[accounts.acme")
    told = deployment.look()
    deployment.file.unlink()
    gone = deployment.look()

    assert "is not TOML" in told and "cannot be read" in gone
    assert dict(deployment.source.now()) == dict(before) and seen == []


def test_a_new_secret_in_a_file_is_in_force_without_a_restart(tmp_path: Path) -> None:
    key = tmp_path / "acme.key"
    key.write_text("first-key")
    with_file = table("acme", kustomer_api_key=None, kustomer_api_key_file="acme.key")
    deployment = Deployment(tmp_path, with_file, table("bolt"))
    deployment.look()
    seen = changes_of(deployment)

    deployment.put(key, "second-key")
    deployment.look()
    deployment.put(key, "")
    told = deployment.look()

    found = deployment.of("acme").kustomer_api_key
    assert found is not None and found.get_secret_value() == "second-key"
    assert [one.changed for one in seen] == [["acme"]]
    assert "[accounts.acme] kustomer_api_key_file" in told and "is empty" in told


def test_looking_at_files_that_stay_the_same_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "acme.key").write_text("first-key")
    deployment = Deployment(
        tmp_path, table("acme", kustomer_api_key=None, kustomer_api_key_file="acme.key"), table("bolt")
    )
    seen, before = changes_of(deployment), dict(deployment.source.now())

    deployment.look()
    deployment.look()

    assert seen == [] and all(deployment.source.now()[name] is one for name, one in before.items())


def test_why_an_account_is_wrong_that_shares_a_place_stays_true_after_its_secrets_change(
    tmp_path: Path,
) -> None:
    file = tmp_path / "key-of-bolt"
    file.write_text("kustomer-of-bolt")
    bolt = table("bolt", recordings_prefix="acme/", kustomer_api_key=None, kustomer_api_key_file=file.name)
    deployment = Deployment(tmp_path, table("acme"), bolt)
    deployment.look()

    deployment.put(file, "another-of-bolt")
    told = deployment.look()

    assert "[accounts.bolt] recordings_url  is that of [accounts.acme] too" in told
    assert list(deployment.source.now()) == ["", "acme"]

    deployment.write(table("acme", recordings_prefix="elsewhere/"), bolt)
    assert deployment.look() == ""
    assert list(deployment.source.now()) == ["", "acme", "bolt"]
