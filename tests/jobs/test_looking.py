"""Ids that nobody but their sender knows cost little, and take nothing from true calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import redis

from bridge.clients.cloudtalk.calls import Calls
from bridge.errors import RateLimited, TooManyLooks
from bridge.jobs import looking as looking_job
from bridge.jobs.looking import ALL_LOOKS, LIST_LOOKS
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.budgets.requesters import looking
from bridge.reconcile.compare import ask_page
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

SHARE = 48
# Of which so many recordings may be fetched at once.
LARGE = 192
NUMBER = 1000000500
UUID = "11111111-2222-4333-8444-555555555500"


def spent(bridge: Bridge, *actions: str) -> int:
    """Requests to CloudTalk, of these actions or of all."""
    counts = bridge.ledger.counts().items()
    return sum(
        n
        for name, n in counts
        if name.startswith("upstream:cloudtalk:") and (not actions or name.split(":")[2] in actions)
    )


@pytest.fixture
def share(bridge: Bridge) -> Budget:
    budget = bridge.deps.cloudtalk.service.budget
    assert isinstance(budget, Budget)
    budget.share = SHARE
    budget._plan = (SHARE, 60_000)
    return budget


def junk(number: int) -> dict[str, Any]:
    return ended(
        call_id=None, uuid=f"99999999-2222-4333-8444-{number:012}", external_number=f"+1555010{number:04}"
    )


def test_looks_in_vain_take_no_more_than_their_part_and_those_that_find_something_none(
    redis_client: redis.Redis,
) -> None:
    budget = Budget(redis_client, service="cloudtalk", share=SHARE)

    def look(*, found: bool) -> None:
        with looking(ALL_LOOKS - LIST_LOOKS) as one:
            budget.replied(budget.take(), operation="test", status="200")
            one.found = found

    for _ in range(20):
        look(found=True)
    for _ in range(8):
        look(found=False)
    with pytest.raises(TooManyLooks) as refused:
        look(found=False)
    assert 55 < refused.value.retry_after_s <= 61
    assert not refused.value.booked
    with looking(ALL_LOOKS):
        for _ in range(2):
            budget.replied(budget.take(), operation="test", status="200")
    for _ in range(SHARE - 30):
        budget.replied(budget.take(), operation="test", status="200")
    with pytest.raises(RateLimited):
        budget.take()


def test_a_made_up_uuid_costs_two_requests_in_a_minute(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", junk(1) | {"direction": ""})
    bridge.run_jobs_for(60, step_s=2)

    assert spent(bridge) <= 4
    assert spent(bridge, "call_detail", "recording") == 0


def test_one_list_answers_all_that_wait(bridge: Bridge, sandbox: RunningSandbox, share: Budget) -> None:
    for n in range(40):
        bridge.receive("call-ended", junk(n) | {"direction": ""})
    bridge.let_pass(6)
    bridge.run_jobs(most=2000)

    assert spent(bridge) == spent(bridge, "list_calls") == 1


def test_a_call_known_by_its_uuid_alone_is_found_among_sixty_made_up_ones(
    bridge: Bridge, sandbox: RunningSandbox, share: Budget
) -> None:
    body = ended(call_id=None, direction="")
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, started_at=datetime.fromisoformat(body["started_at"]))
    for n in range(60):
        bridge.receive("call-ended", junk(n) | {"direction": ""})
    bridge.receive("call-ended", body)

    bridge.run_jobs_for(8)

    assert bridge.record(UUID).call_id == NUMBER
    assert spent(bridge, "list_calls") == 1
    assert spent(bridge, "call_detail") == 1


@pytest.mark.slow
def test_made_up_numbers_leave_true_recordings_their_budget(
    bridge: Bridge, sandbox: RunningSandbox, share: Budget
) -> None:
    # An hour's: as slow as the machine may be, no place comes back.
    share.share, share.window_s, share._plan = LARGE, 3600, (LARGE, 3_600_000)
    for n in range(60):
        bridge.receive("recording-uploaded", {"call_id": 2000000000 + n})
    bridge.run_jobs(most=2000)
    assert spent(bridge) <= LARGE * ALL_LOOKS, "made-up numbers took more than a quarter"
    for n in range(12):
        uuid = f"11111111-2222-4333-8444-{n:012}"
        sandbox.cloudtalk.add_call(
            id=NUMBER + n, uuid=uuid, started_at=datetime.now(UTC), recorded=True, recording_seconds=1
        )
        bridge.receive("call-ended", ended(call_id=NUMBER + n, uuid=uuid))
        bridge.receive("recording-uploaded", {"call_id": NUMBER + n, "call_uuid": uuid})

    bridge.run_jobs_for(300, step_s=60)

    stored = [n for n in range(12) if "recording" in bridge.record(str(NUMBER + n)).observations]
    assert len(stored) == 12
    in_vain = sum(
        n for name, n in bridge.ledger.counts().items() if re.match("upstream:cloudtalk:.*:404", name)
    )
    assert 0 < in_vain <= LARGE * (ALL_LOOKS - LIST_LOOKS)


def test_a_true_number_that_is_not_there_at_once_is_asked_for_once_it_is_listed(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, ready_after=2, started_at=datetime.now(UTC))
    bridge.receive("call-ended", ended(call_id=NUMBER, uuid=None))

    bridge.run_jobs_for(20)

    assert str(bridge.record(str(NUMBER)).uuid) == UUID


def test_a_number_that_cloudtalk_knows_only_later_is_asked_for_again_though_no_list_has_it(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended(call_id=NUMBER, uuid=None))
    bridge.run_jobs_for(30)
    long_ago = datetime.now(UTC) - timedelta(days=3)
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, external_number="+441632960304", started_at=long_ago)

    bridge.run_jobs_for(400, step_s=20)

    assert str(bridge.record(str(NUMBER)).uuid) == UUID


def test_a_uuid_that_cloudtalk_knows_only_later_is_looked_for_by_its_number_though_no_list_has_it(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended(call_id=None, direction=""))
    bridge.run_jobs_for(30)
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, started_at=datetime.now(UTC) - timedelta(hours=23))

    bridge.run_jobs_for(400, step_s=20)

    assert bridge.record(UUID).call_id == NUMBER


@pytest.mark.parametrize("known_by", ["number", "uuid"])
def test_an_outage_between_two_looks_does_not_make_the_next_one_wait_as_long(
    bridge: Bridge, sandbox: RunningSandbox, known_by: str
) -> None:
    ids = {"call_id": NUMBER, "uuid": None} if known_by == "number" else {"call_id": None, "direction": ""}
    bridge.receive("call-ended", ended(**ids))
    bridge.run_jobs_for(8)
    bridge.let_pass(3600)
    bridge.run_jobs()
    sandbox.cloudtalk.add_call(
        id=NUMBER, uuid=UUID, external_number="+441632960304", started_at=datetime.now(UTC)
    )

    bridge.run_jobs_for(310, step_s=20)

    record = bridge.record(str(NUMBER))
    assert (record.call_id, str(record.uuid)) == (NUMBER, UUID)


def test_a_uuid_is_looked_for_by_its_number_though_the_newest_calls_are_others_of_the_same_customer(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    for n in range(1, 8):
        uuid = f"22222222-2222-4333-8444-{n:012}"
        started_at = datetime.now(UTC) - timedelta(minutes=n)
        sandbox.cloudtalk.add_call(id=NUMBER + n, uuid=uuid, started_at=started_at)
    bridge.receive("call-ended", ended(call_id=None, direction=""))
    bridge.run_jobs_for(30)
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, started_at=datetime.now(UTC) - timedelta(hours=23))

    bridge.run_jobs_for(1500, step_s=20)

    assert bridge.record(UUID).call_id == NUMBER


def test_a_long_call_is_looked_for_by_its_number_where_later_ones_fill_the_list_of_the_newest(
    bridge: Bridge, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_job, "ask_page", partial(ask_page, limit=5))
    began = datetime.now(UTC) - timedelta(minutes=14)
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, started_at=began)
    for n in range(1, 8):
        uuid = f"22222222-2222-4333-8444-{n:012}"
        sandbox.cloudtalk.add_call(id=NUMBER + n, uuid=uuid, started_at=datetime.now(UTC))
    bridge.receive("call-ended", ended(call_id=None, direction="", started_at=began.isoformat()))

    bridge.run_jobs_for(20)

    assert bridge.record(UUID).call_id == NUMBER


def test_a_candidate_whose_details_had_no_uuid_yet_is_asked_about_again(
    bridge: Bridge, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail, early = Calls.detail, [True]

    def without_uuid_at_first(calls: Calls, call_id: int) -> Mapping[str, Any]:
        body = detail(calls, call_id)
        return {**body, "uuid": None} if early and early.pop() else body

    monkeypatch.setattr(Calls, "detail", without_uuid_at_first)
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=UUID, started_at=datetime.now(UTC))
    bridge.receive("call-ended", ended(call_id=None, direction=""))

    bridge.run_jobs_for(30)

    assert early == []
    assert bridge.record(UUID).call_id == NUMBER
