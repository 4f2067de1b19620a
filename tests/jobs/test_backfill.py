"""A span of calls is brought into Kustomer: all of them, none twice, and what is there stays as it is."""

from __future__ import annotations

import copy
import math
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from bridge.clients.cloudtalk.calls import Calls
from bridge.domain.rules.model import Rules
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.ledger.budgets.budget import Share
from bridge.ledger.calls.call_status import CallState
from bridge.reconcile.backfill import Backfill, Estimate, Progress
from bridge.reconcile.compare import Span
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.views import kustomer_state
from tests.jobs.desk import one_of_each
from tests.jobs.listing import ago, key_of, lists, now, the_day, webhook_of
from tests.support import Bridge

ANN, BEN = "+441632960301", "+441632960302"


@pytest.fixture(autouse=True)
def _plenty(sandbox: RunningSandbox) -> None:
    """What is waited for here is not a budget: real time would have to pass for one."""
    sandbox.cloudtalk.limit(1_000_000)
    sandbox.kustomer.limit(1_000_000)


def fill(bridge: Bridge, span: Span | None = None, *, limit: int = 1000, seconds: float = 30) -> Progress:
    """Run a backfill to its end; while it waits, the workers work."""

    def work(_: float) -> None:
        bridge.run_jobs_for(seconds, step_s=10)

    run = Backfill(bridge.deps, span or the_day(), BudgetWaiter(pause=work), limit=limit)
    found = run.look(now())
    list(run.begin(found))
    return run.wait([*found.missing, *found.unfinished], lambda progress: None)


def kustomer(sandbox: RunningSandbox) -> Any:
    """All that Kustomer holds, times of the last change among it."""
    with sandbox.world.lock:
        return copy.deepcopy(kustomer_state(sandbox.world))


def test_an_hour_without_webhooks_is_made_good(bridge: Bridge, sandbox: RunningSandbox) -> None:
    calls = [
        sandbox.cloudtalk.add_call(
            started_at=ago(hours=3, seconds=-60 * n), external_number=(ANN, BEN)[n % 2]
        )
        for n in range(24)
    ]
    for call in [*calls[:6], *calls[18:]]:
        bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs()
    sandbox.cloudtalk.forget_requests()

    progress = fill(bridge, limit=10)

    assert progress.counted() == {CallState.WRITTEN: 12}
    there = sorted(item["attributes"]["externalId"] for item in sandbox.kustomer.conversations)
    assert there == sorted(f"cloudtalk:call:{call['uuid']}" for call in calls)
    assert len(sandbox.kustomer.notes) == 24
    assert len(sandbox.kustomer.customers) == 2
    assert lists(sandbox) <= math.ceil(24 / 10) + 1


@pytest.mark.slow
def test_more_calls_than_fit_on_a_page_cost_one_list_request_for_each_thousand(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    for n in range(1100):
        sandbox.cloudtalk.add_call(id=1000001000 + n, started_at=ago(hours=3, seconds=-3 * n))

    run = Backfill(bridge.deps, the_day(), BudgetWaiter(pause=lambda _: None))
    found = run.look(now())

    assert len(found.missing) == 1100
    assert lists(sandbox) == 2


@pytest.mark.slow
def test_pages_that_shift_while_calls_arrive_lose_nothing_and_repeat_nothing(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    calls = [sandbox.cloudtalk.add_call(started_at=ago(hours=2, minutes=n)) for n in range(25)]

    def another() -> None:
        sandbox.cloudtalk.add_call(started_at=ago(minutes=50))

    for _ in range(2):
        # The newest come first: what was last on a page is then first on the next.
        bridge.wire.once("after", "GET", "index.json", another)

    fill(bridge, limit=10)

    there = [item["attributes"]["externalId"] for item in sandbox.kustomer.conversations]
    assert len(there) == len(set(there))
    assert {f"cloudtalk:call:{call['uuid']}" for call in calls} <= set(there)
    fill(bridge, limit=10)
    assert len(sandbox.kustomer.conversations) == 27


def test_calls_of_another_time_are_left_alone(bridge: Bridge, sandbox: RunningSandbox) -> None:
    """The list's filter may count in another zone, so that it is asked for more than is wanted."""
    sandbox.cloudtalk.add_call(started_at=ago(hours=26))
    wanted = sandbox.cloudtalk.add_call(started_at=ago(hours=2, minutes=30))
    sandbox.cloudtalk.add_call(started_at=ago(minutes=50))

    fill(bridge, Span(since=ago(hours=3), until=ago(hours=2)))

    (conversation,) = sandbox.kustomer.conversations
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{wanted['uuid']}"


@pytest.mark.parametrize("hours", [-11, -5, 0, 5, 13])
def test_a_filter_in_another_zone_hides_nothing(
    bridge: Bridge, sandbox: RunningSandbox, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an account whose list is filtered by its local time, told without a zone."""
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2, minutes=30))
    shift = timedelta(hours=hours)
    page = Calls.between

    def in_their_zone(client: Any, number: int, **asked: Any) -> Any:
        asked |= {name: asked[name] - shift for name in ("since", "until")}
        return page(client, number, **asked)

    monkeypatch.setattr(Calls, "between", in_their_zone)

    fill(bridge, Span(since=ago(hours=3), until=ago(hours=2)))

    (conversation,) = sandbox.kustomer.conversations
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{call['uuid']}"


@pytest.mark.slow
def test_an_emptied_redis_is_filled_again_and_kustomer_stays_as_it_was(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    calls = [
        sandbox.cloudtalk.add_call(
            started_at=ago(hours=3, minutes=7 * n),
            external_number=(ANN, ANN, BEN)[n % 3],
            contact_name=("Ann Example", "Ann Example", "Ben Example")[n % 3],
            tags=["Billing"],
            **({"recording_seconds": 1} if n % 2 else {}),
            **({"talking_time": 0, "recorded": False} if n == 4 else {}),
        )
        for n in range(6)
    ]
    for call in calls:
        # As templates of old times tell it: less than detail would.
        body = webhook_of(call)
        if call["recorded"]:
            bridge.receive(
                "recording-uploaded", {"call_id": str(call["id"]), "recording_url": "https://x.example"}
            )
        bridge.receive("call-ended", body)
    bridge.run_jobs_for(60, step_s=5)
    assert len(sandbox.kustomer.attachments) == 3
    _people_work(sandbox)
    before = kustomer(sandbox)
    sandbox.kustomer.forget_requests()
    sandbox.kustomer.forget_uploads()

    bridge.ledger.redis.flushall()
    progress = fill(bridge, seconds=60)
    bridge.run_jobs_for(120, step_s=20)

    assert progress.counted() == {CallState.WRITTEN: 6}
    assert sandbox.kustomer.writes == []
    assert sandbox.kustomer.uploads == []
    assert kustomer(sandbox) == before
    records = [bridge.record(call["uuid"]) for call in calls]
    assert all({"conversation", "note", "customer"} <= set(record.outputs) for record in records)
    assert sum("attachment" in record.outputs for record in records) == 3
    # Found, and not made good: nothing was missing.
    assert "calls:recovered" not in bridge.ledger.counts()


def _people_work(sandbox: RunningSandbox) -> None:
    """What a team does with the conversations of its calls in a day."""
    with httpx2.Client(base_url=sandbox.kustomer.url, headers=key_of(sandbox)) as people:

        def send(method: str, path: str, body: Any) -> None:
            assert people.request(method, f"/v1{path}", json=body).status_code == 200

        first, second, third, *_ = [item["id"] for item in sandbox.kustomer.conversations]
        notes = {n["relationships"]["conversation"]["data"]["id"]: n["id"] for n in sandbox.kustomer.notes}
        send("PATCH", f"/conversations/{first}", {"status": "open", "name": "Invoice of March"})
        send("POST", f"/conversations/{second}/tags", ["vip"])
        send("PATCH", f"/notes/{notes[second]}", {"body": "Called back, all is well."})
        ann = sandbox.kustomer.customers[0]
        # The name taken away, the number changed, a call moved to somebody else.
        send("PATCH", f"/customers/{ann['id']}", {"name": None, "phones": []})
        send("PATCH", f"/conversations/{third}", {"customer": ann["id"]})
        sandbox.kustomer.add_attachment(
            notes[third], name="letter.pdf", content=b"%PDF", content_type="application/pdf"
        )


@pytest.mark.parametrize("reading", ["refuse", "duplicate"])
def test_filling_twice_writes_once(bridge: Bridge, sandbox: RunningSandbox, reading: str) -> None:
    sandbox.kustomer.read_as(external_id=reading)
    sandbox.cloudtalk.add_call(started_at=ago(hours=1))

    assert fill(bridge).total == 1
    assert fill(bridge).total == 0

    one_of_each(sandbox)
    assert bridge.ledger.counts()["calls:recovered"] == 1


@pytest.mark.parametrize("lost", ["/conversations$", "/notes$"])
def test_a_call_whose_write_got_no_reply_counts_as_made_good_too(
    bridge: Bridge, sandbox: RunningSandbox, lost: str
) -> None:
    sandbox.kustomer.lose_next_reply(method="POST", path=lost)
    sandbox.cloudtalk.add_call(started_at=ago(hours=1))

    fill(bridge)

    one_of_each(sandbox)
    assert bridge.ledger.counts()["calls:recovered"] == 1


def test_a_fill_that_was_stopped_goes_on_where_it_was(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for n in range(6):
        sandbox.cloudtalk.add_call(started_at=ago(hours=2, minutes=n))
    run = Backfill(bridge.deps, the_day(), BudgetWaiter(pause=lambda _: None))
    found = run.look(now())
    learnt = run.begin(found)
    next(learnt), next(learnt)

    progress = fill(bridge)

    assert progress.counted() == {CallState.WRITTEN: 6}
    assert len(sandbox.kustomer.conversations) == 6


def test_a_call_whose_last_webhook_never_came_is_made_good_at_once(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """Left to itself it would be asked about two hours after it began."""
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    bridge.receive("call-started", {"call_id": str(call["id"]), "call_uuid": call["uuid"]})
    bridge.run_jobs()

    progress = fill(bridge)

    assert progress.counted() == {CallState.WRITTEN: 1}
    one_of_each(sandbox)


def test_what_is_given_up_is_told_with_its_reason(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=1))
    sandbox.kustomer.fail_next(400, times=50)

    progress = fill(bridge)

    (parked,) = progress.those(CallState.PARKED)
    assert parked.call_id == call["id"]
    assert "400" in parked.reason


def test_a_call_without_detail_is_not_written_blindly_into_what_another_ledger_wrote(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """Without its uuid it cannot be told whether Kustomer has it."""
    bridge.ledger.redis.flushall()
    sandbox.cloudtalk.add_call(started_at=ago(hours=1), ready_after=10_000)

    progress = fill(bridge, seconds=60)

    (skipped,) = progress.those(CallState.SKIPPED)
    assert "uuid" in skipped.reason
    assert sandbox.kustomer.conversations == []


def test_a_spent_budget_is_waited_for(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(started_at=ago(hours=1))
    sandbox.cloudtalk.fail_next(429, path="index.json", headers={"retry-after": "7"})
    sandbox.cloudtalk.fail_next(503, path="index.json")
    waited: list[float] = []
    said: list[str] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        bridge.let_pass(seconds)
        bridge.ledger.redis.delete("{callbridge}:budget:cloudtalk:closed")

    found = Backfill(bridge.deps, the_day(), BudgetWaiter(pause=pause, say=said.append)).look(now())

    assert len(found.missing) == 1
    assert waited == [7.0, 2.0]
    assert "budget" in said[0]


def test_the_estimate_is_no_less_than_what_it_takes(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for n in range(5):
        sandbox.cloudtalk.add_call(
            started_at=ago(hours=2, minutes=n), external_number=f"+44163296030{n}", recording_seconds=1
        )
    found = Backfill(bridge.deps, the_day(), BudgetWaiter(pause=lambda _: None)).look(now())
    share = Share(requests=5, window_s=60)
    estimate = Estimate.of(found, Rules(), cloudtalk=share, kustomer=Share(requests=900, window_s=60))
    sandbox.cloudtalk.forget_requests()

    fill(bridge)

    asked = len([r for r in sandbox.cloudtalk.requests if "index.json" not in r.path])
    assert 0 < asked <= estimate.cloudtalk
    assert 0 < len(sandbox.kustomer.requests) <= estimate.kustomer
    assert estimate.seconds == estimate.cloudtalk / 5 * 60
