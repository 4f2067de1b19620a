"""Real jobs against the sandbox's limit, on a clock of the test that both keep to."""

from __future__ import annotations

import pytest
import redis

from bridge.clients.cloudtalk import CloudTalk
from bridge.deps import Deps, JobResult
from bridge.jobs.detail import ask_detail
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.keys import Lane, split_job
from bridge.ledger.queue.claims import Claim
from bridge.sandbox import ANALYTICS_PREFIX, CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET, CORE_PREFIX
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.world import World
from tests.ledger.upstream import TestClock
from tests.support import Bridge, ended, http_client

FIRST = 1_000_000_000


def nothing(claim: Claim, deps: Deps) -> JobResult:
    return JobResult()


@pytest.mark.slow
def test_a_burst_of_300_meets_no_429_and_uses_the_share_live_calls_first(
    redis_client: redis.Redis, redis_url: str
) -> None:
    clock = TestClock(redis_url)
    with RunningSandbox(world=World(now=lambda: clock.now)) as sandbox:
        sandbox.cloudtalk.limit(60)
        bridge = bridge_with_a_share_of_60(clock, sandbox)
        for number in range(300):
            sandbox.cloudtalk.add_call(id=FIRST + number)
            bridge.receive("call-ended", ended(call_id=FIRST + number, uuid=None))
            lane = Lane.LIVE if number % 3 == 0 else Lane.BACKFILL
            bridge.ledger.schedule("detail", f"id:{FIRST + number}", in_ms=0, lane=lane)
        begun = clock.now

        runs = run_until_nothing_is_left(bridge, clock)

        asked = sandbox.cloudtalk.requests
    assert {one.status for one in asked} == {200}
    assert len(asked) == 300
    minutes = (asked[-1].at - begun) / 60
    assert 300 / (60 * minutes) >= 0.95
    numbers = [int(one.path.removesuffix(".json").rsplit("/", 1)[-1]) - FIRST for one in asked]
    assert all(number % 3 == 0 for number in numbers[:100])
    # Each is refused once and told its slot; few come again in vain.
    assert runs.count("detail later") <= 1.5 * 300


def bridge_with_a_share_of_60(clock: TestClock, sandbox: RunningSandbox) -> Bridge:
    client = clock.client()
    bridge = Bridge(client, sandbox, kinds={"detail": ask_detail, "sync": nothing})
    url = sandbox.cloudtalk.url
    cloudtalk = CloudTalk(
        client=http_client(),
        core=url + CORE_PREFIX,
        analytics=url + ANALYTICS_PREFIX,
        key_id=CLOUDTALK_KEY_ID,
        key_secret=CLOUDTALK_KEY_SECRET,
        budget=Budget(client, service="cloudtalk", share=60, clock=lambda: clock.now),
    )
    bridge.use(cloudtalk=cloudtalk)
    return bridge


def run_until_nothing_is_left(bridge: Bridge, clock: TestClock) -> list[str]:
    """How each run ended."""
    ends: list[str] = []
    while True:
        wait_ms, names = bridge.ledger.dispatch(8)
        ends += [f"{split_job(name)[0]} {bridge.runner.run(*split_job(name))}" for name in names]
        if not names:
            if wait_ms < 0:
                return ends
            clock.set(clock.now + wait_ms / 1000)
