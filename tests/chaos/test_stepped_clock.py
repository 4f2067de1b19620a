"""The clock process with a wall clock that is days off: Redis' clock is the one that counts."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from bridge.storage import open_storage
from tests.chaos.stage import Child, Nursery
from tests.chaos.stepped import write_offset
from tests.waiting import eventually


@pytest.mark.slow
@pytest.mark.parametrize("days", [6, -400])
def test_a_clock_that_is_days_off_finds_the_calls_of_today_and_deletes_no_recording_of_today(
    redis_url: str, ledger: Ledger, sandbox: RunningSandbox, tmp_path: Path, days: int
) -> None:
    now = datetime.now(UTC)
    sandbox.cloudtalk.add_call(started_at=now - timedelta(hours=1))
    storage = open_storage("file:", data_dir=tmp_path / "data")
    fresh, old = (f"{now - timedelta(days=ago):%Y/%m/%d}/a.wav" for ago in (1, 5))
    for name in (fresh, old):
        storage.write(name, [b"sound"], content_type="audio/x-wav")
    environ = {
        **os.environ,
        **sandbox.environ(),
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path / "data"),
        "RECORDING_RETENTION_DAYS": "3",
        "RECONCILE_EVERY_S": "1",
    }
    write_offset(tmp_path / "offset", days * 86_400.0)

    with Nursery() as nursery:
        clock = Child(nursery, "clock", environ, log=tmp_path / "clock.log", clock=tmp_path / "offset")
        clock.start()
        eventually(lambda: calls_missing(ledger) == 1, "the call is missed", within_s=20)
        clock.end(signal.SIGTERM)

    assert storage.size(fresh) == 5
    assert storage.size(old) is None
