"""The sandbox's Kustomer: messages and companies."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.sandbox.handles import KustomerHandle
from tests.sandbox.test_sandbox_kustomer import data, wrong

CHAT = {"channel": "chat", "app": "test", "direction": "in", "preview": "Hello"}
AN_ID = "5f0e0000000000000000a1cc"


@pytest.fixture
def customer(kustomer: KustomerHandle) -> str:
    return kustomer.add_customer(name="Ada Example")


@pytest.fixture
def conversation(api: httpx2.Client, customer: str) -> str:
    return str(data(api.post("/conversations", json={"customer": customer, "status": "done"}), 201)["id"])


def test_a_message_is_shown_with_its_customer_in_the_plural(
    api: httpx2.Client, customer: str, conversation: str
) -> None:
    made = data(api.post(f"/conversations/{conversation}/messages", json=CHAT), 201)

    shown = data(api.get(f"/messages/{made['id']}"))
    assert shown["type"] == "message"
    assert shown["relationships"]["customer"]["data"] == {"type": "customers", "id": customer}
    assert shown["relationships"]["conversation"]["data"]["id"] == conversation
    assert (shown["attributes"]["status"], shown["attributes"]["directionType"]) == ("received", "initial-in")


def test_an_inbound_message_reopens_its_conversation_and_counts(
    api: httpx2.Client, conversation: str
) -> None:
    data(api.post(f"/conversations/{conversation}/messages", json=CHAT | {"direction": "out"}), 201)
    assert data(api.get(f"/conversations/{conversation}"))["attributes"]["status"] == "done"

    data(api.post(f"/conversations/{conversation}/messages", json=CHAT), 201)

    attributes = data(api.get(f"/conversations/{conversation}"))["attributes"]
    assert (attributes["status"], attributes["messageCount"], attributes["channels"]) == ("open", 2, ["chat"])


def test_messages_are_listed_for_the_org_a_conversation_and_a_customer(
    api: httpx2.Client, customer: str, conversation: str
) -> None:
    first = data(api.post(f"/conversations/{conversation}/messages", json=CHAT), 201)["id"]
    # Without a conversation it makes one.
    second = data(api.post(f"/customers/{customer}/messages", json=CHAT), 201)["id"]

    assert [one["id"] for one in data(api.get(f"/conversations/{conversation}/messages"))] == [first]
    for path in (f"/customers/{customer}/messages", "/messages"):
        assert {one["id"] for one in data(api.get(path))} == {first, second}
    assert [one["id"] for one in data(api.get("/messages?sort=desc&pageSize=1"))] == [second]
    assert wrong(api.get("/messages?sort=up")) == ["sort"]


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"channel": "phone"}, "channel"),
        ({"app": None}, "app"),
        ({"directionType": "initial-in"}, "directionType"),
        ({"preview": "x" * 10241}, "preview"),
        ({"sentAt": "2026-03-02"}, "sentAt"),
        ({"custom": {"unknownStr": "x"}}, "unknownStr"),
        ({"attachments": [AN_ID]}, "attachments.0"),
        ({"conversation": AN_ID}, "conversation"),
    ],
)
def test_a_message_that_does_not_fit_is_refused_with_its_property(
    api: httpx2.Client, conversation: str, change: dict[str, Any], parameter: str
) -> None:
    assert wrong(api.post(f"/conversations/{conversation}/messages", json=CHAT | change)) == [parameter]


def test_a_message_is_found_by_its_external_id_where_kustomer_has_that_look_up(
    api: httpx2.Client, kustomer: KustomerHandle, conversation: str
) -> None:
    body = CHAT | {"externalId": "cloudtalk:call:1:voice"}
    made = data(api.post(f"/conversations/{conversation}/messages", json=body), 201)
    path = "/messages/externalid=cloudtalk%3Acall%3A1%3Avoice"

    assert data(api.get(path))["id"] == made["id"]
    assert wrong(api.get("/messages/externalid=another"), 404) == ["externalId"]
    kustomer.read_as(message_lookup="missing")
    assert wrong(api.get(path), 404) == ["id"]


def test_a_message_is_changed_except_for_what_makes_it_what_it_is(
    api: httpx2.Client, conversation: str
) -> None:
    made = data(api.post(f"/conversations/{conversation}/messages", json=CHAT), 201)["id"]
    change = {"preview": "Changed", "meta": {"from": "+15550100101"}, "status": "received", "subject": None}

    changed = data(api.patch(f"/messages/{made}", json=change))["attributes"]

    assert {name: changed[name] for name in change} == change
    for name in ("channel", "app", "direction", "auto", "customer"):
        assert wrong(api.patch(f"/messages/{made}", json={name: CHAT.get(name, AN_ID)})) == [name]
    assert wrong(api.patch(f"/messages/{made}", json={"attachments": [AN_ID]}))
    assert wrong(api.patch(f"/messages/{made}", json={"createdAt": "2026-03-02T09:00:00Z"}), 401) == [
        "createdAt"
    ]
    assert wrong(api.patch(f"/messages/{AN_ID}", json=change), 404) == ["id"]


@pytest.mark.parametrize(("reading", "status"), [("refuse", 409), ("duplicate", 201)])
def test_a_second_message_with_an_external_id_is_refused_or_made(
    api: httpx2.Client, kustomer: KustomerHandle, conversation: str, reading: str, status: int
) -> None:
    kustomer.read_as(external_id=reading)
    path, body = f"/conversations/{conversation}/messages", CHAT | {"externalId": "call:1:voice"}
    data(api.post(path, json=body), 201)

    assert api.post(path, json=body).status_code == status


def test_a_message_of_nobody_wants_a_direction_and_somebody(api: httpx2.Client, customer: str) -> None:
    assert wrong(api.post("/messages", json={"channel": "chat", "app": "test"})) == ["direction"]
    assert wrong(api.post("/messages", json=CHAT)) == ["conversation"]
    data(api.post("/messages", json=CHAT | {"customer": customer}), 201)


def test_what_only_admins_set_is_refused_with_401(api: httpx2.Client, conversation: str) -> None:
    answer = api.post(f"/conversations/{conversation}/messages", json=CHAT | {"createdBy": AN_ID})

    assert wrong(answer, 401) == ["createdBy"]


def test_more_than_120_messages_a_minute_for_a_customer_are_refused_unless_imported(
    api: httpx2.Client, conversation: str
) -> None:
    path = f"/conversations/{conversation}/messages"
    statuses = [api.post(path, json=CHAT).status_code for _ in range(121)]

    assert statuses == [201] * 120 + [429]
    assert api.post(path, json=CHAT | {"importedAt": "2026-03-02T09:00:00Z"}).status_code == 201


def test_companies_are_created_and_found(api: httpx2.Client) -> None:
    made = data(api.post("/companies", json={"name": "Example Ltd", "externalId": "x", "tags": ["VIP"]}), 201)

    assert data(api.get(f"/companies/{made['id']}"))["attributes"]["name"] == "Example Ltd"
    data(api.post("/companies", json={"name": "Invented"}), 201)
    names = {
        query: [one["attributes"]["name"] for one in data(api.get("/companies", params=query))]
        for query in ("", "externalId=x", "filter=invent", "externalId=x&filter=invent")
    }
    assert names == {
        "": ["Example Ltd", "Invented"],
        "externalId=x": ["Example Ltd"],
        "filter=invent": ["Invented"],
        # Documented: both together are ignored.
        "externalId=x&filter=invent": ["Example Ltd", "Invented"],
    }


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": "Example Ltd", "phone": "x"}, "phone"),
        ({"name": "Example Ltd", "domains": [{"domain": "a", "x": 1}]}, "domains.0.x"),
    ],
)
def test_a_company_that_does_not_fit_is_refused(api: httpx2.Client, body: Any, parameter: str) -> None:
    assert wrong(api.post("/companies", json=body)) == [parameter]


def test_the_sample_desk_has_one_of_each_and_can_be_put_back(
    api: httpx2.Client, kustomer: KustomerHandle
) -> None:
    ids = kustomer.add_desk()
    data(api.patch(f"/customers/{ids['customer']}", json={"name": "Changed"}))

    assert httpx2.post(kustomer.url + "/_sandbox/desk").json() == ids

    paths = {"company": "companies", "customer": "customers"}
    for kind, one_id in ids.items():
        assert data(api.get(f"/{paths.get(kind, kind + 's')}/{one_id}"))["id"] == one_id
    assert data(api.get(f"/customers/{ids['customer']}"))["attributes"]["name"] == "Gil Sample"
