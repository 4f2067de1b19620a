"""Encryption keys of accounts: their own, or those of the deployment, for their own data alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.encryption.texts import Place, decrypt, encrypt
from bridge.errors import Tampered
from tests.accounts.given import Deployment, table

ONE, TWO, THREE = new_key(), new_key(), new_key()
PLACE = Place("call", "id:1", "reason")


def test_an_account_has_keys_of_its_own_or_those_of_the_deployment(tmp_path: Path) -> None:
    tables = [table("acme"), table("own", encryption_keys=[TWO])]

    deployment = Deployment(tmp_path, *tables, environ={"ENCRYPTION_KEYS": ONE})

    assert deployment.of("acme").keyring.ids == Keyring([ONE]).ids
    assert deployment.of("own").keyring.ids == Keyring([TWO]).ids


def test_what_is_stored_for_one_account_is_read_as_no_other_though_the_key_is_the_same(
    tmp_path: Path,
) -> None:
    deployment = Deployment(tmp_path, table("acme"), table("other"), environ={"ENCRYPTION_KEYS": ONE})

    stored = encrypt(deployment.of("acme").keyring, PLACE, "of acme")

    assert decrypt(deployment.of("acme").keyring, PLACE, stored) == "of acme"
    for keyring in (deployment.of("other").keyring, deployment.settings.keyring):
        with pytest.raises(Tampered):
            decrypt(keyring, PLACE, stored)


def test_other_keys_of_the_deployment_are_in_force_for_accounts_without_their_own(tmp_path: Path) -> None:
    tables = [table("acme"), table("own", encryption_keys=[THREE])]
    deployment = Deployment(tmp_path, *tables, environ={"ENCRYPTION_KEYS": ONE})
    acme, own = deployment.of("acme").keyring, deployment.of("own").keyring

    again, _ = deployment.settings.with_secrets({"encryption_keys": f"{TWO},{ONE}"})
    again.use_keys()

    assert acme.ids == Keyring([TWO, ONE]).ids and own.ids == Keyring([THREE]).ids


def test_other_keys_of_an_account_are_in_force_for_what_was_built_before(tmp_path: Path) -> None:
    file = tmp_path / "keys-of-acme"
    file.write_text(ONE)
    deployment = Deployment(tmp_path, table("acme", encryption_keys_file="keys-of-acme"))
    deployment.look()
    built_with = deployment.of("acme").keyring

    deployment.put(file, f"{TWO}\n{ONE}")
    deployment.look()

    assert built_with.ids == deployment.of("acme").keyring.ids == Keyring([TWO, ONE]).ids
