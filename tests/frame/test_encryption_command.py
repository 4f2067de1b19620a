"""`callbridge encryption` and what `doctor` says of keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from bridge.checks.check import Check
from bridge.checks.encryption import look_at_encryption
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import EncryptionKey, new_key
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from tests.frame.conftest import ROOT
from tests.support import ended

ONE, TWO = new_key(), new_key()
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> Run:
    def command(*words: str, **more: str) -> tuple[int, str]:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": redis_url,
            "DATA_DIR": str(tmp_path / "data"),
            **more,
        }
        done = subprocess.run(
            [sys.executable, "-m", "bridge", "encryption", *words],
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return command


def keep_a_call(client: redis.Redis, *entries: str) -> None:
    ledger, body = Ledger(client, keyring=Keyring(entries)), ended()
    event = read_event("call-ended", body, Rules(), received_at=datetime.now(UTC))
    assert isinstance(event, Event)
    ledger.record_event(event, body)


def checks(client: redis.Redis, tmp_path: Path, keys: str) -> list[Check]:
    settings = Settings.from_env({"ENCRYPTION_KEYS": keys, "DATA_DIR": str(tmp_path)}, dotenv=None)
    return list(look_at_encryption(settings, Ledger(client, keyring=settings.keyring)))


def test_a_new_key_is_one_and_never_the_same(run: Run) -> None:
    (code, first), (_, second) = run("new-key"), run("new-key")

    assert code == 0 and first != second
    assert EncryptionKey.read(first.strip()) != EncryptionKey.read(second.strip())


def test_without_keys_it_says_how_to_make_one(run: Run) -> None:
    code, said = run("status")

    assert code == 2 and "callbridge encryption new-key" in said


def test_a_wrong_key_is_named_by_its_place_and_not_shown(run: Run) -> None:
    code, said = run("status", ENCRYPTION_KEYS=f"{ONE},not-a-key")

    assert code == 2 and "ENCRYPTION_KEYS  entry 2 is not 32 bytes" in said and "not-a-key" not in said


def test_status_counts_by_key_and_apply_leaves_nothing(run: Run, redis_client: redis.Redis) -> None:
    keep_a_call(redis_client, ONE)
    old, new = Keyring([ONE]).ids[0], Keyring([TWO]).ids[0]
    keys = f"{TWO},{ONE}"

    code, said = run("status", ENCRYPTION_KEYS=keys)
    applied, told = run("apply", "--json", ENCRYPTION_KEYS=keys)
    after, done = run("status", ENCRYPTION_KEYS=keys)

    assert code == 3 and "only decrypts" in said and "1 text left" in said
    assert applied == 0 and json.loads(told)["stored"]["ledger"] == {new: 1}
    assert after == 0 and f"needs key {old} any more" in done


def test_a_key_that_one_account_needs_no_more_may_be_needed_by_another(
    run: Run, redis_client: redis.Redis, tmp_path: Path
) -> None:
    file, old = tmp_path / "accounts.toml", Keyring([ONE]).ids[0]
    file.write_text("")
    keep_a_call(redis_client, TWO)
    accounts = {"CALLBRIDGE_ACCOUNTS": str(file), "WEBHOOK_TOKENS": "the-token-of-the-environment"}

    code, said = run("status", ENCRYPTION_KEYS=f"{TWO},{ONE}", **accounts)
    alone, told = run("status", ENCRYPTION_KEYS=f"{TWO},{ONE}")

    assert code == alone == 0 and f"Nothing stored here needs key {old} any more" in said
    assert "apply to each (--account NAME) before a key is taken out" in said and "--account" not in told


def test_doctor_names_a_missing_key_what_is_left_and_a_key_that_is_needed_no_more(
    redis_client: redis.Redis, tmp_path: Path
) -> None:
    keep_a_call(redis_client, ONE)
    old = Keyring([ONE]).ids[0]

    (off,) = checks(redis_client, tmp_path, "")
    missing = checks(redis_client, tmp_path, TWO)
    (left,) = checks(redis_client, tmp_path, f"{TWO},{ONE}")
    (good,) = checks(redis_client, tmp_path, ONE)
    redis_client.flushall()
    keep_a_call(redis_client, TWO)
    _, unused = checks(redis_client, tmp_path, f"{TWO},{ONE}")

    assert off.state == missing[0].state == "FAIL" and old in off.says and old in missing[0].says
    assert left.state == "warn" and f"1 under key {old}" in left.says and left.do.endswith("apply")
    assert good.state == "ok" and f"key {old} encrypts" in good.says
    assert unused.state == "ok" and f"nothing stored here needs it any more: key {old}" in unused.says


def test_who_encrypts_nothing_hears_nothing_of_it(redis_client: redis.Redis, tmp_path: Path) -> None:
    keep_a_call(redis_client)

    assert checks(redis_client, tmp_path, "") == []


def test_without_keys_no_process_imports_the_ciphers() -> None:
    code = (
        "import sys, bridge.web.app, workers.main, workers.clock\n"
        # redis-py asks whether the library is there, which loads its first file.
        "assert 'cryptography.hazmat' not in sys.modules"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
