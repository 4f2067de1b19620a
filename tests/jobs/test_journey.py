"""A call travels: from webhook bodies to what an agent sees in Kustomer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Held
from bridge.jobs import leases
from bridge.ledger.calls.learning import Learnt
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk, one_of_each
from tests.support import Bridge, ended, payload

UUID = "11111111-2222-4333-8444-555555555500"


def test_an_answered_call_becomes_one_customer_one_conversation_one_note(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    customer, conversation, note = one_of_each(sandbox)
    assert customer["attributes"]["name"] == "Ada Example"
    assert [p["phone"] for p in customer["attributes"]["phones"]] == ["+441632960304"]
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{UUID}"
    assert conversation["attributes"]["status"] == "done"
    assert conversation["attributes"]["direction"] == "in"
    assert note["attributes"]["externalId"] == f"cloudtalk:call:{UUID}:note"
    assert note["attributes"]["body"].startswith("Answered incoming call\n\nCaller: Ada Example")
    assert "Call tags: Billing, VIP" in note["attributes"]["body"]


def test_syncing_again_writes_nothing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    bridge.sync(f"uuid:{UUID}")

    assert sandbox.kustomer.requests == []


def test_a_sync_asked_for_by_hand_looks_and_writes_nothing(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    before = desk(sandbox)
    sandbox.kustomer.forget_requests()

    bridge.ledger.replay("sync", f"uuid:{UUID}", who="test")
    bridge.run_jobs()

    assert sandbox.kustomer.requests
    assert sandbox.kustomer.writes == []
    assert desk(sandbox) == before
    result = Counter(str(line["what"]) for line in bridge.record(UUID).log)
    assert [result[f"{name} created"] for name in ("customer", "conversation", "note")] == [1, 1, 1]
    assert result["customer found"] == 1


def test_what_is_found_after_a_lost_reply_is_not_told_to_be_created(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    for path in ("/customers$", "/conversations$", "/notes$"):
        sandbox.kustomer.lose_next_reply(method="POST", path=path)
    bridge.receive("call-ended", ended())
    bridge.run_jobs_for(60)

    record = bridge.record(UUID)

    result = [str(line["what"]) for line in record.log]
    assert [one for one in result if one.endswith("created")] == []
    assert {"customer found", "conversation found", "note found"} <= set(result)
    # They are of our making all the same.
    assert all(output.created for output in record.outputs.values())


def test_a_sync_by_hand_makes_anew_what_was_deleted_in_kustomer(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    before = desk(sandbox)
    sandbox.world.store.clear(["conversation", "note"])

    bridge.ledger.replay("sync", f"uuid:{UUID}", who="test")
    bridge.run_jobs()

    assert desk(sandbox) == before


def test_an_answered_call_of_a_known_caller_costs_three_requests(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.add_customer(name="Ada Example", phones=[{"phone": "+441632960304"}])

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    assert len(sandbox.kustomer.requests) == 3
    assert len(sandbox.cloudtalk.requests) == 0
    one_of_each(sandbox)


def test_the_second_call_of_a_caller_costs_two_requests(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    bridge.receive("call-ended", ended(call_id=1000000501, uuid="11111111-2222-4333-8444-555555555501"))
    bridge.run_jobs()

    assert [(r.method, r.status) for r in sandbox.kustomer.requests] == [("POST", 201), ("POST", 201)]
    assert len(sandbox.kustomer.customers) == 1
    assert len(sandbox.kustomer.conversations) == 2


def test_a_change_after_the_call_is_asked_for_and_written(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", talking_time=97, tags=["Refund"], rating=4
    )
    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    bridge.receive("call-modified", {"call_id": "1000000500", "call_uuid": UUID})
    bridge.run_jobs()

    _, _, note = one_of_each(sandbox)
    assert "Call tags: Refund" in note["attributes"]["body"]
    assert "Rating: 4 of 5" in note["attributes"]["body"]
    assert len(sandbox.cloudtalk.requests) == 1


def test_a_repeated_change_is_looked_at_again(bridge: Bridge, sandbox: RunningSandbox) -> None:
    call: dict[str, Any] = {"id": 1000000500, "uuid": UUID, "external_number": "+441632960304"}
    modified = {"call_id": "1000000500", "call_uuid": UUID}
    sandbox.cloudtalk.add_call(**call, tags=["First"])
    bridge.receive("call-ended", ended())
    bridge.receive("call-modified", modified)
    bridge.run_jobs()

    sandbox.cloudtalk.add_call(**call, tags=["Second"])
    again = bridge.receive("call-modified", modified)
    bridge.run_jobs()

    assert isinstance(again, Learnt)
    assert again.status == "accepted"
    _, _, note = one_of_each(sandbox)
    assert "Call tags: Second" in note["attributes"]["body"]


def test_a_missed_call_stays_open(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive(
        "call-ended", ended(talking_time="0", answered_at="", contact_name="", agent_id="", tags="", notes="")
    )

    bridge.run_jobs()

    customer, conversation, note = one_of_each(sandbox)
    assert customer["attributes"]["name"] is None
    assert conversation["attributes"]["status"] == "open"
    assert note["attributes"]["body"].startswith("Missed incoming call")


def test_a_withheld_number_is_kept_and_explained_and_not_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended(external_number=""))

    bridge.run_jobs()

    assert sandbox.kustomer.requests == []
    record = bridge.record(UUID)
    assert record.fields["state"] == "skipped"
    assert "withheld" in record.fields["reason"]


def test_rules_can_have_withheld_numbers_written(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(write_withheld=True))
    for n in range(2):
        uuid = f"11111111-2222-4333-8444-55555555550{n}"
        bridge.receive("call-ended", ended(call_id=1000000500 + n, uuid=uuid, external_number=""))

    bridge.run_jobs()

    assert [c["attributes"]["externalId"] for c in sandbox.kustomer.customers] == ["cloudtalk:withheld"]
    assert len(sandbox.kustomer.conversations) == 2


def test_a_call_that_has_not_ended_is_not_written_and_asked_about_after_two_hours(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", talking_time=30, direction="incoming"
    )
    bridge.receive("call-answered", {"call_uuid": UUID, "call_id": 1000000500})

    bridge.run_jobs_for(7190, step_s=3595)
    assert sandbox.cloudtalk.requests == []
    assert sandbox.kustomer.requests == []
    bridge.run_jobs_for(20, step_s=20)

    assert len(sandbox.cloudtalk.requests) == 1
    one_of_each(sandbox)


def test_a_recording_that_comes_first_waits_for_the_end_of_the_call(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("recording-uploaded", {"call_id": 1000000500, "external_number": 441632960304})
    bridge.run_jobs_for(3)

    bridge.receive("call-ended", ended())
    bridge.run_jobs_for(60)

    assert {request.path for request in sandbox.cloudtalk.requests} == {
        "/core/api/calls/recording/1000000500.json"
    }
    _, _, note = one_of_each(sandbox)
    assert "Recording: still to come" in note["attributes"]["body"]


def test_a_name_told_later_is_given_to_the_customer_we_made(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(contact_name=""))
    bridge.run_jobs()

    bridge.receive("call-answered", {"call_uuid": UUID, "contact_name": "Ada Example"})
    bridge.run_jobs()

    customer, conversation, _ = one_of_each(sandbox)
    assert customer["attributes"]["name"] == "Ada Example"
    assert conversation["attributes"]["name"] == "Call from Ada Example"


def test_what_a_person_wrote_is_left_alone(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(contact_name=""))
    bridge.run_jobs()
    customer, conversation, note = one_of_each(sandbox)
    kustomer = bridge.deps.kustomer
    kustomer.conversations.update(conversation["id"], {"name": "Invoice question", "status": "open"})
    kustomer.notes.update(note["id"], {"body": "Edited by a person."})
    found = kustomer.customers.get(customer["id"])
    assert found is not None
    kustomer.customers.update(found.id, {"name": "Ada E. Lovelace-Example"}, current=found)

    bridge.receive("call-answered", {"call_uuid": UUID, "contact_name": "Ada Example"})
    bridge.run_jobs()

    (customer,), (conversation,), (note, _) = (
        sandbox.kustomer.customers,
        sandbox.kustomer.conversations,
        sandbox.kustomer.notes,
    )
    assert customer["attributes"]["name"] == "Ada E. Lovelace-Example"
    assert conversation["attributes"]["name"] == "Invoice question"
    assert conversation["attributes"]["status"] == "open"
    assert note["attributes"]["body"] == "Edited by a person."


def test_tags_that_a_person_added_stay(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(tags=("phone",), call_tags=True))
    bridge.receive("call-ended", ended(tags=""))
    bridge.run_jobs()
    _, conversation, _ = one_of_each(sandbox)
    tags = [*conversation["attributes"]["tags"], "by-hand"]
    bridge.deps.kustomer.conversations.update(conversation["id"], {"tags": tags})
    sandbox.cloudtalk.add_call(id=1000000500, uuid=UUID, external_number="+441632960304", tags=["Re#fund:1"])

    bridge.receive("call-modified", {"call_id": "1000000500", "call_uuid": UUID})
    bridge.run_jobs()

    _, conversation, _ = one_of_each(sandbox)
    assert sorted(conversation["tagNames"]) == ["Re fund 1", "by-hand", "phone"]


def test_the_agent_is_assigned_where_the_rules_say_so(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(assign="longest"))

    for n in range(2):
        uuid = f"11111111-2222-4333-8444-55555555550{n}"
        bridge.receive("call-ended", ended(call_id=1000000500 + n, uuid=uuid))
    bridge.run_jobs()

    users = {tuple(c["attributes"]["assignedUsers"]) for c in sandbox.kustomer.conversations}
    assert len(users) == 1
    assert all(len(assigned) == 1 for assigned in users)
    # Asked once, kept for the next call.
    assert len([r for r in sandbox.cloudtalk.requests if "agents" in r.path]) == 1
    assert len([r for r in sandbox.kustomer.requests if r.path.endswith("/users")]) == 1


def test_an_agent_told_by_number_only_gets_a_name(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(agent_first_name="", agent_last_name=""))

    bridge.run_jobs()

    _, _, note = one_of_each(sandbox)
    assert "Agent: Bo Sample" in note["attributes"]["body"]


def test_two_calls_of_one_new_caller_make_one_customer(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for n in range(6):
        uuid = f"11111111-2222-4333-8444-55555555550{n}"
        bridge.receive("call-ended", ended(call_id=1000000500 + n, uuid=uuid))
    from concurrent.futures import ThreadPoolExecutor

    from bridge.ledger.keys import split_job

    for _ in range(20):
        _, names = bridge.ledger.dispatch(6)
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda name: bridge.runner.run(*split_job(name)), names))
        bridge.let_pass(1)

    assert len(sandbox.kustomer.customers) == 1
    assert len(sandbox.kustomer.conversations) == 6
    assert len(sandbox.kustomer.notes) == 6


def test_a_customer_merged_away_is_found_again(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    sandbox.world.store.clear(["customer"])
    new = sandbox.kustomer.add_customer(name="Ada Example", phones=[{"phone": "+441632960304"}])

    bridge.receive("call-ended", ended(call_id=1000000501, uuid="11111111-2222-4333-8444-555555555501"))
    bridge.run_jobs()

    owners = {c["relationships"]["customer"]["data"]["id"] for c in sandbox.kustomer.conversations}
    assert new in owners
    assert bridge.ledger.parked() == {}


def test_a_call_older_than_the_ledger_is_looked_up_before_it_is_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    before = desk(sandbox)
    bridge.ledger.redis.flushall()
    bridge.ledger.reach()
    sandbox.kustomer.forget_requests()

    bridge.receive("call-ended", ended(talking_time="98"))
    bridge.run_jobs()

    assert sandbox.kustomer.writes == []
    assert desk(sandbox) == before


def test_a_call_waits_while_the_key_is_refused_and_is_written_once_it_is_not(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.revoke_key()
    bridge.receive("call-ended", ended())
    assert bridge.run_jobs() == ["sync paused"]
    assert bridge.ledger.parked() == {}

    sandbox.kustomer.restore_key()
    bridge.run_jobs_for(10)

    assert bridge.ledger.parked() == {}
    one_of_each(sandbox)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_trouble_at_kustomer_is_waited_out(bridge: Bridge, sandbox: RunningSandbox, status: int) -> None:
    sandbox.kustomer.fail_next(status, times=3)
    bridge.receive("call-ended", ended())

    ends = bridge.run_jobs_for(30)

    assert ends.count("sync failed") == 3
    one_of_each(sandbox)


def test_a_spent_budget_is_waited_for_without_counting_as_a_failure(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(429, headers={"Retry-After": "20"})
    bridge.receive("call-ended", ended())

    ends = bridge.run_jobs_for(15)
    assert ends == ["sync later"]
    bridge.ledger.redis.delete("{callbridge}:budget:kustomer:closed")
    ends = bridge.run_jobs_for(15)

    assert ends == ["sync done"]
    assert bridge.record(UUID).fields["state"] == "synced"
    one_of_each(sandbox)


def test_deliveries_that_name_no_call_are_held_once(bridge: Bridge) -> None:
    for _ in range(2):
        assert isinstance(bridge.receive_payload("call_started__named_agent_text_number")[0], Held)

    assert bridge.ledger.held_count() == 1


REAL_CALLS = (
    "call_ended__both_ids_and_times",
    "call_ended__both_ids_localised_key",
    "call_ended__contact_known",
    "recording_uploaded__plain",
    "recording_uploaded__replayed_other_bytes",
    "recording_uploaded__text_number",
    "sequence__ended_then_recording",
    "sequence__recording_then_transcription",
    "transcription_created__object_as_text",
    "made_up__call_ended__all_json_types",
    "made_up__call_ended__recommended_template_answered",
    "made_up__call_ended__recommended_template_missed",
    "made_up__native_call_ended__answered",
    "made_up__native_call_ended__missed",
    "made_up__native_call_ended__redelivered",
)


@pytest.mark.parametrize("case", REAL_CALLS)
def test_each_real_call_ends_as_one_customer_conversation_and_note(
    redis_client: redis.Redis, sample_sandbox: RunningSandbox, case: str
) -> None:
    bridge = Bridge(redis_client, sample_sandbox)
    bridge.receive_payload(case)

    bridge.run_jobs_for(60, step_s=2)

    one_of_each(sample_sandbox)
    assert bridge.ledger.parked() == {}


def test_all_payloads_together_end_as_one_conversation_a_call(
    redis_client: redis.Redis, sample_sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sample_sandbox)
    expected = set()
    for case in REAL_CALLS:
        bridge.receive_payload(case)
        expected |= {request.case for request in payload(case)}

    bridge.run_jobs_for(60, step_s=2)

    kustomer = sample_sandbox.kustomer
    # Two of the cases speak of one call.
    assert len(kustomer.conversations) == len(kustomer.notes) == len(expected) - 1
    keys = [c["attributes"]["externalId"] for c in kustomer.conversations]
    assert len(set(keys)) == len(keys)
    phones = [tuple(p["phone"] for p in c["attributes"]["phones"]) for c in kustomer.customers]
    assert len(set(phones)) == len(phones)


def test_a_call_that_cloudtalk_does_not_know_is_written_all_the_same_and_says_so(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("recording-uploaded", {"call_id": 1000000999, "external_number": 441632960304})

    bridge.run_jobs_for(60, step_s=2)

    _, conversation, _ = one_of_each(sandbox)
    assert conversation["attributes"]["externalId"] == "cloudtalk:call:id:1000000999"
    assert "no detail" in bridge.record("1000000999").observations["detail_gone"].body["reason"]


def test_a_look_that_another_way_of_asking_replaced_is_not_left_waiting(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    event = ended()
    sandbox.cloudtalk.add_call(id=1000000500, uuid=event["call_uuid"], started_at=event["started_at"])
    # First known by its uuid only, so by a look into the list; then the number makes it one question.
    bridge.receive("call-ringing", {"call_uuid": event["call_uuid"]})
    bridge.run_jobs()
    bridge.receive("call-ended", event)
    bridge.receive("call-modified", {"call_uuid": event["call_uuid"], "call_id": "1000000500"})

    bridge.run_jobs_for(30)

    assert bridge.ledger.job_states(f"uuid:{event['call_uuid']}") == []


def test_a_late_worker_does_not_plan_a_look_that_nobody_needs_any_more(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, plan, clock = ended(), bridge.ledger.schedule, leases.clock

    def stopped_before_it_planned(kind: str, key: str, **wish: Any) -> None:
        monkeypatch.undo()
        bridge.let_pass(11)
        bridge.receive("call-ended", event)
        bridge.run_jobs()
        # For this worker they passed, too.
        monkeypatch.setattr(leases, "clock", lambda: clock() + 11)
        plan(kind, key, **wish)

    monkeypatch.setattr(bridge.ledger, "schedule", stopped_before_it_planned)
    bridge.receive("call-ringing", {"call_uuid": event["call_uuid"]})

    ends = bridge.run_jobs()

    assert ends == ["sync lost"]
    assert bridge.ledger.job_states(f"uuid:{event['call_uuid']}") == []


def test_a_uuid_that_comes_to_light_later_becomes_the_conversations_key(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive("recording-uploaded", {"call_id": 1000000500, "external_number": 441632960304})
    bridge.run_jobs_for(60, step_s=2)

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    _, conversation, note = one_of_each(sandbox)
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{UUID}"
    assert note["attributes"]["externalId"] == f"cloudtalk:call:{UUID}:note"
    assert note["attributes"]["body"].startswith("Answered incoming call")


def test_each_job_that_ran_leaves_one_line_in_the_log(bridge: Bridge) -> None:
    with capture_logs() as lines:
        bridge.receive("call-ended", ended())
        bridge.run_jobs()

    (line,) = [line for line in lines if line["event"] == "job ended"]
    assert line["log_level"] == "info"
    assert (line["job"], line["outcome"], line["attempt"]) == ("sync", "done", 1)
    assert line["call"].startswith("uuid:") and line["ms"] >= 0
