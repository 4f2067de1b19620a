"""How fast recordings go from CloudTalk to storage to Kustomer, beside curl; their memory and CPU.

    python -m tests.benchmarks.recordings [--short]

The bridge runs its real job (download, file, SHA-256, and the speech file where it is made) and then its real
upload, in a process of its own (`recordings_child.py`). curl carries the same bytes between the same
addresses (`file_server.py`): through a pipe, which stores nothing, and by way of a file. They take turns;
read the ratios. The peak is that of the process's memory over what it held before the recording.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.report import Row, main
from tests.chaos.house import free_port
from tests.processes import started
from tests.reaper import Reaper
from tests.waiting import eventually

_SIZES_MB = (1, 10, 100)
_MOST_MB = 8
_BY_PIPE = 'curl -sSf "$1" | curl -sSf -X POST -H "Expect:" -T - "$2"'
_BY_FILE = 'curl -sSf -o "$3" "$1" && sync "$3" && curl -sSf -X POST -H "Expect:" -T "$3" "$2"; rm -f "$3"'


class Bridge:
    """The process that carries recordings."""

    def __init__(self, stack: ExitStack, redis_url: str, url: str, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.recordings_child", redis_url, url, str(folder)]
        run = started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = stack.enter_context(run)
        self._number = 1

    def carry(self, size_mb: int, *, transcode: bool, at_once: int = 1) -> dict[str, float]:
        task = {"number": self._number, "size_mb": size_mb, "transcode": transcode, "at_once": at_once}
        self._number += at_once
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that carries recordings has ended"
        found: dict[str, float] = json.loads(answer)
        return found


def run(short: bool) -> list[Row]:
    with Reaper() as reaper, ExitStack() as stack:
        server = EmbeddedRedis(reaper.folder, appendfsync="everysec")
        server.start()
        stack.callback(server.stop)
        port = free_port()
        files = [sys.executable, "-m", "tests.benchmarks.file_server", str(port)]
        stack.enter_context(started(files))
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url), "the server of files answers", within_s=30, every_s=0.1)
        bridge = Bridge(stack, server.url, url, reaper.folder / "data")
        # What is loaded at the first recording is not part of its memory.
        bridge.carry(1, transcode=True)
        return _ratios(bridge, url, reaper.folder, short=short) + _memory(bridge, short=short)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/0.json").status_code == 200
    except httpx2.HTTPError:
        return False


def _ratios(bridge: Bridge, url: str, folder: Path, *, short: bool) -> list[Row]:
    size_mb, rounds = (10, 3) if short else (100, 5)
    ways: dict[str, Callable[[], float]] = {
        "callbridge": lambda: bridge.carry(size_mb, transcode=False)["wall_s"],
        "curl by pipe": lambda: _curl(_BY_PIPE, size_mb, url, folder),
        "curl by file": lambda: _curl(_BY_FILE, size_mb, url, folder),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            took[name].append(way())
    rows = [
        Row(
            what=f"{name}: {size_mb} MB",
            value=size_mb / statistics.median(times),
            unit="MB/s",
            chart="recordings",
        )
        for name, times in took.items()
    ]
    for name in ("curl by pipe", "curl by file"):
        ratio = statistics.median(
            theirs / ours for theirs, ours in zip(took[name], took["callbridge"], strict=True)
        )
        # A pipe stores nothing: that ratio is as much one of the machine's disk.
        is_alike = name == "curl by file"
        rows.append(Row(what=f"MB/s against {name}", value=ratio, unit="x", guard=is_alike))
    return rows


def _curl(script: str, size_mb: int, url: str, folder: Path) -> float:
    began = time.perf_counter()
    source, target = f"{url}/core/api/calls/recording/{size_mb:03}.json", f"{url}/upload"
    subprocess.run(["sh", "-c", script, "sh", source, target, str(folder / "curl.wav")], check=True)
    return time.perf_counter() - began


def _memory(bridge: Bridge, *, short: bool) -> list[Row]:
    rows = []
    for size_mb in _SIZES_MB[:2] if short else _SIZES_MB:
        carried = bridge.carry(size_mb, transcode=True)
        rows.append(_peak(f"{size_mb} MB", carried))
        if size_mb == 10:
            rows.append(_cpu("with its speech file", carried))
            rate = size_mb / carried["wall_s"]
            rows.append(Row(what="callbridge with its speech file", value=rate, unit="MB/s"))
            rows.append(_cpu("stored and uploaded only", bridge.carry(size_mb, transcode=False)))
    ten = bridge.carry(10, transcode=True, at_once=10)
    each = {**ten, "peak_mb": ten["peak_mb"] / 10}
    return [
        *rows,
        _peak("ten of 10 MB at once, each", each),
        Row(what="callbridge with its speech file, ten at once", value=100 / ten["wall_s"], unit="MB/s"),
    ]


def _peak(what: str, carried: dict[str, Any]) -> Row:
    return Row(
        what=f"peak over base: {what}", value=carried["peak_mb"], unit="MB", at_most=_MOST_MB, chart="memory"
    )


def _cpu(what: str, carried: dict[str, Any]) -> Row:
    cpu_ms = carried["cpu_s"] / carried["minutes"] * 1000
    return Row(what=f"CPU a minute of audio: {what}", value=cpu_ms, unit="ms")


if __name__ == "__main__":
    main("recordings")
