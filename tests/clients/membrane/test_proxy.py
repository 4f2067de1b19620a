"""The other road: a vendor's requests through a Membrane connection, untouched, and what goes wrong on it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.clients.http import make_client
from bridge.clients.kustomer import Kustomer, new_customer
from bridge.clients.membrane.proxy import Proxy
from bridge.errors import (
    BridgeError,
    Disconnected,
    RateLimited,
    Rejected,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from bridge.sandbox.running import RunningSandbox
from tests.clients.given import Booked, cloudtalk_at
from tests.clients.membrane.given import C1, READY_TOKEN, Far, connection, minted, says
from tests.clients.membrane.over import clients_of, membrane_of

LINK = "https://ui.example/connect?id=1"
DOWN = connection(
    "CLIENT_ACTION_REQUIRED", clientAction={"type": "connect", "description": "Sign in.", "uiUrl": LINK}
)
VENDOR = "https://api.vendor.example"


def ask(far: Far, method: str = "GET", path: str = "/v1/users", **more: Any) -> httpx2.Response:
    with far.membrane.road(C1) as road:
        return road.request(method, VENDOR + path, **more)


# What passes


def test_an_address_keeps_its_encoding() -> None:
    far = Far()

    ask(far, path="/v1/conversations/externalId=cloudtalk%3Acall%3Aa%2Fb?page=1&q=a+b%20c")

    assert far.targets == [
        f"GET /connections/{C1}/proxy/{VENDOR}"
        "/v1/conversations/externalId=cloudtalk%3Acall%3Aa%2Fb?page=1&q=a+b%20c"
    ]


def test_a_base_with_a_path_stays_in_front() -> None:
    far = Far()
    far.membrane.api.url = "https://self-hosted.example/membrane"

    ask(far)

    assert far.targets == [f"GET /membrane/connections/{C1}/proxy/{VENDOR}/v1/users"]


def test_no_credentials_but_membranes_travel() -> None:
    far = Far()

    ask(far, headers={"authorization": "Bearer vendor-key", "x-own": "1", "accept": "audio/wav"})

    (sent,) = far.requests
    assert sent.headers["authorization"] == f"Bearer {READY_TOKEN}"
    assert "vendor-key" not in str(sent.headers.raw)
    assert (sent.headers["x-own"], sent.headers["accept"]) == ("1", "audio/wav")
    assert sent.headers["host"] == "membrane.example"


def test_status_headers_and_bytes_come_back_untouched() -> None:
    content = bytes(range(256))
    far = Far(httpx2.Response(207, content=content, headers={"content-type": "audio/x-wav", "etag": '"1"'}))

    answer = ask(far)

    assert (answer.status_code, answer.content) == (207, content)
    assert (answer.headers["content-type"], answer.headers["etag"]) == ("audio/x-wav", '"1"')


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"errors": [{"status": 404, "title": "not found"}]}),
        (406, {"responseData": {"status": 406, "message": "Not acceptable."}}),
        (400, {"type": "invalid_request", "message": "vendor says no"}),
        (400, {"type": "bad_request"}),
        (403, {"message": "no type"}),
        (429, {"errors": []}),
        (500, {"type": 7, "message": "x"}),
    ],
)
def test_the_vendors_own_errors_pass(status: int, body: Any) -> None:
    answer = ask(Far(httpx2.Response(status, json=body)))

    assert (answer.status_code, answer.json()) == (status, body)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_html_of_a_front_door_passes_as_trouble(status: int) -> None:
    far = Far(httpx2.Response(status, content=b"<html>", headers={"content-type": "text/html"}))

    assert ask(far).status_code == status


def test_a_front_door_cannot_say_that_a_customer_is_not_there() -> None:
    far = Far(httpx2.Response(404, content=b"<html>", headers={"content-type": "text/html"}))

    with pytest.raises(Unavailable, match="HTML page"):
        ask(far)


# Membrane's own errors


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(401, key="not_authenticated"), Unauthorized),
        (says(403, key="access_denied"), Unauthorized),
        (says(429, key="rate_limit_exceeded"), RateLimited),
        (says(429, "connection", key="rate_limit_exceeded"), RateLimited),
        (says(400, "connection", key="rate_limit_exceeded"), RateLimited),
        (says(400, "connection", key="connection_is_defunct"), Disconnected),
        (says(500, "connection", key="access_token_expired"), Disconnected),
        (httpx2.Response(401, json={"code": "CONNECTION_DISCONNECTED"}), Disconnected),
        (says(404, key="not_found"), Disconnected),
        (says(500, "internal"), Unavailable),
        (says(400, "concurrency", key="lock_timeout"), Unavailable),
        (says(413), TooLarge),
        (says(400, "insufficient_credit"), Rejected),
        (says(400), Rejected),
    ],
)
def test_membranes_own_errors_are_told_from_the_vendors(
    answer: httpx2.Response, kind: type[BridgeError]
) -> None:
    with pytest.raises(BridgeError) as raised:
        ask(Far(answer, DOWN))

    assert type(raised.value) is kind
    if isinstance(raised.value, Rejected):
        assert raised.value.status == 0


def test_an_apps_answer_that_looks_like_membranes_is_the_apps_while_the_connection_is_ready() -> None:
    body = {"type": "connection", "message": "no such connection flight"}

    answer = ask(Far(httpx2.Response(404, json=body), connection("READY")))

    assert (answer.status_code, answer.json()) == (404, body)


@pytest.mark.parametrize(
    "answer",
    [
        says(400, "connection", key="connection_is_defunct"),
        httpx2.Response(401, json={"code": "CONNECTION_DISCONNECTED"}),
    ],
)
def test_a_connection_that_is_ready_again_is_tried_again(answer: httpx2.Response) -> None:
    with pytest.raises(Unavailable, match="ready again"):
        ask(Far(answer, connection("READY")))


def test_a_rate_limit_of_membranes_closes_the_budget() -> None:
    budget = Booked()
    far = Far(
        httpx2.Response(
            429,
            json={"type": "bad_request", "key": "rate_limit_exceeded", "message": "x"},
            headers={"retry-after": "7"},
        )
    )
    kustomer = Kustomer(client=far.membrane.road(C1), url=VENDOR, api_key=None, budget=budget)

    with pytest.raises(RateLimited) as raised:
        kustomer.customers.get("c")

    assert raised.value.retry_after_s == 7
    assert budget.booked == [("customer", "ratelimited", 7)]


def test_a_connection_that_is_down_says_who_has_to_do_what() -> None:
    with pytest.raises(Disconnected, match="CLIENT_ACTION_REQUIRED") as raised:
        ask(Far(says(400, "connection", key="connection_is_defunct"), DOWN))

    error = raised.value
    assert (error.connection, error.link, error.text) == ("kustomer-prod", LINK, "Sign in.")
    assert LINK not in str(error)


def test_a_refused_key_behind_the_connection_is_told_as_a_connection_that_is_down() -> None:
    with pytest.raises(Disconnected):
        ask(Far(httpx2.Response(401, json={"errors": []}), DOWN))


def test_a_missing_role_behind_a_good_connection_stays_the_vendors_answer() -> None:
    far = Far(httpx2.Response(401, json={"errors": []}), connection("READY"))

    assert ask(far).status_code == 401


def test_a_new_token_carries_the_same_request_again() -> None:
    far = Far(says(401, key="not_authenticated"), httpx2.Response(201), tokens=minted(lambda: 1_767_603_600))

    assert ask(far, "POST", content=b"\x00\x01").status_code == 201
    assert [one.content for one in far.requests] == [b"\x00\x01", b"\x00\x01"]


# Limits


def small(far: Far, **limits: int) -> httpx2.Client:
    return make_client(Proxy(far.membrane.api, C1, **limits))


@pytest.mark.parametrize("content", [b"x" * 11, iter([b"x" * 6, b"x" * 5])])
def test_a_request_over_the_limit_is_not_sent(content: Any) -> None:
    far = Far()

    with small(far, largest_request=10) as road, pytest.raises(TooLarge, match="nothing was sent"):
        road.post(VENDOR, content=content)

    assert far.requests == []


def test_a_request_at_the_limit_is_sent_whole() -> None:
    far = Far()

    with small(far, largest_request=10) as road:
        road.post(VENDOR, content=iter([b"x" * 6, b"x" * 4]))

    assert far.requests[0].content == b"x" * 10


def test_an_answer_over_the_limit_is_not_begun() -> None:
    far = Far(httpx2.Response(200, content=b"x" * 11))

    with small(far, largest_response=10) as road, pytest.raises(TooLarge, match="CLOUDTALK_ACCESS_KEY_ID"):
        road.get(VENDOR)


# With the real clients, against the sandbox


def test_both_clients_work_over_their_connections_without_a_key(sandbox: RunningSandbox) -> None:
    with clients_of(sandbox) as clients:
        kustomer, cloudtalk = clients.kustomer(), clients.cloudtalk()
        made = kustomer.customers.create(new_customer(phone="+441632960304", name="Ada", external_id="a/b:c"))

        assert kustomer.customers.by_phone("+441632960304") == made
        assert kustomer.customers.by_external_id("a/b:c") == made
        assert kustomer.customers.by_email("nobody@example.com") is None
        assert [agent.name for agent in cloudtalk.agents.all()] == ["Bo Sample", "Cy Fictional"]

    assert len(sandbox.kustomer.requests) + len(sandbox.cloudtalk.requests) == len(sandbox.membrane.requests)


def test_a_file_goes_to_its_form_and_not_through_membrane(sandbox: RunningSandbox) -> None:
    with clients_of(sandbox) as clients:
        attachments = clients.kustomer().attachments
        form = attachments.create(name="a.mp3", content_type="audio/mpeg", size=3)
        attachments.upload(form, name="a.mp3", content_type="audio/mpeg", size=3, chunks=[b"abc"])

    assert sandbox.kustomer.attachment_bytes(form.attachment_id) == b"abc"
    assert [one.authorization for one in sandbox.kustomer.uploads] == [False]
    assert len(sandbox.membrane.requests) == 1


def recording(clients: Any, call_id: int = 1000000500) -> bytes:
    with clients.cloudtalk().recordings.get(call_id) as download:
        return b"".join(download.chunks)


@pytest.fixture
def long_call(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Of 80 KB where Membrane carries 40 KB, and 30 KB are asked for at once."""
    sandbox.cloudtalk.add_call(id=1000000500, talking_time=5, recorded=True)
    sandbox.membrane.read_as(largest_response=40_000)
    monkeypatch.setattr("bridge.client_factory.PIECE", 30_000)
    whole = sandbox.cloudtalk.recording_of(1000000500)
    assert 60_000 < len(whole) < 90_000
    return whole


def test_a_recording_over_the_limit_comes_in_pieces(sandbox: RunningSandbox, long_call: bytes) -> None:
    with clients_of(sandbox) as clients:
        assert recording(clients) == long_call

    assert [one.status for one in sandbox.cloudtalk.requests] == [206, 206, 206]


def test_each_piece_is_booked_on_the_budget(sandbox: RunningSandbox, long_call: bytes) -> None:
    budget = Booked()
    with clients_of(sandbox) as clients, clients.cloudtalk(budget).recordings.get(1000000500) as download:
        assert download.size == len(long_call)
        assert b"".join(download.chunks) == long_call

    assert [(operation, status) for operation, status, _ in budget.booked] == [("recording", "206")] * 3


def test_a_recording_is_resumed_where_it_broke_off(sandbox: RunningSandbox, long_call: bytes) -> None:
    with (
        clients_of(sandbox) as clients,
        clients.cloudtalk().recordings.get(1000000500, start=50_000) as download,
    ):
        assert download.start == 50_000
        assert b"".join(download.chunks) == long_call[50_000:]


@pytest.mark.parametrize("how", ["refused", "cut"])
def test_where_pieces_are_not_granted_the_way_out_is_told(
    sandbox: RunningSandbox, long_call: bytes, how: str
) -> None:
    sandbox.cloudtalk.read_as(recording_ranges=False, recording_length_header=how == "refused")
    sandbox.membrane.read_as(too_large=how)
    with membrane_of(sandbox, largest_response=40_000) as membrane:
        cloudtalk = cloudtalk_at(sandbox.cloudtalk.url, membrane.road("cloudtalk"))
        result = pytest.raises(TooLarge, match="CLOUDTALK_ACCESS_KEY_ID")
        with result, cloudtalk.recordings.get(1000000500) as download:
            for _ in download.chunks:
                pass


def test_keys_beside_membrane_fetch_what_it_does_not_carry(sandbox: RunningSandbox, long_call: bytes) -> None:
    sandbox.cloudtalk.read_as(recording_ranges=False)
    keys = {name: value for name, value in sandbox.environ().items() if name.startswith("CLOUDTALK_ACCESS")}
    with clients_of(sandbox, **keys) as clients:
        assert recording(clients) == long_call
        assert [agent.name for agent in clients.cloudtalk().agents.all()] == ["Bo Sample", "Cy Fictional"]

    assert [one.path.split("/")[1] for one in sandbox.membrane.requests] == ["connections", "connections"]


def test_a_redirected_recording_is_fetched_without_membrane(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=1000000500, talking_time=2, recorded=True)
    link = sandbox.cloudtalk.public_link_of(1000000500)
    whole = sandbox.cloudtalk.recording_of(1000000500)
    with clients_of(sandbox) as clients, clients.cloudtalk().recordings.public(link) as download:
        assert b"".join(download.chunks) == whole

    assert sandbox.membrane.requests == []


def test_a_disconnect_is_seen_at_once_and_passes_on_reconnect(sandbox: RunningSandbox) -> None:
    with clients_of(sandbox) as clients:
        kustomer = clients.kustomer()
        for how in ("envelope", "code"):
            sandbox.membrane.read_as(disconnected_as=how)
            sandbox.membrane.disconnect("kustomer")
            with pytest.raises(Disconnected) as raised:
                kustomer.customers.by_phone("+441632960304")
            assert raised.value.link is not None
            assert raised.value.link.startswith(sandbox.membrane.url)
            sandbox.membrane.reconnect("kustomer")
            assert kustomer.customers.by_phone("+441632960304") is None


def test_a_connection_that_is_gone_is_not_a_customer_that_is_not_there(sandbox: RunningSandbox) -> None:
    road = clients_of(sandbox, MEMBRANE_KUSTOMER_CONNECTION="archived")
    with road as clients, pytest.raises(Disconnected, match="no connection archived"):
        clients.kustomer().customers.by_phone("+441632960304")
