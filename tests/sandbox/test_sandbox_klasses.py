"""The sandbox's custom objects, as strict as Kustomer's published description."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.sandbox import KUSTOMER_KEY
from bridge.sandbox.handles import KustomerHandle

CLASS = {"name": "call", "icon": "phone", "metadata": {"properties": {"talkNum": {"displayName": "Talk"}}}}


def send(kustomer: KustomerHandle, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {KUSTOMER_KEY}"}
    reply = httpx2.request(method, f"{kustomer.url}/v1{path}", json=body, headers=headers)
    return reply.status_code, reply.json()


def test_a_class_that_nobody_defined_and_an_object_that_nobody_made_are_both_404(
    kustomer: KustomerHandle,
) -> None:
    customer = kustomer.add_customer(name="Ada Example")

    assert send(kustomer, "GET", "/klasses/call/externalId=x")[0] == 404
    assert send(kustomer, "POST", f"/customers/{customer}/klasses/call", {"title": "Call"})[0] == 404
    assert httpx2.post(f"{kustomer.url}/_sandbox/klasses", json=CLASS).json() == {"name": "call"}
    assert send(kustomer, "GET", "/klasses/call/externalId=x")[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"title": "Call", "externalId": "x", "custom": {"talkNum": 9}}, 201, None),
        ({"externalId": "x"}, 400, "title"),
        ({"title": "Call", "custom": {"waitNum": 9}}, 400, "waitNum"),
        ({"title": "Call", "custom": {"talkNum": "9"}}, 400, "custom"),
        ({"title": "Call", "name": "x"}, 400, "name"),
    ],
)
def test_a_custom_object_is_checked_property_by_property(
    kustomer: KustomerHandle, body: dict[str, Any], status: int, named: str | None
) -> None:
    customer = kustomer.add_customer(name="Ada Example")
    kustomer.define_klass(CLASS)

    code, said = send(kustomer, "POST", f"/customers/{customer}/klasses/call", body)

    assert code == status
    if named is not None:
        assert said["errors"][0]["source"]["parameter"] == named
        return
    there = send(kustomer, "GET", "/klasses/call/externalId=x")[1]["data"]
    assert there["type"] == "kobject.call" and there["attributes"]["custom"] == {"talkNum": 9}
    path = f"/klasses/call/{there['id']}"
    assert send(kustomer, "PUT", path, {"title": "New", "customer": customer})[0] == 400
    assert send(kustomer, "PUT", path, {"title": "New"})[1]["data"]["attributes"]["title"] == "New"
    page = httpx2.get(kustomer.url).text
    assert "New" in page and "talkNum: 9" in page
