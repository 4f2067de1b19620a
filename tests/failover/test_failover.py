"""A master fails under load, and nothing that was accepted is lost or written twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.failover.drill import drill
from tests.failover.servers import Cluster, How, Servers, WithSentinel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("how", ["kill", "freeze", "switch"])
@pytest.mark.parametrize("servers", [WithSentinel, Cluster])
def test_nothing_accepted_is_lost_or_written_twice_when_the_master_fails(
    tmp_path: Path, servers: Callable[[Path], Servers], how: How
) -> None:
    outcome = drill(tmp_path, servers, kills=1, a_second=20, how=how)

    assert outcome.lost == []
    assert outcome.twice == []
    assert outcome.accepted > 0
