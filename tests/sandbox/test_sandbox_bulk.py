"""Kustomer's bulk endpoints as the sandbox plays them."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.sandbox.handles import KustomerHandle
from tests.sandbox.test_sandbox_kustomer import data, wrong


def customer(n: int, **more: Any) -> dict[str, Any]:
    return {"name": f"Ada {n}", "externalId": f"ada:{n}", **more}


def with_refs(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "_clientRef": f"ref-{n}"} for n, item in enumerate(items)]


def sent(api: httpx2.Client, kind: str, items: list[dict[str, Any]]) -> str:
    return str(data(api.post(f"/{kind}/bulk", json=items), 201)["id"])


def results(api: httpx2.Client, bulk_id: str) -> dict[str, dict[str, Any]]:
    batches = api.get(f"/bulk/{bulk_id}/batches").json()
    return {one["_clientRef"]: one for batch in batches for one in batch["results"]}


def test_a_bulk_request_is_taken_at_once_and_carried_out_later(
    api: httpx2.Client, kustomer: KustomerHandle
) -> None:
    kustomer.read_as(bulk_takes_s=None)

    bulk_id = sent(api, "customers", with_refs([customer(1), customer(2)]))
    before = data(api.get(f"/bulk/{bulk_id}"))["attributes"]
    none = kustomer.customers
    kustomer.finish_bulk()
    after = data(api.get(f"/bulk/{bulk_id}"))["attributes"]

    assert (before["status"], before["batches"], none) == ("queued", {"complete": 0, "total": 1}, [])
    assert (after["status"], after["batches"]) == ("complete", {"complete": 1, "total": 1})
    # In an order of its own.
    assert [one["attributes"]["name"] for one in kustomer.customers] == ["Ada 2", "Ada 1"]


def test_each_item_has_a_result_of_its_own(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    taken = kustomer.add_customer(name="Ada", externalId="ada:1")
    items = [customer(1), customer(2), customer(3, colour="green"), customer(4)]
    kustomer.read_as(bulk_refuses=["ada:4"])

    found = results(api, sent(api, "customers", with_refs(items)))

    assert {ref: one["status"] for ref, one in found.items()} == {
        "ref-0": "error",
        "ref-1": "created",
        "ref-2": "error",
        "ref-3": "error",
    }
    assert found["ref-0"]["error"] == "duplicate detected"
    assert "colour" in found["ref-2"]["error"]
    assert {one["id"] for one in kustomer.customers} == {taken, found["ref-1"]["objectId"]}


def test_conversations_and_notes_are_made_in_bulk(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    ada = kustomer.add_customer(name="Ada")

    made = results(api, sent(api, "conversations", with_refs([{"customer": ada, "externalId": "call:1"}])))
    conversation = made["ref-0"]["objectId"]
    notes = with_refs([{"conversation": conversation, "body": "Talked."}, {"body": "Nowhere."}])
    noted = results(api, sent(api, "notes", notes))

    (note,) = kustomer.notes
    assert note["relationships"]["conversation"]["data"]["id"] == conversation
    assert [noted[f"ref-{n}"]["status"] for n in range(2)] == ["created", "error"]


def test_without_references_only_the_ids_are_told(api: httpx2.Client) -> None:
    bulk_id = sent(api, "customers", [customer(n) for n in range(30)])

    api.get(f"/bulk/{bulk_id}")
    batches = api.get(f"/bulk/{bulk_id}/batches").json()

    assert [batch["successCount"] for batch in batches] == [25, 5]
    assert all(
        "results" not in batch and len(batch["objectIds"]) == batch["successCount"] for batch in batches
    )


@pytest.mark.parametrize(
    ("items", "where"),
    [
        pytest.param([], "body", id="none"),
        pytest.param([{"name": f"Ada {n}"} for n in range(101)], "body", id="more than 100"),
        pytest.param({"name": "Ada"}, "body", id="no list"),
        pytest.param([{"_clientRef": "a"}, {}], "_clientRef", id="a reference on some"),
        pytest.param([{"_clientRef": "a"}, {"_clientRef": "a"}], "_clientRef", id="a reference twice"),
        pytest.param([{"_clientRef": ""}], "_clientRef", id="an empty reference"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_as_a_whole(
    api: httpx2.Client, kustomer: KustomerHandle, items: object, where: str
) -> None:
    assert wrong(api.post("/customers/bulk", json=items)) == [where]
    assert kustomer.customers == []


def test_a_bulk_request_counts_once(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    kustomer.limit(3)
    bulk_id = sent(api, "customers", with_refs([customer(n) for n in range(50)]))
    api.get(f"/bulk/{bulk_id}")

    assert api.get(f"/bulk/{bulk_id}/batches").status_code == 200
    assert api.get("/customers").status_code == 429


def test_looking_takes_a_role(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    kustomer.read_as(bulk_role=False)
    bulk_id = sent(api, "customers", [customer(1)])

    assert api.get(f"/bulk/{bulk_id}").status_code == 401
    assert api.get(f"/bulk/{bulk_id}/batches").status_code == 401


def test_an_org_may_have_none(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    kustomer.read_as(bulk=False)

    assert api.post("/customers/bulk", json=[customer(1)]).status_code == 404


def test_a_deleted_customer_takes_its_conversations_along(
    api: httpx2.Client, kustomer: KustomerHandle
) -> None:
    ada = kustomer.add_customer(name="Ada")
    api.post("/conversations", json={"customer": ada})

    data(api.request("DELETE", "/customers/bulk", params={"ids": ada}), 201)
    api.get("/customers")

    assert kustomer.customers == kustomer.conversations == []
