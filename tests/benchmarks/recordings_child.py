"""The bridge's part of `recordings`, in a process of its own, whose memory is what is measured.

    python -m tests.benchmarks.recordings_child REDIS_URL SERVER_URL FOLDER

Reads a line of JSON for each task from standard input, and answers each with a line:
{"number": N, "size_mb": S, "transcode": B, "at_once": K} -> {"wall_s", "cpu_s", "peak_mb", "minutes"}.
A task runs the real recording job (CloudTalk to storage and encoder), then sends what was stored to an upload
form as the sync does, K of them at once in threads.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sys
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import structlog

from bridge.clients.kustomer.attachments import UploadForm
from bridge.domain.recording import Stored
from bridge.domain.rules.model import Rules
from bridge.ledger.connect import connect
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, Runner, ended


class _Services:
    """Stands for the sandbox: the addresses of the server of files."""

    def __init__(self, url: str) -> None:
        self._url = url

    def environ(self, *, through_membrane: Collection[str] = ()) -> dict[str, str]:
        return {
            "CLOUDTALK_API_URL": f"{self._url}/core/api",
            "KUSTOMER_API_URL": self._url,
            "CLOUDTALK_ACCESS_KEY_ID": "benchmark",
            "CLOUDTALK_ACCESS_KEY_SECRET": "benchmark",
            "KUSTOMER_API_KEY": "benchmark",
        }


def resident_mb(which: str) -> float:
    """`VmRSS`: now; `VmHWM`: at most, since it was last reset."""
    found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def carry(bridge: Bridge, url: str, call_id: int) -> float:
    """One recording, from CloudTalk to Kustomer; minutes of sound."""
    runner = Runner(bridge.deps, bridge.leases)
    uuid = f"11111111-2222-4333-8444-{call_id:012d}"
    bridge.receive("call-ended", ended(call_id=call_id, uuid=uuid))
    bridge.receive("recording-uploaded", {"call_id": call_id, "external_number": 441632960304})
    bridge.ledger.schedule("recording", f"uuid:{uuid}", in_ms=0)
    outcome = runner.run("recording", f"uuid:{uuid}")
    assert outcome == "done", outcome
    stored = bridge.record(f"uuid:{uuid}").observations["recording"].body
    file = Stored(**stored["original"])
    bridge.deps.kustomer.attachments.upload(
        UploadForm(attachment_id="1", url=f"{url}/upload", fields={"key": "a"}),
        name="recording.wav",
        content_type=file.content_type,
        size=file.size,
        chunks=bridge.deps.open_storage().open(file.name),
    )
    for name in (file.name, file.name.removesuffix("wav") + "mp3"):
        bridge.deps.open_storage().delete(name)
    return float(stored["seconds"]) / 60


def task(bridge: Bridge, url: str, given: dict[str, Any]) -> dict[str, float]:
    bridge.use(rules=replace(bridge.rules, transcode=given["transcode"]))
    # The number says how large it is; see `file_server`.
    numbers = [(given["number"] + n) * 1000 + given["size_mb"] for n in range(given["at_once"])]
    base = resident_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    began, cpu_s = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(len(numbers)) as threads:
        minutes = sum(threads.map(lambda number: carry(bridge, url, 1_000_000_000 + number), numbers))
    return {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu_s,
        "peak_mb": resident_mb("VmHWM") - base,
        "minutes": minutes,
    }


def main(redis_url: str, url: str, folder: Path) -> None:
    services = cast(RunningSandbox, _Services(url))
    answers = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        # Its log lines are nobody's.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        bridge = Bridge(connect(redis_url), services, Rules(), data_dir=folder)
        for line in sys.stdin:
            answers.write(json.dumps(task(bridge, url, json.loads(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
