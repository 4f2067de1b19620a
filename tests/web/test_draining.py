"""A web process that is told to stop first has the balancer send new requests elsewhere, and refuses none."""

from __future__ import annotations

import http.client
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.house import TOKEN, House
from tests.support import ended
from tests.waiting import eventually

HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


@pytest.fixture
def draining(tmp_path: Path) -> Iterator[tuple[House, http.client.HTTPConnection]]:
    """A web process that was told to stop, and a connection that was open by then."""
    with House(tmp_path, workers=0, settings={"DRAIN_S": "60"}) as house:
        connection = connected(house)
        assert webhook(connection, 1) == (202, None)
        house.web.send(signal.SIGTERM)
        eventually(lambda: not house.ready(), "/readyz is red", within_s=10, every_s=0.02)
        yield house, connection
        connection.close()


def connected(house: House) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", house.port, timeout=10)


def webhook(connection: http.client.HTTPConnection, number: int) -> tuple[int, str | None]:
    """Status and what becomes of the connection."""
    body = json.dumps(ended(call_id=1_000_000_000 + number, uuid=f"5b0c7f0e-3f5d-4c0e-9a51-{number:012d}"))
    connection.request("POST", "/webhooks/cloudtalk/call-ended", body, HEADERS)
    return answered(connection)


def answered(connection: http.client.HTTPConnection) -> tuple[int, str | None]:
    response = connection.getresponse()
    response.read()
    return response.status, response.getheader("connection")


def test_a_webhook_on_an_open_connection_is_taken_and_ends_the_connection(
    draining: tuple[House, http.client.HTTPConnection],
) -> None:
    _, connection = draining

    assert webhook(connection, 2) == (202, "close")


def test_new_connections_are_still_answered(draining: tuple[House, http.client.HTTPConnection]) -> None:
    house, _ = draining
    connection = connected(house)

    assert webhook(connection, 3) == (202, "close")
    connection.request("GET", "/healthz")
    assert answered(connection) == (200, "close")


def test_readyz_says_why(draining: tuple[House, http.client.HTTPConnection]) -> None:
    house, _ = draining

    answer = house.http.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["reason"] == "this process is stopping; it still answers for some seconds"


def test_a_second_signal_ends_it(draining: tuple[House, http.client.HTTPConnection]) -> None:
    house, _ = draining

    assert house.web.end(signal.SIGTERM) in (0, -signal.SIGTERM)


def test_it_ends_by_itself(tmp_path: Path) -> None:
    with House(tmp_path, workers=0, settings={"DRAIN_S": "0.5"}) as house:
        assert house.web.end(signal.SIGTERM) in (0, -signal.SIGTERM)
