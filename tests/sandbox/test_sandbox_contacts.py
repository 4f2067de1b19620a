"""The sandbox's CloudTalk: contacts and text messages."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.sandbox.cloudtalk.contacts import add_contact
from bridge.sandbox.handles import CloudTalkHandle
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.world import World

ADA = "+441632960304"
SMS = {"recipient": ADA, "sender": "+15550100101", "message": "Hello"}


def data(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["responseData"]


def wrong(answer: httpx2.Response, status: int = 406) -> list[str]:
    """The fields that a refusal names."""
    return list(data(answer, status).get("data", {}))


@pytest.fixture
def ada(sandbox: RunningSandbox) -> int:
    contact = add_contact(
        sandbox.world,
        {
            "name": "Ada & Co",
            "country_id": 1,
            "industry": "it",
            "ContactNumber": [{"public_number": ADA}, {"public_number": "+441632960305"}],
            "ContactEmail": [{"email": "ada@example.com"}],
            "ContactsTag": [{"name": "VIP"}],
        },
    )
    return int(contact["id"])


def test_a_contact_is_shown_as_a_real_answer_was(core: httpx2.Client, ada: int) -> None:
    shown = data(core.get(f"/contacts/show/{ada}.json"))

    assert shown["Contact"]["id"] == str(ada)
    assert shown["Contact"]["name"] == "Ada &amp; Co"
    assert [one["public_number"] for one in shown["ContactNumber"]] == [441632960304, 441632960305]
    assert [one["name"] for one in shown["Tag"]] == ["VIP"]
    assert shown["ExternalUrl"] is None


def test_a_list_has_one_number_and_one_address_as_objects(core: httpx2.Client, ada: int) -> None:
    listed = data(core.get("/contacts/index.json"))

    (item,) = listed["data"]
    assert (listed["itemsCount"], listed["pageCount"], listed["pageNumber"]) == (1, 1, 1)
    assert item["Contact"] == {"id": str(ada), "name": "Ada &amp; Co", "company": None}
    assert item["ContactNumber"] == {"public_number": 441632960304}
    assert item["ContactEmail"] == {"email": "ada@example.com"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"keyword": "960305"}, 1),
        ({"keyword": "ADA@"}, 1),
        ({"keyword": "nobody"}, 0),
        ({"country_id": "1", "industry": "it"}, 1),
        ({"country_id": "2"}, 0),
        ({"tag_id": "1"}, 0),
        # Ignored without a word.
        ({"phone": "nobody"}, 1),
        ({"page": "2"}, 0),
    ],
)
def test_contacts_are_filtered(core: httpx2.Client, ada: int, query: dict[str, str], found: int) -> None:
    assert len(data(core.get("/contacts/index.json", params=query))["data"]) == found


def test_a_filter_that_cannot_be_read_is_refused_by_its_name(core: httpx2.Client) -> None:
    assert wrong(core.get("/contacts/index.json", params={"limit": "1001"})) == ["limit"]
    assert wrong(core.get("/contacts/index.json", params={"country_id": "GB"})) == ["country_id"]


def test_a_contact_is_created_and_a_second_time_a_second_one(core: httpx2.Client) -> None:
    made = [data(core.put("/contacts/add.json", json={"name": "Ada Example"}), 201) for _ in range(2)]

    assert made[0]["status"] == 201
    assert made[0]["data"]["id"] != made[1]["data"]["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"name": "Ada", "phone": ADA}, "phone"),
        ({"name": "Ada", "country_id": "1"}, "country_id"),
        ({"name": "Ada", "ContactNumber": [{"public_number": "none"}]}, "ContactNumber.0.public_number"),
        ({"name": "Ada", "ContactEmail": [{"email": "none"}]}, "ContactEmail.0.email"),
        ({"name": "Ada", "ExternalUrl": [{"name": "a", "url": "https://example.com"}] * 4}, "ExternalUrl"),
        (
            {"name": "Ada", "ContactAttribute": [{"attribute_id": 7, "value": "x" * 256}]},
            "ContactAttribute.0.value",
        ),
        ([], "body"),
    ],
)
def test_a_contact_that_does_not_fit_is_refused_with_its_field(
    core: httpx2.Client, body: Any, field: str
) -> None:
    answer = core.put("/contacts/add.json", json=body)

    assert wrong(answer) == [field]
    assert answer.json()["responseData"]["message"] == "Invalid input data."
    assert core.put("/contacts/add.json", content=b"{").status_code == 406


def test_an_edit_replaces_the_lists_that_it_names_and_no_others(core: httpx2.Client, ada: int) -> None:
    body = {"title": "Dr.", "ContactNumber": [{"public_number": "+15550100102"}]}

    data(core.post(f"/contacts/edit/{ada}.json", json=body))

    shown = data(core.get(f"/contacts/show/{ada}.json"))
    assert (shown["Contact"]["title"], shown["Contact"]["name"]) == ("Dr.", "Ada &amp; Co")
    assert [one["public_number"] for one in shown["ContactNumber"]] == [15550100102]
    assert [one["email"] for one in shown["ContactEmail"]] == ["ada@example.com"]
    assert wrong(core.post(f"/contacts/edit/{ada}.json", json={"nam": "x"})) == ["nam"]


def test_tags_are_added_to_what_is_there_once(core: httpx2.Client, ada: int) -> None:
    for _ in range(2):
        answer = data(core.put(f"/contacts/addTags/{ada}.json", json={"tags": ["Billing", "VIP"]}))

    assert [one["name"] for one in answer["data"]["tags"]] == ["VIP", "Billing"]
    assert answer["data"]["contact_id"] == str(ada)
    assert wrong(core.put(f"/contacts/addTags/{ada}.json", json={"tags": []})) == ["tags"]


def test_a_contact_that_is_gone_is_not_found_by_anything(core: httpx2.Client, ada: int) -> None:
    data(core.delete(f"/contacts/delete/{ada}.json"))

    for answer in (
        core.delete(f"/contacts/delete/{ada}.json"),
        core.get(f"/contacts/show/{ada}.json"),
        core.post(f"/contacts/edit/{ada}.json", json={}),
        core.put(f"/contacts/addTags/{ada}.json", json={"tags": ["x"]}),
    ):
        assert data(answer, 404)["message"] == "Not found."
    assert data(core.get("/contacts/index.json"))["data"] == []


def test_a_deleted_document_stays_away_after_a_restart(tmp_path: Any) -> None:
    world = World(tmp_path / "world.db")
    for name in ("Ada Example", "Ed Invented"):
        add_contact(world, {"name": name})
    world.store.drop("contact", "1400000200")
    world.store.drop("contact", "1400000200")
    world.close()

    again = World(tmp_path / "world.db")

    assert [one["name"] for one in again.store.all("contact")] == ["Ed Invented"]
    again.close()


def test_a_message_is_kept_and_answered_without_an_id(core: httpx2.Client, sandbox: RunningSandbox) -> None:
    answer = data(core.post("/sms/send.json", json=SMS))

    # A text, as in their example.
    assert answer == {"success": "true", "data": SMS | {"country_code": None}}
    assert [one["message"] for one in sandbox.world.store.all("text_message")] == ["Hello"]


@pytest.mark.parametrize(
    "change",
    [
        {"recipient": "441632960304"},
        {"sender": None},
        {"message": 7},
        {"novel": 1},
        {"images_by_url": ["https://example.com/a.png"] * 6},
        {"recipient": f"whatsapp:{ADA}"},
        {"file_by_url": "https://example.com/a.pdf"},
    ],
)
def test_a_message_that_does_not_fit_is_malformed(core: httpx2.Client, change: dict[str, Any]) -> None:
    assert data(core.post("/sms/send.json", json=SMS | change), 400)["message"] == "Bad request"


def test_a_message_that_was_not_sent_is_a_success_that_says_so(
    core: httpx2.Client, cloudtalk: CloudTalkHandle
) -> None:
    unknown = data(core.post("/sms/send.json", json=SMS | {"sender": "+15550100199"}))
    assert unknown == {"success": "false", "data": "Unknown number"}

    cloudtalk.read_as(sms_failure="Limit exceeded")
    assert data(core.post("/sms/send.json", json=SMS)) == {"success": "false", "data": "Limit exceeded"}

    cloudtalk.read_as(sms_failure=None, sms_out_of_funds=True)
    assert data(core.post("/sms/send.json", json=SMS), 403)["message"] == "Insufficient Funds"
