"""Starts programs in an unpacked image: in namespaces, on a read-only file system, as the image's user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

# Mounts what a container runtime mounts, then gives up root.
_ENTER = """
set -e
root=$1 user=$2 volumes=$3; shift 3
mount --bind "$root" "$root"; mount -o remount,ro,bind "$root"
mount --bind "$root.data" "$root/data"
for volume in $volumes; do mount --bind "${volume%:*}" "$root${volume#*:}"; done
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
exec chroot --userspec="$user" "$root" "$@"
"""


class Image:
    """An OCI archive, unpacked as a runtime would."""

    def __init__(self, archive: Path, folder: Path) -> None:
        blobs = folder / "blobs"
        with tarfile.open(archive) as tar:
            tar.extractall(blobs, filter="data")  # its own
        index = json.loads((blobs / "index.json").read_text())
        self.digest: str = index["manifests"][0]["digest"]
        manifest = self._json(blobs, self.digest)
        self.config: dict[str, Any] = self._json(blobs, manifest["config"]["digest"])["config"]
        self.root = folder / "root"
        for layer in manifest["layers"]:
            with tarfile.open(self._blob(blobs, layer["digest"])) as tar:
                self.entries = tar.getmembers()
                tar.extractall(self.root, filter=lambda entry, _: entry)  # noqa: S202  # ours
        # A volume of its own, as a runtime makes it of the folder in the image.
        self.data = folder / "root.data"
        self.data.mkdir(mode=0o700)
        user = int(self.config["User"].partition(":")[0])
        os.chown(self.data, user, user)

    @staticmethod
    def _blob(blobs: Path, digest: str) -> Path:
        return blobs / "blobs" / digest.replace(":", "/")

    def _json(self, blobs: Path, digest: str) -> Any:
        return json.loads(self._blob(blobs, digest).read_text())

    def command(self, *args: str) -> list[str]:
        """Starts the image's program with these arguments, in namespaces that end with it."""
        return self.program(*self.config["Entrypoint"], *args)

    def program(self, *argv: str, volumes: Mapping[str, Path] = MappingProxyType({})) -> list[str]:
        """Args: volumes: further folders, by the absolute path at which the program sees them."""
        for path in volumes:
            # As a runtime does, which makes what it mounts on.
            (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
        mounts = " ".join(f"{folder}:{path}" for path, folder in volumes.items())
        unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
        return [*unshare, "sh", "-c", _ENTER, "box", str(self.root), self.config["User"], mounts, *argv]

    def inside(self, pid: int, *argv: str) -> list[str]:
        """Runs a program beside process `pid` of this image, as `docker exec` does."""
        user, _, group = self.config["User"].partition(":")
        as_user = ("--setuid", user, "--setgid", group)
        return ["nsenter", "--target", str(pid), "--mount", "--pid", "--root", *as_user, *argv]

    def environ(self, **more: str) -> dict[str, str]:
        return {**dict(line.split("=", 1) for line in self.config["Env"]), **more} | {
            "PATH": os.environ["PATH"]
        }


def require(tools: Sequence[str]) -> None:
    """Skip where namespaces or a tool cannot be had."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount in a namespace")
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"needs namespaces: {tried.stderr.decode().strip()}")
