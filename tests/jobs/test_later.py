"""What changes after a call was written: the same note follows, a second note says the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
FIRST, SECOND = f"cloudtalk:call:{UUID}:note", f"cloudtalk:call:{UUID}:note:2"
EDITED = "Edited by a person."


class Desk:
    """One call that is written, what CloudTalk says of it later, and what a person does to it meanwhile."""

    def __init__(self, bridge: Bridge, sandbox: RunningSandbox) -> None:
        self.bridge, self.sandbox, self.times = bridge, sandbox, 0
        bridge.receive("call-ended", ended(tags="", notes=None))
        bridge.run_jobs()

    def changed(self, **fields: Any) -> None:
        """CloudTalk has other values for it now, and says so."""
        self.times += 1
        call = {"id": 1000000500, "uuid": UUID, "external_number": "+441632960304", "talking_time": 97}
        self.sandbox.cloudtalk.add_call(**{**call, **fields})
        self.bridge.receive("call-modified", {"call_id": "1000000500", "call_uuid": UUID, "n": self.times})
        self.bridge.run_jobs_for(30, step_s=5)

    def recorded(self) -> None:
        self.sandbox.cloudtalk.add_call(
            id=1000000500, uuid=UUID, external_number="+441632960304", recorded=True, recording_seconds=1
        )
        self.bridge.receive("recording-uploaded", {"call_id": "1000000500", "call_uuid": UUID})
        self.bridge.run_jobs_for(60, step_s=5)

    def note(self, key: str = FIRST) -> dict[str, Any] | None:
        found = [one for one in self.sandbox.kustomer.notes if one["attributes"]["externalId"] == key]
        assert len(found) <= 1
        return found[0] if found else None

    def body(self, key: str = FIRST) -> str | None:
        there = self.note(key)
        return None if there is None else str(there["attributes"]["body"])

    def files(self, key: str = FIRST) -> int:
        there = self.note(key)
        return 0 if there is None else len(there["relationships"].get("attachments", {}).get("data", ()))

    def edit(self, key: str = FIRST, text: str = EDITED) -> None:
        there = self.note(key)
        assert there is not None
        self.bridge.deps.kustomer.notes.update(there["id"], {"body": text})


@pytest.fixture
def desk(bridge: Bridge, sandbox: RunningSandbox) -> Desk:
    return Desk(bridge, sandbox)


def test_what_is_new_since_a_person_edited_the_note_is_in_one_second_note(desk: Desk) -> None:
    desk.changed(tags=["Billing"])
    desk.edit()
    desk.changed(tags=["Billing"], rating=4)

    assert desk.body() == EDITED
    assert (desk.body(SECOND) or "").split("\n\n") == [
        "Answered incoming call: new since its note was edited",
        "Rating: 4 of 5",
        "CloudTalk call: 1000000500",
    ]

    desk.changed(tags=["Billing", "VIP"], rating=5, notes=["Call back"])

    assert desk.body() == EDITED
    second = desk.body(SECOND) or ""
    assert "Call tags: Billing, VIP\nRating: 5 of 5" in second
    assert "Agent's notes\n> Call back" in second
    assert len(desk.sandbox.kustomer.notes) == 2


def test_a_second_note_that_a_person_edited_stays_too_and_the_record_says_so(desk: Desk) -> None:
    desk.edit()
    desk.changed(rating=4)
    desk.edit(SECOND)
    desk.changed(rating=5)

    assert (desk.body(), desk.body(SECOND)) == (EDITED, EDITED)
    assert len(desk.sandbox.kustomer.notes) == 2
    assert "second note" in (desk.bridge.record(UUID).reason or "")


def test_a_call_without_news_gets_no_second_note_and_costs_nothing_more(desk: Desk) -> None:
    desk.changed(rating=4)
    desk.edit()
    desk.bridge.receive("call-answered", {"call_uuid": UUID, "contact_name": "Ada Example"})
    desk.bridge.run_jobs()
    assert desk.body(SECOND) is None

    desk.changed(rating=5)
    desk.sandbox.kustomer.forget_requests()
    desk.bridge.sync(f"uuid:{UUID}")

    assert desk.sandbox.kustomer.requests == []


def test_what_was_new_and_is_taken_back_is_not_said_any_more(desk: Desk) -> None:
    desk.changed(rating=4)
    desk.edit()
    desk.changed(rating=4, tags=["Billing"])
    assert "Call tags: Billing" in (desk.body(SECOND) or "")

    desk.changed(rating=4)

    assert "Nothing any more" in (desk.body(SECOND) or "")


def test_a_person_who_takes_their_edit_back_has_the_first_note_followed_again(desk: Desk) -> None:
    ours = desk.body() or ""
    desk.edit()
    desk.changed(rating=4)
    desk.edit(text=ours)
    desk.changed(rating=5)

    assert "Rating: 5 of 5" in (desk.body() or "")


@pytest.mark.parametrize("edited", [False, True])
def test_a_note_that_was_deleted_is_not_written_again(desk: Desk, edited: bool) -> None:
    if edited:
        desk.edit()
    note = desk.note()
    assert note is not None
    desk.sandbox.world.store.drop("note", note["id"])

    desk.changed(rating=4)

    assert desk.sandbox.kustomer.notes == []
    assert desk.bridge.record(UUID).fields["state"] == "synced"


def test_a_second_note_that_was_deleted_is_not_written_again(desk: Desk) -> None:
    desk.edit()
    desk.changed(rating=4)
    second = desk.note(SECOND)
    assert second is not None
    desk.sandbox.world.store.drop("note", second["id"])

    desk.changed(rating=5)

    assert (desk.body(), desk.body(SECOND)) == (EDITED, None)


def test_a_recording_that_a_person_took_off_the_note_is_not_attached_again(desk: Desk) -> None:
    desk.recorded()
    note = desk.note()
    assert note is not None and desk.files() == 1
    desk.bridge.deps.kustomer.notes.update(note["id"], {"attachments": []})

    desk.changed(rating=4, recorded=True, recording_seconds=1)

    assert "Rating: 4 of 5" in (desk.body() or "")
    assert desk.files() == 0


def test_the_recording_of_a_call_whose_note_was_edited_is_at_the_second_note(desk: Desk) -> None:
    desk.edit()
    desk.recorded()

    assert (desk.body(), desk.files(), desk.files(SECOND)) == (EDITED, 0, 1)
    assert "Recording: attached" in (desk.body(SECOND) or "")


@pytest.fixture
def tagging(redis_client: redis.Redis, sandbox: RunningSandbox) -> Iterator[Desk]:
    yield Desk(Bridge(redis_client, sandbox, Rules(tags=("phone",), call_tags=True)), sandbox)


def test_a_tag_that_a_person_removed_does_not_come_back(tagging: Desk) -> None:
    tagging.changed(tags=["Billing"])
    (conversation,) = tagging.sandbox.kustomer.conversations
    tagging.bridge.deps.kustomer.conversations.update(conversation["id"], {"tags": []})

    tagging.changed(tags=["Billing", "VIP"])

    (conversation,) = tagging.sandbox.kustomer.conversations
    assert conversation["tagNames"] == ["VIP"]


def test_what_a_person_cleared_of_the_conversation_stays_empty(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    then = {"priority": 5, "name": "VIP", "custom": {"topicStr": "VIP", "teamStr": "VIP"}}
    vip = Rule(when=When(tag=("VIP",)), then=then, number=1, line=2)
    sandbox.kustomer.read_as(custom_attributes=["topicStr", "teamStr"], custom_update="replace")
    rules = Rules(priority=2, name="Call", custom={"topicStr": "Call", "teamStr": "Call"}, rules=(vip,))
    desk = Desk(Bridge(redis_client, sandbox, rules), sandbox)
    (conversation,) = sandbox.kustomer.conversations
    cleared = {"name": None, "custom": {"teamStr": "Call"}}
    desk.bridge.deps.kustomer.conversations.update(conversation["id"], cleared)

    desk.changed(tags=["VIP"])

    (conversation,) = sandbox.kustomer.conversations
    attributes = conversation["attributes"]
    assert (attributes.get("name"), attributes["priority"]) == (None, 5)
    assert attributes["custom"] == {"teamStr": "VIP"}


@pytest.mark.parametrize("how", ["refuse", "duplicate"])
def test_a_second_note_is_written_once_whose_reply_was_lost(desk: Desk, how: str) -> None:
    desk.sandbox.kustomer.read_as(external_id=how)
    desk.edit()
    desk.sandbox.kustomer.lose_next_reply(method="POST", path="/notes$")

    desk.changed(rating=4)

    assert "Rating: 4 of 5" in (desk.body(SECOND) or "")
    assert len(desk.sandbox.kustomer.notes) == 2


# -- a burst of changes


class Burst:
    """A call that is written, in a bridge that waits until no more changes follow; requests are counted."""

    def __init__(self, client: redis.Redis, sandbox: RunningSandbox) -> None:
        self.bridge, self.sandbox = Bridge(client, sandbox, debounced=True), sandbox
        self.bridge.receive("call-ended", ended(tags="", notes=None))
        self.bridge.run_jobs()
        self.bridge.let_pass(60)
        sandbox.cloudtalk.forget_requests()
        sandbox.kustomer.forget_requests()

    def change(self, **fields: Any) -> None:
        call = {"id": 1000000500, "uuid": UUID, "external_number": "+441632960304", "talking_time": 97}
        self.sandbox.cloudtalk.add_call(**{**call, **fields})
        self.bridge.receive("call-modified", {"call_id": "1000000500", "call_uuid": UUID})

    @property
    def requests(self) -> tuple[int, int]:
        return len(self.sandbox.cloudtalk.requests), len(self.sandbox.kustomer.requests)

    @property
    def body(self) -> str:
        return str(self.sandbox.kustomer.notes[0]["attributes"]["body"])


def test_a_burst_of_changes_costs_one_question_and_one_update(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    burst = Burst(redis_client, sandbox)

    for n in range(5):
        burst.change(tags=[f"tag {n}"], rating=n + 1)
        burst.bridge.run_jobs_for(2)
    assert burst.requests == (0, 0)
    burst.bridge.run_jobs_for(1)

    # CloudTalk's detail; the note is read and changed.
    assert burst.requests == (1, 2)
    assert "Call tags: tag 4\nRating: 5 of 5" in burst.body


def test_a_burst_without_end_is_written_every_fifteen_seconds(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    burst = Burst(redis_client, sandbox)

    for n in range(30):
        burst.change(tags=[f"tag {n}"])
        burst.bridge.run_jobs_for(1)

    assert burst.requests in {(1, 2), (2, 4)}


def test_a_recording_that_comes_after_the_note_does_not_wait(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    burst = Burst(redis_client, sandbox)
    sandbox.cloudtalk.add_call(id=1000000500, uuid=UUID, recorded=True, recording_seconds=1)

    burst.bridge.receive("recording-uploaded", {"call_id": "1000000500", "call_uuid": UUID})
    burst.bridge.run_jobs()

    assert "Recording: attached" in burst.body
