"""The files in deploy/platforms: their form, the settings they name, and the commands they run.

No platform can be reached from here, and no package brings their schemas. So the keys are held to those
that their references list (read in November 2026), and each command is one that exists.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from bridge.commands import COMMANDS
from bridge.platforms import is_on_platform
from bridge.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "platforms"
GUIDE = (ROOT / "deploy" / "platforms.md").read_text()
PROCESSES = {"web", "worker", "clock"}
# Without these, some process does not start. REDIS_URL is set by the platforms themselves.
NEEDED = {"WEBHOOK_TOKENS", "CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY"}

HEROKU = {
    "name", "description", "keywords", "website", "repository", "logo", "success_url", "scripts", "env",
    "formation", "addons", "buildpacks", "stack", "image", "environments",
}  # fmt: skip
RENDER_SERVICE = {
    "type", "name", "runtime", "plan", "region", "buildCommand", "preDeployCommand", "startCommand",
    "healthCheckPath", "envVars", "maxmemoryPolicy", "ipAllowList", "numInstances", "maxShutdownDelaySeconds",
}  # fmt: skip
FLY = {
    "app", "primary_region", "kill_signal", "kill_timeout", "build", "deploy", "env", "processes",
    "http_service", "vm",
}  # fmt: skip
FLY_PARTS = {
    "build": {"dockerfile", "image", "args", "build-target"},
    "deploy": {"strategy", "max_unavailable", "wait_timeout", "release_command", "release_command_timeout"},
    "http_service": {
        "processes", "internal_port", "force_https", "auto_stop_machines", "auto_start_machines",
        "min_machines_running", "checks", "concurrency",
    },
}  # fmt: skip
FLY_CHECK = {"method", "path", "interval", "timeout", "grace_period", "headers", "protocol"}
RAILWAY = {
    "build": {"builder", "dockerfilePath", "buildCommand", "watchPatterns"},
    "deploy": {
        "startCommand", "preDeployCommand", "healthcheckPath", "healthcheckTimeout", "restartPolicyType",
        "restartPolicyMaxRetries", "drainingSeconds", "overlapSeconds", "sleepApplication", "numReplicas",
    },
}  # fmt: skip


def heroku() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "app.json").read_text())
    return found


def heroku_commands() -> dict[str, str]:
    lines = (FOLDER / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


def render() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / "render.yaml").read_text())["services"]
    return found


def render_variables(service: Mapping[str, Any]) -> set[str]:
    return {one["key"] for one in service.get("envVars", [])}


def fly() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "fly.toml").read_text())


def railway() -> dict[str, dict[str, Any]]:
    names = {"web": "railway.json", "worker": "railway.worker.json", "clock": "railway.clock.json"}
    return {kind: json.loads((FOLDER / name).read_text()) for kind, name in names.items()}


def arguments(command: str) -> list[str]:
    """What `callbridge` is given by a command of a platform."""
    words = [word for word in shlex.split(command) if not re.match(r"REDIS_URL=", word)]
    for start in (["python", "-m", "bridge"], ["/usr/bin/callbridge"]):
        if words[: len(start)] == start:
            return words[len(start) :]
    return words


def commands() -> Iterator[tuple[str, str]]:
    """Every command of every file, with what it is for."""
    yield from heroku_commands().items()
    for service in render():
        if "startCommand" in service:
            yield service["name"].removeprefix("callbridge-"), service["startCommand"]
        if "preDeployCommand" in service:
            yield "release", service["preDeployCommand"]
    yield from fly()["processes"].items()
    yield "release", fly()["deploy"]["release_command"]
    for kind, one in railway().items():
        yield kind, one["deploy"]["startCommand"]
        yield from (("release", command) for command in one["deploy"].get("preDeployCommand", []))


@pytest.mark.parametrize(("what", "command"), sorted(set(commands())))
def test_each_command_is_one_of_ours(what: str, command: str) -> None:
    assert arguments(command) == (["doctor", "--release"] if what == "release" else [what])
    assert arguments(command)[0] in COMMANDS


def test_each_platform_runs_all_three_processes_and_checks_each_release() -> None:
    assert set(heroku_commands()) == PROCESSES | {"release"}
    assert set(heroku()["formation"]) == PROCESSES
    assert {one["name"].removeprefix("callbridge-") for one in render()} == PROCESSES | {"redis"}
    assert set(fly()["processes"]) == PROCESSES
    assert [what for what, _ in commands()].count("release") == 4


def test_the_procfile_of_the_project_names_the_same_processes() -> None:
    own = (ROOT / "Procfile").read_text().splitlines()

    assert {line.partition(":")[0] for line in own} == PROCESSES


def test_their_keys_are_those_of_the_references() -> None:
    assert set(heroku()) <= HEROKU
    for one in heroku()["env"].values():
        assert set(one) <= {"description", "required", "value", "generator"}
    for service in render():
        assert set(service) <= RENDER_SERVICE and service["type"] in ("web", "worker", "keyvalue")
        for variable in service.get("envVars", []):
            assert len(variable) == 2 and set(variable) <= {
                "key",
                "value",
                "sync",
                "generateValue",
                "fromService",
            }
    assert set(fly()) <= FLY
    for part, known in FLY_PARTS.items():
        assert set(fly()[part]) <= known
    assert all(set(check) <= FLY_CHECK for check in fly()["http_service"]["checks"])
    for one in railway().values():
        assert set(one) == {"$schema", "build", "deploy"}
        assert all(set(one[part]) <= known for part, known in RAILWAY.items())


def test_every_setting_that_they_name_exists_and_every_needed_one_is_named() -> None:
    known = {name.upper() for name in Settings.model_fields}
    by_render = {service["name"]: render_variables(service) for service in render()}

    assert NEEDED <= set(heroku()["env"]) <= known
    for kind in PROCESSES:
        assert NEEDED | {"REDIS_URL"} <= by_render[f"callbridge-{kind}"] <= known
    assert "OPS_TOKEN" in by_render["callbridge-web"]
    assert set(fly()["env"]) <= known
    secrets = (FOLDER / "fly.toml").read_text().partition("\napp = ")[0]
    assert NEEDED | {"REDIS_URL", "OPS_TOKEN"} <= set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", secrets)) <= known


def test_with_the_needed_settings_no_process_misses_any() -> None:
    values = dict.fromkeys(NEEDED, "a-value-of-some-length")

    settings = Settings.from_env({**values, "REDIS_URL": "rediss://h/0"}, dotenv=None)

    assert settings.missing("redis", "webhooks", "cloudtalk", "kustomer") == []
    for name in NEEDED:
        without = Settings.from_env({key: text for key, text in values.items() if key != name}, dotenv=None)
        assert any(line.startswith(name) for line in without.missing("webhooks", "cloudtalk", "kustomer"))


def test_render_hands_each_worker_what_its_web_service_was_given() -> None:
    web = next(one for one in render() if one["type"] == "web")
    taken = [
        one["fromService"]
        for service in render()
        for one in service.get("envVars", [])
        if "fromService" in one
    ]

    assert {one["name"] for one in taken} == {"callbridge-web", "callbridge-redis"}
    assert {one["envVarKey"] for one in taken if one["type"] == "web"} <= render_variables(web)
    (redis,) = (one for one in render() if one["type"] == "keyvalue")
    assert redis["maxmemoryPolicy"] == "noeviction" and redis["ipAllowList"] == []


def test_health_is_asked_where_web_answers_without_sign_in() -> None:
    paths = {
        next(one for one in render() if one["type"] == "web")["healthCheckPath"],
        fly()["http_service"]["checks"][0]["path"],
        railway()["web"]["deploy"]["healthcheckPath"],
    }

    assert paths == {"/healthz"}
    assert "Not `/readyz`" in GUIDE


def test_no_web_sleeps() -> None:
    service = fly()["http_service"]

    assert service["auto_stop_machines"] == "off" and service["min_machines_running"] >= 1
    assert all(one["deploy"]["sleepApplication"] is False for one in railway().values())
    assert all(one["plan"] != "free" for one in render())
    assert all(one["size"] not in ("eco", "free") for one in heroku()["formation"].values())


@pytest.mark.parametrize("variable", ["DYNO", "RENDER", "FLY_APP_NAME", "RAILWAY_SERVICE_ID"])
def test_web_listens_to_the_router_of_each(variable: str) -> None:
    environ = {variable: "x", "PORT": "8000"}

    assert is_on_platform(environ)
    assert Settings.from_env(environ, dotenv=None).host == "0.0.0.0"  # noqa: S104  # their router is outside


def test_the_address_of_herokus_redis_is_good_with_what_the_procfile_adds() -> None:
    for command in heroku_commands().values():
        added = re.match(r'REDIS_URL="\$REDIS_URL(\S+)" ', command)
        assert added is not None
        url = f"rediss://:a-password@redis.example.com:12345{added[1]}"
        assert Settings.from_env({"REDIS_URL": url}, dotenv=None).redis_url == url


def test_what_pip_installs_is_locked_and_has_the_library_of_buckets() -> None:
    found = subprocess.run(
        ["sh", str(FOLDER / "requirements")], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    entries = re.split(r"(?m)\n(?=[a-z])", found.strip())
    names = [re.match(r"[a-z0-9._-]+", entry, re.IGNORECASE) for entry in entries if "==" in entry]

    assert "obstore" in [name[0] for name in names if name]
    assert len(names) == len({name[0] for name in names if name})
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)
    build = {service["buildCommand"] for service in render() if "buildCommand" in service}
    assert build == {
        "sh deploy/platforms/requirements > /tmp/requirements.txt"
        " && pip install --require-hashes -r /tmp/requirements.txt"
    }
    assert sys.version_info >= (3, 11)


def test_the_image_that_fly_and_railway_build_has_our_command_as_its_entry_point() -> None:
    file = ROOT / "deploy" / "Dockerfile"
    if not file.exists():
        pytest.skip("deploy/Dockerfile is not there yet")

    assert 'ENTRYPOINT ["/usr/bin/callbridge"]' in file.read_text()
    assert (FOLDER / fly()["build"]["dockerfile"]).resolve() == file
    assert {one["build"]["dockerfilePath"] for one in railway().values()} == {"deploy/Dockerfile"}


def test_the_guide_names_each_file_and_each_needed_setting() -> None:
    files: Collection[str] = [path.name for path in FOLDER.iterdir()]

    assert all(f"platforms/{name}" in GUIDE or name == "fly.toml" for name in files)
    assert all(f"`{name}`" in GUIDE for name in NEEDED | {"REDIS_URL", "OPS_TOKEN", "RECORDINGS_URL"})
