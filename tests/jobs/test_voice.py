"""Calls written as voice messages: exactly once, with the conversation in the state that the rules want."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.jobs.erasure import Erasure
from bridge.reconcile.audit import Audit
from bridge.reconcile.compare import Span
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.store import Document
from tests.jobs.desk import desk
from tests.jobs.listing import ago, webhook_of
from tests.jobs.test_missed import clock, contact, conversation, miss, tell, uuid_of
from tests.jobs.test_two_keys import emptied
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"
CREATE = "/messages$"
MISSED: dict[str, Any] = {
    "talking_time": "0",
    "answered_at": None,
    "agent_id": None,
    "agent_first_name": None,
}

Make = Callable[..., Bridge]


@pytest.fixture
def make(redis_client: redis.Redis, sandbox: RunningSandbox) -> Make:
    def made(**rules: Any) -> Bridge:
        return Bridge(redis_client, sandbox, Rules(**{"write_as": "voice_message", **rules}))

    return made


def only_message(sandbox: RunningSandbox) -> Document:
    (message,) = sandbox.kustomer.messages
    return message


def status(sandbox: RunningSandbox) -> str:
    (conversation,) = sandbox.kustomer.conversations
    return str(conversation["attributes"]["status"])


def requests(sandbox: RunningSandbox) -> list[str]:
    """Such as `POST messages`, of what was sent since the log was emptied."""
    return [
        f"{one.method} {one.path.rpartition('/')[2] if one.method == 'POST' else one.path.split('/')[2]}"
        for one in sandbox.kustomer.requests
    ]


def ids_of_files(document: Document) -> list[str]:
    return [one["id"] for one in document["relationships"].get("attachments", {}).get("data", [])]


# -- what a call costs, and the state it is left in


@pytest.mark.parametrize(
    ("rules", "body", "sent", "left"),
    [
        # Reopened by the message, and put back.
        ({}, {}, ["POST conversations", "POST messages", "PATCH conversations"], "done"),
        ({}, MISSED, ["POST conversations", "POST messages"], "open"),
        ({}, {"direction": "outgoing"}, ["POST conversations", "POST messages"], "done"),
        (
            {"write_as": "both"},
            {},
            ["POST conversations", "POST notes", "POST messages", "PATCH conversations"],
            "done",
        ),
        ({"write_as": "note"}, {}, ["POST conversations", "POST notes"], "done"),
    ],
    ids=["answered", "missed", "outgoing", "both", "note"],
)
def test_each_form_costs_what_it_is_said_to_cost(
    make: Make, sandbox: RunningSandbox, rules: Any, body: Any, sent: list[str], left: str
) -> None:
    bridge = make(**rules)
    bridge.receive("call-ended", ended(**body))

    assert bridge.run_jobs() == ["sync done"]

    assert requests(sandbox) == ["GET customers", "POST customers", *sent]
    assert status(sandbox) == left


def test_a_second_sync_sends_nothing(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make(write_as="both")
    body = ended(ended_at="2026-03-02T09:24:51.100Z", started_at="2026-03-02T09:23:00Z")
    bridge.receive("call-ended", body)
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    # As another source has it.
    bridge.receive("call-ended", {**body, "ended_at": "2026-03-02T09:24:51.900Z"})
    bridge.run_jobs()

    assert requests(sandbox) == []
    assert bridge.record(UUID).state == "synced"


def test_message_and_note_have_the_same_recording(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make(write_as="both")
    sandbox.cloudtalk.add_call(id=1000000500, uuid=UUID, recorded=True, recording_seconds=1)
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    bridge.receive("recording-uploaded", {"call_id": "1000000500", "call_uuid": UUID})

    bridge.run_jobs_for(60)

    (attachment,) = [one for one in sandbox.kustomer.attachments if one["referenced"]]
    (note,) = sandbox.kustomer.notes
    assert ids_of_files(note) == ids_of_files(only_message(sandbox)) == [attachment["id"]]
    assert status(sandbox) == "done"


def test_alone_it_is_updated_as_the_recording_comes(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make()
    sandbox.cloudtalk.add_call(id=1000000500, uuid=UUID, recorded=True, recording_seconds=1)
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    bridge.receive("recording-uploaded", {"call_id": "1000000500", "call_uuid": UUID})

    bridge.run_jobs_for(60)

    assert "Recording: attached" in only_message(sandbox)["attributes"]["preview"]
    assert len(ids_of_files(only_message(sandbox))) == 1
    assert (sandbox.kustomer.notes, status(sandbox)) == ([], "done")


# -- exactly once


@pytest.mark.parametrize(
    ("how", "second", "chosen_id"),
    [
        *(
            ("lost reply", *both)
            for both in product(("refuse", "duplicate"), ("conflict", "ignore", "refuse"))
        ),
        ("503", "duplicate", "ignore"),
        ("never sent", "refuse", "conflict"),
    ],
)
def test_whatever_becomes_of_the_reply_there_is_one_message(
    make: Make, sandbox: RunningSandbox, how: str, second: str, chosen_id: str
) -> None:
    sandbox.kustomer.read_as(external_id=second, note_id=chosen_id, message_lookup="missing")
    if how == "lost reply":
        sandbox.kustomer.lose_next_reply(method="POST", path=CREATE)
    elif how == "503":
        sandbox.kustomer.fail_next(503, method="POST", path=CREATE)
    else:
        sandbox.kustomer.drop_next_request(method="POST", path=CREATE)
    bridge = make()
    bridge.receive("call-ended", ended())

    ends = bridge.run_jobs_for(10)

    assert ends == ["sync failed", "sync done"]
    assert only_message(sandbox)["attributes"]["externalId"] == f"cloudtalk:call:{UUID}:voice"
    assert status(sandbox) == "done"
    record = bridge.record(UUID)
    assert (record.intents, "state_before" in record.fields) == ({}, False)


def test_what_a_lost_ledger_wrote_is_found(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make(write_as="both")
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    before = desk(sandbox)
    bridge.ledger.redis.flushall()

    bridge = make(write_as="both")
    bridge.receive("call-ended", ended(ended_at="2026-03-02T09:24:51Z", started_at="2026-03-02T09:23:00Z"))
    bridge.run_jobs_for(30)

    assert len(sandbox.kustomer.messages) == len(sandbox.kustomer.notes) == 1
    assert desk(sandbox)[0]["conversations"][0]["status"] == before[0]["conversations"][0]["status"]


# -- what people do


def test_a_preview_that_a_person_edited_stays(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make()
    body = ended()
    bridge.receive("call-ended", body)
    bridge.run_jobs()
    kustomer = bridge.deps.kustomer
    kustomer.messages.update(only_message(sandbox)["id"], {"preview": "Mine", "meta": {"mine": 1}})

    bridge.receive("call-ended", {**body, "talking_time": "98", "notes": "Something else."})
    bridge.run_jobs()

    attributes = only_message(sandbox)["attributes"]
    assert attributes["preview"] == "Mine"
    assert attributes["meta"] == {"mine": 1, "talkSeconds": 98}


def test_a_state_that_a_person_set_is_put_back_and_not_that_of_the_rules(
    make: Make, sandbox: RunningSandbox
) -> None:
    """A conversation that was written as a note, closed by a person, and gets its message later."""
    bridge = make(write_as="note")
    bridge.receive("call-ended", ended(**MISSED))
    bridge.run_jobs()
    (conversation,) = sandbox.kustomer.conversations
    bridge.deps.kustomer.conversations.update(conversation["id"], {"status": "done"})

    bridge.use(rules=Rules(write_as="both"))
    bridge.sync(KEY)

    assert only_message(sandbox)["attributes"]["direction"] == "in"
    assert status(sandbox) == "done"


def test_nothing_but_the_state_is_put_back(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make(tags=("phone",))

    def tag() -> None:
        (conversation,) = sandbox.kustomer.conversations
        bridge.deps.kustomer.conversations.update(conversation["id"], {"tags": ["mine"], "name": "Mine"})

    bridge.wire.once("after", "POST", CREATE, tag)
    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    (conversation,) = sandbox.kustomer.conversations
    assert (conversation["tagNames"], conversation["attributes"]["name"]) == (["mine"], "Mine")
    assert status(sandbox) == "done"


def test_a_change_of_auto_in_the_rules_asks_for_nothing(make: Make, sandbox: RunningSandbox) -> None:
    """Kustomer takes it with a new message only."""
    bridge = make()
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    bridge.use(rules=Rules(write_as="voice_message", auto=True))
    bridge.ledger.schedule("sync", KEY, in_ms=0)
    bridge.run_jobs()

    assert requests(sandbox) == []


def test_a_person_who_opens_it_meanwhile_is_not_overruled(make: Make, sandbox: RunningSandbox) -> None:
    """The reply that the message was made is lost; by the next run somebody snoozed the conversation."""
    bridge = make()

    def snooze() -> None:
        (conversation,) = sandbox.kustomer.conversations
        change = {"status": "snoozed", "snooze": {"time": "2099-01-01T09:00:00Z", "status": "scheduled"}}
        kustomer.conversations.update(conversation["id"], change)

    kustomer = bridge.deps.kustomer
    sandbox.kustomer.lose_next_reply(method="POST", path=CREATE)
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    snooze()

    bridge.run_jobs_for(10)

    assert len(sandbox.kustomer.messages) == 1
    assert status(sandbox) == "snoozed"


def test_a_message_that_a_person_deleted_stays_away(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make()
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    sandbox.kustomer.remove("message", only_message(sandbox)["id"])

    bridge.receive("call-ended", ended(notes="Something else."))
    bridge.run_jobs()

    assert sandbox.kustomer.messages == []


# -- several calls in one conversation


def test_calls_that_share_a_conversation_have_a_message_each(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make(per="customer")
    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    bridge.receive("call-ended", ended(call_id=1000000501, uuid=UUID[:-2] + "01"))
    bridge.run_jobs()

    assert len(sandbox.kustomer.messages) == 2
    assert status(sandbox) == "done"


def test_the_state_of_before_survives_a_snooze_in_the_rules(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make(status={**Rules().status, "missed": "snoozed"})
    bridge.receive("call-ended", ended(**MISSED))

    bridge.run_jobs()

    assert status(sandbox) == "snoozed"
    assert len(sandbox.kustomer.messages) == 1


def previews(sandbox: RunningSandbox) -> dict[str, str]:
    """By the uuid of the call."""
    shown = (one["attributes"] for one in sandbox.kustomer.messages)
    return {one["externalId"].split(":")[2]: one["preview"] for one in shown}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["in order", "the second first"])
def test_each_missed_call_of_an_item_counts_and_the_first_one_names_all(
    make: Make, sandbox: RunningSandbox, order: tuple[int, ...]
) -> None:
    bridge = make(per="missed_caller")

    tell(bridge, *(miss(number, number * 5) for number in order))
    bridge.run_jobs_for(10)

    shown = previews(sandbox)
    assert set(shown) == {uuid_of(1), uuid_of(2)}
    assert f"2 missed calls: {clock(5)}, {clock(10)}" in shown[uuid_of(1)]
    assert "missed calls" not in shown[uuid_of(2)]
    assert (len(sandbox.kustomer.conversations), sandbox.kustomer.notes) == (1, [])


def test_a_missed_call_is_closed_by_a_contact_and_its_message_says_so(
    make: Make, sandbox: RunningSandbox
) -> None:
    bridge = make()

    tell(bridge, miss(1, 0), contact(2, 10))

    assert conversation(sandbox, 1)["attributes"]["status"] == "done"
    assert "Called back: call 1000000002" in previews(sandbox)[uuid_of(1)]


def test_an_item_whose_message_a_person_edited_is_not_closed(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make()
    tell(bridge, miss(1, 0))
    bridge.deps.kustomer.messages.update(only_message(sandbox)["id"], {"preview": "I will call."})

    tell(bridge, contact(2, 10))

    assert conversation(sandbox, 1)["attributes"]["status"] == "open"
    assert "a person changed its voice message" in str(bridge.record(uuid_of(1)).reason)


# -- what else has to know of it


def test_the_audit_misses_a_message_and_not_a_note(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make()
    tell(bridge, miss(1, 0))
    begun, done = miss(1, 0)["started_at"], miss(1, 0)["ended_at"]
    sandbox.cloudtalk.add_call(
        id=1000000001, uuid=uuid_of(1), external_number="+441632960304", started_at=begun, ended_at=done
    )
    now = datetime.now(UTC)
    span = Span(since=now - timedelta(hours=3), until=now)

    def missing() -> list[Any]:
        later = now + timedelta(hours=1)
        return Audit(bridge.deps, span, BudgetWaiter(pause=bridge.let_pass)).look(later).missing

    assert missing() == []
    sandbox.kustomer.remove("message", only_message(sandbox)["id"])
    assert [one["why"] for one in missing()] == ["its conversation has no voice message"]


def test_to_forget_a_call_empties_its_message(make: Make, sandbox: RunningSandbox, tmp_path: Path) -> None:
    bridge = make()
    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    receipt = Erasure(
        ledger=bridge.ledger,
        storage=bridge.deps.open_storage(),
        rules=bridge.deps.rules,
        journal=tmp_path,
        who="test",
        services=bridge.deps,
        remove_at=("kustomer",),
    ).of_call(bridge.record(UUID))

    assert ("message", "removed") in [(one.what, one.state) for one in receipt.elsewhere]
    attributes = only_message(sandbox)["attributes"]
    assert (attributes["preview"], attributes["meta"]) == ("Removed on request.", {})


def test_a_call_known_by_its_number_alone_is_found_by_its_message(
    make: Make, sandbox: RunningSandbox
) -> None:
    """Written under its uuid by a ledger that was lost; now CloudTalk tells no uuid."""
    # Real time would have to pass for a budget.
    sandbox.cloudtalk.limit(1_000_000)
    sandbox.kustomer.limit(1_000_000)
    bridge = make()
    call = sandbox.cloudtalk.add_call(started_at=ago(minutes=40), ready_after=10_000)
    bridge.receive("call-ended", webhook_of(call))
    bridge.run_jobs()

    emptied(bridge)
    bridge.receive("call-ended", webhook_of({**call, "uuid": None}))
    bridge.run_jobs_for(60, step_s=2)

    assert len(sandbox.kustomer.messages) == len(sandbox.kustomer.conversations) == 1
    assert bridge.record(str(call["uuid"])).is_written


def test_the_end_to_the_first_of_both_is_counted_once(make: Make, sandbox: RunningSandbox) -> None:
    bridge = make(write_as="both")
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    (counts,) = bridge.ledger.measures()["end_to_note"].values()
    assert sum(counts.buckets) == 1
