"""Many jobs at once in a backlog: their creates are one bulk request, and everything is there once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest

from bridge.clients.kustomer.batches import Batches
from bridge.clients.kustomer.bulk import Bulk
from bridge.ledger import bulk
from bridge.ledger.bulk import BulkRequests
from bridge.ledger.keys import split_job
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk
from tests.support import Bridge, ended
from tests.waiting import eventually

CALLS = 6
SINGLE = ("/v1/customers", "/v1/conversations")
# Paths of the bulk requests, as faults find them.
BULK_CONVERSATIONS = "/conversations/bulk"
CONVERSATIONS, NOTES, STATE, RESULTS = "/conversations/bulk$", "/notes/bulk$", "/bulk/[0-9a-f]+$", "/batches$"


class Backlog:
    """A bridge of which as many jobs run at once as there are calls."""

    def __init__(self, bridge: Bridge, sandbox: RunningSandbox) -> None:
        self.bridge, self.sandbox = bridge, sandbox
        self.while_waiting: Callable[[], object] = lambda: None
        self.quiet_s = 30.0
        # As in other tests with many requests at once: more than the bridge's share.
        sandbox.kustomer.limit(1_000_000)
        bulk.keep_worked(bridge.ledger, at_ms=bridge.ledger.now_ms(), took_s=1.0)

    def _begin(self, *, waiting: int) -> None:
        """As a process that has just started, with so many jobs that wait."""
        kustomer = self.bridge.deps.kustomer
        sent_by = Bulk(kustomer.service, f"{kustomer.url}/v1", sleep=lambda _: self._sleep())
        bulk_log = BulkRequests(self.bridge.ledger, backlog=lambda: waiting)
        # Full is what sends a batch: nobody waits for the clock.
        kustomer.use(
            Batches(sent_by, bulk_log, most=CALLS, least=CALLS, quiet_s=self.quiet_s, longest_wait_s=30.0)
        )

    def _sleep(self) -> None:
        self.while_waiting()

    def receive(self) -> None:
        for n in range(CALLS):
            self.bridge.receive("call-ended", body(n))

    def run(self) -> list[str]:
        """Run what is due, all at once, and have what follows be no backlog any more; how each run ended."""
        self._begin(waiting=1_000)
        _, names = self.bridge.ledger.dispatch(CALLS)
        with ThreadPoolExecutor(CALLS) as pool:
            runs = [pool.submit(self.bridge.runner.run, *split_job(name)) for name in names]
            ends = sorted(run.result() for run in runs)
        self._begin(waiting=0)
        return ends

    def requests(self, *ends: str) -> int:
        return sum(
            request.method == "POST" and request.path.endswith(ends)
            for request in self.sandbox.kustomer.requests
        )


@cache
def body(n: int) -> dict[str, Any]:
    uuid = f"11111111-2222-4333-8444-5555555555{n:02d}"
    return ended(
        call_id=1000000500 + n, uuid=uuid, external_number=f"+1555010{n:04d}", contact_name=f"Ada {n}"
    )


@pytest.fixture
def backlog(bridge: Bridge, sandbox: RunningSandbox) -> Iterator[Backlog]:
    made = Backlog(bridge, sandbox)
    yield made
    made.while_waiting = lambda: None


def each_once(sandbox: RunningSandbox) -> None:
    kustomer = sandbox.kustomer
    counts = len(kustomer.customers), len(kustomer.conversations), len(kustomer.notes)
    assert counts == (CALLS, CALLS, CALLS), f"customers, conversations, notes: {counts}"


def test_the_creates_of_a_backlog_are_one_bulk_request_of_each_kind(backlog: Backlog) -> None:
    backlog.receive()

    ends = backlog.run()

    assert ends == ["done"] * CALLS
    each_once(backlog.sandbox)
    assert backlog.requests("/bulk") == 3
    assert backlog.requests("/v1/customers", "/v1/conversations", "/notes") == 0
    # A look-up each, and three for each bulk request.
    assert len(backlog.sandbox.kustomer.requests) == CALLS + 9


def test_the_intent_of_each_is_on_record_before_the_bulk_request_is_sent(backlog: Backlog) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        records = [backlog.bridge.record(body(n)["call_uuid"]) for n in range(CALLS)]
        seen.append([" ".join(record.intents) for record in records])

    backlog.receive()
    backlog.while_waiting = look

    backlog.run()

    assert seen == [["customer"] * CALLS, ["conversation"] * CALLS, ["note"] * CALLS]


def test_they_are_what_single_requests_would_have_made(backlog: Backlog, sandbox: RunningSandbox) -> None:
    backlog.receive()
    backlog.run()
    in_bulk = json.dumps(desk(sandbox), sort_keys=True)

    sandbox.world.empty_kustomer()
    backlog.bridge.ledger.redis.flushall()
    backlog.bridge.ledger.redis.hset("{callbridge}:meta", "born_at", "1")
    backlog.receive()
    # Nothing is on record of a bulk request that worked any more.
    backlog.run()

    assert backlog.requests("/bulk") == 0
    assert json.dumps(desk(sandbox), sort_keys=True) == in_bulk


def test_without_a_doctor_that_saw_it_work_each_create_is_a_request(backlog: Backlog, bridge: Bridge) -> None:
    bulk.keep_failed(bridge.ledger)
    backlog.receive()

    backlog.run()

    assert backlog.requests("/bulk") == 0
    each_once(backlog.sandbox)


def test_a_change_of_a_call_that_was_written_in_bulk_is_written_as_ever(
    backlog: Backlog, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    backlog.receive()
    backlog.run()
    sandbox.cloudtalk.add_call(id=1000000500, uuid=body(0)["call_uuid"], talking_time=97, rating=4)

    bridge.receive("call-modified", {"call_id": "1000000500", "call_uuid": body(0)["call_uuid"]})
    bridge.run_jobs_for(20)

    assert any("4" in note["attributes"]["body"].partition("Rating")[2] for note in sandbox.kustomer.notes)
    each_once(sandbox)


@pytest.mark.parametrize("kind", [CONVERSATIONS, NOTES, "/customers/bulk$"])
def test_a_lost_reply_to_a_bulk_request_duplicates_nothing(backlog: Backlog, kind: str) -> None:
    backlog.sandbox.kustomer.lose_next_reply(method="POST", path=kind)
    backlog.receive()

    backlog.run()
    backlog.bridge.run_jobs_for(60)

    each_once(backlog.sandbox)
    assert backlog.bridge.ledger.parked() == {}


@pytest.mark.parametrize("kind", [CONVERSATIONS, NOTES])
def test_what_a_lost_bulk_request_makes_much_later_is_not_made_twice(backlog: Backlog, kind: str) -> None:
    """A look before a second create is not enough here: Kustomer has taken the request, and waits."""
    kustomer = backlog.sandbox.kustomer
    backlog.receive()
    kustomer.lose_next_reply(method="POST", path=kind)
    backlog.while_waiting = kustomer.finish_bulk
    kustomer.read_as(bulk_takes_s=None)

    backlog.run()
    backlog.bridge.run_jobs_for(120, step_s=10)
    kustomer.finish_bulk()
    backlog.bridge.run_jobs_for(120, step_s=10)
    backlog.bridge.run_jobs_for(60, step_s=10)

    each_once(backlog.sandbox)
    assert backlog.bridge.ledger.parked() == {}


def test_what_a_lost_bulk_request_never_makes_is_made_once_that_is_sure(backlog: Backlog) -> None:
    kustomer = backlog.sandbox.kustomer
    backlog.receive()
    kustomer.read_as(bulk_takes_s=None)
    backlog.while_waiting = kustomer.finish_bulk
    # It arrives, and is lost with whatever took it.
    kustomer.answer_next("{}", "application/json", status=502, method="POST", path=NOTES)

    backlog.run()
    backlog.bridge.run_jobs_for(600, step_s=60)
    before = len(kustomer.notes)
    backlog.bridge.run_jobs_for(600, step_s=60)

    assert before == 0
    each_once(backlog.sandbox)


@pytest.mark.parametrize("path", [STATE, RESULTS])
@pytest.mark.parametrize("status", [429, 503])
def test_a_look_at_a_bulk_request_is_repeated(backlog: Backlog, path: str, status: int) -> None:
    backlog.sandbox.kustomer.fail_next(status, method="GET", path=path, headers={"retry-after": "0"})
    backlog.receive()

    ends = backlog.run()

    assert ends == ["done"] * CALLS
    each_once(backlog.sandbox)


def test_an_item_that_kustomer_refuses_is_sent_alone(backlog: Backlog) -> None:
    refused = f"cloudtalk:call:{body(2)['call_uuid']}"
    backlog.sandbox.kustomer.read_as(bulk_refuses=[refused, f"{refused}:note"])
    backlog.receive()

    ends = backlog.run()

    assert ends == ["done"] * CALLS
    each_once(backlog.sandbox)
    assert backlog.requests("/v1/conversations", "/notes") == 2


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_bulk_request_that_is_refused_as_a_whole_is_sent_one_by_one(backlog: Backlog, status: int) -> None:
    backlog.sandbox.kustomer.fail_next(status, method="POST", path=CONVERSATIONS)
    backlog.receive()

    ends = backlog.run()

    assert ends == ["done"] * CALLS
    each_once(backlog.sandbox)


def test_a_spent_budget_is_waited_for(backlog: Backlog) -> None:
    backlog.sandbox.kustomer.fail_next(429, method="POST", path=CONVERSATIONS, headers={"retry-after": "0"})
    backlog.receive()

    ends = backlog.run()
    # Nothing was sent, so nothing is looked for.
    intents = [backlog.bridge.record(body(n)["call_uuid"]).intents for n in range(CALLS)]

    assert ends == ["later"] * CALLS
    assert intents == [{}] * CALLS
    assert backlog.sandbox.kustomer.conversations == []


def test_ids_that_kustomer_lets_nobody_choose_are_left_out(backlog: Backlog) -> None:
    backlog.sandbox.kustomer.read_as(note_id="refuse")
    backlog.receive()

    backlog.run()
    backlog.bridge.run_jobs_for(30)

    each_once(backlog.sandbox)


def test_a_job_that_lost_its_lease_is_left_out_and_the_others_are_sent(
    backlog: Backlog, bridge: Bridge
) -> None:
    def lose() -> None:
        for claim in bridge.leases.held():
            if claim.key.endswith("00"):
                bridge.leases.give_up(claim.name)

    backlog.while_waiting = lose
    # The batches that follow are never full.
    backlog.quiet_s = 0.1
    backlog.receive()

    ends = backlog.run()
    backlog.while_waiting = lambda: None
    bridge.run_jobs_for(60)

    assert ends == ["done"] * (CALLS - 1) + ["lost"]
    assert bridge.ledger.parked() == {}
    each_once(backlog.sandbox)


def test_a_call_that_is_made_while_another_run_waits_for_its_look_is_not_created_again(
    backlog: Backlog, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """The run that sent it goes on without its lease, and ends the note of it while the look is answered."""
    kustomer = sandbox.kustomer
    kustomer.read_as(bulk_takes_s=None)
    others: list[Future[str]] = []

    def is_answered() -> bool:
        return any("externalId=" in one.path and one.status == 404 for one in kustomer.requests)

    def look_from_another_run() -> None:
        if backlog.requests(BULK_CONVERSATIONS) and not others:
            bridge.let_pass(11)
            kustomer.delay_next(2.0, method="GET", path="/conversations/externalId=")
            others.append(pool.submit(bridge.runner.run, "sync", f"uuid:{body(0)['call_uuid']}"))
            eventually(is_answered, "the other run looks in vain")
        kustomer.finish_bulk()

    backlog.while_waiting = look_from_another_run
    # The batch of notes is not full: one job lost its lease.
    backlog.quiet_s = 3.0
    backlog.receive()

    with ThreadPoolExecutor(1) as pool:
        backlog.run()
        ends = [other.result() for other in others]
    backlog.while_waiting = kustomer.finish_bulk
    bridge.run_jobs_for(60)

    assert ends == ["later"]
    each_once(sandbox)
    assert bridge.ledger.parked() == {}
