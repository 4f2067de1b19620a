from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.errors import WrongUse
from bridge.settings import Settings

GOOD = {
    "REDIS_URL": "redis://user:redis-password-1@127.0.0.1:6379/0",
    "WEBHOOK_TOKENS": "token-secret-1, token-secret-2",
    "WEBHOOK_SIGNING_SECRETS": "whsec_Y2xvdWR0YWxrLXRlc3Qtb25seS1rZXkh",
    "CLOUDTALK_ACCESS_KEY_ID": "key-id-secret",
    "CLOUDTALK_ACCESS_KEY_SECRET": "key-secret-secret",
    "KUSTOMER_API_KEY": "kustomer-secret",
    "OPS_TOKEN": "ops-secret",
    "OPS_TOKENS": "Amy:read:read-secret, Bo:operate:operate-secret",
    "MEMBRANE_TOKEN": "pat-membrane-token",
    "MEMBRANE_WORKSPACE_SECRET": "workspace-secret",
}
SECRETS = [
    "redis-password-1",
    "token-secret-1",
    "token-secret-2",
    "Y2xvdWR0YWxr",
    "key-id-secret",
    "key-secret-secret",
    "kustomer-secret",
    "ops-secret",
    "read-secret",
    "operate-secret",
    "pat-membrane-token",
    "workspace-secret",
]
ROOT = Path(__file__).parents[1]


def settings(dotenv: Path | None = None, /, **environ: str) -> Settings:
    return Settings.from_env(environ, dotenv=dotenv)


def complaint(dotenv: Path | None = None, /, **environ: str) -> str:
    with pytest.raises(WrongUse) as raised:
        Settings.from_env(environ, dotenv=dotenv)
    return str(raised.value)


# Wrong ones


def test_everything_wrong_is_named_in_one_message(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[write]\nextern = true\n[conversation]\ntags = "phone"\n')

    message = complaint(
        REDIS_URL="http://127.0.0.1",
        WEBHOOK_SIGNING_SECRETS="whsec_§§§",
        CLOUDTALK_VIA="pigeon",
        CLOUDTALK_API_URL="http://cloudtalk.example/api",
        KUSTOMER_API_URL="kustomer.example",
        KUSTOMER_REQUESTS_PER_MINUTE="many",
        CLOUDTALK_REQUESTS_PER_MINUTE="0",
        PORT="99999",
        LOG_FORMAT="xml",
        LOG_LEVEL="loud",
        METRICS_PUBLIC="perhaps",
        PHONE_REGION="ZZ",
        TIME_ZONE="Europe/Nowhere",
        WORKER_THREADS="0",
        REDIS_APPENDFSYNC="never",
        ACCEPT_AFTER="paper",
        ACCEPT_WITHIN_MS="1500",
        JOURNAL_MB="-1",
        CALLBRIDGE_RULES=str(rules),
    )

    for name in (
        "REDIS_URL", "WEBHOOK_SIGNING_SECRETS", "CLOUDTALK_VIA", "CLOUDTALK_API_URL", "KUSTOMER_API_URL",
        "KUSTOMER_REQUESTS_PER_MINUTE", "CLOUDTALK_REQUESTS_PER_MINUTE", "PORT", "LOG_FORMAT", "LOG_LEVEL",
        "METRICS_PUBLIC", "PHONE_REGION", "TIME_ZONE", "WORKER_THREADS", "REDIS_APPENDFSYNC",
        "ACCEPT_AFTER", "ACCEPT_WITHIN_MS", "JOURNAL_MB",
        "write.extern", "conversation.tags",
    ):  # fmt: skip
        assert message.count(name) == 1, name
    assert "Traceback" not in message


def test_everything_missing_is_named_in_one_message() -> None:
    with pytest.raises(WrongUse) as raised:
        settings().need("redis", "cloudtalk", "kustomer")

    for name in ("REDIS_URL", "CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY"):
        assert name in str(raised.value)


def test_only_what_a_command_wants_is_missing() -> None:
    assert settings().need() == settings()
    with pytest.raises(WrongUse) as raised:
        settings().need("kustomer")

    assert "KUSTOMER_API_KEY" in str(raised.value)
    assert "CLOUDTALK" not in str(raised.value)
    assert (
        settings(**GOOD).need("redis", "cloudtalk", "kustomer").need("redis").redis_url == GOOD["REDIS_URL"]
    )


MEMBRANE = {
    "MEMBRANE_WORKSPACE_KEY": "ws",
    "MEMBRANE_WORKSPACE_SECRET": "workspace-secret",
    "MEMBRANE_TENANT_KEY": "callbridge",
    "MEMBRANE_CLOUDTALK_CONNECTION": "ct",
}


def test_a_service_through_membrane_needs_membranes_settings_and_no_keys() -> None:
    with pytest.raises(WrongUse) as raised:
        settings(CLOUDTALK_VIA="membrane").need("cloudtalk", "kustomer")

    for name in (*MEMBRANE, "KUSTOMER_API_KEY"):
        assert str(raised.value).count(name) == 1, name
    for name in ("CLOUDTALK_ACCESS_KEY_ID", "MEMBRANE_KUSTOMER_CONNECTION"):
        assert name not in str(raised.value)
    settings(**MEMBRANE, CLOUDTALK_VIA="membrane").need("cloudtalk", "membrane")


def test_a_ready_token_stands_for_workspace_key_and_secret() -> None:
    settings(MEMBRANE_TOKEN="pat-1").need("membrane")
    with pytest.raises(WrongUse, match="MEMBRANE_WORKSPACE_SECRET"):
        settings(MEMBRANE_WORKSPACE_KEY="ws").need("membrane")


def test_membranes_two_spellings_are_both_read(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("MEMBRANE_API_URL=https://file.example\nMEMBRANE_TOKEN=pat-file\n")

    read = settings(dotenv, MEMBRANE_API_URI="https://own.example/", MEMBRANE_ACCESS_TOKEN="pat-own")
    ours = settings(MEMBRANE_API_URI="https://other.example", MEMBRANE_API_URL="https://ours.example")

    assert read.membrane_api_url == "https://own.example"
    assert read.membrane_token is not None
    assert read.membrane_token.get_secret_value() == "pat-own"
    assert ours.membrane_api_url == "https://ours.example"


def test_a_server_of_our_own_syncs_each_write_unless_told_otherwise() -> None:
    assert settings().redis_appendfsync == "always"
    assert settings(REDIS_APPENDFSYNC="everysec").redis_appendfsync == "everysec"


@pytest.mark.parametrize("secret", ["whsec_not base64!", "whsec_a", "§", "whsec_", "whsec_,whsec_"])
def test_a_signing_secret_has_to_be_one(secret: str) -> None:
    assert "WEBHOOK_SIGNING_SECRETS" in complaint(WEBHOOK_SIGNING_SECRETS=secret)


def test_a_wrong_secret_is_not_repeated() -> None:
    assert "hunter" not in complaint(WEBHOOK_SIGNING_SECRETS="whsec_hunter2!", PORT="x")


@pytest.mark.parametrize(
    ("content", "named"),
    [(None, "cannot be read"), (b"[write", ":1:7: not TOML"), (b'a = "\xff"', ":1:6: this is not UTF-8")],
)
def test_a_file_of_rules_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, named: str
) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)

    message = complaint(CALLBRIDGE_RULES=str(path))

    assert "CALLBRIDGE_RULES" in message
    assert named in message
    assert "rules.toml" in message


# Addresses


URLS = [
    "CLOUDTALK_API_URL",
    "CLOUDTALK_ANALYTICS_URL",
    "CLOUDTALK_AI_URL",
    "KUSTOMER_API_URL",
    "MEMBRANE_API_URL",
]


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://10.0.0.1:8000",
        "http://localhost.example.com",
        "http://[2001:db8::1]/",
        "http://[",
        "ftp://127.0.0.1",
        "https://",
        "api.example.com",
    ],
)
def test_keys_travel_by_https(name: str, url: str) -> None:
    assert name in complaint(**{name: url})


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8001", "http://localhost:8001/core/api", "http://[::1]:8001", "https://x.example"],
)
def test_this_machine_is_reached_without(url: str) -> None:
    assert settings(KUSTOMER_API_URL=url + "/").kustomer_api_url == url


@pytest.mark.parametrize("url", ["http://127.attacker.example", "http://127.0.0.1.example.com"])
def test_a_name_that_only_begins_like_this_machine_is_another(url: str) -> None:
    assert "KUSTOMER_API_URL" in complaint(KUSTOMER_API_URL=url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://redis.example/1",
        "unix:///tmp/redis.sock",
        "redis+sentinel://h1:26379,h2:26379/SERVICE/0",
    ],
)
def test_redis_is_named_in_each_of_its_forms(url: str) -> None:
    assert settings(REDIS_URL=url).redis_url == url


@pytest.mark.parametrize(
    "url", ["127.0.0.1:6379", "redis+sentinel://h1:26379,h2:26379", "redis+sentinel://h1/"]
)
def test_a_redis_that_cannot_be_found_is_refused(url: str) -> None:
    assert "REDIS_URL" in complaint(REDIS_URL=url)


# Where they come from


def test_defaults_are_those_of_the_contract() -> None:
    plain = settings()

    assert plain.redis_url is None
    assert (plain.host, plain.port, plain.log_format, plain.log_level) == ("127.0.0.1", 8000, None, "INFO")
    assert (plain.cloudtalk_requests_per_minute, plain.kustomer_requests_per_minute) == (50, 900)
    assert plain.kustomer_api_url == "https://api.kustomerapp.com"
    assert plain.cloudtalk_api_url == "https://my.cloudtalk.io/api"
    assert (plain.data_dir, plain.metrics_public) == (Path(".callbridge"), False)
    assert (plain.webhook_tokens, plain.webhook_signing_secrets) == ([], [])


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("PORT=9001\nHOST=0.0.0.0\n# a comment\nexport LOG_LEVEL='debug'\nUNKNOWN=x\n")

    found = settings(path, PORT="9002")

    assert (found.port, found.host, found.log_level) == (9002, "0.0.0.0", "DEBUG")  # noqa: S104


def test_a_file_that_is_not_there_is_no_mistake(tmp_path: Path) -> None:
    assert settings(tmp_path / ".env") == settings()


def test_a_wrong_value_in_the_file_is_named_as_well(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("PORT=x\n")

    assert "PORT" in complaint(path)


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_set_to_nothing_is_not_set(tmp_path: Path, empty: str) -> None:
    names = [name.upper() for name in Settings.model_fields if name != "rules"]
    path = tmp_path / ".env"
    path.write_text("".join(f'{name}="{empty}"\n' for name in names))

    assert settings(**dict.fromkeys(names, empty)) == settings()
    assert settings(path) == settings()


def test_variables_of_other_programs_do_not_matter() -> None:
    assert settings(PATH="/usr/bin", RULES="x", EDITOR="vi") == settings()


def test_a_list_is_parted_by_commas() -> None:
    found = settings(WEBHOOK_TOKENS=" token-one ,token-two,, ,token-three,")

    assert [token.get_secret_value() for token in found.webhook_tokens] == [
        "token-one",
        "token-two",
        "token-three",
    ]


def test_country_and_zone_reach_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[write]\ninternal = true\n")

    rules = settings(PHONE_REGION="gb", TIME_ZONE="Europe/Prague", CALLBRIDGE_RULES=str(path)).rules

    assert (rules.region, rules.zone, rules.write_internal) == ("GB", "Europe/Prague", True)


# Secrets


def shown(found: Settings) -> str:
    return f"{found!r} {found} {found.model_dump_json()} {found.model_dump(mode='json')}"


def test_secrets_are_shown_nowhere() -> None:
    found = settings(**GOOD)

    text = shown(found)

    assert [secret for secret in SECRETS if secret in text] == []
    assert found.redis_url == GOOD["REDIS_URL"]


def test_secrets_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("settings %s", settings(**GOOD), extra={"settings": settings(**GOOD)})

    assert [secret for secret in SECRETS if secret in caplog.text] == []


def test_all_secrets_can_be_listed_for_those_who_look_for_them() -> None:
    listed = set(settings(**GOOD).secrets())

    assert {
        "token-secret-1",
        "token-secret-2",
        "key-secret-secret",
        "kustomer-secret",
        "ops-secret",
        "read-secret",
        "operate-secret",
    } <= listed


def test_every_setting_named_like_a_secret_is_one() -> None:
    for name, field in Settings.model_fields.items():
        if any(word in name for word in ("secret", "token", "key")):
            # An OpsToken holds one, beside a name and a role.
            assert any(kind in str(field.annotation) for kind in ("SecretStr", "OpsToken")), name


# Platforms

EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize(
    "mark",
    [
        "DYNO",
        "RENDER",
        "FLY_APP_NAME",
        "RAILWAY_ENVIRONMENT",
        "K_SERVICE",
        "KOYEB_APP_NAME",
        "VCAP_APPLICATION",
    ],
)
def test_on_a_platform_that_names_the_port_web_is_reached_from_outside(mark: str) -> None:
    given = {mark: "callbridge", "PORT": "5000"}

    assert settings(**given).host == EVERYWHERE
    assert settings(**given, HOST="127.0.0.1").host == "127.0.0.1"
    assert settings(**{mark: "callbridge"}).host == "127.0.0.1"


def test_elsewhere_web_is_reached_from_this_machine_unless_host_says_more() -> None:
    assert settings(PORT="5000").host == "127.0.0.1"
    assert settings(PORT="5000", RENDERER="vulkan", DYNO="").host == "127.0.0.1"
    assert settings(PORT="5000", HOST=EVERYWHERE).host == EVERYWHERE


# Importing

IMPORT_EVERYTHING = """
import importlib, json, os, pkgutil, sys

caught = []

def watch(event, args):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "subprocess.Popen", "os.mkdir"):
        caught.append(f"{event} {args!r}")
    elif event == "open":
        path, mode, flags = args
        writes = any(c in (mode or "") for c in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
        if writes and path != os.devnull:
            caught.append(f"open {path!r}")

sys.path.insert(0, os.getcwd())
import bridge, workers
before = dict(os.environ)
sys.addaudithook(watch)
names = ["bridge", "workers"]
for package in (bridge, workers):
    names += [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(json.dumps({"names": names, "caught": caught, "environ": before == dict(os.environ)}))
"""


def test_importing_needs_no_setting_and_touches_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_EVERYTHING],
        env={},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["caught"] == []
    assert result["environ"]
    assert {"bridge.settings", "bridge.web.app", "workers.main"} <= set(result["names"])
    files = [path for name in ("bridge", "workers") for path in (ROOT / name).rglob("*.py")]
    assert len(result["names"]) == len(files), "a folder without __init__.py is not looked into"
