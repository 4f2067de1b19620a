"""Connections of Membrane's: their webhooks, and where it is shown that one is down."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import redis

from bridge.errors import Disconnected
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections
from tests.web.conftest import RedisServer
from tests.web.serving import BEARER, TOKEN, Answer, Site

PATH = "/webhooks/membrane"
LOOKS = {"connection|cloudtalk", "connection|kustomer"}
DOWN = {"event": "connection.disconnected", "data": {"id": "c1", "integrationKey": "kustomer"}}
LINK = "https://ui.example.com/connect?request=1&token=x"


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve(
        cloudtalk_via="membrane",
        kustomer_via="membrane",
        membrane_cloudtalk_connection="cloudtalk",
        membrane_kustomer_connection="kustomer-1",
    )


def take_down(ledger: Ledger, *, link: str = LINK) -> None:
    error = Disconnected(
        "down",
        connection="kustomer-1",
        state="CLIENT_ACTION_REQUIRED",
        link=link,
        text="Sign in to Kustomer <again>.",
    )
    Connections(ledger, check_every_s=30, through={}).mark_down("kustomer", error)


def tell(
    site: Site, body: Mapping[str, Any] | bytes, headers: Mapping[str, str] = BEARER, path: str = PATH
) -> Answer:
    return site.ask("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)


def test_a_webhook_of_a_connection_has_it_looked_at_now(site: Site, ledger: Ledger) -> None:
    answer = tell(site, DOWN)

    assert (answer.status, answer.json) == (202, {"status": "accepted"})
    assert set(ledger.dispatch(8)[1]) == LOOKS


def test_the_token_may_stand_in_the_address(site: Site) -> None:
    user = base64.b64encode(f"membrane:{TOKEN}".encode()).decode()

    assert tell(site, DOWN, {"Authorization": f"Basic {user}"}).status == 202


@pytest.mark.parametrize(
    ("headers", "path"), [({}, PATH), ({"Authorization": "Bearer no"}, PATH), ({}, f"{PATH}?token={TOKEN}")]
)
def test_without_a_token_in_its_headers_it_does_nothing(
    site: Site, store: redis.Redis, headers: dict[str, str], path: str
) -> None:
    answer = tell(site, DOWN, headers, path)

    assert answer.status == 401
    assert f"@HOST{PATH}" in answer.json["hint"]
    assert not store.exists(keys.JOBS)


@pytest.mark.parametrize("body", [{"event": "flow.failed"}, {}, {"event": ["connection.deleted"]}])
def test_what_speaks_of_no_connection_is_taken_and_does_nothing(
    site: Site, store: redis.Redis, body: dict[str, object]
) -> None:
    answer = tell(site, body)

    assert (answer.status, answer.json["status"]) == (202, "ignored")
    assert not store.exists(keys.JOBS)


def test_what_is_no_json_object_is_refused(site: Site) -> None:
    assert tell(site, b"[]").status == 400
    assert tell(site, b"x" * 70_000).status == 413


def test_while_redis_is_away_membrane_is_told_to_try_again(
    serve: Callable[..., Site], own_redis: RedisServer
) -> None:
    site = serve(redis_url=own_redis.url, kustomer_via="membrane", membrane_kustomer_connection="k")

    assert tell(site, DOWN).status == 503


def test_the_queue_tells_of_each_connection(site: Site, ledger: Ledger) -> None:
    take_down(ledger)

    found = site.get("/api/queue").json["connections"]

    assert found["cloudtalk"] == {
        "connection": "cloudtalk",
        "state": "READY",
        "since": None,
        "link": None,
        "text": "",
        "jobs_waiting": 0,
    }
    assert found["kustomer"]["since"].endswith("+00:00")
    result = {name: found["kustomer"][name] for name in ("connection", "state", "link", "text")}
    assert result == {
        "connection": "kustomer-1",
        "state": "CLIENT_ACTION_REQUIRED",
        "link": LINK,
        "text": "Sign in to Kustomer <again>.",
    }


def test_a_direct_road_has_no_connection(serve: Callable[..., Site]) -> None:
    assert serve().get("/api/queue").json["connections"] == {}


def test_metrics_tell_which_is_down(site: Site, ledger: Ledger) -> None:
    take_down(ledger)

    text = site.get("/metrics").text

    assert 'callbridge_connection_up{service="kustomer"} 0.0' in text
    assert 'callbridge_connection_up{service="cloudtalk"} 1.0' in text


def test_the_page_says_which_link_to_open(site: Site, ledger: Ledger) -> None:
    assert "Membrane" not in site.get("/").text
    take_down(ledger)

    text = site.get("/").text

    assert "Kustomer is paused (CLIENT_ACTION_REQUIRED): the Membrane connection of Kustomer is down" in text
    assert f'href="{LINK.replace("&", "&amp;")}"' in text
    assert "Sign in to Kustomer &lt;again&gt;." in text


def test_a_link_that_is_no_page_is_not_one_to_open(site: Site, ledger: Ledger) -> None:
    take_down(ledger, link="javascript:alert(1)")

    text = site.get("/").text

    assert "javascript:" not in text
    assert "callbridge doctor" in text


def refuse_key(ledger: Ledger, service: str = "kustomer", state: str = "KEY_REFUSED") -> None:
    error = Disconnected("no", connection="", state=state, text="Check the key.", service=service)
    Connections(ledger, check_every_s=30, through={}).mark_down(service, error)


def test_a_refused_key_is_shown_as_a_dropped_connection_is(
    serve: Callable[..., Site], ledger: Ledger
) -> None:
    site = serve()
    refuse_key(ledger)
    refuse_key(ledger, "kustomer:create_note", "ROLE_MISSING")

    found = site.get("/api/queue").json["connections"]
    text = site.get("/").text
    metrics = site.get("/metrics").text

    assert found["kustomer"]["state"] == "KEY_REFUSED"
    assert found["kustomer:create_note"]["state"] == "ROLE_MISSING"
    assert "Kustomer is paused (KEY_REFUSED): Kustomer refuses the API key; " in text
    assert "Kustomer refuses create_note: the API key lacks a role" in text
    assert "Check the key." in text
    assert 'callbridge_connection_up{service="kustomer"} 0.0' in metrics
    assert 'callbridge_connection_up{service="cloudtalk"} 1.0' in metrics


def test_a_slow_service_is_shown(serve: Callable[..., Site], ledger: Ledger) -> None:
    site = serve()
    Connections(ledger, check_every_s=30, through={}).mark_slow("kustomer", "create_note")

    assert site.get("/api/queue").json["slow"] == {"kustomer": "create_note"}
    assert "Kustomer is slow: create_note" in site.get("/").text
