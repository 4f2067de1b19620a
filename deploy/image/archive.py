"""An OCI image archive of one layer, byte for byte the same for the same file system."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.image.root import HOME, USER

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}
LABELS = {
    "org.opencontainers.image.title": "callbridge",
    "org.opencontainers.image.description": (
        "Writes CloudTalk phone calls into Kustomer: none lost, none duplicated, every step explained"
    ),
    "org.opencontainers.image.licenses": "MIT",
}
HEALTH = ["CMD", "/usr/bin/callbridge", "health"]
# Nanoseconds, as Docker's health check has it.
_SECOND = 1_000_000_000
_MEDIA = "application/vnd.oci.image"


def write_archive(root: Path, archive: Path, *, version: str, epoch: int) -> str:
    """Write the archive; returns the digest of the image's manifest."""
    layer = _layer(root, epoch)
    # No name and no time in the header.
    packed = gzip.compress(layer, 6, mtime=0)
    config = json.dumps(_config(layer, version, epoch), sort_keys=True).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": _descriptor(f"{_MEDIA}.config.v1+json", config),
            "layers": [_descriptor(f"{_MEDIA}.layer.v1.tar+gzip", packed)],
        },
        sort_keys=True,
    ).encode()
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                **_descriptor(f"{_MEDIA}.manifest.v1+json", manifest),
                "annotations": {"org.opencontainers.image.ref.name": f"callbridge:{version}"},
            }
        ],
    }
    blobs = {f"blobs/sha256/{_sha(blob)}": blob for blob in (packed, config, manifest)}
    files = {
        "oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
        "index.json": json.dumps(index, sort_keys=True).encode(),
        **blobs,
    }
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(files[name]), epoch, 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return f"sha256:{_sha(manifest)}"


def _layer(root: Path, epoch: int) -> bytes:
    """The file system as a tar: sorted, owned by root but for the data folder, all of one time."""

    def settled(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = USER if entry.name == HOME else 0
        entry.uname = entry.gname = ""
        entry.mtime = epoch
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(_paths(root)):
            _add(tar, path, settled(tar.gettarinfo(path, arcname=str(path.relative_to(root)))))
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, path: Path, entry: tarfile.TarInfo) -> None:
    if path.is_symlink() or path.is_dir():
        tar.addfile(entry)
        return
    # A second name of one file is a file of its own: which name is the first depends on the folder.
    entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    with path.open("rb") as file:
        tar.addfile(entry, file)


def _paths(root: Path) -> list[Path]:
    return [Path(folder) / name for folder, folders, files in os.walk(root) for name in (*folders, *files)]


def _config(layer: bytes, version: str, epoch: int) -> dict[str, Any]:
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "created": created,
        "architecture": ARCHITECTURE[platform.machine()],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": [
                "PATH=/usr/bin",
                "LANG=C.UTF-8",
                "PYTHONDONTWRITEBYTECODE=1",
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
                f"HOME=/{HOME}",
                f"DATA_DIR=/{HOME}",
                "HOST=0.0.0.0",
                "LOG_FORMAT=json",
            ],
            "Entrypoint": ["/usr/bin/callbridge"],
            "Cmd": ["--help"],
            "WorkingDir": f"/{HOME}",
            "Volumes": {f"/{HOME}": {}},
            "ExposedPorts": {"8000/tcp": {}},
            "StopSignal": "SIGTERM",
            "Labels": {**LABELS, "org.opencontainers.image.version": version},
            "Healthcheck": {
                "Test": HEALTH,
                "Interval": 30 * _SECOND,
                "Timeout": 10 * _SECOND,
                "StartPeriod": 30 * _SECOND,
                "Retries": 3,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha(layer)}"]},
        "history": [{"created": created, "created_by": "deploy/image/build"}],
    }


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{_sha(blob)}", "size": len(blob)}


def _sha(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()
