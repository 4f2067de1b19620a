"""Connections: found or made, listed with an end, waited for without spinning, read whatever they say."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from bridge.clients.membrane.states import State, read_connection
from bridge.errors import Unavailable, WrongUse
from bridge.sandbox.running import RunningSandbox
from tests.clients.membrane.given import C1, Far, bodies, connection, items
from tests.clients.membrane.over import membrane_of

ACTION = {
    "type": "connect",
    "description": "Sign in to Kustomer.",
    "uiUrl": "https://ui.example/connect?id=1",
    "agentInstructions": "Open it for the user.",
}


# States


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"state": "READY"}, State.READY),
        ({"state": "BUILDING", "connected": True}, State.BUILDING),
        ({"state": "READY", "archivedAt": "2026-01-05T09:00:00.000Z"}, State.GONE),
        ({"state": "SETUP_IN_PROGRESS"}, "SETUP_IN_PROGRESS"),
        ({"connected": True}, State.READY),
        ({"connected": False, "disconnected": False}, State.CLIENT_ACTION_REQUIRED),
        ({"disconnected": False}, State.READY),
        ({"disconnected": True}, State.CLIENT_ACTION_REQUIRED),
        ({"state": 7}, State.CLIENT_ACTION_REQUIRED),
        ({}, State.CLIENT_ACTION_REQUIRED),
    ],
)
def test_health_is_read_from_what_there_is(body: dict[str, Any], state: str) -> None:
    found = read_connection({"id": C1, **body})

    assert found.state == state
    assert found.is_ready is (state == State.READY)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"errors": [{"message": "One"}, {"message": "Two"}], "error": "old"}, "One"),
        ({"errors": [], "requestError": {"message": "Refused"}, "error": {"message": "old"}}, "Refused"),
        ({"error": "old"}, "old"),
        ({"errors": "odd", "error": 7}, ""),
    ],
)
def test_the_fault_is_the_first_that_says_anything(body: dict[str, Any], says: str) -> None:
    assert read_connection({"id": C1, "state": "SETUP_FAILED", **body}).says == says


@pytest.mark.parametrize("body", [None, [], {}, {"id": 7}, "text"])
def test_what_is_no_connection_is_not_taken_for_one(body: Any) -> None:
    with pytest.raises(Unavailable):
        read_connection(body)


# Waiting


def test_waiting_ends_where_a_person_has_to_act() -> None:
    far = Far(
        connection("BUILDING"),
        connection("BUILDING"),
        connection("CLIENT_ACTION_REQUIRED", clientAction=ACTION),
        connection("READY"),
    )
    seen: list[tuple[str, str]] = []

    found = far.membrane.connections.wait(
        C1, timeout_s=300, progress=lambda one: seen.append((one.state, one.says))
    )

    assert found.state == State.CLIENT_ACTION_REQUIRED
    assert seen == [("BUILDING", ""), ("CLIENT_ACTION_REQUIRED", "Sign in to Kustomer.")]


def test_what_a_person_has_to_do_is_told_with_its_link() -> None:
    far = Far(connection("CLIENT_ACTION_REQUIRED", clientAction=ACTION))

    found = far.membrane.connections.get(C1)

    assert found.action is not None
    assert (found.action.type, found.action.link) == ("connect", "https://ui.example/connect?id=1")
    assert found.action.instructions == "Open it for the user."


@pytest.mark.parametrize("state", ["CONFIGURATION_ERROR", "SETUP_FAILED"])
def test_what_waiting_cannot_change_ends_it(state: str) -> None:
    far = Far(connection("BUILDING"), connection(state, errors=[{"message": "No such app"}]))

    found = far.membrane.connections.wait(C1, timeout_s=300)

    assert (found.state, found.says) == (state, "No such app")
    assert len(far.requests) == 2


def test_answers_that_come_at_once_are_not_asked_for_in_a_spin() -> None:
    far = Far(connection("NOT_CONFIGURED"))

    found = far.membrane.connections.wait(C1, timeout_s=20)

    assert found.state == "NOT_CONFIGURED"
    assert far.pauses == [2.0] * 10
    assert len(far.requests) == 11
    assert sum(far.pauses) == 20


def test_a_question_that_gets_no_answer_is_asked_again() -> None:
    busy = httpx2.Response(429, headers={"retry-after": "7"})
    far = Far(connection("BUILDING"), httpx2.Response(502), busy, connection("READY"))

    assert far.membrane.connections.wait(C1, timeout_s=300).is_ready

    assert far.pauses == [2.0, 2.0, 7.0]


def test_without_any_answer_the_last_error_is_told_once_the_time_is_over() -> None:
    far = Far(httpx2.Response(502))

    with pytest.raises(Unavailable):
        far.membrane.connections.wait(C1, timeout_s=20)

    assert sum(far.pauses) == 20


def test_what_was_seen_before_the_answers_ended_is_the_answer() -> None:
    far = Far(connection("BUILDING"), httpx2.Response(502))

    assert far.membrane.connections.wait(C1, timeout_s=20).state == State.BUILDING


def test_a_poll_that_was_held_is_followed_by_the_next_without_a_pause() -> None:
    far = Far()

    def held(request: httpx2.Request) -> httpx2.Response:
        far.clock += float(request.url.params["timeout"])
        return connection("BUILDING")

    far = Far(held, held, connection("READY"))

    assert far.membrane.connections.wait(C1, timeout_s=300).is_ready
    assert far.pauses == [0, 0]


def test_a_poll_asks_for_a_minute_at_most_and_reads_for_longer() -> None:
    seen: list[tuple[str, float]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.url.params["timeout"], request.extensions["timeout"]["read"]))
        return connection("READY")

    far = Far(answer)
    far.membrane.connections.wait(C1, timeout_s=300)
    far.membrane.connections.wait(C1, timeout_s=12.5)

    assert [asked for asked, _ in seen] == ["60", "12"]
    assert all(read > float(asked) + 10 for asked, read in seen)


# Lists


def test_all_pages_are_read() -> None:
    far = Far(items({"id": "1"}, {"id": "2"}, cursor="a"), items({"id": "3"}))

    assert [one.id for one in far.membrane.connections.all()] == ["1", "2", "3"]
    assert far.targets == ["GET /connections", "GET /connections?cursor=a"]


def test_a_page_that_comes_again_ends_the_list() -> None:
    far = Far(items({"id": "1"}, cursor="a"))

    assert [one.id for one in far.membrane.connections.all()] == ["1"]
    assert len(far.requests) == 2


def test_a_list_without_an_end_is_left_after_fifty_pages() -> None:
    count = iter(range(1000))
    far = Far(lambda request: items({"id": str(next(count))}, cursor="more"))

    assert len(list(far.membrane.connections.all())) == 50


@pytest.mark.parametrize("body", [[], {"items": {}}, {"connections": []}, None])
def test_an_answer_that_is_no_list_is_not_taken_for_an_empty_one(body: Any) -> None:
    far = Far(httpx2.Response(200, content=json.dumps(body)))

    with pytest.raises(Unavailable, match="without a list"):
        list(far.membrane.connections.all())


# Making


@pytest.mark.parametrize(
    "url",
    ["kustomer", "", " ", "http://localhost:8080", "https://10.0.0.5/", "ftp://a.example", "a.example b"],
)
def test_what_is_no_address_of_an_app_is_named_before_anything_is_sent(url: str) -> None:
    far = Far()

    with pytest.raises(WrongUse, match=r"such as https://www\.kustomer\.com/"):
        far.membrane.connections.ensure(url)

    assert far.requests == []


def test_a_name_goes_along_for_a_new_connection() -> None:
    far = Far(connection("BUILDING"))

    far.membrane.connections.ensure("kustomer.com", name="Desk")

    assert bodies(far.requests) == [{"appUrl": "kustomer.com", "name": "Desk"}]


def test_asking_twice_makes_one_connection(sandbox: RunningSandbox) -> None:
    with membrane_of(sandbox) as membrane:
        first = membrane.connections.ensure("https://shop.example/", name="Shop")
        second = membrane.connections.ensure("shop.example")

        assert first.id == second.id
        assert [one.name for one in membrane.connections.all()] == ["CloudTalk", "Kustomer", "Shop"]


def test_a_connection_is_built_connected_by_a_person_and_ready(sandbox: RunningSandbox) -> None:
    sandbox.membrane.read_as(build_s=0.05)
    states: list[str] = []
    with membrane_of(sandbox) as membrane:
        made = membrane.connections.ensure("https://shop.example/")

        found = membrane.connections.wait(
            made.id, timeout_s=30, progress=lambda one: states.append(one.state)
        )
        assert found.action is not None and found.action.link
        asked = membrane.connections.request_reconnect(made.id)
        assert httpx2.get(found.action.link).status_code == 200
        httpx2.post(found.action.link)
        done = membrane.connections.wait_for_request(asked.id, timeout_s=30)

        assert membrane.connections.get(made.id).is_ready
    assert states in (["BUILDING", "CLIENT_ACTION_REQUIRED"], ["CLIENT_ACTION_REQUIRED"])
    assert (asked.status, done.status, done.connection) == ("pending", "success", made.id)
