from __future__ import annotations

import email.utils
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from bridge.clients.http import make_client
from bridge.clients.ports import RateLimitHeaders
from bridge.errors import (
    BridgeError,
    Conflict,
    NotSent,
    RateLimited,
    Rejected,
    Transient,
    Unauthorized,
    Unavailable,
    WebPage,
)
from bridge.sandbox import CLOUDTALK_KEY_SECRET, KUSTOMER_KEY
from bridge.sandbox.running import RunningSandbox
from tests.clients.given import Booked, Wire, cloudtalk_at, kustomer_at

THEIR_NOW = 1_772_443_380
DATE = email.utils.formatdate(THEIR_NOW, usegmt=True)
HTML = "<html><head><title>Oops</title></head><body>nginx</body></html>"


def failure(answer: httpx2.Response) -> BridgeError:
    """What a client makes of an answer."""
    with pytest.raises(BridgeError) as raised:
        Wire(answer).kustomer().customers.get("5f0e0000000000000000a1cc")
    return raised.value


def wait_told(**headers: str) -> float:
    error = failure(httpx2.Response(429, headers={k.replace("_", "-"): v for k, v in headers.items()}))
    assert isinstance(error, RateLimited)
    return error.retry_after_s


# From status to error


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Rejected),
        (302, Unavailable),
        (303, Unavailable),
        (304, Rejected),
        (307, Unavailable),
        (308, Rejected),
        (400, Rejected),
        (401, Unauthorized),
        (402, Unauthorized),
        (403, Unauthorized),
        (405, Rejected),
        (406, Rejected),
        (408, Unavailable),
        (409, Conflict),
        (410, Rejected),
        (413, Rejected),
        (415, Rejected),
        (422, Rejected),
        (424, Rejected),
        (425, Unavailable),
        (429, RateLimited),
        (500, Unavailable),
        (501, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (520, Unavailable),
    ],
)
@pytest.mark.parametrize("content", [b"", HTML.encode(), b'{"errors": [{"title": "No"}]}', b"[[[", b"\xff"])
def test_a_status_says_what_becomes_of_the_job(status: int, kind: type[BridgeError], content: bytes) -> None:
    error = failure(httpx2.Response(status, content=content))

    is_page = content == HTML.encode() and status in (301, 302, 303, 307, 308, 410, 503)
    assert type(error) is (WebPage if is_page else kind)
    assert f"kustomer answered {status} to customer" in str(error)
    if isinstance(error, Rejected):
        assert error.status == status


def test_not_found_is_a_normal_result_of_a_look_up() -> None:
    assert Wire(httpx2.Response(404)).kustomer().customers.by_phone("+441632960304") is None


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_what_may_pass_keeps_the_job(status: int) -> None:
    assert isinstance(failure(httpx2.Response(status)), Transient)


# What the services say


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"errors": [{"status": 400, "code": "badparam", "title": "Bad phone"}]}, "badparam · Bad phone"),
        (
            {"errors": [{"code": "bad_request", "message": "Bad phone", "meta": {}}]},
            "bad_request · Bad phone",
        ),
        ({"responseData": {"status": 406, "message": "No.", "data": {"name": ["Empty."]}}}, "No. · Empty."),
        (
            {"statusCode": 400, "message": ["Bad", "Worse"], "error": "Bad Request"},
            "Bad · Worse · Bad Request",
        ),
        ({"success": False, "errors": ["No such call"]}, "No such call"),
        ({"name": "Not Found", "message": "Not Found", "url": "/secret"}, "Not Found"),
        ("only text", "only text"),
        ([], ""),
    ],
)
def test_the_services_words_are_kept_in_any_of_their_shapes(body: Any, says: str) -> None:
    error = failure(httpx2.Response(400, json=body))

    assert isinstance(error, Rejected)
    assert error.detail == says


def test_words_without_end_are_cut() -> None:
    error = failure(httpx2.Response(400, json={"message": "no " * 5000}))

    assert isinstance(error, Rejected)
    assert len(error.detail) <= 400


@pytest.mark.parametrize("content", [HTML.encode(), b"", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_not_json_says_nothing(content: bytes) -> None:
    error = failure(httpx2.Response(400, content=content))

    assert isinstance(error, Rejected)
    assert error.detail == ""


@pytest.mark.parametrize("status", [401, 403])
def test_words_of_a_refused_key_are_not_repeated(status: int) -> None:
    said = "Invalid Authorization header - Basic c2VjcmV0OnNlY3JldA=="

    error = failure(httpx2.Response(status, json={"statusCode": status, "message": said}))

    assert "c2VjcmV0" not in f"{error} {error!r} {error.args} {vars(error)}"


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json"}, {"content-type": "text/html"}])
@pytest.mark.parametrize("content", [HTML, f"\n {HTML}", "<?xml version='1.0'?><down/>"])
@pytest.mark.parametrize("status", [200, 201, 404])
def test_a_web_page_is_never_read_as_data(status: int, content: str, headers: dict[str, str]) -> None:
    answer = httpx2.Response(status, content=content.encode(), headers=headers)
    kustomer = Wire(answer).kustomer()

    with pytest.raises(WebPage):
        kustomer.customers.by_phone("+441632960304")
    with pytest.raises(WebPage):
        kustomer.notes.update("1", {"body": "x"})


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_success_that_is_not_json_is_no_answer(content: bytes) -> None:
    with pytest.raises(Unavailable, match="not JSON"):
        Wire(httpx2.Response(200, content=content)).kustomer().customers.get("1")


@pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": []}, {"data": {"id": 5}}, [], "x"])
def test_a_success_without_a_resource_is_not_taken_for_a_miss(body: Any) -> None:
    answer = httpx2.Response(200) if body is None else httpx2.Response(200, json=body)
    kustomer = Wire(answer).kustomer()

    looks: list[Callable[[], object]] = [
        lambda: kustomer.customers.by_phone("+441632960304"),
        lambda: kustomer.conversations.by_external_id("cloudtalk:call:x"),
        lambda: kustomer.notes.get("1"),
    ]
    for look in looks:
        with pytest.raises(Unavailable, match="without a resource"):
            look()


# How long to wait


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": " 7 "}, 7),
        ({"retry_after": email.utils.formatdate(THEIR_NOW + 20, usegmt=True), "date": DATE}, 20),
        ({"retry_after": "7", "x_ratelimit_reset": str(THEIR_NOW + 30), "date": DATE}, 7),
        ({"x_cloudtalkapi_resettime": str(THEIR_NOW + 30), "date": DATE}, 30),
        ({"x_ratelimit_reset": str(THEIR_NOW + 30), "date": DATE}, 30),
        ({"x_ratelimit_reset": f"{THEIR_NOW + 30}.5", "date": DATE}, 30.5),
        ({"retry_after": "soon", "x_ratelimit_reset": str(THEIR_NOW + 30), "date": DATE}, 30),
        ({"retry_after": "²", "x_ratelimit_reset": str(THEIR_NOW + 30), "date": DATE}, 30),
        ({"x_ratelimit_reset": "soon"}, 60),
        ({"x_ratelimit_reset": "nan"}, 60),
        ({}, 60),
        # No shorter than a second, no longer than a minute and a half.
        ({"retry_after": "0"}, 1),
        ({"retry_after": "86400"}, 90),
        ({"retry_after": email.utils.formatdate(THEIR_NOW - 20, usegmt=True), "date": DATE}, 1),
        ({"x_ratelimit_reset": str(THEIR_NOW - 5), "date": DATE}, 1),
        ({"x_ratelimit_reset": str(THEIR_NOW + 3600), "date": DATE}, 90),
        ({"x_ratelimit_reset": str(THEIR_NOW * 1000), "date": DATE}, 90),
        ({"x_ratelimit_reset": "inf"}, 90),
    ],
)
def test_the_wait_is_as_they_told_within_bounds(headers: dict[str, str], seconds: float) -> None:
    error = failure(
        httpx2.Response(429, headers=[(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()])
    )

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize("skew_s", [-86_400, 86_400])
def test_a_clock_that_differs_from_theirs_does_no_harm(skew_s: int) -> None:
    now = int(time.time()) + skew_s

    rate_limits = wait_told(x_ratelimit_reset=str(now + 30), date=email.utils.formatdate(now, usegmt=True))

    assert rate_limits == 30


def test_without_their_clock_ours_counts() -> None:
    assert 25 <= wait_told(x_cloudtalkapi_resettime=str(int(time.time()) + 30)) <= 31
    assert 25 <= wait_told(x_ratelimit_reset=str(int(time.time()) + 30), date="yesterday") <= 31


# What the budget learns


@pytest.mark.parametrize(
    ("answer", "status", "closed_for_s"),
    [
        (httpx2.Response(404), "404", 0),
        (httpx2.Response(429, headers={"retry-after": "7"}), "429", 7),
        (httpx2.Response(503), "503", 0),
        (
            httpx2.Response(
                404,
                headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(THEIR_NOW + 9), "date": DATE},
            ),
            "404",
            9,
        ),
        (
            httpx2.Response(
                404,
                headers={
                    "x-cloudtalkapi-remaining": "0",
                    "x-cloudtalkapi-resettime": str(THEIR_NOW + 9),
                    "date": DATE,
                },
            ),
            "404",
            9,
        ),
        (httpx2.Response(404, headers={"x-ratelimit-remaining": "0"}), "404", 0),
        (httpx2.Response(404, headers={"x-ratelimit-remaining": "1", "x-ratelimit-reset": "9"}), "404", 0),
    ],
)
def test_every_answer_is_booked_with_what_it_tells_of_the_budget(
    answer: httpx2.Response, status: str, closed_for_s: float
) -> None:
    budget = Booked()
    kustomer = Wire(answer).kustomer(budget)

    if answer.status_code == 404:
        kustomer.customers.get("1")
    else:
        with pytest.raises(BridgeError):
            kustomer.customers.get("1")

    assert budget.booked == [("customer", status, closed_for_s)]


def test_a_request_without_an_answer_is_booked_too() -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("slow", request=request)

    budget = Booked()
    with pytest.raises(Unavailable):
        Wire(broken).kustomer(budget).customers.get("1")

    assert budget.booked == [("customer", "broken", 0)]


def test_a_spent_share_sends_nothing() -> None:
    class Spent(Booked):
        def take(self, *, if_closed: Callable[[], None] | None = None) -> Any:
            raise RateLimited("spent", retry_after_s=3)

    wire, budget = Wire(httpx2.Response(200)), Spent()
    with pytest.raises(RateLimited):
        wire.kustomer(budget).customers.get("1")

    assert (wire.requests, budget.booked) == ([], [])


# Connections


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (httpx2.ConnectError("no"), NotSent),
        (httpx2.ConnectTimeout("no"), NotSent),
        (httpx2.PoolTimeout("no"), NotSent),
        (httpx2.ReadTimeout("no"), Unavailable),
        (httpx2.WriteTimeout("no"), Unavailable),
        (httpx2.ReadError("no"), Unavailable),
        (httpx2.WriteError("no"), Unavailable),
        (httpx2.RemoteProtocolError("no"), Unavailable),
        (httpx2.DecodingError("no"), Unavailable),
    ],
)
def test_only_a_failed_connection_is_known_to_have_done_nothing(
    raised: Exception, kind: type[Exception]
) -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise raised

    with pytest.raises(Unavailable) as error:
        Wire(fail).kustomer().customers.get("1")

    assert type(error.value) is kind
    assert error.value.__cause__ is raised


def test_a_refused_connection_means_that_nothing_was_sent(http: httpx2.Client) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"

        with pytest.raises(NotSent, match="kustomer could not be reached for customer"):
            kustomer_at(nobody, http).customers.get("1")
        with pytest.raises(NotSent, match="cloudtalk could not be reached for call_detail"):
            cloudtalk_at(nobody, http).calls.detail(1)


def test_a_lost_reply_leaves_it_open_what_was_done(http: httpx2.Client, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.lose_next_reply(method="POST")

    with pytest.raises(Unavailable) as error:
        kustomer_at(sandbox.kustomer.url, http).customers.create({"phones": [{"phone": "+441632960304"}]})

    assert not isinstance(error.value, NotSent)
    assert len(sandbox.kustomer.customers) == 1


def test_a_dropped_request_looks_the_same(http: httpx2.Client, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.drop_next_request(method="POST")

    with pytest.raises(Unavailable) as error:
        kustomer_at(sandbox.kustomer.url, http).customers.create({"phones": [{"phone": "+441632960304"}]})

    assert not isinstance(error.value, NotSent)
    assert sandbox.kustomer.customers == []


def test_trouble_on_their_side_is_not_tried_again_by_the_client(
    http: httpx2.Client, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(503)

    with pytest.raises(Unavailable):
        kustomer_at(sandbox.kustomer.url, http).customers.by_phone("+441632960304")

    assert len(sandbox.kustomer.requests) == 1


# What goes along with every request


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_no_key_leaves_for_another_host(status: int) -> None:
    wire = Wire(httpx2.Response(status, headers={"location": "https://elsewhere.example/take-it"}))

    with pytest.raises((Rejected, Unavailable)):
        wire.kustomer().customers.get("1")
    with pytest.raises((Rejected, Unavailable)):
        wire.cloudtalk().calls.detail(1)

    assert [request.url.host for request in wire.requests] == ["kustomer.example", "cloudtalk.example"]


def test_every_request_says_who_is_asking_and_what_it_reads() -> None:
    wire = Wire(httpx2.Response(404))
    kustomer, cloudtalk = wire.kustomer(), wire.cloudtalk()

    kustomer.customers.get("1")
    for ask in (
        lambda: kustomer.notes.update("1", {}),
        lambda: cloudtalk.agents.all(),
        lambda: cloudtalk.calls.detail(1),
    ):
        with pytest.raises(BridgeError):
            ask()

    for request in wire.requests:
        assert request.headers["user-agent"].startswith("callbridge/")
        assert request.headers["accept"] == "application/json"


def test_each_service_gets_its_own_key_and_no_other() -> None:
    wire = Wire(httpx2.Response(404))

    wire.kustomer().customers.get("1")
    with pytest.raises(BridgeError):
        wire.cloudtalk().calls.detail(1)

    rate_limits = [request.headers["authorization"] for request in wire.requests]
    assert rate_limits[0] == f"Bearer {KUSTOMER_KEY}"
    assert rate_limits[1].startswith("Basic ")


def test_a_client_has_a_limit_for_every_phase() -> None:
    with make_client(httpx2.MockTransport(lambda request: httpx2.Response(200))) as client:
        assert None not in (
            client.timeout.connect,
            client.timeout.read,
            client.timeout.write,
            client.timeout.pool,
        )


def test_a_wrong_key_is_refused_without_repeating_it(http: httpx2.Client, sandbox: RunningSandbox) -> None:
    from bridge.clients.cloudtalk import CloudTalk

    url = sandbox.environ()["CLOUDTALK_ANALYTICS_URL"]
    wrong = CloudTalk(client=http, core=url, analytics=url, key_id="someone", key_secret="wrong-secret")

    with pytest.raises(Unauthorized) as error:
        wrong.calls.detail(1000000110)

    assert "wrong-secret" not in str(error.value)
    assert CLOUDTALK_KEY_SECRET not in str(error.value)


# What the service tells of its budget


@pytest.mark.parametrize(
    ("headers", "rate_limits"),
    [
        ({"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "999"}, (1000, 999, None)),
        ({"x-cloudtalkapi-limit": "60", "x-cloudtalkapi-remaining": " 0 "}, (60, 0, None)),
        (
            {
                "x-cloudtalkapi-limit": "60",
                "x-cloudtalkapi-remaining": "7",
                "x-cloudtalkapi-resettime": str(THEIR_NOW + 30),
            },
            (60, 7, 30),
        ),
        # Their clock and the time they tell disagree.
        (
            {
                "x-ratelimit-limit": "60",
                "x-ratelimit-remaining": "7",
                "x-ratelimit-reset": str(THEIR_NOW - 5),
            },
            (60, 7, None),
        ),
        (
            {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "inf"},
            (60, 7, None),
        ),
        ({}, None),
        ({"x-ratelimit-remaining": "7"}, None),
        ({"x-ratelimit-limit": "60"}, None),
        ({"x-ratelimit-limit": "0", "x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "61"}, None),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "-1"}, None),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "²"}, None),
        ({"x-ratelimit-limit": "9" * 5000, "x-ratelimit-remaining": "1"}, None),
        ({"x-ratelimit-limit": "many", "x-ratelimit-remaining": "few"}, None),
    ],
)
def test_what_can_be_true_of_their_budget_is_booked(
    headers: dict[str, str], rate_limits: tuple[int, int, float | None] | None
) -> None:
    answer = httpx2.Response(
        404, headers=[(k.encode(), v.encode()) for k, v in {**headers, "date": DATE}.items()]
    )
    budget = Booked()

    Wire(answer).kustomer(budget).customers.get("1")

    expected = None if rate_limits is None else RateLimitHeaders(*rate_limits)
    assert budget.rate_limits == [expected]


def test_a_429_may_be_of_a_narrower_limit_and_tells_only_when_to_come() -> None:
    headers = {"x-ratelimit-limit": "120", "x-ratelimit-remaining": "0", "retry-after": "7"}
    budget = Booked()

    with pytest.raises(RateLimited):
        Wire(httpx2.Response(429, headers=headers)).kustomer(budget).customers.get("1")

    assert (budget.booked, budget.rate_limits) == ([("customer", "429", 7)], [None])


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 3), ("0", 0.05), ("60", 4.5)])
def test_waits_are_measured_in_the_windows_of_the_service(retry_after: str | None, seconds: float) -> None:
    headers = {"retry-after": retry_after} if retry_after else {}
    budget = Booked()
    budget.window_s = 3

    with pytest.raises(RateLimited) as spent:
        Wire(httpx2.Response(429, headers=headers)).kustomer(budget).customers.get("1")

    assert spent.value.retry_after_s == pytest.approx(seconds)
