"""A job that hangs does not hold its thread for ever, and can do no harm when it goes on."""

from __future__ import annotations

import os
import threading

import pytest
import redis

from bridge.clients.http import Service, make_client
from bridge.deps import Deps, JobResult
from bridge.errors import LeaseLost
from bridge.ledger.queue.claims import Claim
from bridge.sandbox.running import RunningSandbox
from tests.clients.evil import Peer, service
from tests.support import Bridge, Runner, ended
from workers.time_limit import in_time

KEY = "uuid:11111111-2222-4333-8444-555555555500"


def due(bridge: Bridge) -> None:
    bridge.receive("call-ended", ended())
    assert bridge.ledger.dispatch(1)[1] == [f"sync|{KEY}"]


def job(bridge: Bridge) -> dict[str, object]:
    (found,) = bridge.ledger.job_states(KEY)
    return found


def test_a_job_that_hangs_frees_its_thread_and_can_write_nothing_when_it_goes_on(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    goes_on, went_on = threading.Event(), threading.Event()
    lost: list[type[BaseException]] = []

    def hang(claim: Claim, deps: Deps) -> JobResult:
        goes_on.wait()
        try:
            deps.still_ours(claim)
        except LeaseLost as error:
            lost.append(type(error))
        try:
            deps.ledger.keep(claim, {"note": "late"})
        except LeaseLost as error:
            lost.append(type(error))
        went_on.set()
        return JobResult()

    bridge = Bridge(redis_client, sandbox, kinds={"sync": hang})
    runner = Runner(bridge.deps, bridge.leases, {"sync": hang}, limit_s=0.1, grace_s=0.1)
    due(bridge)

    assert runner.run("sync", KEY) == "left"

    assert bridge.leases.held() == []
    waits = job(bridge)
    assert (waits["state"], waits["cause"], waits["attempts"]) == ("waiting", "TimeLimit", 1)
    goes_on.set()
    assert went_on.wait(10)
    assert lost == [LeaseLost, LeaseLost]
    assert job(bridge)["state"] == "waiting"


def test_a_job_whose_requests_drip_one_after_the_other_ends_at_its_limit(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    def drip(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        peer.drip(b" ")

    with service(drip) as url, make_client() as client:

        def ask(claim: Claim, deps: Deps) -> JobResult:
            while True:
                Service("kustomer", client=client, headers={}).request("note", "GET", url)

        bridge = Bridge(redis_client, sandbox, kinds={"sync": ask})
        runner = Runner(bridge.deps, bridge.leases, {"sync": ask}, limit_s=0.3)
        due(bridge)

        assert runner.run("sync", KEY) == "failed"

    assert job(bridge)["cause"] == "TooSlow"


@pytest.mark.parametrize("kind", ["sync", "recording"])
def test_every_kind_has_a_limit(bridge: Bridge, kind: str) -> None:
    assert 0 < bridge.runner.broker.actors[kind].options["time_limit"] / 1000 < 1000


def test_a_forked_process_runs_its_jobs_in_a_thread_of_its_own() -> None:
    assert in_time(lambda: 1, within_s=5) == 1

    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = in_time(lambda: 7, within_s=5)
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
