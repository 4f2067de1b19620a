"""Any request, as it is; the key only to its own service."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from bridge.clients.http import Service, make_client
from bridge.clients.raw import RawEndpoint, send
from bridge.errors import NotSent, RateLimited, Unavailable, WrongUse
from bridge.ledger.budgets.budget import Budget, Slot
from tests.clients.given import Answer, Booked

CORE, ANALYTICS = "https://my.cloudtalk.example/api", "https://analytics.cloudtalk.example/api"


class Far:
    """The far end: keeps what came, answers as told."""

    def __init__(self, answer: httpx2.Response | Answer, budget: Budget | None = None) -> None:
        self._answer = answer
        self.requests: list[httpx2.Request] = []
        client = make_client(httpx2.MockTransport(self._reply))
        service = Service("cloudtalk", client=client, headers={"authorization": "Basic key"}, budget=budget)
        self.road = RawEndpoint(service=service, bases=(CORE, ANALYTICS))

    def _reply(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self._answer if isinstance(self._answer, httpx2.Response) else self._answer(request)


def test_a_request_goes_out_as_it_was_given_with_the_key_added() -> None:
    far = Far(httpx2.Response(200, content=b"\x00\xff", headers={"x-told": "yes"}))

    with send(
        far.road,
        "post",
        "/contacts/edit/7.json?a=1",
        query=[("b", "2"), ("b", "3 +")],
        headers={"X-Own": "mine", "content-type": "text/plain"},
        body=b"\x01\x02",
    ) as answer:
        assert (answer.status, answer.headers["x-told"], answer.size) == (200, "yes", 2)
        assert b"".join(answer.chunks) == b"\x00\xff"

    (request,) = far.requests
    assert (request.method, request.content) == ("POST", b"\x01\x02")
    assert str(request.url) == CORE + "/contacts/edit/7.json?a=1&b=2&b=3%20%2B"
    assert request.headers["authorization"] == "Basic key"
    assert (request.headers["x-own"], request.headers["content-type"]) == ("mine", "text/plain")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("/calls/index.json", CORE + "/calls/index.json"),
        ("calls/index.json", CORE + "/calls/index.json"),
        ("/api/calls/index.json", CORE + "/calls/index.json"),
        ("/apis", CORE + "/apis"),
        (ANALYTICS + "/calls/7", ANALYTICS + "/calls/7"),
        ("https://MY.cloudtalk.example/other", "https://MY.cloudtalk.example/other"),
        ("/@elsewhere.example/x", CORE + "/@elsewhere.example/x"),
    ],
)
def test_a_path_is_of_the_first_address_and_a_full_address_of_any(given: str, meant: str) -> None:
    assert Far(httpx2.Response(200)).road.url(given) == meant


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/api/x",
        "http://my.cloudtalk.example/api/x",
        "https://my.cloudtalk.example:8443/api",
        "https://my.cloudtalk.example@elsewhere.example/api",
        "https://someone:secret@my.cloudtalk.example/api",
        "//elsewhere.example/x",
        "https://my.cloudtalk.example.elsewhere.example/api",
        "ftp://my.cloudtalk.example/api",
    ],
)
def test_the_key_goes_nowhere_else(elsewhere: str) -> None:
    far = Far(httpx2.Response(200))

    with (
        pytest.raises(WrongUse, match=r"its key goes to https://my\.cloudtalk\.example") as refused,
        send(far.road, "GET", elsewhere),
    ):
        pass

    assert far.requests == []
    assert "secret" not in str(refused.value)


def test_an_error_is_an_answer_and_a_redirect_is_not_followed() -> None:
    for status in (302, 401, 404, 429, 500):
        far = Far(httpx2.Response(status, json={"message": "no"}, headers={"location": "https://x.example"}))
        with send(far.road, "GET", "/x") as answer:
            assert answer.status == status
            assert b"no" in b"".join(answer.chunks)
        assert len(far.requests) == 1


def test_it_counts_against_the_budget_and_a_429_closes_it() -> None:
    booked = Booked()
    far = Far(httpx2.Response(429, headers={"retry-after": "30"}), booked)

    with send(far.road, "DELETE", "/x"):
        pass

    assert booked.booked == [("request", "429", 30.0)]


def test_nothing_is_sent_when_the_budget_is_spent() -> None:
    class Spent(Booked):
        def take(self, *, if_closed: Callable[[], None] | None = None) -> Slot:
            raise RateLimited("spent", retry_after_s=9)

    far = Far(httpx2.Response(200), Spent())

    with pytest.raises(RateLimited), send(far.road, "GET", "/x"):
        pass
    assert far.requests == []


def test_no_answer_and_half_an_answer_are_our_errors() -> None:
    def refuses(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(NotSent), send(Far(refuses).road, "GET", "/x"):
        pass

    class Broken(httpx2.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield b"half"
            raise httpx2.ReadError("gone")

    far = Far(httpx2.Response(200, stream=Broken()))
    with send(far.road, "GET", "/x") as answer, pytest.raises(Unavailable, match="cut off"):
        b"".join(answer.chunks)


def test_a_method_there_is_not_is_refused() -> None:
    far = Far(httpx2.Response(200))

    with pytest.raises(WrongUse, match="one of GET, POST"), send(far.road, "FETCH", "/x"):
        pass
    assert far.requests == []
