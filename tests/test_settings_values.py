"""Keys, tokens, addresses and names: what is wrong or probably not meant is said at the start."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from bridge.errors import WrongUse
from bridge.settings import Settings

KEYS = [
    "CLOUDTALK_ACCESS_KEY_ID",
    "CLOUDTALK_ACCESS_KEY_SECRET",
    "KUSTOMER_API_KEY",
    "MEMBRANE_TOKEN",
    "MEMBRANE_WORKSPACE_KEY",
    "MEMBRANE_WORKSPACE_SECRET",
    "MEMBRANE_TENANT_KEY",
]


def settings(**environ: str) -> Settings:
    return Settings.from_env(environ, dotenv=None)


def complaint(dotenv: Path | None = None, /, **environ: str) -> str:
    with pytest.raises(WrongUse) as raised:
        Settings.from_env(environ, dotenv=dotenv)
    return str(raised.value)


# Keys and tokens


@pytest.mark.parametrize("name", [*KEYS, "OPS_TOKEN"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t\n"])
def test_a_line_end_of_a_mounted_file_is_no_part_of_a_key(name: str, end: str) -> None:
    value = getattr(settings(**{name: "a-key-of-some-length" + end}), name.lower())

    assert value.get_secret_value() == "a-key-of-some-length"


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("inside", ["é", "\n", "\r\n", " ", "\t", "\x00", "\x7f", "\u200b", "\u2028", "’"])
def test_a_key_that_no_header_carries_is_refused_by_name(name: str, inside: str) -> None:
    result = complaint(**{name: f"hunter{inside}secret"})

    assert result.startswith(f"Wrong settings:\n  {name}  ")
    assert "place 7" in result
    assert "hunter" not in result and "secret" not in result


@pytest.mark.parametrize("name", ["OPS_TOKEN", "WEBHOOK_TOKENS"])
@pytest.mark.parametrize("token", ["a", "1234567", "long-enough\x01", "long\nenough"])
def test_a_token_of_ours_that_is_short_or_unprintable_is_refused(name: str, token: str) -> None:
    result = complaint(**{name: token})

    assert name in result
    assert "at least 8 characters" in result or "control character" in result
    assert token not in result.removeprefix(f"Wrong settings:\n  {name}") or token == "a"


def test_one_short_token_among_long_ones_is_refused() -> None:
    assert "WEBHOOK_TOKENS" in complaint(WEBHOOK_TOKENS="a-token-for-this-test,x")


@pytest.mark.parametrize(
    "token", ["a-token-for-this-test", "12345678", "zweites-Schlüsselwort", "with a blank"]
)
def test_a_token_of_ours_may_be_in_any_alphabet(token: str) -> None:
    found = settings(OPS_TOKEN=token, WEBHOOK_TOKENS=token)

    assert found.ops_token is not None
    assert (
        [found.ops_token.get_secret_value()]
        == [one.get_secret_value() for one in found.webhook_tokens]
        == [token]
    )


def test_a_signing_secret_that_was_cut_off_is_refused() -> None:
    assert "8 bytes" in complaint(WEBHOOK_SIGNING_SECRETS="whsec_c2hvcnRrZXk=")
    settings(WEBHOOK_SIGNING_SECRETS="whsec_MDEyMzQ1Njc4OWFiY2RlZg==")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATA_DIR", "a\x00b"),
        ("CALLBRIDGE_RULES", "a\x00b"),
        ("HOST", "a b"),
        ("MEMBRANE_KUSTOMER_CONNECTION", "a\nb"),
    ],
)
def test_a_path_or_name_that_no_system_takes_is_refused(name: str, value: str) -> None:
    assert name in complaint(**{name: value})


def test_what_the_library_says_of_a_value_goes_on_after_its_name() -> None:
    assert "  PORT  must be a whole number\n" in f"{complaint(PORT='x')}\n"
    assert "  METRICS_PUBLIC  must be true or false\n" in f"{complaint(METRICS_PUBLIC='maybe')}\n"
    assert "  RECORDINGS_URL  must name a bucket" in complaint(RECORDINGS_URL="s3://")
    assert "  RECORDINGS_URL  must say what storage it is" in complaint(RECORDINGS_URL="/srv/recordings")


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com:port",
        "https://api.example.com:99999",
        "https://api.example.com/v1\n/x",
        "https://api example.com",
        "https://a..b",
        "https://user:hunter2@api.example.com",
        "https://api.example.com/?key=hunter2",
        "https://api.example.com/#hunter2",
        "https://[::1",
    ],
)
@pytest.mark.parametrize("name", ["KUSTOMER_API_URL", "CLOUDTALK_API_URL", "MEMBRANE_API_URI", "PUBLIC_URL"])
def test_an_address_that_no_request_can_be_sent_to_is_refused(name: str, url: str) -> None:
    result = complaint(**{name: url})

    assert name.replace("URI", "URL") in result
    assert "hunter" not in result


@pytest.mark.parametrize(
    "url",
    ["ftp://host/recordings", "recordings", "s3://", "s3://[", "file://host/folder", "s3://key:hunter2@bucket",
     "s3://bucket?regio=eu"],
)  # fmt: skip
def test_a_storage_that_cannot_be_opened_is_refused_at_the_start(url: str) -> None:
    result = complaint(RECORDINGS_URL=url)

    assert result.startswith("Wrong settings:\n  RECORDINGS_URL  ")
    assert "hunter" not in result


def test_a_storage_whose_library_is_not_installed_is_refused_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = importlib.import_module

    def without_obstore(name: str, package: str | None = None) -> object:
        if name.startswith("obstore"):
            raise ImportError(name)
        return load(name, package)

    monkeypatch.setattr(importlib, "import_module", without_obstore)

    assert "pip install obstore" in complaint(RECORDINGS_URL="s3://bucket/prefix")


# Names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WEBHOOK_TOKEN", "WEBHOOK_TOKENS"),
        ("WEBHOOK_SECRET", "WEBHOOK_SIGNING_SECRETS"),
        ("KUSTOMER_APIKEY", "KUSTOMER_API_KEY"),
        ("KUSTOMER_TOKEN", "KUSTOMER_API_KEY"),
        ("CLOUDTALK_API_KEY", "CLOUDTALK_ACCESS_KEY_ID"),
        ("CLOUDTALK_SECRET", "CLOUDTALK_ACCESS_KEY_SECRET"),
        ("OPS_TOKN", "OPS_TOKEN"),
        ("OPS_TOEKN", "OPS_TOKEN"),
        ("REDIS_URI", "REDIS_URL"),
        ("REDISURL", "REDIS_URL"),
        ("RECORDING_URL", "RECORDINGS_URL"),
        ("TIMEZONE", "TIME_ZONE"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("JOURNAL_MBS", "JOURNAL_MB"),
        ("CALLBRIDGE_RULE", "CALLBRIDGE_RULES"),
        ("CALLBRIDGE_REDIS_URL", "REDIS_URL"),
    ],
)
def test_a_misspelt_name_is_told_with_the_nearest_right_one(tmp_path: Path, name: str, meant: str) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"{name}=hunter2\n")

    by_environment = Settings.from_env({name: "hunter2"}, dotenv=None).notices
    by_file = Settings.from_env({}, dotenv=dotenv).notices

    assert by_environment == (f"{name} in the environment is not a setting; did you mean {meant}?",)
    assert by_file == (f"{name} in .env is not a setting; did you mean {meant}?",)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "HOSTNAME",
        "HOSTTYPE",
        "PORTS",
        "LOGNAME",
        "LOG_FILE",
        "TZ",
        "REDIS_HOST",
        "REDIS_PASSWORD",
        "DATABASE_URL",
        "PUBLIC_IP",
        "XDG_DATA_DIRS",
        "JOURNAL_STREAM",
        "CALLBRIDGE_PORT",
        "CALLBRIDGE_SERVICE_HOST",
        "CALLBRIDGE_PORT_8000_TCP",
        "CALLBRIDGE_RUN",
        "KUSTOMER_ORG",
        "WEBHOOK_URL",
        "AWS_REGION",
        "GITHUB_TOKEN",
        "WORKER_CLASS",
    ],
)
def test_variables_of_other_programs_are_left_alone(name: str) -> None:
    assert settings(**{name: "x"}).notices == ()


def test_every_setting_and_its_other_spelling_is_known() -> None:
    names = {field.upper() for field in Settings.model_fields if field != "rules"}
    reading = Settings.read(
        dict.fromkeys(names | {"MEMBRANE_API_URI", "MEMBRANE_ACCESS_TOKEN"}, "x"), dotenv=None
    )

    assert reading.settings.notices == ()


# One round


def test_one_message_names_all_that_is_wrong_missing_and_misspelt() -> None:
    environ = {"PORT": "x", "KUSTOMER_APIKEY": "hunter2", "CLOUDTALK_ACCESS_KEY_ID": "kéy"}

    with pytest.raises(WrongUse) as raised:
        Settings.read(environ, dotenv=None).settled(
            ["redis"], others=["redis", "webhooks", "cloudtalk", "kustomer"]
        )

    result = str(raised.value)
    for name in (
        "PORT", "REDIS_URL", "WEBHOOK_TOKENS", "CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET",
        "KUSTOMER_APIKEY",
    ):  # fmt: skip
        assert result.count(f"  {name} ") == 1, name
    assert "did you mean KUSTOMER_API_KEY?" in result


def test_what_other_processes_miss_keeps_none_from_starting() -> None:
    reading = Settings.read({"REDIS_URL": "redis://127.0.0.1"}, dotenv=None)

    assert reading.settled(["redis"], others=["kustomer"]) == reading.settings


@pytest.mark.parametrize(("content", "why"), [(b"PORT=\xff\n", "not UTF-8"), (None, "cannot be read")])
def test_a_file_of_settings_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes(content or b"")
    if content is None:
        # For whoever runs the tests as root, no mode forbids reading.
        def refused(*args: object, **options: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("bridge.setting_sources.dotenv_values", refused)

    result = complaint(dotenv, HOST="a b")

    assert ".env" in result and why in result and "HOST" in result


# People


def test_people_have_a_name_a_role_and_a_token() -> None:
    found = settings(OPS_TOKENS=" Amy : read : amys-own-token , Bo:operate:bos-own-token,")

    assert [(one.name, one.role, one.token.get_secret_value()) for one in found.ops_tokens] == [
        ("Amy", "read", "amys-own-token"),
        ("Bo", "operate", "bos-own-token"),
    ]
    assert settings().ops_tokens == [] and settings().read_masked
    assert not settings(READ_MASKED="false").read_masked


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("amys-own-token", "entry 1 is not name:role:token; a token holds no comma or colon"),
        ("Amy:read:amys:own-token", "entry 1 is not name:role:token"),
        ("Amy:read:amys-own,token", "entry 2 is not name:role:token"),
        (":read:amys-own-token", "entry 1 is not name:role:token"),
        ("Amy:admin:amys-own-token", "entry 1 has an unknown role; the roles are read and operate"),
        ("Amy:read:amys", "entry 1 has a token that must have at least 8 characters"),
        ("ops:read:amys-own-token", "entry 1 has a name that stands for OPS_TOKEN"),
        ("Clock:read:amys-own-token", "entry 1 has a name that stands for the clock process"),
        (f"{'a' * 41}:read:amys-own-token", "entry 1 has a name of more than 40 characters"),
        ("Bo:read:bos-own-token,bo:operate:amys-own-token", "entry 2 has the name of an earlier one"),
        ("Bo:read:amys-own-token,Amy:operate:amys-own-token", "entry 2 has the token of an earlier one"),
        ("Bo:read:the-token-of-all", "entry 1 has the token of OPS_TOKEN"),
    ],
)
def test_what_is_wrong_with_a_person_is_said_without_their_token(entry: str, says: str) -> None:
    message = complaint(OPS_TOKEN="the-token-of-all", OPS_TOKENS=entry)

    assert f"OPS_TOKENS  {says}" in message
    assert "amys" not in message and "the-token-of-all" not in message


def test_every_wrong_person_is_named_at_once() -> None:
    message = complaint(OPS_TOKENS="Amy:read:amys,Bo,Cy:operate:cys-own-token")

    assert "entry 1 has a token" in message and "entry 2 is not name:role:token" in message
    assert "entry 3" not in message
