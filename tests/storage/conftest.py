"""Storages to try: a folder, and a bucket of a server that speaks S3."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2
import pytest

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.storage import Storage, open_storage
from bridge.storage.encrypted import EncryptedStorage
from tests.processes import started
from tests.waiting import eventually

BUCKET = "recordings"


@dataclass(frozen=True)
class Bucket:
    """A bucket on a server of the run's own."""

    endpoint: str
    root: Path

    def url(self, prefix: str, *, bucket: str = BUCKET) -> str:
        return f"s3://{bucket}/{prefix}?region=us-east-1&endpoint={self.endpoint}"


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    for library in ("obstore", "localbucket"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"S3 is not tried: {library} is not installed (pip install {library})")
    root = tmp_path_factory.mktemp("buckets")
    port = free_port()
    command = [sys.executable, "-m", "localbucket", "--port", str(port), str(root)]
    with (
        (root.parent / "localbucket.log").open("wb") as log,
        started(command, stdout=log, stderr=log) as server,
    ):
        endpoint = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(port) or server.poll() is not None, "the S3 server listens")
        assert server.poll() is None, (root.parent / "localbucket.log").read_text()
        httpx2.put(f"{endpoint}/{BUCKET}").raise_for_status()
        before = {name: os.environ.get(name) for name in KEYS}
        os.environ.update(KEYS)
        yield Bucket(endpoint, root)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# The server takes any; the library looks for a machine's role when there are none.
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    kind: Literal["folder", "s3"] = request.param
    if kind == "folder":
        return f"file:{tmp_path}/kept"
    served: Bucket = request.getfixturevalue("bucket")
    return served.url(tmp_path.name)


@pytest.fixture(params=["plain", "encrypted"])
def storage(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Storage:
    opened = open_storage(url, data_dir=tmp_path / "data")
    return opened if request.param == "plain" else EncryptedStorage(opened, Keyring([new_key()]))
