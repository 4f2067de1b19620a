"""Installs what we measure ourselves beside, each into a folder of its own, once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.report import PEERS_FOLDER, say

PEERS = Path(__file__).parent / "peers"
# n8n has 1.8 GB in 100,000 files.
_NPM_WITHIN_S = 600


def peers_folder() -> Path | None:
    """Where they are kept between runs; None for a folder that goes with the run."""
    named = os.environ.get(PEERS_FOLDER)
    return Path(named) if named else None


def peers_in(folder: Path) -> Path:
    """The Python of a virtual environment with all peers of Python."""
    wanted, own = PEERS / "requirements.txt", folder / "python"
    python = own / "bin" / "python"
    if not _is_as_wanted(own, wanted):
        say(f"installing the peers into {own}")
        if uv := shutil.which("uv"):
            subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, own], check=True)
            install: list[str | Path] = [uv, "pip", "install", "-q", "-p", python]
        else:
            subprocess.run([sys.executable, "-m", "venv", "--clear", own], check=True)
            install = [python, "-m", "pip", "install", "-q"]
        subprocess.run([*install, "-r", wanted], check=True)
        _stamp(own).write_text(_mark(wanted))
    return python


def node_peer_in(folder: Path, app: str) -> Path | None:
    """The folder of programs of a peer, with a Node.js of its own; None where it does not install."""
    wanted, own = PEERS / app / "package.json", folder / app
    programs = own / "node_modules" / ".bin"
    if _is_as_wanted(own, wanted):
        return programs
    npm = shutil.which("npm")
    if npm is None:
        say(f"{app} is left out: there is no npm here to install it")
        return None
    say(f"installing {app} into {own}")
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    shutil.copy(wanted, own)
    # Node.js first, as what is compiled for a peer is compiled for the Node.js that finds it.
    for what in (["--package-lock=false", "node"], []):
        if (trouble := _npm(npm, own, programs, what)) is not None:
            say(f"{app} is left out, as it did not install: {trouble}")
            return None
    _stamp(own).write_text(_mark(wanted))
    return programs


def _npm(npm: str, own: Path, programs: Path, what: list[str]) -> str | None:
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    headers = own / "node_modules" / f"node-{sys.platform}-x64"
    if (headers / "include").exists():
        environ["npm_config_nodedir"] = str(headers)
    command = [npm, "install", "--no-audit", "--no-fund", "--omit=dev", *what]
    try:
        ran = subprocess.run(
            command,
            cwd=own,
            env=environ,
            capture_output=True,
            text=True,
            timeout=_NPM_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not ready after {_NPM_WITHIN_S} s"
    lines = [line for line in ran.stderr.splitlines() if line.startswith("npm error")]
    return (lines or ["npm failed"])[-1] if ran.returncode else None


def _stamp(own: Path) -> Path:
    return own / "stamp"


def _mark(wanted: Path) -> str:
    return hashlib.sha256(wanted.read_bytes()).hexdigest()


def _is_as_wanted(own: Path, wanted: Path) -> bool:
    return _stamp(own).exists() and _stamp(own).read_text() == _mark(wanted)
