from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bridge.clients.cloudtalk import Agent, CloudTalk
from bridge.domain.detail import read_detail
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.phone import WITHHELD, Kind, Phone
from bridge.errors import NotThereYet, RateLimited, Rejected, Unavailable
from bridge.sandbox.running import RunningSandbox
from tests.clients.given import Wire

ADA = "+441632960304"
SINCE = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)


def pages(*contents: list[Any], count: Any = None) -> Wire:
    """A list in so many pages; `count` is what it says of their number."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        page = int(request.url.params["page"])
        result = len(contents) if count is None else count
        return httpx2.Response(
            200, json={"responseData": {"pageCount": result, "pageNumber": page, "data": contents[page - 1]}}
        )

    return Wire(answer)


def item(call_id: object, **cdr: object) -> dict[str, Any]:
    return {"Cdr": {"id": call_id, **cdr}}


# Call detail


def test_detail_is_answered_as_it_came(cloudtalk: CloudTalk, sandbox: RunningSandbox) -> None:
    call = sandbox.cloudtalk.add_call(external_number=ADA, talking_time=97, tags=["VIP"])

    detail = read_detail(cloudtalk.calls.detail(call["id"]), asked_at=SINCE)

    assert (str(detail.uuid), detail.call_id) == (call["uuid"], call["id"])
    assert (detail.status, detail.external) == (Outcome.ANSWERED, Phone(Kind.E164, ADA))
    assert detail.tags == ("VIP",)


def test_detail_that_is_not_there_may_still_come(cloudtalk: CloudTalk, sandbox: RunningSandbox) -> None:
    with pytest.raises(NotThereYet, match="1000000999"):
        cloudtalk.calls.detail(1000000999)


def test_a_spent_budget_is_told_with_its_end(cloudtalk: CloudTalk, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.limit(0)

    with pytest.raises(RateLimited) as error:
        cloudtalk.calls.detail(1000000110)

    assert 1 <= error.value.retry_after_s <= 90


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_detail_that_is_no_object_is_no_answer(body: Any) -> None:
    with pytest.raises(Unavailable):
        Wire(httpx2.Response(200, json=body)).cloudtalk().calls.detail(1)


def test_other_refusals_of_detail_stay_what_they_are() -> None:
    with pytest.raises(Rejected) as error:
        Wire(httpx2.Response(400, json={"message": "not a number"})).cloudtalk().calls.detail(1)

    assert error.value.status == 400


# The list of calls


def test_calls_are_found_by_number_and_time(cloudtalk: CloudTalk, sandbox: RunningSandbox) -> None:
    wanted = sandbox.cloudtalk.add_call(
        external_number=ADA, direction="outgoing", started_at="2026-03-02T09:23:00Z"
    )
    sandbox.cloudtalk.add_call(external_number="+441632960305", started_at="2026-03-02T09:23:00Z")
    sandbox.cloudtalk.add_call(external_number=ADA, started_at="2026-03-04T09:23:00Z")

    (found,) = cloudtalk.calls.all_between(external=ADA, since=SINCE, until=UNTIL)

    assert found.call_id == wanted["id"]
    assert found.started_at == datetime(2026, 3, 2, 9, 23, tzinfo=UTC)
    assert (found.direction, found.external) == (Direction.OUTGOING, Phone(Kind.E164, ADA))


def test_a_withheld_number_is_listed_as_such(cloudtalk: CloudTalk, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(external_number=None, started_at="2026-03-02T09:23:00Z")

    (found,) = cloudtalk.calls.all_between(external=None, since=SINCE, until=UNTIL)

    assert found.external == WITHHELD


def test_the_question_is_in_utc_and_the_plus_is_encoded() -> None:
    wire = pages([])
    prague = timezone(timedelta(hours=1))

    list(wire.cloudtalk().calls.all_between(external=ADA, since=SINCE.astimezone(prague), until=UNTIL))

    query = urlsplit(str(wire.requests[0].url)).query
    assert "public_external=%2B441632960304" in query
    assert parse_qs(query)["date_from"] == ["2026-03-02 00:00:00"]
    assert parse_qs(query)["limit"] == ["1000"]


def test_all_pages_are_read_up_to_the_most() -> None:
    wire = pages([item(1), item("2")], [item(3)], [item(4)], [item(5)])

    assert [
        c.call_id for c in wire.cloudtalk().calls.all_between(external=None, since=SINCE, until=UNTIL)
    ] == [
        1,
        2,
        3,
        4,
    ]
    assert [request.url.params["page"] for request in wire.requests] == ["1", "2", "3"]

    found = wire.cloudtalk().calls.all_between(external=None, since=SINCE, until=UNTIL, most=1)
    assert [call.call_id for call in found] == [1, 2]


@pytest.mark.parametrize("count", [0, 1, "1", "", "many", [], {}, True])
def test_a_page_count_that_is_none_ends_the_list(count: Any) -> None:
    wire = pages([item(1)], [item(2)], count=count)

    assert len(list(wire.cloudtalk().calls.all_between(external=None, since=SINCE, until=UNTIL))) == 1


def test_a_page_count_may_be_text() -> None:
    wire = pages([item(1)], [item(2)], count="2")

    assert len(list(wire.cloudtalk().calls.all_between(external=None, since=SINCE, until=UNTIL))) == 2


def test_items_that_make_no_sense_are_left_out() -> None:
    wire = pages(
        ["x", None, {}, {"Cdr": None}, {"Cdr": []}, item(None), item("test-1"), item("7", started_at=5)]
    )

    (found,) = wire.cloudtalk().calls.all_between(external=None, since=SINCE, until=UNTIL)

    assert (found.call_id, found.started_at, found.external, found.direction) == (7, None, None, None)


@pytest.mark.parametrize("body", [None, [], {}, {"responseData": None}, {"responseData": {"data": {}}}])
def test_an_answer_without_a_list_is_no_answer(body: Any) -> None:
    cloudtalk = Wire(httpx2.Response(200, json=body)).cloudtalk()

    with pytest.raises(Unavailable):
        list(cloudtalk.calls.all_between(external=None, since=SINCE, until=UNTIL))
    with pytest.raises(Unavailable):
        cloudtalk.agents.all()


# Agents


def test_agents_are_listed_with_names_and_addresses(cloudtalk: CloudTalk) -> None:
    assert cloudtalk.agents.all() == [
        Agent(agent_id=400101, name="Bo Sample", email="bo.sample@example.com"),
        Agent(agent_id=400102, name="Cy Fictional", email="cy.fictional@example.com"),
    ]


def test_nothing_else_of_an_agent_is_kept() -> None:
    wire = pages(
        [{"Agent": {"id": "7", "firstname": "Bo", "lastname": None, "email": "", "pass": "hidden"}}, {}]
    )

    assert wire.cloudtalk().agents.all() == [Agent(agent_id=7, name="Bo", email=None)]
    assert "hidden" not in repr(wire.cloudtalk().agents.all())
