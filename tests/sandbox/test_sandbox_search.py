"""The sandbox's search of customers, its merges, and what its look-up by phone may answer."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.sandbox.handles import KustomerHandle

NUMBER = "+441632960304"


def searched(api: httpx2.Client, *criteria: dict[str, Any], **more: Any) -> httpx2.Response:
    return api.post("/customers/search", json={"or": list(criteria), "queryContext": "customer", **more})


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["data"]]


def by(number: str, field: str = "customer_phone") -> dict[str, Any]:
    return {field: {"equals": number}}


def test_own_and_shared_numbers_are_searched_apart(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    own = kustomer.add_customer(phones=[{"phone": NUMBER}])
    shared = kustomer.add_customer(sharedPhones=[{"phone": NUMBER}])

    assert ids(searched(api, by(NUMBER))) == [own]
    assert ids(searched(api, by(NUMBER, "customer_shared_phone"))) == [shared]
    assert ids(searched(api, by(NUMBER), by(NUMBER, "customer_shared_phone"))) == [own, shared]


@pytest.mark.parametrize(("reading", "found"), [("digits", 1), ("text", 0)])
def test_spellings_count_where_numbers_are_read_as_they_are_written(
    api: httpx2.Client, kustomer: KustomerHandle, reading: str, found: int
) -> None:
    kustomer.read_as(phone_match=reading)
    kustomer.add_customer(phones=[{"phone": "441632960304"}])

    assert len(ids(searched(api, by(NUMBER)))) == found
    assert api.get(f"/customers/phone={NUMBER}").status_code == (200 if found else 404)


def test_what_changed_just_now_is_not_in_the_index(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    kustomer.read_as(search_delay_s=60)
    kustomer.add_customer(phones=[{"phone": NUMBER}])

    assert ids(searched(api, by(NUMBER))) == []


def test_a_key_without_the_role_is_refused(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    kustomer.read_as(search_role=False)

    assert searched(api, by(NUMBER)).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"or": [by(f"+44163296{n:04}") for n in range(21)]},
        {"or": [by(NUMBER), by(NUMBER)]},
        {"or": [{"customer_shoe_size": {"equals": 9}}]},
        {"or": [by(NUMBER)], "limit": 3},
        {"or": [by(NUMBER)], "queryContext": "agent"},
    ],
)
def test_what_no_search_takes_is_refused(api: httpx2.Client, body: dict[str, Any]) -> None:
    assert api.post("/customers/search", json=body).status_code == 400


def test_searches_have_a_limit_of_their_own(api: httpx2.Client) -> None:
    statuses = [searched(api, by(NUMBER)).status_code for _ in range(101)]

    assert statuses == [200] * 100 + [429]
    assert api.get("/customers").status_code == 200


def test_a_look_up_may_answer_a_list(api: httpx2.Client, kustomer: KustomerHandle) -> None:
    kustomer.read_as(shared_phone_lookup=True, phone_lookup="list")
    both = [kustomer.add_customer(sharedPhones=[{"phone": NUMBER}]) for _ in range(2)]

    assert ids(api.get(f"/customers/phone={NUMBER}")) == both


@pytest.mark.parametrize("reading", ["gone", "target"])
def test_a_merge_gives_all_to_the_target(api: httpx2.Client, kustomer: KustomerHandle, reading: str) -> None:
    kustomer.read_as(merged=reading)
    source = kustomer.add_customer(name="Ada", phones=[{"phone": NUMBER}])
    target = kustomer.add_customer(name="Ada Example", phones=[{"phone": "+441632960305"}])
    api.post("/conversations", json={"customer": source})

    assert api.post("/customers/merges", json={"source": source, "target": target}).status_code == 200

    assert api.get(f"/customers/phone={NUMBER}").json()["data"]["id"] == target
    assert len(api.get(f"/customers/{target}/conversations").json()["data"]) == 1
    answer = api.get(f"/customers/{source}")
    assert answer.json()["data"]["id"] == target if reading == "target" else answer.status_code == 404
