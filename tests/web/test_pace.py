"""Wrong tokens: slower with each of the same client, and forgotten after a while."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from bridge.web.pace import Pace, client_name


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    return waits


def test_each_further_try_of_a_client_takes_longer_up_to_a_bound(slept: list[float]) -> None:
    pace = Pace(0.5, clock=lambda: 0.0)

    async def tries() -> None:
        for _ in range(9):
            assert await pace.was_wrong("192.0.2.1")
        assert await pace.was_wrong("192.0.2.2")

    asyncio.run(tries())

    assert slept == [0.5, 0.5, 0.5, 1, 2, 4, 4, 4, 4, 0.5]


def test_a_client_that_stopped_is_forgotten(slept: list[float]) -> None:
    now = [0.0]
    pace = Pace(0.5, clock=lambda: now[0])

    async def tries() -> None:
        for _ in range(6):
            await pace.was_wrong("192.0.2.1")
        now[0] = 700.0
        await pace.was_wrong("192.0.2.1")

    asyncio.run(tries())

    assert slept[-2:] == [4, 0.5]


def test_many_clients_cost_no_more_than_so_much_memory(slept: list[float]) -> None:
    pace = Pace(0.0, clock=lambda: 0.0)

    async def tries() -> None:
        for n in range(10_050):
            await pace.was_wrong(str(n))

    asyncio.run(tries())

    assert len(pace._wrong) == 10_000
    assert not pace._waiting


def test_a_customer_of_ipv6_is_one_client() -> None:
    assert client_name(("2001:db8:1:2::1", 5)) == client_name(("2001:db8:1:2:ffff::9", 5))
    assert client_name(("2001:db8:1:3::1", 5)) != client_name(("2001:db8:1:2::1", 5))
    assert client_name(("::ffff:192.0.2.1", 5)) != client_name(("::ffff:192.0.2.2", 5))
    assert client_name(None) == "" and client_name(("x", 1)) == "x"
