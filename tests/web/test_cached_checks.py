"""The checks of the set-up page: one run at a time, kept for some seconds, and not waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

from bridge.checks.cached import CachedChecks
from bridge.checks.check import Check
from bridge.settings import Settings

GOOD = Check("made up", "ok", "for a test")


def test_the_checks_of_the_last_seconds_are_shown_again() -> None:
    runs = []

    def examine(settings: Settings) -> Iterator[Check]:
        runs.append(settings)
        yield GOOD

    checks = CachedChecks(Settings(), examine=examine)

    async def looked() -> None:
        for _ in range(3):
            found = await checks.look()
            assert (found.checks, found.is_done, found.worst()) == ((GOOD,), True, "ok")

    asyncio.run(looked())
    assert len(runs) == 1


def test_a_slow_check_is_not_waited_for_and_runs_once() -> None:
    ends, runs = threading.Event(), []

    def examine(settings: Settings) -> Iterator[Check]:
        runs.append(settings)
        yield GOOD
        ends.wait(20)
        yield Check("slow", "FAIL", "made up")

    checks = CachedChecks(Settings(), examine=examine, waits_s=0.05)

    async def looked() -> None:
        first, second = await asyncio.gather(checks.look(), checks.look())
        assert first.checks == second.checks == (GOOD,)
        assert not first.is_done
        ends.set()
        while not (found := await checks.look()).is_done:
            pass
        assert found.worst() == "FAIL"

    asyncio.run(looked())
    assert len(runs) == 1


def test_a_fault_in_the_checks_is_one_of_them() -> None:
    def examine(settings: Settings) -> Iterator[Check]:
        yield GOOD
        raise ValueError("made up")

    found = asyncio.run(CachedChecks(Settings(), examine=examine).look())

    assert found.is_done
    assert "ended early (ValueError)" in found.checks[-1].says
