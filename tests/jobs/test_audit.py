"""Each kind of fault between CloudTalk and Kustomer is found, and mended where that is safe."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.ledger.calls.comparison import calls_missing
from bridge.reconcile.audit import Audit, Expected, Findings
from bridge.reconcile.repair import repair_findings
from bridge.sandbox.running import RunningSandbox
from tests.jobs.listing import ago, key_of, now, the_day, webhook_of
from tests.support import Bridge


@pytest.fixture(autouse=True)
def _plenty(sandbox: RunningSandbox) -> None:
    """What is waited for here is not a budget: real time would have to pass for one."""
    sandbox.cloudtalk.limit(1_000_000)
    sandbox.kustomer.limit(1_000_000)


def audited(bridge: Bridge, *, repair: bool = False) -> Findings:
    look = Audit(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass))
    findings = look.look(now())
    if repair:
        repair_findings(bridge.ledger, look, findings, who="a test")
    return findings


def write(bridge: Bridge, sandbox: RunningSandbox, **fields: Any) -> dict[str, Any]:
    """A call that came by webhook and was written."""
    call = sandbox.cloudtalk.add_call(**{"started_at": ago(hours=2), **fields})
    if call["recorded"]:
        bridge.receive("recording-uploaded", {"call_id": str(call["id"])})
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs_for(20, step_s=5)
    return call


def by_hand(sandbox: RunningSandbox, method: str, path: str, body: Any) -> dict[str, Any]:
    with httpx2.Client(base_url=sandbox.kustomer.url, headers=key_of(sandbox)) as people:
        answer = people.request(method, f"/v1{path}", json=body)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_what_matches_is_clean_and_costs_one_request_for_a_hundred_conversations(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    for n in range(5):
        write(bridge, sandbox, started_at=ago(hours=2, minutes=n))
    sandbox.kustomer.forget_requests()
    sandbox.cloudtalk.forget_requests()

    findings = audited(bridge)

    assert findings == Findings(calls=5)
    assert findings.clean
    assert len(sandbox.kustomer.requests) == len(sandbox.cloudtalk.requests) == 1
    assert calls_missing(bridge.ledger) == 0


def test_a_call_without_conversation_is_found_and_brought_in(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))

    (item,) = audited(bridge, repair=True).missing

    assert (item["call_id"], item["uuid"]) == (call["id"], call["uuid"])
    assert calls_missing(bridge.ledger) == 1
    bridge.run_jobs_for(5)
    assert audited(bridge).clean
    assert calls_missing(bridge.ledger) == 0


def test_a_conversation_that_is_gone_is_found_and_written_again(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    write(bridge, sandbox)
    (conversation,) = sandbox.kustomer.conversations
    sandbox.kustomer.remove("conversation", conversation["id"])
    for note in sandbox.kustomer.notes:
        sandbox.kustomer.remove("note", note["id"])

    (item,) = audited(bridge, repair=True).missing

    assert "since deleted" in item["why"]
    bridge.run_jobs_for(5)
    assert audited(bridge).clean
    assert len(sandbox.kustomer.conversations) == len(sandbox.kustomer.notes) == 1


def test_a_conversation_without_our_note_counts_as_missing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    write(bridge, sandbox)
    (note,) = sandbox.kustomer.notes
    sandbox.kustomer.remove("note", note["id"])

    (item,) = audited(bridge, repair=True).missing

    assert "no note" in item["why"]
    bridge.run_jobs_for(5)
    assert audited(bridge).clean


def test_two_conversations_of_one_call_are_told(bridge: Bridge, sandbox: RunningSandbox) -> None:
    write(bridge, sandbox)
    (first,) = sandbox.kustomer.conversations
    customer = first["relationships"]["customer"]["data"]["id"]
    external_id = first["attributes"]["externalId"]
    second = by_hand(sandbox, "POST", "/conversations", {"customer": customer, "externalId": external_id})
    before = sandbox.kustomer.writes

    (item,) = audited(bridge, repair=True).duplicated
    bridge.run_jobs_for(5)

    assert set(item["conversations"]) == {first["id"], second["id"]}
    assert sandbox.kustomer.writes == before


def test_two_notes_of_one_call_are_told(bridge: Bridge, sandbox: RunningSandbox) -> None:
    write(bridge, sandbox)
    (conversation,), (note,) = sandbox.kustomer.conversations, sandbox.kustomer.notes
    again = {"body": "Once more", "externalId": note["attributes"]["externalId"]}
    second = by_hand(sandbox, "POST", f"/conversations/{conversation['id']}/notes", again)

    (item,) = audited(bridge).duplicated

    assert set(item["notes"]) == {note["id"], second["id"]}


def test_a_twin_under_the_other_key_of_a_call_is_told(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = write(bridge, sandbox)
    (first,), (note,) = sandbox.kustomer.conversations, sandbox.kustomer.notes
    customer = first["relationships"]["customer"]["data"]["id"]
    by_number = f"cloudtalk:call:id:{call['id']}"
    second = by_hand(sandbox, "POST", "/conversations", {"customer": customer, "externalId": by_number})
    fields = {"body": "Once more", "externalId": f"{by_number}:note"}
    again = by_hand(sandbox, "POST", f"/conversations/{second['id']}/notes", fields)

    findings = audited(bridge)

    (item,) = findings.duplicated
    assert item["call_id"] == call["id"]
    assert set(item["conversations"]) == {first["id"], second["id"]}
    assert set(item["notes"]) == {note["id"], again["id"]}
    assert findings.unknown == findings.missing == []


def test_a_second_note_under_the_other_key_of_a_call_is_told(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = write(bridge, sandbox)
    (conversation,), (note,) = sandbox.kustomer.conversations, sandbox.kustomer.notes
    again = {"body": "Once more", "externalId": f"cloudtalk:call:id:{call['id']}:note"}
    second = by_hand(sandbox, "POST", f"/conversations/{conversation['id']}/notes", again)

    (item,) = audited(bridge).duplicated

    assert set(item["notes"]) == {note["id"], second["id"]}


class Counted(dict[int, Expected]):
    """Counts how often all of it is gone through."""

    times = 0

    def values(self) -> Any:
        self.times += 1
        return super().values()


def test_the_calls_are_gone_through_once_however_many_conversations_there_are(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """For each conversation once took 7 s for 2,000 of both."""
    for n in range(3):
        write(bridge, sandbox, started_at=ago(hours=2, minutes=n))
    look = Audit(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass))
    look.expected = Counted()

    assert look.look(now()).clean

    assert (len(look.expected), look.expected.times) == (3, 1)


def test_notes_of_people_are_none_of_our_business(bridge: Bridge, sandbox: RunningSandbox) -> None:
    write(bridge, sandbox)
    (conversation,) = sandbox.kustomer.conversations
    by_hand(sandbox, "POST", f"/conversations/{conversation['id']}/notes", {"body": "Called back."})
    customer = conversation["relationships"]["customer"]["data"]["id"]
    by_hand(sandbox, "POST", "/conversations", {"customer": customer, "externalId": "order-7"})

    assert audited(bridge).clean


def test_a_conversation_without_call_is_told(bridge: Bridge, sandbox: RunningSandbox) -> None:
    write(bridge, sandbox)
    customer = sandbox.kustomer.customers[0]["id"]
    external_id = "cloudtalk:call:99999999-2222-4333-8444-555555555599"
    made = by_hand(sandbox, "POST", "/conversations", {"customer": customer, "externalId": external_id})

    (item,) = audited(bridge, repair=True).unknown

    assert item["conversation_id"] == made["id"]


def test_a_conversation_of_a_call_before_the_span_is_not_unknown(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """Written within the span, begun before it; known to the ledger, and then not."""
    write(bridge, sandbox, started_at=ago(hours=25))

    assert audited(bridge) == Findings(calls=0)
    bridge.ledger.redis.flushall()
    assert audited(bridge) == Findings(calls=0)


def test_a_recording_that_no_webhook_told_of_is_found_and_attached(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2), recording_seconds=1)
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs_for(5)

    (item,) = audited(bridge, repair=True).recordings_missing

    assert item["call_id"] == call["id"]
    bridge.run_jobs_for(30, step_s=5)
    assert len(sandbox.kustomer.attachments) == 1
    assert audited(bridge).clean


def test_a_recording_that_was_given_up_is_asked_for_again(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = sandbox.cloudtalk.add_call(
        started_at=ago(hours=2), recording_seconds=1, recording_ready_after=10_000
    )
    bridge.receive("recording-uploaded", {"call_id": str(call["id"])})
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs_for(50 * 60, step_s=60)
    assert len(bridge.ledger.parked()) == 1
    sandbox.cloudtalk.add_call(id=call["id"], started_at=call["started_at"], recording_seconds=1)

    assert len(audited(bridge, repair=True).recordings_missing) == 1
    bridge.run_jobs_for(30, step_s=5)

    assert audited(bridge).clean
    assert bridge.ledger.parked() == {}


@pytest.mark.parametrize("gone", [{"recording_expired": True}, {"recording_deleted": True}])
def test_a_recording_that_cloudtalk_has_no_more_is_not_asked_for_for_ever(
    bridge: Bridge, sandbox: RunningSandbox, gone: dict[str, Any]
) -> None:
    write(bridge, sandbox, recording_seconds=1, **gone)

    assert audited(bridge).recordings_missing == []


def test_calls_kept_out_or_forgotten_are_not_missing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(started_at=ago(hours=2), direction="internal")
    sandbox.cloudtalk.add_call(started_at=ago(hours=2), external_number=None)
    sandbox.cloudtalk.add_call(started_at=ago(minutes=2))
    forgotten = write(bridge, sandbox)
    bridge.ledger.forget(bridge.record(forgotten["uuid"]))
    (conversation,) = sandbox.kustomer.conversations
    sandbox.kustomer.remove("conversation", conversation["id"])

    assert audited(bridge) == Findings(calls=4)


def test_after_redis_was_emptied_uuids_are_asked_for_once(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for n in range(3):
        write(bridge, sandbox, started_at=ago(hours=2, minutes=n))
    bridge.ledger.redis.flushall()

    assert audited(bridge).clean
    sandbox.cloudtalk.forget_requests()
    assert audited(bridge).clean

    assert len(sandbox.cloudtalk.requests) == 1  # the list
