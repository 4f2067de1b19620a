"""Processes of a test, which end with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def start(argv: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
    """A process in a session of its own: Ctrl-C reaches only the test, whose end is the process's end."""
    return subprocess.Popen(list(map(str, argv)), start_new_session=True, **options)


def end(process: subprocess.Popen[Any]) -> None:
    """Kill it and all that it started and left in its session; it may have ended by itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@contextlib.contextmanager
def started(argv: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process for as long as the block takes, however that ends."""
    process = start(argv, **options)
    try:
        yield process
    finally:
        end(process)
