"""The file of a secret is read again once changed; one that is wrong leaves the secret that was there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.client_factory import ClientFactory
from bridge.clients.http import make_client
from bridge.secrets_source import AT_THE_NEXT_START, SecretsSource
from bridge.setting_values import OpsToken
from bridge.settings import Settings
from tests.frame.test_rules_source import linked_to, replaced_by

FIRST = {
    "kustomer_api_key": "first-key-of-kustomer",
    "cloudtalk_access_key_id": "first-id",
    "cloudtalk_access_key_secret": "first-secret",
    "webhook_tokens": "first-token-of-webhooks",
    "ops_token": "first-ops-token",
    "ops_tokens": "Amy:read:first-token-of-amy",
    "redis_url": "redis://:first@127.0.0.1:1/0",
    "notify_urls": "json://127.0.0.1:9/first",
    "sentry_dsn": "https://first@127.0.0.1/1",
}


class Folder:
    """A file for each secret, and a clock that a test sets."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.at_s = folder, 0.0
        for name, text in FIRST.items():
            self.write(name, text)
        settings = Settings.from_env(
            {f"{name.upper()}_FILE": str(folder / name) for name in FIRST}, dotenv=None
        )
        # As if each change were old: a file's times are of the real clock.
        self.source = SecretsSource(settings, clock=lambda: self.at_s, now=lambda: 2_000_000_000)
        self.handed: list[Settings] = []
        self.source.on_change(self.handed.append)
        self.pass_s(1)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def pass_s(self, seconds: float) -> str:
        """Look often for so long; what is wrong then."""
        for _ in range(round(seconds / 0.1)):
            self.at_s += 0.1
            self.source.look()
        return self.source.look()

    @property
    def key(self) -> str:
        found = self.source.settings.kustomer_api_key
        assert found is not None
        return found.get_secret_value()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def written(path: Path, text: str) -> None:
    path.write_text(text)


def test_files_that_stay_as_they_are_change_nothing(folder: Folder) -> None:
    assert folder.pass_s(5) == "" and folder.handed == []


@pytest.mark.parametrize("how", [written, replaced_by, linked_to])
def test_a_changed_secret_is_in_force_within_two_seconds(
    folder: Folder, how: Callable[[Path, str], None]
) -> None:
    how(folder.folder / "kustomer_api_key", "second-key-of-kustomer\n")

    with capture_logs() as logs:
        assert folder.pass_s(2) == ""

    assert folder.key == "second-key-of-kustomer"
    assert folder.handed == [folder.source.settings]
    assert [(one["event"], one["name"]) for one in logs] == [("secret in force", "KUSTOMER_API_KEY")]
    assert "second-key" not in str(logs)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("hunter key", "has a blank at place 7"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_file_leaves_the_secret_in_force_until_it_is_right_again(
    folder: Folder, text: str | None, why: str
) -> None:
    path = folder.folder / "kustomer_api_key"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)

    with capture_logs() as logs:
        wrong = folder.pass_s(5)

    assert wrong.startswith(f"KUSTOMER_API_KEY_FILE  {path}: {why}") and "hunter" not in wrong
    assert folder.key == FIRST["kustomer_api_key"] and folder.handed == []
    assert [one["event"] for one in logs] == ["secret rejected, the one before it stays in force"]

    path.write_text("third-key-of-kustomer")

    assert folder.pass_s(2) == "" and folder.key == "third-key-of-kustomer"


def test_a_wrong_file_keeps_no_other_secret_back(folder: Folder) -> None:
    folder.write("kustomer_api_key", "hunter key")
    folder.write("ops_token", "second-ops-token")
    folder.write("webhook_tokens", "second-token-of-webhooks\nfirst-token-of-webhooks")

    assert "KUSTOMER_API_KEY_FILE" in folder.pass_s(2)

    settings = folder.source.settings
    assert settings.ops_token is not None and settings.ops_token.get_secret_value() == "second-ops-token"
    assert [one.get_secret_value() for one in settings.webhook_tokens] == [
        "second-token-of-webhooks",
        "first-token-of-webhooks",
    ]
    assert folder.key == FIRST["kustomer_api_key"]


def test_two_secrets_that_do_not_go_together_stay_as_they_were(folder: Folder) -> None:
    folder.write("ops_token", "first-token-of-amy")

    wrong = folder.pass_s(2)

    assert "OPS_TOKENS_FILE" in wrong and "entry 1 has the token of OPS_TOKEN" in wrong
    settings = folder.source.settings
    assert settings.ops_token is not None and settings.ops_token.get_secret_value() == FIRST["ops_token"]
    (amy,) = settings.ops_tokens
    assert isinstance(amy, OpsToken) and amy.token.get_secret_value() == "first-token-of-amy"


def test_a_secret_that_needs_a_restart_is_named_in_the_log(folder: Folder) -> None:
    for name in AT_THE_NEXT_START:
        folder.write(name, FIRST[name].replace("first", "second"))

    with capture_logs() as logs:
        folder.pass_s(2)

    assert {(one["name"].lower(), one["log_level"]) for one in logs} == {
        (name, "warning") for name in AT_THE_NEXT_START
    }
    assert all("next start" in one["event"] for one in logs)


def test_clients_sign_in_with_the_new_keys(folder: Folder) -> None:
    clients = ClientFactory(folder.source.settings, make_client())
    cloudtalk, kustomer = clients.cloudtalk(), clients.kustomer()
    folder.source.on_change(clients.use)
    folder.write("kustomer_api_key", "second-key-of-kustomer")
    folder.write("cloudtalk_access_key_id", "user")
    folder.write("cloudtalk_access_key_secret", "pass")

    folder.pass_s(2)

    sent = [
        service._all_headers["authorization"]
        for service in (cloudtalk.service, kustomer.service, kustomer.customers._searching)
    ]
    assert sent == ["Basic dXNlcjpwYXNz", *["Bearer second-key-of-kustomer"] * 2]


def test_without_files_nothing_is_looked_at() -> None:
    source = SecretsSource(Settings.from_env({"OPS_TOKEN": "an-ops-token"}, dotenv=None))

    assert source.look() == ""
