"""`callbridge up` while the disk of its data folder is full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.frame.conftest import ROOT, Program
from tests.support import ended
from tests.waiting import eventually


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def up(small_disk: Path) -> Iterator[Program]:
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(small_disk / "data"),
        "PORT": "0",
        "WEBHOOK_TOKENS": "a-token-for-this-test-only",
    }
    program = Program([sys.executable, "-m", "bridge", "up", "--sandbox"], environ)
    yield program
    program.close()


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 1024, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


@pytest.mark.slow
def test_it_stays_up_says_why_and_goes_on_when_there_is_room(up: Program, small_disk: Path) -> None:
    url = up.wait_for(r"The bridge runs: (\S+)")[1]
    up.wait_for("Ctrl-C ends it")
    client = httpx2.Client(base_url=url, headers={"Authorization": "Bearer a-token-for-this-test-only"})
    calls = (ended(call_id=3_000_000_000 + n, uuid=None) for n in range(10_000))

    def post() -> httpx2.Response:
        return client.post("/webhooks/cloudtalk/call-ended", json=next(calls))

    with client:
        assert post().status_code == 202
        filler = fill(small_disk)

        refused = eventually(
            lambda: (answer := post()).status_code == 503 and answer, "it is refused", every_s=0.1
        )
        up.wait_for(r"redis did not start: the disk of \S+ is full .*webhooks get 503 until then")
        assert refused and "Retry-After" in refused.headers
        eventually(lambda: "the disk of Redis is full" in client.get("/readyz").text, "readyz says why")
        assert "the disk of Redis is full" in post().text

        filler.unlink()

        eventually(lambda: post().status_code == 202, "webhooks are taken again", every_s=0.2)
        assert client.get("/readyz").status_code == 200
    assert up.process.poll() is None


def test_started_on_a_full_disk_it_waits_for_room(
    start_house: Callable[..., Program], tmp_path: Path
) -> None:
    (tmp_path / "data" / "redis").mkdir(parents=True)
    (tmp_path / "data" / "redis" / "room").symlink_to("/dev/full")

    house = start_house()

    house.wait_for(r"redis did not start: the disk of \S+ is full")
    house.wait_for("Ctrl-C ends it")
