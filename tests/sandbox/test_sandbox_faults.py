from __future__ import annotations

import httpx2
import pytest

from bridge.sandbox.handles import CloudTalkHandle, KustomerHandle


def test_a_lost_reply_was_applied(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    kustomer.lose_next_reply(method="POST")

    with pytest.raises(httpx2.RemoteProtocolError):
        api.post("/customers", json={"name": "Ada Example"})

    assert [one["attributes"]["name"] for one in kustomer.customers] == ["Ada Example"]
    assert (kustomer.writes[0].status, kustomer.writes[0].fault) == (201, "lose_reply")
    assert api.get("/customers").status_code == 200


def test_a_dropped_request_was_not_applied(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    kustomer.drop_next_request()

    with pytest.raises(httpx2.TransportError):
        api.post("/customers", json={"name": "x" * 90_000})

    assert kustomer.customers == []
    assert kustomer.requests[0].status is None


def test_a_failure_is_in_the_services_own_words_and_applies_nothing(
    kustomer: KustomerHandle, cloudtalk: CloudTalkHandle, api: httpx2.Client, analytics: httpx2.Client
) -> None:
    kustomer.fail_next(503, times=2)
    cloudtalk.fail_next(500)

    statuses = [api.post("/customers", json={"name": "Ada Example"}).status_code for _ in range(3)]

    assert statuses == [503, 503, 201]
    assert len(kustomer.customers) == 1
    assert analytics.get("/calls/1").json()["statusCode"] == 500


def test_a_cued_429_tells_when_to_come_back(
    kustomer: KustomerHandle, cloudtalk: CloudTalkHandle, api: httpx2.Client, core: httpx2.Client
) -> None:
    kustomer.fail_next(429, headers={"retry-after": "7"})
    cloudtalk.fail_next(429)

    refused = api.get("/customers")

    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["retry-after"] == "7"
    assert core.get("/calls/index.json").headers["x-cloudtalkapi-remaining"] == "0"


def test_a_fault_waits_for_the_request_it_is_meant_for(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    kustomer.fail_next(500, method="GET", path=r"/externalId=cloudtalk:call:")

    assert api.get("/customers").status_code == 200
    assert api.get("/conversations/externalId=cloudtalk%3Acall%3A1").status_code == 500
    assert api.get("/conversations/externalId=cloudtalk%3Acall%3A1").status_code == 404


def test_a_delayed_request_is_applied_at_once(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    kustomer.delay_next(30)

    with pytest.raises(httpx2.ReadTimeout):
        api.post("/customers", json={"name": "Ada Example"}, timeout=0.2)

    assert len(kustomer.customers) == 1


def test_requests_are_logged_and_can_be_forgotten(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    api.get("/customers", params={"page": 1})
    api.post("/customers", json={})

    assert [(one.method, one.path, one.query, one.status) for one in kustomer.requests] == [
        ("GET", "/v1/customers", "page=1", 200),
        ("POST", "/v1/customers", "", 201),
    ]
    assert [one.method for one in kustomer.writes] == ["POST"]

    kustomer.forget_requests()
    assert kustomer.requests == []
