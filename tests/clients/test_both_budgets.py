"""Searches are limited as a kind, beside the limit of all requests."""

from __future__ import annotations

import httpx2
import pytest
import redis

from bridge.clients.kustomer import Kustomer
from bridge.errors import RateLimited
from bridge.ledger.budgets.budget import Budget

CRITERIA = [{"customer_phone": {"equals": "+441632960304"}}]


def kustomer_of(client: redis.Redis, answer: httpx2.Response, *, searches: int) -> Kustomer:
    return Kustomer(
        client=httpx2.Client(transport=httpx2.MockTransport(lambda _: answer)),
        url="https://example.com",
        api_key="key",
        budget=Budget(client, service="kustomer", share=100),
        search_budget=Budget(client, service="kustomer-search", share=searches),
    )


def test_searches_beyond_their_share_are_not_sent_and_others_are(redis_client: redis.Redis) -> None:
    kustomer = kustomer_of(redis_client, httpx2.Response(200, json={"data": []}), searches=1)
    kustomer.customers.search(CRITERIA)

    with pytest.raises(RateLimited):
        kustomer.customers.search(CRITERIA)

    kustomer.conversations.page({"page": "1"})
    assert Budget(redis_client, service="kustomer", share=100).state()["left"] == 98


def test_a_refused_search_closes_searches_alone(redis_client: redis.Redis) -> None:
    answer = httpx2.Response(429, headers={"retry-after": "30"}, json={"errors": []})
    kustomer = kustomer_of(redis_client, answer, searches=60)

    with pytest.raises(RateLimited):
        kustomer.customers.search(CRITERIA)

    closed = {
        name: Budget(redis_client, service=name, share=60).state()["closed_for_s"] > 0
        for name in ("kustomer", "kustomer-search")
    }
    assert closed == {"kustomer": False, "kustomer-search": True}
