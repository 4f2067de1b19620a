"""The checks of the set-up page: one run at a time, kept for some seconds, and not waited for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

from bridge.checks.cached import CachedChecks
from bridge.checks.check import Check
from bridge.sandbox.running import RunningSandbox
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


def test_looking_at_the_page_posts_nothing_to_a_service(sandbox: RunningSandbox, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('version = 2\n[cue_card]\nshow = true\n[customer]\nseveral = "none"\n')
    environ = {**sandbox.environ(), "CALLBRIDGE_RULES": str(file), "DATA_DIR": str(tmp_path)}
    checks = CachedChecks(Settings.from_env(environ, dotenv=None), waits_s=20)

    found = asyncio.run(checks.look())

    asked = [*sandbox.cloudtalk.requests, *sandbox.kustomer.requests]
    assert found.is_done and asked and {one.method for one in asked} == {"GET"}
    assert "not tried here: callbridge doctor sends one of no call" in [one.says for one in found.checks]


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
