"""Recordings of any size go through a worker in constant memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.chaos.house import House
from tests.support import ended
from tests.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc"),
]
MORE_AT_MOST_MB = 32
MB_A_SECOND = 16_000 / 1e6


def _peak_mb(pid: int) -> float:
    """The most that a process ever held, as the system counts it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _send(house: House, n: int, *, megabytes: float) -> str:
    uuid = f"11111111-2222-4333-8444-{n:012d}"
    house.sandbox.cloudtalk.add_call(
        id=1_000_000_000 + n,
        uuid=uuid,
        external_number="+441632960304",
        recorded=True,
        recording_seconds=int(megabytes / MB_A_SECOND),
    )
    house.post("call-ended", ended(call_id=1_000_000_000 + n, uuid=uuid))
    house.post("recording-uploaded", {"call_id": 1_000_000_000 + n})
    return f"uuid:{uuid}"


def _stored(house: House, keys: list[str]) -> bool:
    return all("recording" in house.ledger.read(key).observations for key in keys)


def test_a_recording_of_100_mb_and_ten_at_once_cost_a_worker_little_memory(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        warm = [_send(house, n, megabytes=1) for n in range(2)]
        eventually(lambda: _stored(house, warm), "the first two are stored", within_s=60)
        worker = house.workers[0].popen
        assert worker is not None
        _forget_peak(worker.pid)
        before = _peak_mb(worker.pid)

        large = [_send(house, 100, megabytes=100)]
        eventually(lambda: _stored(house, large), "100 MB are stored", within_s=120, every_s=0.1)
        after_large = _peak_mb(worker.pid)
        many = [_send(house, 200 + n, megabytes=20) for n in range(10)]
        eventually(lambda: _stored(house, many), "ten are stored", within_s=120, every_s=0.1)
        after_many = _peak_mb(worker.pid)

        sys.stderr.write(
            f"worker: {before:.0f} MB before, {after_large:.0f} MB with a recording of 100 MB, "
            f"{after_many:.0f} MB with ten of 20 MB at once\n"
        )
        kept = house.ledger.read(large[0]).observations["recording"].body
        assert kept["original"]["size"] > 99_000_000
        assert after_large - before < MORE_AT_MOST_MB
        assert after_many - before < MORE_AT_MOST_MB
