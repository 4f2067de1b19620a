"""Calls that no webhook told of are found in CloudTalk's list, by the clock's rounds, and written once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis

from bridge.clients.cloudtalk import CallPage
from bridge.domain.call_list_item import ListedCall
from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.call_status import CallState, call_statuses
from bridge.ledger.calls.comparison import calls_missing
from bridge.ledger.keys import Lane
from bridge.reconcile.compare import Span, read_list
from bridge.reconcile.periodic import Rounds
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.jobs.listing import ago, lists, now, webhook_of
from tests.support import Bridge

EVERY = timedelta(minutes=5)


def rounds(bridge: Bridge, *, limit: int = 1000) -> Rounds:
    return Rounds(bridge.deps, every=EVERY, limit=limit)


def test_a_call_whose_webhooks_never_came_is_found_and_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(id=1000000600, started_at=ago(minutes=40), contact_name="Ada Example")

    assert rounds(bridge).go(now())
    assert calls_missing(bridge.ledger) == 1
    bridge.run_jobs_for(25)

    customer, conversation, note = one_of_each(sandbox)
    assert customer["attributes"]["name"] == "Ada Example"
    assert conversation["attributes"]["name"] == "Call from Ada Example"
    assert "CloudTalk call: 1000000600" in note["attributes"]["body"]
    assert bridge.ledger.counts()["calls:recovered"] == 1


def test_a_recovered_call_has_no_reason_left_once_it_is_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(id=1000000601, started_at=ago(minutes=40))
    rounds(bridge).go(now())

    bridge.run_jobs_for(25)

    record = bridge.ledger.find("1000000601")
    assert record is not None and record.uuid is not None
    # The first look waited for the call's uuid, under its number.
    assert "from CloudTalk" in str(bridge.ledger.redis.hget(keys.record("id:1000000601"), "reason"))
    assert (record.fields["state"], record.fields.get("reason")) == ("synced", None)
    assert call_statuses(bridge.ledger, [1000000601])[1000000601].reason == ""


def test_what_was_found_is_no_longer_missing_once_it_is_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    rounds(bridge).go(now())

    assert rounds(bridge).go(now() + EVERY)
    assert calls_missing(bridge.ledger) == 1  # on record, and not in Kustomer yet
    bridge.run_jobs_for(2)
    assert rounds(bridge).go(now() + 2 * EVERY)

    assert calls_missing(bridge.ledger) == 0


def test_found_calls_stay_out_of_the_way_of_those_of_now(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(started_at=ago(minutes=40), recording_seconds=2)
    seen: set[Lane] = set()

    rounds(bridge).go(now())
    for _ in range(10):
        for lane, state in bridge.ledger.queue().items():
            if state.due or state.waiting or state.running:
                seen.add(lane)
        _, names = bridge.ledger.dispatch(1)
        for name in names:
            bridge.runner.run(*keys.split_job(name))

    one_of_each(sandbox)
    assert seen == {Lane.BACKFILL}


@pytest.mark.parametrize(
    ("minutes", "call"),
    [
        (40, {"in_progress": True}),
        (3, {"talking_time": 60}),
        (8, {"talking_time": 100, "wrapup_time": 200}),
    ],
    ids=["still running", "just ended", "agent still in wrap-up"],
)
def test_a_call_whose_webhooks_may_still_come_is_not_counted(
    bridge: Bridge, sandbox: RunningSandbox, minutes: int, call: dict[str, Any]
) -> None:
    sandbox.cloudtalk.add_call(id=1000000600, started_at=ago(minutes=minutes), **call)

    assert rounds(bridge).go(now())

    assert calls_missing(bridge.ledger) == 0
    assert bridge.ledger.find("1000000600") is None


def test_a_call_whose_last_webhook_never_came_is_asked_about_once_it_is_over(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """Left to itself it would be asked about two hours after it began."""
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    bridge.receive("call-started", {"call_id": str(call["id"]), "call_uuid": call["uuid"]})
    bridge.run_jobs()

    rounds(bridge).go(now())
    bridge.run_jobs_for(5)

    one_of_each(sandbox)


def test_a_recording_whose_webhook_never_came_is_found_and_attached(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2), recording_seconds=1)
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs_for(5)

    rounds(bridge).go(now())
    bridge.run_jobs_for(30, step_s=5)

    one_of_each(sandbox)
    assert len(sandbox.kustomer.attachments) == 1
    assert calls_missing(bridge.ledger) == 0
    sandbox.cloudtalk.forget_requests()
    rounds(bridge).go(now() + EVERY)
    bridge.run_jobs_for(30, step_s=5)
    assert [one.path for one in sandbox.cloudtalk.requests] == ["/core/api/calls/index.json"]


@pytest.mark.parametrize(
    ("minutes", "rules"),
    [(40, Rules()), (120, Rules(record=False)), (120, Rules(do_not_record=("+441632960304",)))],
    ids=["its webhook may still come", "none is wanted", "not of this number"],
)
def test_a_recording_is_not_looked_for_too_early_or_against_the_rules(
    redis_client: redis.Redis, sandbox: RunningSandbox, minutes: int, rules: Rules
) -> None:
    bridge = Bridge(redis_client, sandbox, rules=rules)
    call = sandbox.cloudtalk.add_call(
        started_at=ago(minutes=minutes), recording_seconds=1, external_number="+441632960304"
    )
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs_for(5)

    rounds(bridge).go(now())
    bridge.run_jobs_for(30, step_s=5)

    assert "listed" not in bridge.record(call["uuid"]).observations
    assert sandbox.kustomer.attachments == []


def test_calls_that_webhooks_told_of_are_not_learnt_again(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs()
    before = sandbox.kustomer.writes

    assert rounds(bridge).go(now())
    bridge.run_jobs_for(25)

    assert calls_missing(bridge.ledger) == 0
    assert sandbox.kustomer.writes == before
    assert "listed" not in bridge.record(call["uuid"]).observations


def test_a_call_told_by_its_uuid_alone_is_recognised_without_a_request(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    bridge.receive("call-ended", webhook_of({**call, "id": None}))
    bridge.run_jobs()
    sandbox.cloudtalk.forget_requests()

    assert rounds(bridge).go(now())

    assert calls_missing(bridge.ledger) == 0
    assert len(sandbox.cloudtalk.requests) == 1
    assert bridge.ledger.find(str(call["id"])) is None


def test_a_call_told_by_a_uuid_that_cannot_be_recognised_is_joined_and_written_once(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    bridge.receive("call-ended", {**webhook_of({**call, "id": None}), "started_at": "2026-01-05T10:00:00Z"})
    bridge.run_jobs()

    rounds(bridge).go(now())
    bridge.run_jobs_for(25)

    one_of_each(sandbox)
    assert bridge.record(str(call["id"])).key == f"uuid:{call['uuid']}"
    assert "calls:recovered" not in bridge.ledger.counts()


def test_a_redial_within_seconds_is_not_taken_for_the_call_before(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    start = ago(minutes=40)
    result = sandbox.cloudtalk.add_call(started_at=start, talking_time=0)
    sandbox.cloudtalk.add_call(started_at=start + timedelta(seconds=2), talking_time=0)
    bridge.receive("call-ended", webhook_of({**result, "id": None}, talking_time="0"))
    bridge.run_jobs()

    rounds(bridge).go(now())
    bridge.run_jobs_for(2)
    rounds(bridge).go(now() + EVERY)
    bridge.run_jobs_for(2)

    assert len(sandbox.kustomer.conversations) == 2


@pytest.mark.parametrize("kind", [{"direction": "internal"}, {"external_number": None}])
def test_calls_that_the_rules_keep_out_are_not_missing(
    bridge: Bridge, sandbox: RunningSandbox, kind: dict[str, Any]
) -> None:
    sandbox.cloudtalk.add_call(id=1000000600, started_at=ago(minutes=40), **kind)

    assert rounds(bridge).go(now())

    assert calls_missing(bridge.ledger) == 0
    assert bridge.ledger.find("1000000600") is None


def test_a_withheld_number_is_written_where_the_rules_want_it(
    redis_client: Any, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(write_withheld=True))
    sandbox.cloudtalk.add_call(started_at=ago(minutes=40), external_number=None)

    rounds(bridge).go(now())
    bridge.run_jobs_for(2)

    customer, _, _ = one_of_each(sandbox)
    assert customer["attributes"]["name"] == "Number withheld"


@pytest.mark.parametrize("known_by", ["both ids", "the uuid alone"])
def test_a_call_that_was_forgotten_does_not_come_back(
    bridge: Bridge, sandbox: RunningSandbox, known_by: str
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    result = call if known_by == "both ids" else {**call, "id": None}
    # With another start it is not recognised by its time.
    bridge.receive("call-ended", {**webhook_of(result), "started_at": "2026-01-05T10:00:00Z"})
    bridge.ledger.forget(bridge.record(call["uuid"]))

    rounds(bridge).go(now())
    bridge.run_jobs_for(25)

    assert sandbox.kustomer.conversations == []
    assert call_statuses(bridge.ledger, [call["id"]])[call["id"]].stands is CallState.FORGOTTEN
    assert bridge.record(call["uuid"]).observations == {}
    rounds(bridge).go(now() + EVERY)
    assert calls_missing(bridge.ledger) == 0


def test_a_call_that_a_ledger_lost_in_its_last_moments_is_looked_for_before_it_is_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """A power cut takes the last second of an append-only file; `born_at` stays as it was."""
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs()
    born = str(bridge.ledger.redis.hget(keys.META, "born_at"))
    bridge.ledger.redis.flushall()
    bridge.ledger.redis.hset(keys.META, "born_at", born)

    rounds(bridge).go(now())
    bridge.run_jobs_for(25)

    one_of_each(sandbox)


def test_a_round_goes_on_where_the_budget_ended(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for minute in range(30):
        sandbox.cloudtalk.add_call(started_at=ago(minutes=40 + minute))
    sandbox.cloudtalk.fail_next(429, path="index.json", headers={"retry-after": "1"})
    start = now()

    assert not rounds(bridge, limit=10).go(start)
    assert calls_missing(bridge.ledger) is None
    bridge.ledger.redis.delete(*keys.budget("cloudtalk"))  # the minute has passed
    sandbox.cloudtalk.forget_requests()
    assert rounds(bridge, limit=10).go(start + timedelta(minutes=1))

    assert calls_missing(bridge.ledger) == 30
    assert lists(sandbox) == 3


def test_another_process_goes_on_with_a_round_after_the_first_page(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    for minute in range(25):
        sandbox.cloudtalk.add_call(started_at=ago(minutes=40 + minute))
    pages = iter([False, True])

    assert not rounds(bridge, limit=10).go(now(), stopping=lambda: next(pages))
    assert rounds(bridge, limit=10).go(now())

    assert calls_missing(bridge.ledger) == 25
    assert lists(sandbox) == 3


def test_rounds_keep_to_their_beat(bridge: Bridge, sandbox: RunningSandbox) -> None:
    start = now()

    assert rounds(bridge).go(start)
    assert not rounds(bridge).go(start + EVERY - timedelta(seconds=1))
    assert rounds(bridge).go(start + EVERY)
    # A clock that was wrong and has been put right does not stop them.
    assert rounds(bridge).go(start - timedelta(days=400))

    assert lists(sandbox) == 3


def test_a_clock_that_died_at_a_page_keeps_others_waiting_for_no_longer_than_its_lock(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    class Died(BaseException):
        pass

    def die() -> None:
        # What a kill leaves behind: the lock, as nobody is there to give it back.
        held.append(bridge.ledger.redis.pttl(f"{keys.TAG}:reconcile:lock"))
        raise Died

    held: list[Any] = []
    bridge.wire.once("after", "GET", "index.json", die)
    with pytest.raises(Died):
        rounds(bridge).go(now())

    assert 0 < held[0] <= 60_000
    assert rounds(bridge).go(now())


def test_trouble_at_cloudtalk_does_not_reach_the_clock(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.fail_next(503)
    assert not rounds(bridge).go(now())

    sandbox.cloudtalk.fail_next(401)
    assert not rounds(bridge).go(now())

    assert rounds(bridge).go(now())


def test_very_many_calls_are_asked_for_in_halves() -> None:
    asked: list[tuple[Span, int]] = []

    def ask(span: Span, number: int) -> CallPage:
        asked.append((span, number))
        days = (span.until - span.since) / timedelta(days=1)
        return CallPage(calls=[ListedCall(call_id=len(asked))], pages=max(1, int(days)), total=0)

    span = Span(since=ago(days=60), until=now())
    calls = [call for page in read_list(ask, span) for call in page]

    # 60 pages are too deep, 30 too, 15 are not.
    assert len(calls) == 4 * 15
    assert len(asked) == 4 * 15 + 3
