"""Ends what a run of tests started and removes its temporary folder, however the run ends.

The run holds the writing end of a pipe; this file runs as a process of its own at the other end. Once the
run is over, killed by SIGKILL or not, it kills every process that names the run's folder in its environment
or command line, and removes the folder. The run sets TMPDIR to it, so each of its processes names it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Where a folder has no disk beneath it.
MEMORY = Path("/dev/shm")
_GONE_WITHIN_S = 5.0


class Reaper:
    """Context manager: the temporary folder of a run, which is this process's TMPDIR from then on."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="callbridge-test-"))
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C ends the run, not this.
            start_new_session=True,
        )
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.folder)

    def finish(self) -> list[str]:
        """Do it now; returns the processes that still ran, by their command lines."""
        if self._process.poll() is not None:
            return []
        ended, _ = self._process.communicate()
        return ended.splitlines()

    def __enter__(self) -> Reaper:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


def folder_in_memory() -> tempfile.TemporaryDirectory[str]:
    """A new folder without a disk beneath it; it goes with the run at the latest."""
    return tempfile.TemporaryDirectory(prefix=f"{Path(tempfile.gettempdir()).name}-", dir=MEMORY)


def processes_naming(text: str) -> dict[int, str]:
    """The other processes with this in their environment or command line, by id.

    None where the system does not tell (macOS).
    """
    wanted = os.fsencode(text)
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes()
            if wanted in command or wanted in (path / "environ").read_bytes():
                found[int(path.name)] = " ".join(
                    command.replace(b"\0", b" ").decode(errors="replace").split()
                )
    return {pid: command for pid, command in found.items() if pid != os.getpid() and command}


def end_processes_naming(text: str) -> list[str]:
    """Kill them all and wait until they are gone; returns their command lines."""
    ended: dict[int, str] = {}
    deadline = time.monotonic() + _GONE_WITHIN_S
    # Again, as one may have started another in the meantime.
    while (running := processes_naming(text)) and time.monotonic() < deadline:
        ended |= running
        for pid in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return list(ended.values())


def _reap(folder: Path) -> None:
    ended = end_processes_naming(folder.name)
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            if line.split()[1].startswith(f"{folder}/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
    for path in (folder, *MEMORY.glob(f"{folder.name}-*")):
        shutil.rmtree(path, ignore_errors=True)
    sys.stdout.write("".join(f"{command}\n" for command in ended))


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    with contextlib.suppress(BrokenPipeError):
        _reap(Path(sys.argv[1]))
        sys.stdout.flush()
