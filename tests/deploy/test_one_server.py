"""deploy/compose.yml, systemd/ and proxy/: what of them can be checked without a server of one's own."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
import yaml  # type: ignore[import-untyped]

from bridge.commands import COMMANDS
from bridge.settings import Settings
from tests.chaos.house import TOKEN, House, free_port
from tests.processes import started
from tests.support import ended
from tests.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
_SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
WHOLE = 64 * 1024


def tool(name: str) -> str:
    """Its path; the test is skipped where it is not installed."""
    found = shutil.which(name, path=_SBIN)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


# -- the compose file


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text())
    return found


def test_the_compose_file_runs_the_three_processes_from_the_image_of_the_dockerfile(
    compose: dict[str, Any],
) -> None:
    for name in ("web", "worker", "clock"):
        service = compose["services"][name]
        assert service["command"] == [name] and name in COMMANDS
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        build = service["build"]
        dockerfile = (DEPLOY / build["context"] / build["dockerfile"]).resolve()
        if not dockerfile.exists():
            pytest.skip("deploy/Dockerfile is not there yet")
        assert f"-t {service['image']} " in dockerfile.read_text()


def test_its_settings_are_ours(compose: dict[str, Any]) -> None:
    known = {name.upper() for name in Settings.model_fields}
    for name in ("web", "worker", "clock"):
        assert set(compose["services"][name]["environment"]) <= known
    values = {**compose["services"]["web"]["environment"], "PUBLIC_URL": "https://bridge.example.com"}
    settings = Settings.from_env(values, dotenv=None)
    assert settings.redis_url == "redis://valkey:6379/0" and settings.notices == ()


def test_valkey_keeps_what_was_acknowledged_and_forgets_nothing(compose: dict[str, Any]) -> None:
    words = compose["services"]["valkey"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))

    assert options["--appendonly"] == "yes" and options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    assert compose["services"]["valkey"]["volumes"] == ["valkey:/data"]


def test_every_file_and_volume_that_it_names_is_there(compose: dict[str, Any]) -> None:
    # Made by whoever watches, of a token of theirs.
    theirs = {"./callbridge-token"}
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert source in theirs or (DEPLOY / source).exists(), source
            else:
                assert source in compose["volumes"]
        assert set(service.get("depends_on", [])) <= set(compose["services"])


def test_only_caddy_is_open_to_all_and_watching_is_a_profile(compose: dict[str, Any]) -> None:
    services = compose["services"]
    public = {
        name
        for name, one in services.items()
        for port in one.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert public == {"caddy"}
    assert {name for name, one in services.items() if one.get("profiles")} == {"prometheus", "grafana"}
    assert services["prometheus"]["network_mode"] == "service:web"


# -- systemd


def test_there_is_a_unit_for_each_process() -> None:
    assert [path.stem for path in UNITS] == ["callbridge-clock", "callbridge-web", "callbridge-worker"]
    texts = {path.stem.removeprefix("callbridge-"): path.read_text() for path in UNITS}
    # They differ in their process and in what they say of it.
    bodies = {re.sub(rf"\b{name}\b", "PROCESS", text.split("\n", 1)[1]) for name, text in texts.items()}
    assert len(bodies) == 1


def test_the_guide_compiles_what_the_units_may_not() -> None:
    assert all("PYTHONDONTWRITEBYTECODE=1" in unit.read_text() for unit in UNITS)

    (folders,) = re.findall(
        r"# \.venv/bin/python -m compileall -q (.+)", (DEPLOY / "one-server.md").read_text()
    )

    assert set(folders.split()) == {".venv/lib", "bridge", "workers"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_takes_each_unit_and_finds_it_closed(unit: Path, tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    # Its program is not installed here.
    there = tmp_path / unit.name
    there.write_text(unit.read_text().replace("/opt/callbridge/.venv/bin/callbridge", "/bin/true"))

    verified = subprocess.run([analyze, "verify", there], capture_output=True, text=True, check=False)
    assert (verified.returncode, unit.name in verified.stderr) == (0, False), verified.stderr

    scored = subprocess.run(
        [analyze, "security", "--offline=yes", there], capture_output=True, text=True, check=False
    )
    if "exposure level" not in scored.stdout:
        pytest.skip("this systemd-analyze has no --offline")
    score = re.search(r"exposure level for \S+: ([\d.]+)", scored.stdout)
    assert score is not None and float(score[1]) <= 1.5, scored.stdout[-300:]


# -- proxies


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house"), workers=0) as running:
        yield running


@contextmanager
def nginx(house: House, folder: Path) -> Iterator[httpx2.Client]:
    program, port = tool("nginx"), free_port()
    authority = trustme.CA()
    issued = authority.issue_cert("bridge.example.com", "127.0.0.1")
    (folder / "privkey.pem").write_bytes(issued.private_key_pem.bytes())
    (folder / "fullchain.pem").write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
    ours = (DEPLOY / "proxy" / "nginx.conf").read_text()
    ours = ours.replace("/etc/ssl/callbridge", str(folder)).replace(
        "127.0.0.1:8000", f"127.0.0.1:{house.port}"
    )
    ours = ours.replace("    listen [::]:443 ssl;\n", "").replace("listen 443", f"listen 127.0.0.1:{port}")
    (folder / "callbridge.conf").write_text(ours)
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{name}_temp_path {folder}/{name};" for name in names)
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; {temporary}\n include {folder}/callbridge.conf; }}\n"
    )
    words: list[str | Path] = [program, "-p", folder, "-e", folder / "error.log", "-c", whole]
    tested = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with started(words), httpx2.Client(base_url=f"https://127.0.0.1:{port}", verify=trust) as client:
        yield client


@contextmanager
def caddy(house: House, folder: Path) -> Iterator[httpx2.Client]:
    program, port = tool("caddy"), free_port()
    # Plain HTTP: a certificate is what Caddy would ask the internet for.
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "BRIDGE_HOST": f"http://127.0.0.1:{port}",
        "BRIDGE_UPSTREAM": f"127.0.0.1:{house.port}",
    }
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n}\n" + (DEPLOY / "proxy" / "Caddyfile").read_text())
    words: list[str | Path] = [program, "validate", "--config", file, "--adapter", "caddyfile"]
    valid = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert valid.returncode == 0, valid.stderr
    words = [program, "run", "--config", file, "--adapter", "caddyfile"]
    with (
        started(words, env=environ, stderr=subprocess.DEVNULL),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client


@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
def test_a_proxy_passes_webhooks_on_keeps_their_limit_and_streams_events(
    proxy: Any, house: House, tmp_path: Path
) -> None:
    with proxy(house, tmp_path) as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"
        address = "/webhooks/cloudtalk/call-ended"

        def is_up() -> bool:
            try:
                return bool(client.get("/readyz").status_code == 200)
            except httpx2.HTTPError:
                return False

        eventually(is_up, "the proxy passes requests on", within_s=20)

        n = 1000009000 if proxy is nginx else 1000009001
        body = ended(call_id=n, uuid=f"11111111-2222-4333-8444-{n:012d}")
        assert client.post(address, json=body).json()["status"] == "accepted"
        assert client.post(address, json=body).json()["status"] == "duplicate"
        assert client.post(address, json=body, headers={"authorization": "Bearer x"}).status_code == 401

        padded = {
            **body,
            "call_id": n + 10,
            "call_uuid": f"11111111-2222-4333-8444-{n + 10:012d}",
            "notes": "",
        }
        room = WHOLE - len(httpx2.Request("POST", "http://x", json=padded).content)
        padded["notes"] = "x" * room
        assert client.post(address, json=padded).status_code == 202
        padded["notes"] += "x"
        assert client.post(address, json=padded).status_code == 413
        chunks = iter([b'{"notes": "', *[b"x" * 8192] * 12, b'"}'])
        headers = {"content-type": "application/json"}
        # Caddy may notice first that the bridge reads no further.
        refused = (413,) if proxy is nginx else (413, 502)
        assert client.post(address, content=chunks, headers=headers).status_code in refused

        with client.stream("GET", "/api/events", timeout=10) as events:
            assert events.status_code == 200
            house.post("call-ended", {**body, "call_id": n + 20, "call_uuid": None})
            lines = (line for line in events.iter_lines() if line.startswith("data:"))
            assert next(lines)
