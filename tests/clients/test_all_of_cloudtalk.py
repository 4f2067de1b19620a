"""CloudTalk's whole client: what its answers really look like, and errors that say what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from bridge.clients.cloudtalk.requests import (
    CreateContact,
    ListAgents,
    ListCalls,
    ListContacts,
    OneAgent,
    OneCall,
    OneContact,
    SendSms,
)
from bridge.errors import MaybeDone, NotSent, RateLimited, Rejected, Unauthorized, Unavailable
from tests.clients.given import Wire

SMS = SendSms(recipient="+441632960304", sender="+15550100101", message="Hello")


def result(data: Any, status: int = 200) -> Wire:
    return Wire(httpx2.Response(status, json={"responseData": data}))


def listed(*items: Any, count: Any = 1) -> Wire:
    return result(
        {"itemsCount": str(len(items)), "pageCount": count, "pageNumber": 1, "limit": 1, "data": [*items]}
    )


def test_a_contact_is_read_as_a_real_answer_was() -> None:
    wire = result(
        {
            "Contact": {
                "id": "1400000101",
                "name": "Ada &amp; Sons",
                "country_id": "1",
                "favorite_agent": None,
                "created": "2025-09-25T10:34:27+02:00",
                "modified": "2018-01-10 12:34:56",
                "colour": "red",
            },
            "ContactNumber": [
                {"public_number": 441632960304, "contact_id": "1"},
                {"public_number": "+15550100101"},
            ],
            "ContactEmail": [{"email": "ada@example.com"}],
            "Tag": [{"id": "7", "name": "VIP"}],
            "ExternalUrl": None,
            "ContactAttribute": [{"attribute_id": "7", "title": "Tier", "value": "gold"}],
            "Country": {"id": "1"},
        }
    )

    contact = wire.action("get-contact", OneContact(contact_id=1400000101))

    assert (contact.id, contact.name, contact.country_id) == (1400000101, "Ada & Sons", 1)
    assert contact.created_at == datetime(2025, 9, 25, 8, 34, 27, tzinfo=UTC)
    assert contact.modified_at == datetime(2018, 1, 10, 12, 34, 56, tzinfo=UTC)
    assert contact.numbers == ["+441632960304", "+15550100101"]
    assert (contact.emails, contact.tags, contact.urls) == (["ada@example.com"], ["VIP"], [])
    assert contact.attributes == [{"attribute_id": 7, "title": "Tier", "value": "gold"}]
    # What has no name of ours is not lost.
    assert contact.extra == {"colour": "red", "Country": {"id": "1"}}


def test_a_documented_contact_has_its_tags_under_another_name_and_objects_for_lists() -> None:
    (contact,) = (
        listed(
            {
                "Contact": {"id": 7, "name": "Ada", "company": ""},
                "ContactNumber": {"public_number": 441632960304},
                "ContactEmail": {"email": None},
                "ContactsTag": [{"name": "VIP"}],
            }
        )
        .action("list-contacts", ListContacts())
        .items
    )

    assert (contact.id, contact.numbers, contact.emails, contact.tags) == (7, ["+441632960304"], [], ["VIP"])


def test_a_value_that_cannot_be_read_is_kept_as_it_came() -> None:
    contact = result({"Contact": {"id": "7", "name": ["a"], "country_id": "GB", "created": "yesterday"}})

    found = contact.action("get-contact", OneContact(contact_id=7))

    assert (found.id, found.name, found.country_id, found.created_at) == (7, None, None, None)
    assert found.extra == {"name": ["a"], "country_id": "GB", "created": "yesterday"}


def test_an_answer_without_an_id_or_envelope_is_no_answer() -> None:
    with pytest.raises(Unavailable, match="no Contact"):
        result({"Contact": {"name": "Ada"}}).action("get-contact", OneContact(contact_id=7))
    with pytest.raises(Unavailable, match="without responseData"):
        Wire(httpx2.Response(200, json=[])).action("get-contact", OneContact(contact_id=7))
    with pytest.raises(Unavailable, match="without a list"):
        result({"data": "none"}).action("list-contacts", ListContacts())


def test_a_call_of_the_list_has_texts_for_numbers_and_numbers_without_a_plus() -> None:
    (call,) = (
        listed(
            {
                "Cdr": {
                    "id": "1000000110",
                    "type": "incoming",
                    "billsec": "0",
                    "talking_time": "21",
                    "public_external": "",
                    "public_internal": 15550100101,
                    "recorded": "1",
                    "user_id": None,
                    "started_at": "2026-03-02T09:23:00.000Z",
                    "answered_at": None,
                    "fax_email": "0",
                },
                "Contact": {"id": None, "name": None},
                "Agent": {"id": None, "fullname": "(unknown)"},
                "Notes": [{"id": 1, "note": "a &amp; b"}, {"id": 2, "name": "c"}],
                "Tags": [{"id": "9", "name": "VIP"}],
                "BillingCall": {"price": "0.1"},
            }
        )
        .action("list-calls", ListCalls())
        .items
    )

    assert (call.id, call.billed_seconds, call.talking_seconds) == (1000000110, 0, 21)
    # An empty number is a withheld one.
    assert (call.external_number, call.internal_number) == (None, "+15550100101")
    assert (call.recorded, call.agent_id, call.agent_name, call.answered_at) == (True, None, None, None)
    assert call.notes == ["a & b", "c"]
    assert [(tag.id, tag.name) for tag in call.tags] == [(9, "VIP")]
    assert (call.extra["fax_email"], call.extra["BillingCall"]) == ("0", {"price": "0.1"})


def test_the_detail_of_a_call_names_its_tags_otherwise() -> None:
    wire = Wire(
        httpx2.Response(
            200,
            json={
                "cdr_id": 1000000110,
                "uuid": "2dae93e6-ac4e-4a1d-97be-aa3ef7aeb468",
                "date": "2026-03-02T09:23:00.000Z",
                "contact": {"id": 7, "name": "Ada", "number": "+441632960304"},
                "internal_number": {"id": 36, "number": "+15550100101"},
                "call_tags": [{"id": 9, "label": "VIP"}],
                "call_times": {"talking_time": 97, "wrap_up_time": 20},
                "call_steps": [{"type": "ivr"}],
                "notes": ["x"],
                "novel": 1,
            },
        )
    )

    call = wire.action("get-call", OneCall(call_id=1000000110))

    assert (call.id, call.uuid) == (1000000110, "2dae93e6-ac4e-4a1d-97be-aa3ef7aeb468")
    assert (call.contact_id, call.external_number, call.internal_number) == (
        7,
        "+441632960304",
        "+15550100101",
    )
    assert (call.times.talking_seconds, call.times.wrapup_seconds, call.times.ringing_seconds) == (
        97,
        20,
        None,
    )
    assert ([tag.name for tag in call.tags], call.steps, call.extra["novel"]) == (
        ["VIP"],
        [{"type": "ivr"}],
        1,
    )


def test_an_agents_password_is_left_where_it_is() -> None:
    wire = listed({"Agent": {"id": "7", "firstname": "Bo", "pass": "hidden", "extension": 1001, "novel": 1}})

    agent = wire.action("get-agent", OneAgent(agent_id=7))

    assert (agent.id, agent.extension, agent.extra) == (7, "1001", {"novel": 1})
    assert "hidden" not in agent.model_dump_json()


def test_an_agent_who_is_not_there_is_a_404_although_the_service_says_200() -> None:
    for wire in (listed(), listed({"Agent": {"id": "8"}})):
        with pytest.raises(Rejected) as refused:
            wire.action("get-agent", OneAgent(agent_id=7))
        assert refused.value.status == 404


def test_pages_are_followed() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        page = int(request.url.params["page"])
        item = {"Agent": {"id": page}}
        return httpx2.Response(200, json={"responseData": {"pageCount": "3", "data": [item]}})

    wire = Wire(answer)

    assert [agent.agent_id for agent in wire.cloudtalk().agents.all()] == [1, 2, 3]
    assert len(wire.requests) == 3
    page = wire.action("list-agents", ListAgents(page=2))
    assert (page.page, page.next_page) == (2, 3)
    assert wire.action("list-agents", ListAgents(page=3)).next_page is None


def test_a_message_that_a_success_says_was_not_sent_is_refused_with_their_reason() -> None:
    for success in (False, "false"):
        with pytest.raises(Rejected, match="Limit exceeded") as refused:
            result({"success": success, "data": "Limit exceeded"}).action("send-sms", SMS)
        assert (refused.value.status, refused.value.detail) == (200, "Limit exceeded")
    for success in (True, "true"):
        sent = result({"success": success, "data": {"sender": "+15550100101"}}).action("send-sms", SMS)
        assert sent.sender == "+15550100101"


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500, json={"responseData": {"status": 500}}),
        httpx2.Response(200, content=b"<html>"),
        httpx2.Response(200, json={"responseData": {}}),
        httpx2.Response(200, json={}),
    ],
)
def test_a_message_of_which_nothing_is_known_may_have_been_sent_and_is_not_repeated(
    answer: httpx2.Response,
) -> None:
    wire = Wire(answer)

    with pytest.raises(MaybeDone, match="may have been done and is not retried"):
        wire.action("send-sms", SMS)

    assert len(wire.requests) == 1


def test_a_message_that_surely_was_not_sent_says_so() -> None:
    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    for answer, error in (
        (unreachable, NotSent),
        (httpx2.Response(429), RateLimited),
        (httpx2.Response(403, json={"responseData": {"message": "Insufficient Funds"}}), Unauthorized),
        (httpx2.Response(400, json={"responseData": {"message": "Bad request"}}), Rejected),
    ):
        with pytest.raises(error):
            Wire(answer).action("send-sms", SMS)


def test_the_services_own_words_about_a_field_are_kept() -> None:
    refusal = {
        "status": 406,
        "message": "Invalid input data.",
        "data": {"email": ["Please supply a valid one."]},
    }

    with pytest.raises(Rejected, match="Please supply a valid one") as refused:
        result(refusal, 406).action("create-contact", CreateContact(name="Ada"))

    assert refused.value.status == 406


def test_without_keys_of_ours_no_credentials_are_sent() -> None:
    from bridge.clients.cloudtalk import CloudTalk
    from bridge.clients.kustomer import Kustomer

    wire = listed()
    CloudTalk(
        client=wire.client, core="https://x.example", analytics="", key_id=None, key_secret=None
    ).agents.all()
    with pytest.raises(Unavailable):
        Kustomer(client=wire.client, url="https://x.example", api_key=None).customers.get("7")

    assert len(wire.requests) == 2
    assert not [request for request in wire.requests if "authorization" in request.headers]
