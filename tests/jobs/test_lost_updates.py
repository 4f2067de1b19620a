"""Changes in Kustomer whose reply is lost: our own words are not taken for those of a person."""

from __future__ import annotations

import pytest
import redis

from bridge.domain.outcome import Outcome
from bridge.domain.rules.model import DEFAULT_STATUS, Rules
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"
UPDATES = ("/customers/", "/conversations/", "/notes/")


def _named(bridge: Bridge, name: str) -> None:
    bridge.receive("call-answered", {"call_uuid": UUID, "contact_name": name})


@pytest.mark.parametrize("lost", UPDATES)
def test_what_is_learnt_after_a_lost_reply_is_written_all_the_same(
    bridge: Bridge, sandbox: RunningSandbox, lost: str
) -> None:
    bridge.receive("call-ended", ended(contact_name=""))
    bridge.run_jobs()

    for name in ("Ada Example", "Ada Sample", "Ada Fictional"):
        sandbox.kustomer.lose_next_reply(method="PATCH", path=lost)
        _named(bridge, name)
        bridge.run_jobs()
    bridge.run_jobs_for(120, step_s=5)

    customer, conversation, note = one_of_each(sandbox)
    assert customer["attributes"]["name"] == "Ada Fictional"
    assert conversation["attributes"]["name"] == "Call from Ada Fictional"
    assert "Ada Fictional" in note["attributes"]["body"]


def test_a_change_whose_reply_was_lost_is_taken_back_where_it_is_not_wanted_any_more(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox)
    other_rules = Bridge(redis_client, sandbox, Rules(status={**DEFAULT_STATUS, Outcome.ANSWERED: "open"}))
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    sandbox.kustomer.lose_next_reply(method="PATCH", path="/conversations/")
    other_rules.sync(KEY)
    assert one_of_each(sandbox)[1]["attributes"]["status"] == "open"

    bridge.run_jobs_for(30)

    assert one_of_each(sandbox)[1]["attributes"]["status"] == "done"


def test_what_a_person_wrote_after_a_lost_reply_stays_theirs(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(contact_name=""))
    bridge.run_jobs()
    customer, conversation, note = one_of_each(sandbox)
    kustomer = bridge.deps.kustomer
    for path in UPDATES:
        sandbox.kustomer.lose_next_reply(method="PATCH", path=path)
    _named(bridge, "Ada Example")
    for _ in UPDATES:
        bridge.run_jobs()
        bridge.let_pass(30)

    found = kustomer.customers.get(customer["id"])
    assert found is not None
    kustomer.customers.update(found.id, {"name": "Ada of the Person"}, current=found)
    kustomer.conversations.update(conversation["id"], {"name": "Invoice question"})
    kustomer.notes.update(note["id"], {"body": "Edited by a person."})
    _named(bridge, "Ada Sample")
    bridge.run_jobs_for(120, step_s=5)

    customer, conversation, note = one_of_each(sandbox)
    assert customer["attributes"]["name"] == "Ada of the Person"
    assert conversation["attributes"]["name"] == "Invoice question"
    assert note["attributes"]["body"] == "Edited by a person."
