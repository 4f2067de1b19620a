from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.sandbox.handles import KustomerHandle
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.world import World

ADA = "+441632960304"
AN_ID = "5f0e0000000000000000a1cc"


def data(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def wrong(answer: httpx2.Response, status: int = 400) -> list[str]:
    """What an answer says is wrong."""
    assert answer.status_code == status, answer.text
    return [error.get("source", {}).get("parameter", "") for error in answer.json()["errors"]]


@pytest.fixture
def ada(kustomer: KustomerHandle) -> str:
    return kustomer.add_customer(name="Ada Example", phones=[{"type": "mobile", "phone": ADA}])


@pytest.fixture
def conversation(api: httpx2.Client, ada: str) -> str:
    return str(data(api.post("/conversations", json={"customer": ada, "externalId": "call:1"}), 201)["id"])


# Keys, paths, bodies


def test_every_answer_tells_the_budget(api: httpx2.Client) -> None:
    for answer in (api.get("/customers"), api.get("/nowhere"), api.post("/customers", json={"x": 1})):
        assert {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"} <= set(answer.headers)
        assert answer.headers["x-kustomer-pod"] == "prod1"


def test_a_wrong_key_is_refused_in_the_envelope(kustomer: KustomerHandle) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        answer = httpx2.get(kustomer.url + "/v1/customers", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["status"] == 401


def test_a_body_that_is_not_json_is_refused(api: httpx2.Client) -> None:
    headers = {"content-type": "application/json"}

    assert api.post("/customers", content=b"{", headers=headers).status_code == 400
    assert api.post("/customers", content=b"NaN", headers=headers).status_code == 400
    assert api.post("/customers", content=b"[" * 50_000, headers=headers).status_code == 400
    assert api.post("/customers", content=b"[]", headers=headers).status_code == 400
    assert api.post("/customers", content=b"{}", headers={"content-type": "text/plain"}).status_code == 400


def test_a_body_above_100_kilobytes_is_refused(api: httpx2.Client) -> None:
    assert api.post("/customers", json={"name": "x" * 100_000}).status_code == 413


def test_an_unknown_property_is_named_in_the_refusal(api: httpx2.Client) -> None:
    answer = api.post("/customers", json={"name": "Ada Example", "phone": ADA})

    assert answer.json() == {
        "errors": [
            {
                "status": 400,
                "code": "badparam",
                "title": "Additional properties not allowed",
                "source": {"parameter": "phone"},
            }
        ]
    }


def test_the_newer_shape_of_errors_is_a_reading(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    kustomer.read_as(error_shape="new")

    (error,) = api.post("/customers", json={"phone": ADA}).json()["errors"]

    assert set(error) == {"code", "message", "meta"}
    assert error["code"] == "bad_request"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": 7}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"externalId": ""}, "externalId"),
        ({"phones": [{"phone": ADA, "type": "cell"}]}, "phones.0.type"),
        ({"phones": [{"number": ADA}]}, "phones.0.phone"),
        ({"phones": [{"phone": "anonymous"}]}, "phones.0.phone"),
        ({"emails": [{"email": "nobody"}]}, "emails.0.email"),
        ({"tags": ["a:b"]}, "tags.0"),
        ({"gender": "x"}, "gender"),
        ({"signedUpAt": "yesterday"}, "signedUpAt"),
        ({"custom": {"scoreNum": 1}}, "scoreNum"),
    ],
)
def test_a_customer_that_breaks_a_rule_is_refused(api: httpx2.Client, body: Any, named: str) -> None:
    assert named in wrong(api.post("/customers", json=body))


def test_a_custom_attribute_is_taken_once_the_org_has_defined_it(
    kustomer: KustomerHandle, api: httpx2.Client
) -> None:
    kustomer.read_as(custom_attributes=["scoreNum"])

    assert data(api.post("/customers", json={"custom": {"scoreNum": 1}}), 201)
    assert wrong(api.post("/customers", json={"custom": {"scoreNum": "1"}})) == ["custom"]


# Customers


def test_a_created_customer_has_the_shape_of_the_published_one(api: httpx2.Client) -> None:
    customer = data(
        api.post("/customers", json={"name": "Ada Example", "phones": [{"phone": ADA, "type": "work"}]}), 201
    )

    assert set(customer) == {"type", "id", "attributes", "relationships", "links"}
    assert customer["type"] == "customer"
    assert len(customer["id"]) == 24
    assert customer["attributes"]["phones"] == [{"phone": ADA, "verified": False, "type": "work"}]
    assert customer["attributes"]["rev"] == 1
    assert {
        "name", "displayName", "externalIds", "emails", "sharedPhones", "locations", "createdAt", "updatedAt",
        "modifiedAt", "conversationCounts", "tags", "progressiveStatus", "verified",
    } <= set(customer["attributes"])  # fmt: skip
    assert {"org", "messages", "createdBy", "modifiedBy"} <= set(customer["relationships"])
    assert customer["links"] == {"self": f"/v1/customers/{customer['id']}"}


@pytest.mark.parametrize(
    "segment",
    ["phone=%2B441632960304", "phone=441632960304", "email=ADA%40example.com", "externalId=crm%2F7%3Aa"],
)
def test_a_customer_is_found_by_one_encoded_segment(
    kustomer: KustomerHandle, api: httpx2.Client, segment: str
) -> None:
    kustomer.add_customer(
        phones=[{"phone": ADA}], emails=[{"email": "ada@example.com"}], externalId="crm/7:a"
    )

    assert data(api.get(f"/customers/{segment}"))["type"] == "customer"


def test_a_slash_left_as_it_is_makes_two_segments_and_finds_nothing(
    kustomer: KustomerHandle, api: httpx2.Client
) -> None:
    kustomer.add_customer(externalId="crm/7")

    assert api.get("/customers/externalId=crm/7").status_code == 404


def test_a_missed_lookup_names_what_was_looked_for(api: httpx2.Client) -> None:
    assert api.get("/customers/externalId=9999").json() == {
        "errors": [
            {"status": 404, "source": {"parameter": "externalId"}, "code": "notfound", "title": "Not Found"}
        ]
    }
    assert wrong(api.get(f"/customers/{AN_ID}"), 404) == ["id"]


@pytest.mark.parametrize(
    "repeated",
    [
        {"phones": [{"phone": "441632960304"}]},
        {"emails": [{"email": "Ada@Example.com"}]},
        {"externalId": "crm-7"},
        {"externalIds": [{"externalId": "crm-7"}]},
    ],
)
@pytest.mark.parametrize("status", ["409", "400"])
def test_a_contact_point_belongs_to_one_customer(
    kustomer: KustomerHandle, api: httpx2.Client, repeated: Any, status: str
) -> None:
    kustomer.read_as(customer_duplicate=status)
    kustomer.add_customer(phones=[{"phone": ADA}], emails=[{"email": "ada@example.com"}], externalId="crm-7")
    other = kustomer.add_customer(name="Bo Sample")

    assert wrong(api.post("/customers", json=repeated), int(status)) == list(repeated)
    assert wrong(api.patch(f"/customers/{other}", json=repeated), int(status)) == list(repeated)
    assert len(kustomer.customers) == 2


def test_a_shared_phone_is_not_unique_and_found_only_by_a_reading(
    kustomer: KustomerHandle, api: httpx2.Client
) -> None:
    first = kustomer.add_customer(sharedPhones=[{"phone": ADA}])
    kustomer.add_customer(sharedPhones=[{"phone": ADA}])

    assert api.get(f"/customers/phone={ADA}").status_code == 404

    kustomer.read_as(shared_phone_lookup=True)
    assert data(api.get(f"/customers/phone={ADA}"))["id"] == first


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_update_without_company_unlinks_it(
    kustomer: KustomerHandle, api: httpx2.Client, method: str
) -> None:
    company = kustomer.add_company()
    customer = kustomer.add_customer(company=company)

    kept = data(api.request(method, f"/customers/{customer}", json={"name": "Ada", "company": company}))
    lost = data(api.request(method, f"/customers/{customer}", json={"name": "Ada"}))

    assert kept["relationships"]["company"]["data"]["id"] == company
    assert "company" not in lost["relationships"]


def test_a_sent_list_replaces_the_one_that_was_there(api: httpx2.Client, ada: str) -> None:
    other = [{"phone": "+441632960305", "verified": False}]

    changed = data(api.patch(f"/customers/{ada}", json={"phones": other}))

    assert changed["attributes"]["phones"] == other
    assert changed["attributes"]["name"] == "Ada Example"
    assert api.get(f"/customers/phone={ADA}").status_code == 404


def test_put_with_replace_leaves_nothing_of_what_was_there(api: httpx2.Client, ada: str) -> None:
    changed = data(api.put(f"/customers/{ada}", params={"replace": "true"}, json={"name": "Ada"}))

    assert changed["attributes"]["phones"] == []


def test_a_stale_rev_is_a_conflict(api: httpx2.Client, ada: str, conversation: str) -> None:
    for path in (f"/customers/{ada}", f"/conversations/{conversation}"):
        assert data(api.patch(path, json={"name": "A", "rev": 1}))["attributes"]["rev"] == 2
        assert wrong(api.patch(path, json={"name": "B", "rev": 1}), 409) == ["rev"]


def test_customers_are_listed_by_pages_with_links(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    for number in range(3):
        kustomer.add_customer(name=f"Sample {number}")

    first = api.get("/customers", params={"pageSize": 2}).json()
    last = api.get(first["links"]["next"].removeprefix("/v1")).json()

    assert first["meta"] == {"page": 1, "pageSize": 2, "total": 3, "totalPages": 2}
    assert first["links"]["prev"] is None
    assert [one["attributes"]["name"] for one in last["data"]] == ["Sample 2"]
    assert last["links"]["next"] is None
    assert wrong(api.get("/customers", params={"pageSize": 101})) == ["pageSize"]


# Conversations


def test_a_created_conversation_has_the_shape_of_the_published_one(api: httpx2.Client, ada: str) -> None:
    body = {"customer": ada, "name": "Foobar", "externalId": "call:1", "status": "done", "direction": "out"}

    created = data(api.post("/conversations", json=body), 201)

    assert created["type"] == "conversation"
    assert created["attributes"]["status"] == "done"
    assert created["attributes"]["direction"] == "out"
    assert created["relationships"]["customer"]["data"] == {"type": "customer", "id": ada}
    assert {
        "name", "channels", "status", "messageCount", "noteCount", "satisfaction", "createdAt", "updatedAt",
        "modifiedAt", "tags", "suggestedTags", "assignedUsers", "assignedTeams", "direction", "rev",
    } <= set(created["attributes"])  # fmt: skip
    assert data(api.get("/conversations/externalId=call%3A1"))["id"] == created["id"]


def test_a_conversation_can_be_created_in_its_customer(api: httpx2.Client, ada: str) -> None:
    created = data(api.post(f"/customers/{ada}/conversations", json={"name": "Call"}), 201)

    listed = api.get(f"/customers/{ada}/conversations").json()

    assert [one["id"] for one in listed["data"]] == [created["id"]]
    assert listed["meta"] == {"page": 1, "pageSize": 100}
    assert wrong(api.post(f"/customers/{ada}/conversations", json={"customer": ada})) == ["customer"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"status": "snoozed"}, "status"),
        ({"priority": 6}, "priority"),
        ({"direction": "incoming"}, "direction"),
        ({"channels": ["voice"]}, "channels"),
        ({"externalId": "x" * 257}, "externalId"),
        ({"id": "not-hex"}, "id"),
        ({"tags": ["#vip"]}, "tags.0"),
        ({"tags": [" vip"]}, "tags.0"),
        ({"tags": ["x" * 65]}, "tags.0"),
        ({"assignedUsers": [AN_ID] * 11}, "assignedUsers"),
    ],
)
def test_a_conversation_that_breaks_a_rule_is_refused(
    api: httpx2.Client, ada: str, body: dict[str, Any], named: str
) -> None:
    assert wrong(api.post("/conversations", json={"customer": ada, **body})) == [named]


def test_nothing_is_created_in_what_does_not_exist(api: httpx2.Client) -> None:
    assert wrong(api.post("/conversations", json={"customer": AN_ID}), 404) == ["customer"]
    assert wrong(api.post(f"/customers/{AN_ID}/conversations", json={}), 404) == ["id"]
    assert wrong(api.post(f"/conversations/{AN_ID}/notes", json={"body": "x"}), 404) == ["id"]
    assert wrong(api.post("/conversations", json={"name": "x"})) == ["customer"]


def test_tags_come_back_as_ids_and_a_sent_list_replaces_all(
    kustomer: KustomerHandle, api: httpx2.Client, conversation: str
) -> None:
    path = f"/conversations/{conversation}"

    first = data(api.post(f"{path}/tags", json=["voice", "Billing 2"]))["attributes"]["tags"]
    again = data(api.post(f"{path}/tags", json=["voice"]))["attributes"]["tags"]

    assert again == first
    assert all(len(tag) == 24 for tag in first)
    assert kustomer.conversations[0]["tagNames"] == ["voice", "Billing 2"]
    assert data(api.request("DELETE", f"{path}/tags", json=["voice"]))["attributes"]["tags"] == first[1:]
    data(api.patch(path, json={"tags": [first[0]]}))
    assert kustomer.conversations[0]["tagNames"] == ["voice"]
    assert wrong(api.post(f"{path}/tags", json=["a:b"])) == ["0"]


def test_moving_a_conversation_is_a_body_of_its_own(
    kustomer: KustomerHandle, api: httpx2.Client, conversation: str
) -> None:
    other = kustomer.add_customer(name="Bo Sample")
    path = f"/conversations/{conversation}"

    assert wrong(api.patch(path, json={"customer": other, "name": "x"})) == ["name"]
    moved = data(api.patch(path, json={"customer": other}))

    assert moved["relationships"]["customer"]["data"]["id"] == other


def test_a_conversation_can_be_snoozed_by_an_update(api: httpx2.Client, conversation: str) -> None:
    body = {"status": "snoozed", "snooze": {"status": "scheduled", "time": "2026-03-02T10:00:00Z"}}
    headers = {"content-type": "application/json-patch+json"}

    changed = data(api.patch(f"/conversations/{conversation}", json=body, headers=headers))

    assert changed["attributes"]["status"] == "snoozed"


def test_a_repeated_external_id_makes_a_second_one_unless_read_otherwise(
    kustomer: KustomerHandle, api: httpx2.Client, ada: str, conversation: str
) -> None:
    body = {"customer": ada, "externalId": "call:1"}
    data(api.post("/conversations", json=body), 201)

    assert len(kustomer.conversations) == 2
    assert data(api.get("/conversations/externalId=call:1"))["id"] == conversation

    kustomer.read_as(external_id="refuse")
    assert wrong(api.post("/conversations", json=body), 409) == ["externalId"]


# Notes


def test_a_created_note_has_the_shape_of_the_published_one(api: httpx2.Client, conversation: str) -> None:
    body = {"body": "Asked for the invoice.", "externalId": "call:1:note"}

    note = data(api.post(f"/conversations/{conversation}/notes", json=body), 201)

    assert set(note["attributes"]) == {"body", "externalId", "createdAt", "updatedAt"}
    assert {"org", "customer", "createdBy", "conversation"} <= set(note["relationships"])
    assert note["relationships"]["conversation"]["data"] == {"type": "conversation", "id": conversation}
    assert data(api.get(f"/notes/{note['id']}")) == note
    listed = api.get(f"/conversations/{conversation}/notes").json()
    assert listed["data"] == [note]
    assert set(listed["links"]) == {"self", "first", "prev", "next"}


def test_notes_of_a_customer_are_those_of_all_conversations(
    api: httpx2.Client, ada: str, conversation: str
) -> None:
    data(api.post(f"/conversations/{conversation}/notes", json={"body": "One"}), 201)

    assert [one["attributes"]["body"] for one in data(api.get(f"/customers/{ada}/notes"))] == ["One"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "body"),
        ({"body": ""}, "body"),
        ({"body": "x" * 10241}, "body"),
        ({"body": "x", "externalId": "x" * 257}, "externalId"),
        ({"body": "x", "id": "7"}, "id"),
        ({"body": "x", "text": "x"}, "text"),
        ({"body": "x", "attachments": [{"_id": AN_ID, "name": "a"}]}, "attachments.0.contentType"),
    ],
)
def test_a_note_that_breaks_a_rule_is_refused(
    api: httpx2.Client, conversation: str, body: Any, named: str
) -> None:
    assert named in wrong(api.post(f"/conversations/{conversation}/notes", json=body))


def test_the_longest_note_is_taken(api: httpx2.Client, conversation: str) -> None:
    assert data(api.post(f"/conversations/{conversation}/notes", json={"body": "x" * 10240}), 201)


@pytest.mark.parametrize("name", ["createdAt", "createdBy", "modifiedAt", "modifiedBy"])
def test_only_an_admin_may_say_who_wrote_a_note_and_when(
    api: httpx2.Client, conversation: str, name: str
) -> None:
    value = AN_ID if name.endswith("By") else "2026-03-02T10:00:00Z"

    answer = api.post(f"/conversations/{conversation}/notes", json={"body": "x", name: value})

    assert wrong(answer, 401) == [name]


def test_a_note_can_be_changed(api: httpx2.Client, conversation: str) -> None:
    note = data(api.post(f"/conversations/{conversation}/notes", json={"body": "x"}), 201)

    changed = data(api.patch(f"/notes/{note['id']}", json={"body": "y"}))

    assert changed["attributes"]["body"] == "y"


@pytest.mark.parametrize(
    ("reading", "status", "notes"), [("conflict", 409, 1), ("ignore", 201, 2), ("refuse", 400, 1)]
)
def test_a_repeated_note_id_is_a_reading(
    kustomer: KustomerHandle, api: httpx2.Client, conversation: str, reading: str, status: int, notes: int
) -> None:
    path = f"/conversations/{conversation}/notes"
    note = data(api.post(path, json={"body": "x", "id": AN_ID}), 201)
    kustomer.read_as(note_id=reading)

    answer = api.post(path, json={"body": "x", "id": AN_ID})

    assert note["id"] == AN_ID
    assert answer.status_code == status
    assert len(kustomer.notes) == notes


# Users


def test_users_are_found_by_email_with_one_filter_at_a_time(api: httpx2.Client) -> None:
    (user,) = data(api.get("/users", params={"email": "bo.sample@example.com"}))

    assert user["attributes"]["displayName"] == "Bo Sample"
    assert {"userType", "email", "roles", "mobile", "name"} <= set(user["attributes"])
    assert data(api.get(f"/users/{user['id']}")) == user
    assert data(api.get("/users", params={"email": "nobody@example.com"})) == []
    assert api.get("/users", params={"email": "a@b", "userType": "user"}).status_code == 400


def test_the_email_filter_is_exact(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    kustomer.add_user(name="Bo Sample", email="bo+support@example.com")

    assert data(api.get("/users", params={"email": "bo@example.com"})) == []
    assert len(data(api.get("/users", params={"email": "bo+support@example.com"}))) == 1


@pytest.mark.parametrize(("reading", "listed"), [("listed", 1), ("hidden", 0)])
def test_users_who_left_are_listed_or_hidden(
    api: httpx2.Client, kustomer: KustomerHandle, reading: str, listed: int
) -> None:
    kustomer.read_as(users_deleted=reading)
    kustomer.add_user(name="Cy", email="cy@example.com", deletedAt="2026-01-05T10:00:00.000Z")

    found = [one for one in data(api.get("/users")) if one["attributes"]["email"] == "cy@example.com"]

    assert len(found) == listed
    assert len(data(api.get("/users", params={"deleted": "true"}))) == 1


def test_teams_are_listed_and_found_by_id(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    team = kustomer.add_team(name="Sales")

    (found,) = [one for one in data(api.get("/teams")) if one["id"] == team]
    assert found["attributes"]["name"] == "Sales"
    assert data(api.get(f"/teams/{team}")) == found


def test_owners_that_do_not_exist_can_be_refused(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    customer = kustomer.add_customer(name="Ada Example")
    body = {"customer": customer, "assignedTeams": [AN_ID]}
    assert api.post("/conversations", json=body).status_code == 201

    kustomer.read_as(assignees="existing")

    refused = api.post("/conversations", json=body)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["source"]["parameter"] == "assignedTeams.0"


def test_the_key_belongs_to_a_machine(api: httpx2.Client) -> None:
    assert data(api.get("/users/current"))["attributes"]["userType"] == "machine"


# Limits


def test_a_spent_budget_is_refused_until_the_window_ends() -> None:
    clock = [1_772_445_600.0]
    world = World(now=lambda: clock[0])
    with RunningSandbox(world=world) as running:
        running.kustomer.limit(2, window_s=60)
        headers = {"Authorization": "Bearer " + running.environ()["KUSTOMER_API_KEY"]}
        with httpx2.Client(base_url=running.kustomer.url + "/v1", headers=headers) as client:
            left = [client.get("/customers").headers["x-ratelimit-remaining"] for _ in range(2)]
            refused = client.get("/customers")
            clock[0] += 60
            again = client.get("/customers")

    assert left == ["1", "0"]
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-reset"] == "1772445660"
    assert "retry-after" not in refused.headers
    assert again.status_code == 200


def test_one_customer_takes_120_conversations_a_minute_and_imports_besides(
    api: httpx2.Client, ada: str
) -> None:
    body = {"customer": ada}
    statuses = {api.post("/conversations", json=body).status_code for _ in range(120)}

    assert statuses == {201}
    assert api.post("/conversations", json=body).status_code == 429
    imported = {**body, "importedAt": "2026-03-02T10:00:00Z"}
    assert api.post("/conversations", json=imported).status_code == 201


# Limits


def test_more_than_the_published_limits_is_refused(api: httpx2.Client, ada: str, conversation: str) -> None:
    tags = [f"tag {number}" for number in range(21)]
    phones = [{"phone": f"+155501020{number:02}"} for number in range(11)]

    assert wrong(api.post("/conversations", json={"customer": ada, "tags": tags})) == ["tags"]
    assert wrong(api.patch(f"/conversations/{conversation}", json={"tags": tags})) == ["tags"]
    assert wrong(api.post("/customers", json={"phones": phones})) == ["phones"]
    assert wrong(api.post("/customers", json={"tags": ["vip", "vip"]})) == ["tags"]
    assert wrong(api.post("/customers", json={"phones": None})) == ["phones"]
    custom = {f"x{number}Str": "" for number in range(101)}
    assert wrong(api.post("/customers", json={"custom": custom})) == ["custom"]


def test_a_queue_has_to_be_named(api: httpx2.Client, ada: str) -> None:
    assert wrong(api.post("/conversations", json={"customer": ada, "queue": {}})) == ["queue"]


def test_only_the_notes_of_the_whole_org_are_sorted(api: httpx2.Client, conversation: str) -> None:
    assert wrong(api.get(f"/conversations/{conversation}/notes", params={"sort": "desc"})) == ["sort"]
    assert api.get("/notes", params={"sort": "desc"}).status_code == 200
