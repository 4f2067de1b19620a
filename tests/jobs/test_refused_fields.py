"""Kustomer refuses one optional field: the call is written without it, and says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.errors import Rejected
from bridge.ledger import keys
from bridge.reports.views import call_view
from bridge.sandbox.running import RunningSandbox
from bridge.sync.refused import named_place
from tests.jobs.desk import one_of_each
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"


@pytest.fixture
def bridge(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    return Bridge(redis_client, sandbox, Rules(tags=("phone",), call_tags=True, assign="longest"))


def refuse(sandbox: RunningSandbox, path: str, error: dict[str, Any], *, method: str = "POST") -> None:
    body = json.dumps({"errors": [error]})
    sandbox.kustomer.answer_next(body, "application/json", status=400, method=method, path=path)


def reason_of(bridge: Bridge) -> str:
    view = call_view(bridge.ledger, bridge.deps.rules, bridge.record(f"uuid:{UUID}"))
    assert view["state"] == "synced"
    return str(view["reason"])


@pytest.mark.parametrize(
    "error",
    [
        {"status": 400, "code": "badparam", "title": "Bad Request", "source": {"parameter": "tags"}},
        {"code": "bad_request", "message": "Invalid request.", "meta": {"parameter": "tags"}},
        {"code": "bad_request", "title": "x", "source": {"pointer": "/data/attributes/tags"}},
        {"code": "bad_request", "message": "tags: unknown tag, tags must be unique and must exist"},
    ],
)
def test_refused_tags_keep_no_call_out_of_kustomer(
    bridge: Bridge, sandbox: RunningSandbox, error: dict[str, Any]
) -> None:
    refuse(sandbox, "/conversations$", error)

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    _, conversation, note = one_of_each(sandbox)
    assert conversation["tagNames"] == [] and note["attributes"]["body"]
    assert conversation["attributes"]["assignedUsers"]
    assert "Kustomer refused the tags of the conversation" in reason_of(bridge)


def test_only_the_tag_that_is_named_is_left_out(bridge: Bridge, sandbox: RunningSandbox) -> None:
    refuse(sandbox, "/conversations$", {"code": "badparam", "source": {"parameter": "tags.1"}})

    bridge.receive("call-ended", ended(tags="Billing,VIP"))
    bridge.run_jobs()

    _, conversation, _ = one_of_each(sandbox)
    assert sorted(conversation["tagNames"]) == ["Billing", "phone"]


@pytest.mark.parametrize(
    ("field", "shown"), [("assignedUsers", "assignedUsers"), ("name", "name"), ("direction", "direction")]
)
def test_any_optional_field_of_a_conversation_gives_way(
    bridge: Bridge, sandbox: RunningSandbox, field: str, shown: str
) -> None:
    refuse(sandbox, "/conversations$", {"code": "badparam", "source": {"parameter": field}})

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    one_of_each(sandbox)
    assert f"refused the {shown}" in reason_of(bridge)


def test_a_refused_name_makes_a_customer_without_one(bridge: Bridge, sandbox: RunningSandbox) -> None:
    refuse(sandbox, "/customers$", {"code": "badparam", "source": {"parameter": "name"}})

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    customer, _, _ = one_of_each(sandbox)
    assert customer["attributes"]["name"] is None
    assert "refused the name of the customer" in reason_of(bridge)


def test_a_refused_change_is_made_without_the_field(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(tags="Billing"))
    bridge.run_jobs()
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", tags=["Billing", "VIP"]
    )
    refuse(sandbox, "/conversations/", {"code": "badparam", "source": {"parameter": "tags"}}, method="PATCH")

    bridge.receive("call-modified", {"call_id": "1000000500", "call_uuid": UUID})
    bridge.run_jobs()

    _, conversation, note = one_of_each(sandbox)
    assert sorted(conversation["tagNames"]) == ["Billing", "phone"]
    assert "Call tags: Billing, VIP" in note["attributes"]["body"]
    assert "refused the tags" in reason_of(bridge)


def test_a_refused_field_that_is_needed_parks_the_call(bridge: Bridge, sandbox: RunningSandbox) -> None:
    refuse(sandbox, "/customers$", {"code": "badparam", "source": {"parameter": "phones.0.phone"}})

    bridge.receive("call-ended", ended())
    bridge.run_jobs()

    assert sandbox.kustomer.customers == []
    assert call_view(bridge.ledger, bridge.deps.rules, bridge.record(f"uuid:{UUID}"))["state"] == "parked"


def test_more_tags_than_kustomer_takes_are_left_out_and_said(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(tags=",".join(f"tag {number:02}" for number in range(25))))

    bridge.run_jobs()

    _, conversation, _ = one_of_each(sandbox)
    assert len(conversation["tagNames"]) == 20 and "phone" in conversation["tagNames"]
    assert "Kustomer accepts 20: tag 19, tag 20, tag 21, tag 22, tag 23, tag 24" in reason_of(bridge)


def test_our_tags_give_way_to_those_of_people(bridge: Bridge, sandbox: RunningSandbox) -> None:
    bridge.receive("call-ended", ended(tags=""))
    bridge.run_jobs()
    _, conversation, _ = one_of_each(sandbox)
    by_hand = [f"by hand {number:02}" for number in range(18)]
    tags = [*conversation["attributes"]["tags"], *by_hand]
    bridge.deps.kustomer.conversations.update(conversation["id"], {"tags": tags})
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", tags=["Billing", "VIP"]
    )

    bridge.receive("call-modified", {"call_id": "1000000500", "call_uuid": UUID})
    bridge.run_jobs()

    _, conversation, _ = one_of_each(sandbox)
    assert sorted(conversation["tagNames"]) == ["Billing", *by_hand, "phone"]
    assert "tags left out, Kustomer accepts 20 in all: VIP" in reason_of(bridge)


def test_a_refusal_about_something_else_names_no_optional_field() -> None:
    body = {"name": "Call", "tags": ["phone"], "externalId": "cloudtalk:call:1"}
    error = Rejected("x", status=400, detail="externalId: the name tags", places=("externalId",))

    assert named_place(error, body, {"name", "tags"}) is None


def test_events_that_came_too_often_are_told_apart_from_refused_fields(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    refuse(sandbox, "/conversations$", {"code": "bad_request", "message": "tags: unknown tag"})
    bridge.receive("call-ended", ended())
    bridge.ledger.redis.hset(keys.record(f"uuid:{UUID}"), "left_out:call-modified", "375")

    bridge.run_jobs()

    assert bridge.record(UUID).left_out == {"call-modified": 375}
    assert reason_of(bridge).startswith("Kustomer refused the tags of the conversation")
