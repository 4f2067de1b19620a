"""A call that was written under one of its two ids is found by whoever knows it by the other one."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.domain.rules.model import Rules
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.reconcile.audit import Audit
from bridge.reconcile.backfill import Backfill
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.jobs.listing import ago, key_of, now, the_day, webhook_of
from tests.support import Bridge

SOUND = {"recording_seconds": 1}


@pytest.fixture(autouse=True)
def _plenty(sandbox: RunningSandbox) -> None:
    """What is waited for here is not a budget: real time would have to pass for one."""
    sandbox.cloudtalk.limit(1_000_000)
    sandbox.kustomer.limit(1_000_000)


def by_number(bridge: Bridge, sandbox: RunningSandbox, **fields: Any) -> dict[str, Any]:
    """A call that was written under its number: CloudTalk had no detail of it at the time."""
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40), ready_after=10_000, **fields)
    if call["recorded"]:
        bridge.receive("recording-uploaded", {"call_id": str(call["id"])})
    bridge.receive("call-ended", webhook_of({**call, "uuid": None}))
    bridge.run_jobs_for(60, step_s=2)
    _, conversation, note = one_of_each(sandbox)
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:id:{call['id']}"
    assert note["attributes"]["externalId"] == f"cloudtalk:call:id:{call['id']}:note"
    return call


def detail_is_there(sandbox: RunningSandbox, call: dict[str, Any]) -> None:
    """CloudTalk tells of the call what it did not tell before."""
    same = ("id", "started_at", "external_number", "recorded", "recording_seconds")
    sandbox.cloudtalk.add_call(**{name: call[name] for name in same})


def emptied(bridge: Bridge) -> None:
    bridge.ledger.redis.flushall()
    bridge.ledger.reach()


def fill(bridge: Bridge) -> None:
    run = Backfill(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass))
    found = run.look(now())
    list(run.begin(found))
    bridge.run_jobs_for(60, step_s=5)


def audited(bridge: Bridge) -> bool:
    return Audit(bridge.deps, the_day(), BudgetWaiter(pause=bridge.let_pass)).look(now()).clean


def has_the_proper_key(sandbox: RunningSandbox, call: dict[str, Any]) -> bool:
    _, conversation, note = one_of_each(sandbox)
    keys = [conversation["attributes"]["externalId"], note["attributes"]["externalId"]]
    return keys == [f"cloudtalk:call:{call['uuid']}", f"cloudtalk:call:{call['uuid']}:note"]


@pytest.mark.parametrize("reading", ["refuse", "duplicate"])
@pytest.mark.parametrize("fields", [{}, SOUND], ids=["no recording", "recorded"])
def test_a_fill_of_an_emptied_redis_finds_what_was_written_under_the_number(
    bridge: Bridge, sandbox: RunningSandbox, fields: dict[str, Any], reading: str
) -> None:
    sandbox.kustomer.read_as(external_id=reading)
    call = by_number(bridge, sandbox, **fields)
    body = sandbox.kustomer.notes[0]["attributes"]["body"]
    uploads = len(sandbox.kustomer.attachments)
    detail_is_there(sandbox, call)

    emptied(bridge)
    fill(bridge)

    assert has_the_proper_key(sandbox, call)
    assert sandbox.kustomer.notes[0]["attributes"]["body"] == body
    assert len(sandbox.kustomer.attachments) == uploads == len(fields)
    assert audited(bridge)


def test_so_does_a_webhook_that_comes_again(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call = by_number(bridge, sandbox)
    detail_is_there(sandbox, call)

    emptied(bridge)
    bridge.receive("call-ended", webhook_of({**call, "uuid": None}))
    bridge.run_jobs_for(30, step_s=2)

    assert has_the_proper_key(sandbox, call)


def test_where_cloudtalk_never_tells_the_uuid_the_call_is_found_under_its_number(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = by_number(bridge, sandbox)
    sandbox.kustomer.forget_requests()

    emptied(bridge)
    fill(bridge)

    one_of_each(sandbox)
    assert sandbox.kustomer.writes == []
    record = bridge.record(str(call["id"]))
    assert (record.fields["state"], set(record.outputs)) == ("synced", {"customer", "conversation", "note"})
    assert audited(bridge)


@pytest.mark.parametrize("lost", ["/conversations$", "/notes$"])
def test_a_write_under_the_number_whose_reply_was_lost_is_found_once_the_uuid_is_known(
    bridge: Bridge, sandbox: RunningSandbox, lost: str
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40), ready_after=10_000)

    def told_meanwhile() -> None:
        bridge.receive("call-ended", webhook_of(call))

    sandbox.kustomer.lose_next_reply(method="POST", path=lost)
    bridge.wire.once("before", "POST", lost, told_meanwhile)
    bridge.receive("call-ended", webhook_of({**call, "uuid": None}))
    bridge.run_jobs_for(60, step_s=2)

    assert has_the_proper_key(sandbox, call)


@pytest.mark.parametrize("by", ["a webhook", "the list", "a webhook, of a note by template"])
def test_a_call_written_under_its_uuid_is_found_by_the_number_that_its_note_says(
    bridge: Bridge, sandbox: RunningSandbox, by: str
) -> None:
    """The reverse: CloudTalk, which told the uuid before, has no detail of the call any more."""
    if "template" in by:
        bridge.use(rules=Rules(language="fr", note_template="{{ caller }}\n\nNotes de l'agent\n{{ notes }}"))
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40), ready_after=10_000)
    other = sandbox.cloudtalk.add_call(started_at=ago(minutes=50), external_number=call["external_number"])
    for one in (call, other):
        bridge.receive("call-ended", webhook_of(one))
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    emptied(bridge)
    if by == "the list":
        fill(bridge)
    else:
        bridge.receive("call-ended", webhook_of({**call, "uuid": None}))
        bridge.run_jobs_for(60, step_s=2)

    assert sandbox.kustomer.writes == []
    record = bridge.record(str(call["id"]))
    assert (record.key, record.fields["state"]) == (f"uuid:{call['uuid']}", "synced")


def test_a_uuid_that_is_another_calls_already_is_not_learnt_from_a_note(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """Somebody typed its number into the note, or the template, of a call that has one of its own."""
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs()
    number = call["id"] + 1
    (note,) = sandbox.kustomer.notes
    with httpx2.Client(base_url=sandbox.kustomer.url, headers=key_of(sandbox)) as people:
        people.patch(f"/v1/notes/{note['id']}", json={"body": f"CloudTalk call: {number}"})

    sandbox.cloudtalk.add_call(
        id=number, started_at=ago(minutes=30), external_number=call["external_number"], ready_after=10_000
    )
    fill(bridge)

    assert bridge.record(str(number)).key == f"id:{number}"
    assert bridge.record(call["uuid"]).call_id == call["id"]
    assert len(sandbox.kustomer.conversations) == 2


def test_a_number_typed_into_a_template_makes_no_call_of_another(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """The number in their webhooks is that of the first call, and CloudTalk has no detail of it."""
    first = by_number(bridge, sandbox)
    emptied(bridge)
    uuids = [f"11111111-2222-4333-8444-55555555560{n}" for n in range(3)]

    for uuid in uuids:
        bridge.receive("call-ended", webhook_of({**first, "uuid": uuid}))
    bridge.run_jobs_for(30, step_s=2)

    keys = [item["attributes"]["externalId"] for item in sandbox.kustomer.conversations]
    # The first to name the number is taken at its word.
    assert sorted(keys) == [f"cloudtalk:call:{uuid}" for uuid in uuids]


def test_a_call_of_the_ledgers_own_time_is_not_looked_for_under_its_number(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40))
    sandbox.kustomer.drop_next_request(method="POST", path="/conversations$")
    bridge.receive("call-ended", webhook_of(call))

    bridge.run_jobs_for(10)

    looks = [one.path for one in sandbox.kustomer.requests if "externalId" in one.path]
    assert len(looks) == 1
    assert call["uuid"] in looks[0]
