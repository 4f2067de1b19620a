"""The processes of one `up`, told from all others by whoever did not start them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# Marks every process of one `up` in its environment, grandchildren too, so that what a `kill -9`
# of the supervisor leaves behind can be told apart from other people's processes.
RUN_MARK = "CALLBRIDGE_RUN"

_HAS_PROC = sys.platform == "linux"


def identity(pid: int) -> str | None:
    """Tells a process from a later one with the same id; None when it does not run."""
    if _HAS_PROC:
        try:
            # The name, in parentheses, may itself hold blanks and parentheses.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in ("Z", "X") else fields[19]
    finished = subprocess.run(
        ["ps", "-o", "lstart=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return finished.stdout.strip() or None


def marked_processes(run: str) -> list[int]:
    """Every process of the run that `RUN_MARK` names; none where the system does not tell (macOS)."""
    mark = f"{RUN_MARK}={run}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return [pid for pid in found if pid != os.getpid()]


def end_process(pid: int, known: str | None, *, group: bool = False, timeout_s: float = 5.0) -> bool:
    """Kill a process if it is still the one known by `identity`, and wait until it is gone.

    Args:
        group: take along its process group, which it must lead.
    """
    if known is None or identity(pid) != known:
        return True
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, signal.SIGKILL)
    deadline = time.monotonic() + timeout_s
    while identity(pid) == known:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
