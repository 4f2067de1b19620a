"""Every secret can be read from a file that `NAME_FILE` names; what is wrong with it is said at the start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from bridge.errors import WrongUse
from bridge.secret_files import LARGEST, over, secret_variables
from bridge.setting_values import OpsToken
from bridge.settings import Settings

ROOT = Path(__file__).parents[1]
# A good value of each secret.
GOOD = {
    "REDIS_URL": "redis://:a-password-of-redis@127.0.0.1:6379/0",
    "WEBHOOK_TOKENS": "a-secret-of-webhooks",
    "KUSTOMER_WEBHOOK_TOKEN": "a-secret-of-texts",
    "WEBHOOK_SIGNING_SECRETS": "whsec_Y2xvdWR0YWxrLXRlc3Qtb25seS1rZXkh",
    "CLOUDTALK_ACCESS_KEY_ID": "a-secret-of-cloudtalk-1",
    "CLOUDTALK_ACCESS_KEY_SECRET": "a-secret-of-cloudtalk-2",
    "KUSTOMER_API_KEY": "a-secret-of-kustomer",
    "MEMBRANE_TOKEN": "pat-a-secret-of-membrane",
    "MEMBRANE_ACCESS_TOKEN": "pat-a-secret-of-membrane",
    "MEMBRANE_WORKSPACE_KEY": "a-secret-workspace-key",
    "MEMBRANE_WORKSPACE_SECRET": "a-secret-of-the-workspace",
    "MEMBRANE_TENANT_KEY": "a-tenant",
    "OPS_TOKEN": "a-secret-of-operators",
    "OPS_TOKENS": "Amy:read:a-secret-of-amy",
    "NOTIFY_URLS": "json://user:a-secret@127.0.0.1:9/",
    "SENTRY_DSN": "https://a-secret@127.0.0.1/1",
    "ENCRYPTION_KEYS": "YS1zZWNyZXQta2V5LW9mLTMyLWJ5dGVzLWZvci10c3Q=",
}


def settings(dotenv: Path | None = None, /, **environ: str) -> Settings:
    return Settings.from_env(environ, dotenv=dotenv)


def complaint(dotenv: Path | None = None, /, **environ: str) -> str:
    with pytest.raises(WrongUse) as raised:
        Settings.from_env(environ, dotenv=dotenv)
    return str(raised.value)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def written(text: str | bytes, name: str = "a-secret-file") -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return written


def test_every_secret_of_the_settings_has_a_file() -> None:
    secrets = Settings.from_env({**GOOD, "MEMBRANE_ACCESS_TOKEN": ""}, dotenv=None)
    hidden = {
        name
        for name in Settings.model_fields
        for value in [getattr(secrets, name)]
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, SecretStr | OpsToken)
    }

    assert hidden | {"redis_url"} == {one.field for one in secret_variables(Settings).values()}
    assert set(secret_variables(Settings)) == {name.lower() for name in GOOD}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_a_secret_is_read_from_its_file(name: str, end: str, file: Callable[..., str]) -> None:
    field = secret_variables(Settings)[name.lower()].field

    by_file = getattr(settings(**{f"{name}_FILE": file(GOOD[name] + end)}), field)

    assert by_file
    assert by_file == getattr(settings(**{name: GOOD[name]}), field)


def test_the_file_of_a_list_may_have_one_entry_a_line(file: Callable[..., str]) -> None:
    found = settings(
        WEBHOOK_TOKENS_FILE=file("a-token-of-one\n\na-token-of-two,a-token-of-three\n", "tokens"),
        OPS_TOKENS_FILE=file("Amy:read:token-of-amy\r\nBo:operate:token-of-bo\r\n", "people"),
    )

    assert [one.get_secret_value() for one in found.webhook_tokens] == [
        "a-token-of-one",
        "a-token-of-two",
        "a-token-of-three",
    ]
    assert [one.name for one in found.ops_tokens] == ["Amy", "Bo"]


def test_all_that_is_wrong_with_files_is_said_at_once_and_no_secret_is_shown(
    file: Callable[..., str], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    message = complaint(
        KUSTOMER_API_KEY_FILE=str(tmp_path / "missing"),
        OPS_TOKEN_FILE=file("\n \n", "empty"),
        CLOUDTALK_ACCESS_KEY_ID_FILE=str(tmp_path),
        CLOUDTALK_ACCESS_KEY_SECRET_FILE=str(pipe),
        MEMBRANE_TOKEN_FILE=file(b"hunter\xff", "binary"),
        MEMBRANE_TENANT_KEY_FILE=file("hunter tenant", "blank"),
        WEBHOOK_TOKENS_FILE=file("hunter\nhunter12\n", "short"),
        OPS_TOKENS_FILE=file(" , \n,\n", "commas"),
        SENTRY_DSN_FILE=file(b"h" * (LARGEST + 1), "long"),
        REDIS_URL_FILE=file("http://hunter.example", "redis"),
        WEBHOOK_SIGNING_SECRETS="whsec_Y2xvdWR0YWxrLXRlc3Qtb25seS1rZXkh",
        WEBHOOK_SIGNING_SECRETS_FILE=file("hunter", "twice"),
    )

    assert "hunter" not in message.replace("hunter.example", "") and "Y2xv" not in message
    for line in (
        f"KUSTOMER_API_KEY_FILE  {tmp_path}/missing: cannot be read: No such file or directory",
        f"OPS_TOKEN_FILE  {tmp_path}/empty: is empty",
        f"CLOUDTALK_ACCESS_KEY_ID_FILE  {tmp_path}: is not a regular file",
        f"CLOUDTALK_ACCESS_KEY_SECRET_FILE  {pipe}: is not a regular file",
        f"MEMBRANE_TOKEN_FILE  {tmp_path}/binary: is not UTF-8",
        f"MEMBRANE_TENANT_KEY_FILE  {tmp_path}/blank: has a blank at place 7",
        f"WEBHOOK_TOKENS_FILE  {tmp_path}/short: must have at least 8 characters",
        f"OPS_TOKENS_FILE  {tmp_path}/commas: is empty",
        f"SENTRY_DSN_FILE  {tmp_path}/long: is longer than 64 KiB",
        f"REDIS_URL_FILE  {tmp_path}/redis: ",
        "WEBHOOK_SIGNING_SECRETS_FILE  is set, and so is WEBHOOK_SIGNING_SECRETS: set only one of them",
    ):
        assert f"\n  {line}" in message
    assert len(message.splitlines()) == 12


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read every file")
def test_a_file_that_this_user_may_not_read_is_named(file: Callable[..., str]) -> None:
    path = Path(file("a-secret-of-kustomer"))
    path.chmod(0)

    assert f"{path}: cannot be read: Permission denied" in complaint(KUSTOMER_API_KEY_FILE=str(path))


def test_a_secret_set_as_if_it_were_the_name_of_its_file_is_not_shown(tmp_path: Path) -> None:
    for secret in ("eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjEifQ.c2ln", "whsec_c2Vj/cmV0+=="):
        message = complaint(KUSTOMER_API_KEY_FILE=secret)

        assert "KUSTOMER_API_KEY_FILE  (not shown, as it does not look like a path): " in message
        assert secret not in message


def test_a_wrong_file_is_not_also_called_a_missing_setting(file: Callable[..., str]) -> None:
    reading = Settings.read({"KUSTOMER_API_KEY_FILE": file("")}, dotenv=None)

    with pytest.raises(WrongUse) as raised:
        reading.settled(["kustomer"])

    assert "Missing" not in str(raised.value)


@pytest.mark.parametrize("above", ["KUSTOMER_API_KEY", "KUSTOMER_API_KEY_FILE"])
def test_the_environment_wins_over_the_env_file_in_either_way(
    above: str, file: Callable[..., str], tmp_path: Path
) -> None:
    below = {"KUSTOMER_API_KEY": "KUSTOMER_API_KEY_FILE"}.get(above, "KUSTOMER_API_KEY")
    values = {
        "KUSTOMER_API_KEY": "key-by-value",
        "KUSTOMER_API_KEY_FILE": file("key-by-file"),
    }
    dotenv = tmp_path / "env"
    dotenv.write_text(f"{below}={values[below]}\n")

    found = settings(dotenv, **{above: values[above]}).kustomer_api_key

    assert found is not None
    assert found.get_secret_value() == ("key-by-value" if above == "KUSTOMER_API_KEY" else "key-by-file")


def test_a_file_set_to_nothing_is_not_set() -> None:
    found = settings(KUSTOMER_API_KEY_FILE=" ", KUSTOMER_API_KEY="a-key").kustomer_api_key

    assert found is not None and found.get_secret_value() == "a-key"


def test_no_repr_shows_what_is_in_a_file(file: Callable[..., str]) -> None:
    found = settings(
        **{f"{name}_FILE": file(GOOD[name], name) for name in GOOD if "ACCESS_TOKEN" not in name}
    )

    assert "a-secret" not in repr(found) and "a-password" not in repr(found)
    assert "a-secret" not in found.model_dump_json()


def test_the_file_of_what_is_no_secret_is_pointed_out() -> None:
    notices = settings(TIME_ZONE_FILE="/etc/zone", HOST_FILE="hosts", KUSTOMER_API_KEY_FIL="x").notices

    assert notices == (
        "TIME_ZONE_FILE in the environment is not a setting: only secrets are read from files; set TIME_ZONE",
        "KUSTOMER_API_KEY_FIL in the environment is not a setting; did you mean KUSTOMER_API_KEY_FILE?",
    )


def test_settings_for_a_child_replace_a_secret_in_whichever_way_it_was_set() -> None:
    below = {"KUSTOMER_API_KEY_FILE": "/key", "OPS_TOKEN": "an-ops-token", "HOME": "/home"}

    found = over(below, {"KUSTOMER_API_KEY": "key", "OPS_TOKEN_FILE": "/token", "PORT": "1"}, Settings)

    assert found == {"HOME": "/home", "KUSTOMER_API_KEY": "key", "OPS_TOKEN_FILE": "/token", "PORT": "1"}


def test_a_process_ends_with_code_2_and_names_the_files(tmp_path: Path) -> None:
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "KUSTOMER_API_KEY_FILE": str(tmp_path / "kustomer"),
        "WEBHOOK_TOKENS_FILE": str(tmp_path / "tokens"),
    }

    found = subprocess.run(
        [sys.executable, "-m", "bridge", "worker"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 2
    assert f"{tmp_path}/kustomer" in found.stderr and f"{tmp_path}/tokens" in found.stderr
    assert "Traceback" not in found.stderr
