"""Installs what we measure ourselves beside."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.report import PEERS_FOLDER

PEERS = Path(__file__).parent / "peers"


def peers_folder() -> Path | None:
    """Where they are kept between runs; None for a folder that goes with the run."""
    named = os.environ.get(PEERS_FOLDER)
    return Path(named) if named else None


def peers_in(folder: Path) -> Path:
    """The Python of a virtual environment with all peers, made unless it is there."""
    wanted = PEERS / "requirements.txt"
    stamp, mark = folder / "stamp", hashlib.sha256(wanted.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != mark:
        print(f"installing the peers into {folder}", file=sys.stderr)  # noqa: T201
        if uv := shutil.which("uv"):
            subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
            install: list[str | Path] = [uv, "pip", "install", "-q", "-p", python]
        else:
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            install = [python, "-m", "pip", "install", "-q"]
        subprocess.run([*install, "-r", wanted], check=True)
        stamp.write_text(mark)
    return python
