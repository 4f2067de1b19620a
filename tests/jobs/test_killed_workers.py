"""Workers die while jobs run: which of those runs count against a job, and when it runs again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from unittest.mock import patch

import pytest
import redis

from bridge.deps import Deps, JobResult
from bridge.errors import LeaseLost
from bridge.jobs import leases
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.jobs import MAX_DELIVERIES, MOST_HANDED_BACK, PAUSES_MS
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"
THREADS = 8


def _claims(bridge: Bridge, *, for_s: float) -> Iterator[tuple[int, list[Claim]]]:
    """Second by second what one worker with eight threads is given, until there is nothing left to do."""
    for second in range(int(for_s)):
        names = bridge.ledger.dispatch(THREADS)[1]
        claims = [bridge.ledger.claim(*name.split("|", 1)) for name in names]
        yield second, [claim for claim in claims if claim is not None]
        bridge.let_pass(1)


def _deliveries(bridge: Bridge) -> int:
    (job,) = [job for job in bridge.ledger.job_states(KEY) if job["kind"] == "sync"]
    return int(job["deliveries"])


def test_a_job_that_kills_its_worker_is_parked_after_five_deliveries(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())

    killed_at = [second for second, claims in _claims(bridge, for_s=600) if claims]

    assert len(killed_at) == MAX_DELIVERIES
    assert [job["cause"] for job in bridge.ledger.parked().values()] == ["crashed"]
    assert sandbox.kustomer.requests == []


def test_what_a_job_that_kills_its_worker_costs_is_five_workers_within_eight_minutes(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())

    killed_at = [second for second, claims in _claims(bridge, for_s=600) if claims]

    pauses_s = [later - earlier for earlier, later in pairwise(killed_at)]
    # The first is a lease, and a second of this test.
    assert pauses_s[0] <= 5
    for pause_s, ms in zip(pauses_s[1:], PAUSES_MS[1:], strict=True):
        assert ms / 2000 <= pause_s <= ms * 1.5 / 1000 + 6
    assert killed_at[-1] - killed_at[0] < 480


def test_workers_that_are_killed_for_two_minutes_park_no_job(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended())

    # Whoever takes it is killed: by the machine, an operator, a deploy.
    killed = sum(len(claims) for _, claims in _claims(bridge, for_s=120))
    bridge.run_jobs_for(480)

    assert killed >= 3
    assert bridge.ledger.parked() == {}
    assert len(sandbox.kustomer.notes) == 1


def test_a_job_that_kills_its_worker_takes_no_other_job_with_it(bridge: Bridge) -> None:
    """Those of its process are due again at the same moment, and would be killed by it again and again."""
    for number in range(THREADS):
        bridge.ledger.schedule("sync", f"id:{number}", in_ms=0)

    kills = 0
    for _, claims in _claims(bridge, for_s=600):
        if any(claim.key == "id:0" for claim in claims):
            kills += 1
            continue
        for claim in claims:
            assert bridge.ledger.complete(claim) == "done"

    assert kills == MAX_DELIVERIES
    assert [*bridge.ledger.parked()] == ["sync|id:0"]
    assert bridge.ledger.queue()[Lane.LIVE].waiting == 0


def test_news_does_not_shorten_the_pause_of_a_job_whose_workers_died(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())

    killed = 0
    for second, claims in _claims(bridge, for_s=60):
        killed += len(claims)
        bridge.receive("call-modified", {"call_uuid": UUID, "call_notes": f"note {second}"})

    # At 0, after a lease, after that and 5 s, and perhaps after 30 s more.
    assert 3 <= killed <= 4
    (job,) = [job for job in bridge.ledger.job_states(KEY) if job["kind"] == "sync"]
    assert (job["cause"], job["deliveries"]) == ("crashed", killed)


def test_a_run_that_redis_cuts_short_does_not_count(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    def cut_short(claim: Claim, deps: Deps) -> JobResult:
        raise redis.ConnectionError("the server closed the connection")

    bridge = Bridge(redis_client, sandbox, kinds={"sync": cut_short})
    bridge.receive("call-ended", ended())

    ends = []
    for _ in range(2 * MAX_DELIVERIES):
        ends += bridge.run_jobs()
        bridge.leases.hand_back()
        bridge.let_pass(5)

    assert ends == ["sync broken"] * (2 * MAX_DELIVERIES)
    assert bridge.ledger.parked() == {}
    assert _deliveries(bridge) == 0


def test_a_lease_that_redis_could_not_be_asked_about_is_not_told_as_lost(
    redis_client: redis.Redis, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(claim: Claim, deps: Deps) -> JobResult:
        began = leases.clock
        monkeypatch.setattr(leases, "clock", lambda: began() + 3)
        deps.still_ours(claim)
        raise AssertionError("something would be sent under a lease that may be another's")

    def unheard(claims: list[Claim]) -> list[str]:
        raise redis.TimeoutError("no answer")

    bridge = Bridge(redis_client, sandbox, kinds={"sync": slow})
    monkeypatch.setattr(bridge.ledger, "renew", unheard)
    bridge.receive("call-ended", ended())

    assert bridge.run_jobs() == ["sync broken"]
    bridge.leases.hand_back()
    assert _deliveries(bridge) == 0


def test_a_claim_whose_answers_are_all_lost_does_not_count(bridge: Bridge) -> None:
    claim = bridge.ledger.claim

    def unheard(kind: str, key: str, *, token: str | None = None) -> Claim | None:
        claim(kind, key, token=token)
        raise redis.TimeoutError("no answer")

    bridge.receive("call-ended", ended())
    with patch.object(bridge.ledger, "claim", unheard):
        assert bridge.run_jobs() == ["sync broken"]
    assert _deliveries(bridge) == 1

    bridge.leases.hand_back()

    assert _deliveries(bridge) == 0


def test_runs_of_workers_that_were_only_stopped_do_not_count_once_they_go_on(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())
    stopped: list[Claim] = []
    for _, claims in _claims(bridge, for_s=120):
        stopped += claims
    assert len(stopped) >= 3

    for claim in stopped[:-1]:
        with pytest.raises(LeaseLost):
            bridge.ledger.keep(claim, {"state": "synced"})
        # However often it is told.
        bridge.leases.had_no_end(claim.name, claim.token)
        bridge.leases.hand_back()
        bridge.ledger.hand_back([(claim.name, claim.token)])

    assert _deliveries(bridge) == 1
    # The one that nobody took over still has it.
    assert bridge.ledger.complete(stopped[-1]) == "done"


def test_a_job_that_is_handed_back_for_ever_is_parked_in_the_end(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())

    runs = 0
    for _ in range(2 * MOST_HANDED_BACK):
        if bridge.ledger.parked():
            break
        bridge.ledger.dispatch(1)
        claim = bridge.ledger.claim("sync", KEY)
        if claim is not None:
            runs += 1
            bridge.ledger.hand_back([(claim.name, claim.token)])
        bridge.let_pass(400)

    assert runs == MOST_HANDED_BACK + MAX_DELIVERIES
    assert [job["cause"] for job in bridge.ledger.parked().values()] == ["crashed"]


def test_a_job_that_a_stopping_worker_hands_back_is_due_at_its_time_and_not_counted(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())
    bridge.ledger.dispatch(1)
    claim = bridge.ledger.claim("sync", KEY)
    assert claim is not None

    bridge.ledger.hand_back([(claim.name, claim.token)], in_ms=3_000)

    assert _deliveries(bridge) == 0
    with pytest.raises(LeaseLost):
        bridge.ledger.keep(claim, {"state": "synced"})
    bridge.let_pass(2)
    assert bridge.ledger.dispatch(1)[1] == []
    bridge.let_pass(1.1)
    assert bridge.run_jobs() == ["sync done"]
