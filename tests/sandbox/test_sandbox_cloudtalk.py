from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest

from bridge.sandbox import CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET
from bridge.sandbox.handles import CloudTalkHandle

ADA = "+441632960304"


def envelope(answer: httpx2.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["responseData"]


def ids(answer: httpx2.Response) -> list[str]:
    return [item["Cdr"]["id"] for item in envelope(answer)["data"]]


def test_a_listed_call_has_the_types_of_reality_and_not_those_of_the_schema(
    cloudtalk: CloudTalkHandle, core: httpx2.Client
) -> None:
    cloudtalk.add_call(id=1000000110, external_number=ADA, agent_id=400101, talking_time=97, tags=["VIP"])

    (item,) = envelope(core.get("/calls/index.json"))["data"]

    assert item["Cdr"]["id"] == "1000000110"
    assert item["Cdr"]["public_external"] == 441632960304
    assert item["Cdr"]["talking_time"] == "97"
    assert item["Cdr"]["user_id"] == "400101"
    assert "uuid" not in item["Cdr"] and "status" not in item["Cdr"]
    assert item["Tags"][0]["name"] == "VIP"
    assert set(item) == {
        "Cdr", "Contact", "CallNumber", "BillingCall", "Agent", "Notes", "Tags", "Ratings"
    }  # fmt: skip


def test_a_withheld_number_and_an_absent_agent_are_shown_as_cloudtalk_shows_them(
    cloudtalk: CloudTalkHandle, core: httpx2.Client
) -> None:
    cloudtalk.add_call(external_number=None, talking_time=0)

    (item,) = envelope(core.get("/calls/index.json"))["data"]

    assert item["Cdr"]["public_external"] == ""
    assert item["Cdr"]["user_id"] is None
    assert item["Cdr"]["answered_at"] is None
    assert item["Agent"]["fullname"] == "(unknown)"


def test_calls_are_paged(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    for number in range(5):
        cloudtalk.add_call(id=1000000300 + number, started_at=f"2026-03-02T09:0{number}:00Z")

    first = core.get("/calls/index.json", params={"limit": 2})
    last = core.get("/calls/index.json", params={"limit": 2, "page": 3})

    assert ids(first) == ["1000000304", "1000000303"]
    assert ids(last) == ["1000000300"]
    head = {name: value for name, value in envelope(last).items() if name != "data"}
    assert head == {"itemsCount": 5, "pageCount": 3, "pageNumber": 3, "limit": 2}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"call_id": "1"}, ["1"]),
        ({"public_external": "441632960302"}, ["2"]),
        ({"public_internal": "+441632960201"}, ["2"]),
        ({"user_id": "400102"}, ["2"]),
        ({"contact_id": "1400000104"}, ["1"]),
        ({"type": "outgoing"}, ["2"]),
        ({"status": "missed"}, ["1"]),
        ({"status": "answered"}, ["2"]),
        ({"date_from": "2026-03-02 09:30:00"}, ["2"]),
        ({"date_to": "2026-03-02 09:00:00"}, ["1"]),
        ({"filter[status]": "missed"}, ["2", "1"]),
    ],
)
def test_filters_choose_calls_and_unknown_ones_are_ignored_without_a_word(
    cloudtalk: CloudTalkHandle, core: httpx2.Client, filters: dict[str, str], found: list[str]
) -> None:
    cloudtalk.add_call(id=1, started_at="2026-03-02T09:00:00Z", talking_time=0, contact_id=1400000104)
    cloudtalk.add_call(
        id=2,
        started_at="2026-03-02T10:00:00Z",
        direction="outgoing",
        agent_id=400102,
        external_number="+441632960302",
        internal_number="+441632960201",
    )

    assert ids(core.get("/calls/index.json", params=filters)) == found


@pytest.mark.parametrize(
    "wrong", [{"limit": "1001"}, {"limit": "0"}, {"page": "0"}, {"date_from": "2026-03-02"}, {"type": "in"}]
)
def test_a_filter_that_cannot_be_read_is_refused_by_its_name(
    core: httpx2.Client, wrong: dict[str, str]
) -> None:
    answer = core.get("/calls/index.json", params=wrong)

    assert answer.status_code == 406
    assert list(answer.json()["responseData"]["data"]) == list(wrong)


def test_a_call_in_progress_is_nowhere_yet(
    cloudtalk: CloudTalkHandle, core: httpx2.Client, analytics: httpx2.Client
) -> None:
    cloudtalk.add_call(id=1000000110, in_progress=True)

    assert ids(core.get("/calls/index.json")) == []
    assert analytics.get("/calls/1000000110").status_code == 404


def test_an_unknown_agent_is_an_empty_list_and_not_an_error(core: httpx2.Client) -> None:
    assert envelope(core.get("/agents/index.json", params={"id": 999}))["data"] == []

    (item,) = envelope(core.get("/agents/index.json", params={"id": 400101}))["data"]
    assert item["Agent"]["id"] == "400101"
    assert item["Agent"]["email"] == "bo.sample@example.com"


def test_detail_is_a_bare_object_with_the_uuid(cloudtalk: CloudTalkHandle, analytics: httpx2.Client) -> None:
    call = cloudtalk.add_call(id=1000000110, external_number=ADA, tags=["VIP"], talking_time=97)

    answer = analytics.get("/calls/1000000110")

    assert answer.status_code == 200
    body = answer.json()
    assert body["cdr_id"] == 1000000110
    assert body["uuid"] == call["uuid"]
    assert body["contact"]["number"] == ADA
    assert body["status"] == "answered"
    assert body["call_times"]["talking_time"] == 97
    assert body["call_tags"][0]["label"] == "VIP"
    assert set(body) == {
        "cdr_id", "uuid", "company_id", "date", "contact", "call_tags", "call_rating", "internal_number",
        "call_times", "direction", "type", "status", "call_steps", "notes", "recorded", "out_of_office",
    }  # fmt: skip


def test_detail_wants_the_number_and_a_uuid_is_always_malformed(
    cloudtalk: CloudTalkHandle, analytics: httpx2.Client
) -> None:
    call = cloudtalk.add_call()

    answer = analytics.get(f"/calls/{call['uuid']}")

    assert answer.status_code == 400
    assert answer.json()["message"] == ["callId must be a number conforming to the specified constraints"]


def test_detail_of_an_unknown_call_names_the_company(analytics: httpx2.Client) -> None:
    answer = analytics.get("/calls/12456")

    assert answer.status_code == 404
    assert answer.json() == {
        "statusCode": 404,
        "message": "Call with id '12456' doesn't exist on company '100123'",
        "error": "Not Found",
    }


def test_detail_can_come_late(cloudtalk: CloudTalkHandle, analytics: httpx2.Client) -> None:
    cloudtalk.add_call(id=7, ready_after=2)

    assert [analytics.get("/calls/7").status_code for _ in range(3)] == [404, 404, 200]


def test_core_says_the_same_of_every_wrong_key_on_every_path(cloudtalk: CloudTalkHandle) -> None:
    refused = {"responseData": {"status": 401, "message": "Unauthorized"}}

    for path in ("/core/api/calls/index.json", "/core/api/no/such/path.json"):
        without = httpx2.get(cloudtalk.url + path)
        wrong = httpx2.get(cloudtalk.url + path, auth=(CLOUDTALK_KEY_ID, "wrong"))
        assert (without.status_code, without.json()) == (401, refused)
        assert (wrong.status_code, wrong.json()) == (401, refused)


def test_analytics_says_what_is_wrong_with_the_key(cloudtalk: CloudTalkHandle) -> None:
    url = cloudtalk.url + "/analytics/api/calls/1"

    def message(**request: Any) -> Any:
        answer = httpx2.get(url, **request)
        assert answer.status_code == 401
        return answer.json()["message"]

    assert message() == "Authorization header is missing"
    assert message(auth=("some", "body")) == "Company API key doesn't exist."
    assert message(headers={"Authorization": "Bearer x"}) == "Invalid Authorization header - Bearer x"


def test_a_request_without_user_agent_ends_at_the_edge_in_html(cloudtalk: CloudTalkHandle) -> None:
    with httpx2.Client(auth=(CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET)) as client:
        del client.headers["user-agent"]

        answer = client.get(cloudtalk.url + "/core/api/calls/index.json")

    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")


def test_an_unknown_path_of_core_has_no_envelope(core: httpx2.Client) -> None:
    answer = core.get("/calls/nothing.json")

    assert answer.status_code == 404
    assert answer.json() == {"name": "Not Found", "message": "Not Found", "url": "/api/calls/nothing.json"}


def test_a_wrong_method_on_core_is_refused_without_allow(core: httpx2.Client) -> None:
    answer = core.post("/calls/index.json", json={})

    assert answer.status_code == 405
    assert "allow" not in answer.headers


def test_all_hosts_share_one_budget_and_only_the_429_tells_of_it(
    cloudtalk: CloudTalkHandle, core: httpx2.Client, analytics: httpx2.Client
) -> None:
    cloudtalk.limit(2, window_s=60)

    allowed = core.get("/calls/index.json")
    analytics.get("/calls/1")
    refused = core.get("/calls/index.json")

    assert "x-cloudtalkapi-limit" not in allowed.headers
    assert refused.status_code == 429
    assert refused.headers["x-cloudtalkapi-limit"] == "2"
    assert refused.headers["x-cloudtalkapi-remaining"] == "0"
    assert 0 < int(refused.headers["x-cloudtalkapi-resettime"]) - time.time() <= 61
    assert "retry-after" not in refused.headers


def test_the_budget_can_be_told_with_successes_too(cloudtalk: CloudTalkHandle, core: httpx2.Client) -> None:
    cloudtalk.read_as(headers_on_200=True)

    assert core.get("/calls/index.json").headers["x-cloudtalkapi-remaining"] == "59"


def test_an_agent_that_the_sandbox_does_not_know_keeps_its_id(
    cloudtalk: CloudTalkHandle, core: httpx2.Client
) -> None:
    cloudtalk.add_call(agent_id=999)

    (item,) = envelope(core.get("/calls/index.json"))["data"]

    assert item["Agent"]["id"] == "999"


def test_a_replaced_call_is_still_the_same_call(cloudtalk: CloudTalkHandle, analytics: httpx2.Client) -> None:
    first = cloudtalk.add_call(id=1, tags=[])
    cloudtalk.add_call(id=1, tags=["VIP"])

    detail = analytics.get("/calls/1").json()

    assert detail["uuid"] == first["uuid"]
    assert [tag["label"] for tag in detail["call_tags"]] == ["VIP"]
