"""The image: built without a container builder, unpacked, and started read-only as its user."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bridge.sandbox.running import RunningSandbox
from tests.failover.servers import Server
from tests.frame.conftest import ROOT, Program
from tests.packaging.boxes import Image, require
from tests.packaging.pods import Pods, end_by_signal
from tests.support import ended
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def build(out: Path, downloads: Path) -> Path:
    """Build in a copy at another path: nothing of the folder may come into the image."""
    copy = out / "project"
    copy.mkdir(parents=True)
    for name in ("bridge", "workers", "deploy"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    command = [str(copy / "deploy" / "image" / "build"), str(out), "--downloads", str(downloads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    (archive,) = out.glob("callbridge-*-image.tar")
    return archive


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's and Python's packages, which two builds share; the second must not wait for them again."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def archive(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("one"), downloads)


@pytest.fixture(scope="module")
def image(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    require(["unshare", "nsenter", "mount", "chroot"])
    return Image(archive, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def running(image: Image) -> Iterator[Program]:
    """The image with `up --sandbox`, ready."""
    bridge = Program(image.command("up", "--sandbox"), image.environ(PORT="0", HOST="127.0.0.1"))
    try:
        bridge.wait_for("Webhook token")
        yield bridge
    finally:
        bridge.close()


def run(image: Image, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        image.program(*argv), env=image.environ(), capture_output=True, text=True, check=False
    )


def beside(image: Image, bridge: Program, *args: str) -> subprocess.CompletedProcess[str]:
    (first,) = children(bridge.process.pid)
    return subprocess.run(
        image.inside(first, "/usr/bin/callbridge", *args),
        env=image.environ(),
        capture_output=True,
        text=True,
        check=False,
    )


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_two_builds_give_one_image(archive: Path, downloads: Path, tmp_path: Path) -> None:
    assert build(tmp_path, downloads).read_bytes() == archive.read_bytes()


def test_it_is_small(archive: Path) -> None:
    assert archive.stat().st_size < 60e6


def test_it_runs_as_a_user_of_its_own(image: Image) -> None:
    result = run(
        image, "/usr/bin/python3", "-c", "import os; print(os.getuid(), os.getgid(), os.getgroups())"
    )

    assert result.stdout.startswith("10001 10001")


def test_it_tells_its_version(image: Image) -> None:
    from bridge import __version__

    assert run(image, *image.config["Entrypoint"], "--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize("shell", ["/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/dash"])
def test_it_has_no_shell(image: Image, shell: str) -> None:
    assert run(image, shell, "-c", "true").returncode == 127


def test_nothing_in_it_is_set_uid_or_writable_by_others(image: Image) -> None:
    writable = {
        entry.name
        for entry in image.entries
        if not entry.issym() and (entry.mode & (stat.S_ISUID | stat.S_ISGID) or entry.mode & stat.S_IWOTH)
    }

    assert writable == {"tmp"}


def test_only_its_data_folder_belongs_to_its_user(image: Image) -> None:
    assert {entry.name for entry in image.entries if entry.uid} == {"data"}


def test_all_its_modules_are_compiled(image: Image) -> None:
    """A read-only file system keeps no byte code: each start would compile anew."""
    code = "import sys, bridge.commands.web as m; print(m.__cached__, m.__spec__.cached)"

    cached = run(image, "/usr/bin/python3", "-c", code).stdout.split()[1]

    assert (image.root / cached.lstrip("/")).is_file()


def test_the_sandbox_runs_on_its_read_only_file_system(image: Image, running: Program) -> None:
    assert beside(image, running, "health").returncode == 0
    for kind in ("worker", "clock"):
        result = beside(image, running, "health", kind)
        assert f"{kind} " in result.stdout and result.returncode == 0

    sent = beside(image, running, "send", "call-ended")

    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "note" in sent.stdout


def test_the_pods_of_the_chart_run_carry_a_call_and_end_in_time(
    image: Image, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Each with its variables, files, arguments and probes, on the network of this machine."""
    found = sandbox.environ()
    server = Server(tmp_path)
    secrets = {
        "redis-url": f"redis://127.0.0.1:{server.port}/0",
        "webhook-tokens": "a-token-for-webhooks",
        "ops-token": "a-token-for-the-pages",
        **{
            name.lower().replace("_", "-"): found.pop(name)
            for name in ("CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY")
        },
    }
    settings = {name: value for name, value in found.items() if name.endswith("_URL")}
    pods = Pods(image, tmp_path, settings, secrets)

    with contextlib.ExitStack() as stack:
        stack.callback(server.close)
        server.start()
        running = {kind: stack.enter_context(pods.started(kind)) for kind in ("web", "worker", "clock")}
        for kind, program in running.items():
            for name in ("startupProbe", "livenessProbe"):
                probe = partial(pods.probe, kind, name, program)
                eventually(probe, f"the {name} of {kind} is green", within_s=60, every_s=0.5)
        eventually(
            partial(pods.probe, "web", "readinessProbe", running["web"]),
            "web is ready",
            within_s=60,
            every_s=0.5,
        )
        with pods.started("doctor") as doctor:
            assert doctor.wait() == 0, doctor.output

        assert post(pods.port, token=secrets["webhook-tokens"]) == 202
        eventually(lambda: sandbox.kustomer.notes, "a note is written", within_s=60)
        for kind, program in running.items():
            code = end_by_signal(program, within_s=pods.grace_s(kind))
            assert code in (0, 128 + signal.SIGTERM, -signal.SIGTERM), program.output

    (note,) = sandbox.kustomer.notes
    # The language is the choice of the chart's rules.
    assert "Anruf" in note["attributes"]["body"]


def post(port: int, *, token: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    body = ended(call_id=1_000_000_900, uuid="5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d99")
    try:
        connection.request("POST", "/webhooks/cloudtalk/call-ended", json.dumps(body), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_its_health_check_sees_that_nothing_runs(image: Image) -> None:
    # Of Redis it can be told; nobody beats.
    result = run(image, *image.config["Healthcheck"]["Test"][1:], "web")

    assert result.returncode == 1


def test_its_bill_of_materials_names_what_python_finds(image: Image) -> None:
    code = (
        "import importlib.metadata as m, json; "
        "bill = json.load(open('/usr/share/callbridge/sbom.cdx.json')); "
        "named = {one['purl'].partition('@')[0] for one in bill['components']}; "
        "print([d.name for d in m.distributions() if d.name != 'callbridge' and "
        "'pkg:pypi/' + d.name.lower().replace('_', '-').replace('.', '-') not in named], len(named))"
    )

    missing, _, count = run(image, "/usr/bin/python3", "-c", code).stdout.rpartition(" ")

    assert missing == "[]" and int(count) > 60
