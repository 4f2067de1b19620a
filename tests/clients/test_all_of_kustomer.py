"""Kustomer's whole client: resources read whole, nothing lost, nothing made twice by itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from bridge.clients.kustomer.requests import (
    CreateCustomer,
    CreateNote,
    CustomerById,
    CustomerByPhone,
    ListNotes,
    MessageById,
    UpdateConversation,
    UpdateCustomer,
)
from bridge.errors import Conflict, MaybeDone, Rejected, Unavailable
from tests.clients.given import Wire, resource

AN_ID = "5f0e0000000000000000a1cc"
ANOTHER_ID = "5f0e0000000000000000a1cd"


def result(data: Any, status: int = 200) -> Wire:
    return Wire(httpx2.Response(status, json={"data": data}))


def test_a_resource_is_read_with_what_it_belongs_to_and_with_all_the_rest() -> None:
    message = resource(
        AN_ID,
        kind="message",
        channel="voice",
        sentAt="2030-01-02T03:04:05.000Z",
        auto="false",
        rev="3",
        meta={"from": "+441632960304"},
        directionType="initial-in",
        priorityNum=7,
    )
    message["relationships"] = {
        # Recorded: the plural, in messages only.
        "customer": {"data": {"type": "customers", "id": ANOTHER_ID}},
        "attachments": {"data": [{"type": "attachment", "id": "a"}, {"type": "attachment", "id": "b"}]},
        "messages": {"links": {"self": "/v1/x"}},
        "conversation": None,
    }

    found = result(message).action("get-message-by-id", MessageById(message_id=AN_ID))

    assert (found.id, found.customer_id, found.conversation_id) == (AN_ID, ANOTHER_ID, None)
    assert found.sent_at == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    # Types that are not those documented.
    assert (found.auto, found.rev) == (False, 3.0)
    assert found.related == {"customer": ANOTHER_ID, "attachments": ["a", "b"]}
    assert found.extra == {"directionType": "initial-in", "priorityNum": 7}


def test_an_attribute_that_cannot_be_read_is_kept_as_it_came() -> None:
    customer = result(resource(AN_ID, name="Ada", phones="none", custom=[1], createdAt="soon"))

    found = customer.action("get-customer-by-id", CustomerById(customer_id=AN_ID))

    assert (found.name, found.phones, found.custom, found.created_at) == ("Ada", [], {}, None)
    assert found.extra == {"phones": "none", "custom": [1], "createdAt": "soon"}


def test_a_miss_is_a_404_and_a_success_without_a_resource_no_answer() -> None:
    refusal = httpx2.Response(
        404, json={"errors": [{"status": 404, "code": "notfound", "title": "Not Found"}]}
    )
    with pytest.raises(Rejected, match="no such customer") as refused:
        Wire(refusal).action("get-customer-by-phone", CustomerByPhone(phone="+441632960304"))
    assert refused.value.status == 404

    bodies: list[Any] = [{}, {"data": None}, {"data": []}, [1]]
    for body in bodies:
        with pytest.raises(Unavailable, match="without a resource"):
            Wire(httpx2.Response(200, json=body)).action(
                "get-customer-by-id", CustomerById(customer_id=AN_ID)
            )


def test_an_update_sends_what_was_given_and_the_company_that_it_would_lose() -> None:
    wire = result(resource(AN_ID, company=ANOTHER_ID))

    wire.action("update-customer", UpdateCustomer(customer_id=AN_ID, name=None))
    wire.action("update-customer", UpdateCustomer(customer_id=AN_ID, company_id=None))

    bodies = [(one.method, json.loads(one.content) if one.content else None) for one in wire.requests]
    assert bodies == [
        ("GET", None),
        ("PATCH", {"name": None, "company": ANOTHER_ID}),
        ("PATCH", {"company": None}),
    ]


def test_a_conversation_is_moved_by_its_customer_alone() -> None:
    wire = result(resource(AN_ID, kind="conversation"))

    wire.action("update-conversation", UpdateConversation(conversation_id=AN_ID, customer_id=ANOTHER_ID))

    assert json.loads(wire.requests[0].content) == {"customer": ANOTHER_ID}


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(409, json={"errors": [{"title": "duplicate detected"}]}),
        httpx2.Response(400, json={"errors": [{"code": "bad_request", "message": "duplicate detected"}]}),
    ],
)
def test_a_value_that_is_taken_is_a_conflict_in_their_words_however_it_is_said(
    answer: httpx2.Response,
) -> None:
    with pytest.raises(Conflict, match="duplicate detected"):
        Wire(answer).action("create-customer", CreateCustomer(name="Ada"))


@pytest.mark.parametrize("answer", [httpx2.Response(502), httpx2.Response(201, json={"data": {}})])
def test_a_create_of_which_nothing_is_known_is_not_repeated(answer: httpx2.Response) -> None:
    wire = Wire(answer)

    with pytest.raises(MaybeDone, match="create-note may have been done"):
        wire.action("create-note", CreateNote(conversation_id=AN_ID, body="x"))

    assert len(wire.requests) == 1


def test_pages_are_followed_while_there_is_a_next_one() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        page = int(request.url.params.get("page", "1"))
        links = {"next": "/v1/notes?page=x" if page < 3 else None}
        return httpx2.Response(
            200, json={"data": [resource(f"{page:024}")], "links": links, "meta": {"total": "3"}}
        )

    wire = Wire(answer)

    assert [int(note.id) for note in wire.kustomer().notes.every()] == [1, 2, 3]
    assert len(wire.requests) == 3
    page = wire.action("list-notes", ListNotes())
    assert (page.page, page.next_page, page.total) == (1, 2, 3)


def test_a_list_that_is_none_is_no_answer() -> None:
    with pytest.raises(Unavailable, match="without a list"):
        result({"id": AN_ID}).action("list-notes", ListNotes())
