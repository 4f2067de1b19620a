"""The path of a call, and what an AI voice agent asked: on the call's page and in `/api`."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID as Uuid

import pytest

from bridge.ledger.calls.learning import ASKED
from bridge.ledger.ledger import Ledger
from bridge.reports.call_path import path_view
from tests.domain.test_path import ADA, HAND_OVER, MENU, SALES, call_of, detail
from tests.web.contract import asked
from tests.web.people import AMY, BO, PEOPLE, bearer
from tests.web.serving import UUID, Site

KEY = f"uuid:{UUID}"


@pytest.fixture
def desk(serve: Callable[..., Site], ledger: Ledger) -> Site:
    site = serve(**PEOPLE, app={"sign_in_takes_s": 0.0})
    fields = {"order_number": 1234, "reason": "<b>late</b>"}
    site.post({"call_uuid": UUID, "voice_agent_name": "Nova", "extractData": fields}, "voice-agent")
    body = detail(MENU, SALES, HAND_OVER | {"endpoint": "+441632960399"}, uuid=UUID, out_of_office=True)
    ledger.record_observation(
        "detail", body, uuid=Uuid(UUID), call_id=1000000110, asked_at_ms=ledger.now_ms() + 1000, sure=ASKED
    )
    return site


def test_one_call_has_its_path_and_its_fields(desk: Site) -> None:
    call = asked(desk, "GET", f"/api/calls/{KEY}", headers=bearer(BO)).json

    assert [(one["kind"], one["says"], one["in_queue"]) for one in call["path"]] == [
        ("menu", "Menu: 2", False),
        ("queue", "Queue Sales: waited 42 s", False),
        ("agent", "Rang: Ada Example (did not pick up)", True),
        ("agent", "Answered: Bo Example, talked 1 min", True),
        ("transfer", "Transferred to +441632960399", False),
    ]
    assert call["path_facts"]["out_of_hours"] is True
    assert call["path_facts"]["groups"] == ["Sales", "10", "20"]
    assert call["voice_agent"] == {
        "name": "Nova",
        "fields": [{"name": "order_number", "value": 1234}, {"name": "reason", "value": "‹b>late‹/b>"}],
    }


def test_the_page_shows_them(desk: Site) -> None:
    text = desk.ask("GET", f"/calls/{KEY}", headers=bearer(BO)).text

    assert "Rang: Ada Example (did not pick up)" in text
    assert "Answered by" in text and "Nova" in text and "order_number" in text
    assert "out of hours" in text
    assert "<b>late" not in text


def test_who_may_see_no_names_sees_neither_names_nor_what_callers_said(desk: Site) -> None:
    call = asked(desk, "GET", f"/api/calls/{KEY}", headers=bearer(AMY)).json
    page = desk.ask("GET", f"/calls/{KEY}", headers=bearer(AMY)).text

    assert [one["value"] for one in call["voice_agent"]["fields"]] == ["(hidden)", "(hidden)"]
    assert "Rang: A… (did not pick up)" in [one["says"] for one in call["path"]]
    for hidden in ("Ada Example", "Bo Example", "441632960399", "1234"):
        assert hidden not in page


def test_the_agent_who_called_did_not_fail_to_pick_up() -> None:
    call = call_of(ADA, direction="outgoing", status="missed", call_times={})

    says = [path_view(call, masked=masked)["path"][0]["says"] for masked in (False, True)]

    assert says == ["Placed by: Ada Example", "Placed by: A…"]
