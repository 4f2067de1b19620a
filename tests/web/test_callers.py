"""Who may see the API, the numbers and the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from bridge.settings import Settings
from bridge.web.app import create_app
from bridge.web.callers import Access, Callers, is_cross_site
from bridge.web.pace import Pace
from tests.web.serving import Site

PLACES = ["/", "/api/queue", "/metrics", "/api/calls", "/api/nothing"]


def scope(client: tuple[str, int] | None, **headers: str) -> dict[str, Any]:
    result = {"host": "localhost:8000", **headers}
    return {
        "type": "http",
        "client": client,
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in result.items()],
    }


@pytest.mark.parametrize("place", ["/", "/api/queue", "/metrics", "/api/calls"])
def test_in_the_sandbox_this_machine_is_answered_without_a_token(site: Site, place: str) -> None:
    assert site.get(place).status == 200


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "Via",
        "CF-Connecting-IP",
        "True-Client-IP",
    ],
)
def test_in_the_sandbox_nobody_behind_a_proxy_is_answered(site: Site, place: str, header: str) -> None:
    answer = site.ask("GET", place, headers={header: "127.0.0.1"})

    assert answer.status == 401
    assert "OPS_TOKEN" in answer.text


def test_in_the_sandbox_a_page_that_was_led_here_under_another_name_is_not_answered(site: Site) -> None:
    assert site.get("/api/queue", Host="rebound.example").status == 401
    assert site.get("/api/queue", Host="[::1").status == 401
    assert site.get("/api/queue", Host="localhost:1").status == 200


def fault_of(client: tuple[str, int] | None, **headers: str) -> str | None:
    """Of the sandbox, without a token."""

    async def run(work: Callable[[], bool]) -> bool:
        return work()

    callers = Callers(people={}, open_here=True, pace=Pace(0.0), run=run)
    return asyncio.run(callers.fault_of(scope(client, **headers)))


@pytest.mark.parametrize("client", [None, ("", 0), ("192.0.2.7", 5), ("::ffff:192.0.2.7", 5), ("x", 5)])
def test_other_and_unknown_peers_are_not_answered(client: tuple[str, int] | None) -> None:
    assert fault_of(client) is not None


@pytest.mark.parametrize("client", [("127.0.0.1", 5), ("127.8.9.1", 5), ("::1", 5), ("::ffff:127.0.0.1", 5)])
def test_every_loopback_address_is_this_machine(client: tuple[str, int]) -> None:
    assert fault_of(client) is None
    assert fault_of(client, host="[::1]:8000") is None


def test_a_peer_from_elsewhere_gets_401_over_http(settings: Settings) -> None:
    app = create_app(settings, access=Access(open_here=True))
    with TestClient(app, "http://localhost", client=("192.0.2.7", 5)) as client:
        assert client.get("/api/queue").status_code == 401
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("place", PLACES)
def test_outside_of_the_sandbox_no_address_stands_in_for_a_token(
    serve: Callable[..., Site], place: str
) -> None:
    closed = serve(app={"access": Access(off="The data folder cannot be written.")})

    # As a proxy on this machine sends it, which adds no header; and whatever else a sender may add.
    result: list[dict[str, str | bytes]] = [
        {},
        {"Host": "localhost"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Authorization": "Bearer"},
    ]
    for headers in result:
        answer = closed.ask("GET", place, headers=headers)

        assert answer.status == (303 if place == "/" else 401)
        if place != "/":
            assert "The data folder cannot be written." in answer.json["hint"]
    form = closed.get("/login")
    assert form.status == 200 and "The data folder cannot be written." in form.text
    assert "<input" not in form.text


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_with_a_token_everybody_needs_it_this_machine_too(serve: Callable[..., Site], place: str) -> None:
    site = serve(ops_token="ops-ž-token")
    good: dict[str, str | bytes] = {
        "Authorization": "Bearer ops-ž-token".encode(),
        "X-Forwarded-For": "192.0.2.7",
        "Host": "x.example",
    }

    # A page says where to sign in.
    away = 303 if place == "/" else 401
    assert site.get(place).status == away
    assert site.get(place, Authorization="Bearer wrong").status == away
    assert site.ask("GET", place, headers={"Authorization": b"Bearer \xff"}).status == away
    assert site.ask("GET", place, headers=good).status == (404 if place == "/api/nothing" else 200)


def test_metrics_can_be_opened_to_all(serve: Callable[..., Site]) -> None:
    site = serve(ops_token="ops-token", metrics_public=True)

    assert site.get("/metrics").status == 200
    assert site.get("/api/queue").status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_a_page_of_another_site_cannot_have_things_done(site: Site, headers: dict[str, str]) -> None:
    answer = site.ask("POST", "/api/parked/replay", b"{}", headers)

    assert answer.status == 403
    assert answer.json["hint"]


def test_our_own_pages_and_programs_can() -> None:
    assert not is_cross_site({})
    assert not is_cross_site({"sec-fetch-site": "same-origin", "origin": "http://a:1", "host": "a:1"})
    assert is_cross_site({"origin": "http://[", "host": "a"})
    # What a browser says of the two sites counts more than a Host that a proxy changed.
    assert not is_cross_site({"sec-fetch-site": "same-origin", "origin": "https://a", "host": "b"})
    assert not is_cross_site({"sec-fetch-site": "same-origin", "origin": "null", "host": "a"})
    assert is_cross_site({"sec-fetch-site": "cross-site", "origin": "http://a", "host": "a"})
