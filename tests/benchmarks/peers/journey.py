"""The journey of a call that each worker makes: four requests in a row, each answered after a while.

`done` in Redis counts the calls, which is what is measured; it stands for whatever a worker writes down.
"""

from __future__ import annotations

import os
from typing import Any

import redis

URL = os.environ.get("STUB_URL", "")
AT_ONCE = int(os.environ.get("AT_ONCE", "8"))
DONE = "done"


def requests_of(number: int) -> list[tuple[str, str, dict[str, Any] | None]]:
    return [
        ("GET", f"{URL}/v1/customers/phone={number}/customers", None),
        (
            "POST",
            f"{URL}/v1/customers",
            {"name": f"Ada {number}", "phones": [{"phone": f"+44163{number:07}"}]},
        ),
        (
            "POST",
            f"{URL}/v1/customers/1/conversations",
            {"name": f"Call {number}", "externalId": str(number)},
        ),
        (
            "POST",
            f"{URL}/v1/conversations/1/notes",
            {"body": "answered, 97 s " * 10, "externalId": str(number)},
        ),
    ]


def by_urllib3() -> Any:
    """Makes a journey with urllib3."""
    import urllib3

    pool, store = urllib3.PoolManager(maxsize=AT_ONCE), redis.Redis.from_url(os.environ["REDIS_URL"])

    def carry(number: int) -> None:
        for method, url, body in requests_of(number):
            assert pool.request(method, url, json=body).json() is not None
        store.incr(DONE)

    return carry


def by_httpx() -> Any:
    """Makes a journey with httpx."""
    import httpx

    client = httpx.Client(limits=httpx.Limits(max_connections=AT_ONCE))
    store = redis.Redis.from_url(os.environ["REDIS_URL"])

    def carry(number: int) -> None:
        for method, url, body in requests_of(number):
            assert client.request(method, url, json=body).json() is not None
        store.incr(DONE)

    return carry


async def by_aiohttp(session: Any, store: Any, number: int) -> None:
    """A journey with aiohttp."""
    for method, url, body in requests_of(number):
        async with session.request(method, url, json=body) as answer:
            assert await answer.json() is not None
    await store.incr(DONE)
