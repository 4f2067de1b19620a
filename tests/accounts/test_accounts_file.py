"""The accounts file: what an account has of its own, what it has from the environment, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.accounts.reading import OF_THE_PROCESS
from bridge.errors import WrongUse
from bridge.secret_files import secret_variables
from bridge.settings import Settings
from tests.accounts.given import ENVIRONMENT, Deployment, table


def test_an_account_has_its_own_keys_and_the_defaults_of_the_environment(tmp_path: Path) -> None:
    acme = Deployment(tmp_path, table("acme", output_retention_days=400, read_masked=False)).of("acme")

    assert acme.account == "acme"
    assert [one.get_secret_value() for one in acme.webhook_tokens] == ["token-of-acme-0123456789"]
    assert (acme.output_retention_days, acme.time_zone, acme.read_masked) == (400, "Europe/Prague", False)
    assert acme.redis_url == ENVIRONMENT["REDIS_URL"]


def test_nothing_of_one_company_is_taken_from_the_environment(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, table("acme"))
    acme = deployment.of("acme")
    redis = {deployment.settings.redis_url}

    shared = set(acme.secrets()) & set(deployment.settings.secrets())
    assert shared - redis == set()
    assert (acme.ops_token, acme.ops_tokens, acme.notify_urls) == (None, [], [])
    assert acme.synthetic_call_number is None


def test_no_setting_of_the_process_can_be_set_by_an_account(tmp_path: Path) -> None:
    wrong = dict.fromkeys(OF_THE_PROCESS, "x")
    deployment = Deployment(tmp_path, table("acme", **wrong), table("bolt"))

    assert list(deployment.source.now()) == ["", "bolt"]
    told = "\n".join(deployment.source.complaints())
    assert all(f"[accounts.acme] {name}  is of the whole deployment" in told for name in OF_THE_PROCESS)


def test_each_setting_is_of_the_process_or_may_be_of_an_account() -> None:
    assert set(Settings.model_fields) >= OF_THE_PROCESS
    # Those are not to be inherited, unless all accounts share them by nature.
    assert set(secret_variables(Settings)) & OF_THE_PROCESS == {"redis_url", "sentry_dsn"}


def test_paths_in_a_table_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "acme.rules.toml").write_text("version = 2\n[write]\nlanguage = 'de'\n")
    (tmp_path / "acme.key").write_text("kustomer-key-from-a-file\n")
    tables = table("acme", rules="acme.rules.toml", kustomer_api_key=None, kustomer_api_key_file="acme.key")
    acme = Deployment(tmp_path, tables).of("acme")

    assert acme.rules.language == "de"
    assert acme.kustomer_api_key is not None
    assert acme.kustomer_api_key.get_secret_value() == "kustomer-key-from-a-file"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (None, "file:{data}/recordings/acme"),
        ("file:/srv/recordings", "file:/srv/recordings/acme"),
    ],
)
def test_recordings_are_apart_from_those_of_others(tmp_path: Path, url: str | None, wanted: str) -> None:
    environ = {} if url is None else {"RECORDINGS_URL": url}
    acme = Deployment(tmp_path, table("acme"), environ=environ).of("acme")

    assert acme.recordings_url == wanted.format(data=tmp_path / "data")
    assert acme.data_dir == tmp_path / "data" / "accounts" / "acme"


def test_two_accounts_cannot_keep_recordings_in_one_place(tmp_path: Path) -> None:
    deployment = Deployment(
        tmp_path,
        table("acme"),
        table("bolt", recordings_prefix="acme/"),
        table("core", recordings_prefix=".."),
    )

    assert list(deployment.source.now()) == ["", "acme"]
    of_bolt, of_core = deployment.source.wrong_with("bolt"), deployment.source.wrong_with("core")
    assert "recordings_url  is that of [accounts.acme] too" in of_bolt[0]
    assert "recordings_prefix  must be a path such as core/" in of_core[0]


def test_links_and_webhooks_of_an_account_have_its_name(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, table("acme"), environ={"PUBLIC_URL": "https://bridge.example.com"})
    acme, own = deployment.of("acme"), deployment.of("")

    assert (acme.pages_url, acme.webhooks_path) == (
        "https://bridge.example.com/accounts/acme",
        "/webhooks/acme",
    )
    assert (own.pages_url, own.webhooks_path) == ("https://bridge.example.com", "/webhooks")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            table("acme", webhok_tokens="x"),
            "webhok_tokens  is not a setting of an account; did you mean webhook_tokens?",
        ),
        (table("acme", kustomer_api_key=None), "kustomer_api_key  is missing: from Kustomer"),
        (table("acme", webhook_tokens=["short"]), "webhook_tokens  must have at least 8 characters"),
        (table("acme", webhook_tokens=["has,comma-0123456789"]), "or a list of texts without commas"),
        (table("acme", rules="none.toml"), "none.toml:1:1: cannot be read"),
        (table("acme", rules="none.toml"), "[accounts.acme] rules  "),
        (table("acme", rules="none.toml"), "name a file that this process may read in rules"),
        (
            table("acme", rules="a.toml", callbridge_rules="b.toml"),
            "rules  is set, and so is callbridge_rules",
        ),
        (table("acme", paused="no"), "paused  must be true or false"),
        (
            table("acme", kustomer_api_key_file="no.key"),
            "kustomer_api_key_file  is set, and so is KUSTOMER_API_KEY",
        ),
        (table("Acme"), "[accounts.Acme] is not an account name; use a-z, 0-9 and -"),
        (table("cloudtalk"), "[accounts.cloudtalk] is the name of a service"),
        ("[account.acme]\n", "account  is not known here; write [accounts.NAME]"),
        ("[accounts]\nacme = 1\n", "[accounts.acme] must be a table"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_the_others_go_on(
    tmp_path: Path, lines: str, told: str
) -> None:
    deployment = Deployment(tmp_path, lines, table("bolt") if "[accounts]\n" not in lines else "")

    assert list(deployment.source.now()) in (["", "bolt"], [""])
    assert any(told in line for line in deployment.source.complaints()), deployment.source.complaints()
    assert all(line.startswith(f"{deployment.file}: ") for line in deployment.source.complaints())


@pytest.mark.parametrize(
    ("text", "told"),
    [("[accounts.acme", "is not TOML"), ("\xff", "is not UTF-8"), ("#" * 16_000_001, "is longer than 16 MB")],
)
def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "accounts.toml").write_bytes(text.encode("latin-1"))
    environ = {**ENVIRONMENT, "CALLBRIDGE_ACCOUNTS": str(tmp_path / "accounts.toml")}
    settings = Settings.from_env(environ, dotenv=None)

    from bridge.accounts.source import AccountsSource

    with pytest.raises(WrongUse, match=told):
        AccountsSource(settings)


def test_no_secret_of_an_account_is_shown(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, table("acme", webhook_tokens=["short", "long-enough-0123456789"]))
    right = Deployment(tmp_path, table("acme"))

    acme = right.source.now()["acme"]
    shown = f"{deployment.source.complaints()} {acme!r} {acme.settings.model_dump_json()}"
    assert "long-enough" not in shown and "secret-of-acme" not in shown and "token-of-acme" not in shown


def test_without_keys_in_the_environment_there_is_no_unnamed_account(tmp_path: Path) -> None:
    none = dict.fromkeys(("WEBHOOK_TOKENS", "KUSTOMER_API_KEY", "CLOUDTALK_ACCESS_KEY_ID"), "")
    deployment = Deployment(tmp_path, table("acme"), environ=none)

    assert list(deployment.source.now()) == ["acme"]


# A new setting belongs here, or in OF_THE_PROCESS: an account must not set what all of them share.
OF_A_COMPANY = {
    "callbridge_rules", "cloudtalk_access_key_id", "cloudtalk_access_key_secret",
    "cloudtalk_ai_url", "cloudtalk_analytics_url", "cloudtalk_api_url", "cloudtalk_app_url",
    "cloudtalk_platform_url", "cloudtalk_requests_per_minute", "cloudtalk_via",
    "cloudtalk_window_s", "encryption_keys", "event_retention_days", "kustomer_api_key",
    "kustomer_api_url", "kustomer_app_url", "kustomer_bulk", "kustomer_requests_per_minute",
    "kustomer_via", "kustomer_webhook_token", "kustomer_window_s", "membrane_api_url",
    "membrane_check_every_s", "membrane_cloudtalk_connection", "membrane_kustomer_connection",
    "membrane_tenant_key", "membrane_token", "membrane_workspace_key", "membrane_workspace_secret",
    "no_webhook_after_min", "notify_quiet_hours", "notify_urls", "opening_hours", "ops_token",
    "ops_tokens", "output_retention_days", "phone_region", "public_url", "read_masked",
    "reconcile_every_s", "recording_max_mb", "recording_retention_days", "recordings_url",
    "synthetic_call_every_s", "synthetic_call_late_s", "synthetic_call_number",
    "synthetic_call_url", "time_zone", "webhook_signing_secrets", "webhook_tokens",
    "webhooks_per_minute",
}  # fmt: skip


def test_every_setting_is_either_of_a_company_or_of_the_process() -> None:
    assert set(Settings.model_fields) - {"rules"} == OF_A_COMPANY | OF_THE_PROCESS
    assert not OF_A_COMPANY & OF_THE_PROCESS
