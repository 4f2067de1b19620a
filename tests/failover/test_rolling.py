"""All processes are replaced under load, as an upgrade in a cluster does it, and nobody notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.failover.balancer import Kind
from tests.failover.rolling import CLOCKS, WEBS, WORKERS, rolling

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_rolling_restart_refuses_loses_and_repeats_nothing(tmp_path: Path, kind: Kind) -> None:
    outcome = rolling(tmp_path, kind, rounds=1, a_second=20)

    assert outcome.lost == []
    assert outcome.twice == []
    assert outcome.killed == []
    assert outcome.leases_late == 0
    # A process that is gone cuts connections (0) or has the proxy say 502. A slow Redis on a busy machine has
    # the bridge say 503, with a restart or without.
    assert outcome.refused.keys() <= {503}
    assert outcome.replaced == {"web": WEBS, "worker": WORKERS, "clock": CLOCKS}
