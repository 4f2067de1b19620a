"""What processes use: CPU and memory, from /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path


def processes_of(session: int) -> Iterator[Path]:
    """The folders in /proc of a session's processes."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            yield path


def cpu_s_of(session: int) -> float:
    return sum(cpu_s_of_one(path.name) for path in processes_of(session))


def cpu_s_of_one(pid: int | str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb_of(session: int) -> float:
    """What its processes hold, what they share counted once."""
    texts = [(path / "smaps_rollup").read_text() for path in processes_of(session)]
    return sum(int(found[1]) for text in texts if (found := re.search(r"Pss:\s+(\d+) kB", text))) / 1024
