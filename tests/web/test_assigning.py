"""Saying whose call it is, from the page and by `/api`."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from bridge.ledger import keys, trail
from bridge.ledger.ledger import Ledger
from tests.web.contract import asked
from tests.web.people import AMY, BO, PEOPLE, bearer, session
from tests.web.serving import ENDED, UUID, Site

KEY = f"uuid:{UUID}"
PAGE, PATH = f"/calls/{KEY}", f"/api/calls/{KEY}"
ADA, CY = "5f0e0000000000000000a1cc", "5f0e0000000000000000a1dd"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def desk(serve: Callable[..., Site], ledger: Ledger) -> Site:
    """With a call that waits for a person, as two customers share its number."""
    site = serve(**PEOPLE, app={"sign_in_takes_s": 0.0})
    site.post(ENDED)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    names = [{"id": ADA, "name": "Ada Example"}, {"id": CY, "name": "Cy <b>Example"}]
    ledger.keep(claim, {"candidates": names, "customer_why": "2 customers have this number: choose one"})
    ledger.park(claim, cause="SeveralCustomers", error="2 customers have this number: choose one of them")
    return site


def test_the_page_shows_the_candidates_and_one_click_assigns_the_call(desk: Site, ledger: Ledger) -> None:
    text = desk.ask("GET", PAGE, headers=bearer(BO)).text
    assert "2 customers have this number: choose one" in text
    assert "Ada Example" in text and "Cy &lt;b&gt;Example" in text and f'value="{CY}"' in text

    form = urlencode({"customer_id": CY}).encode()
    answer = desk.ask("POST", f"{PAGE}/assign", form, {**session(desk, BO), **FORM})

    assert (answer.status, answer.headers["location"]) == (303, f"{PAGE}?done=assign")
    assert ledger.read(KEY).assigned == CY
    assert ledger.parked_count() == 0
    assert ledger.job_states(KEY)[0]["state"] == "due"
    assert trail.read(ledger)[0]["who"] == "Bo"
    wrong = urlencode({"customer_id": "Cy"}).encode()
    assert desk.ask("POST", f"{PAGE}/assign", wrong, {**session(desk, BO), **FORM}).status == 400


def test_whoever_may_only_look_sees_neither_names_nor_buttons(desk: Site) -> None:
    text = desk.ask("GET", PAGE, headers=bearer(AMY)).text
    seen = asked(desk, "GET", PATH, headers=bearer(AMY)).json

    assert "Ada Example" not in text and "/assign" not in text
    assert seen["candidates"] == [{"id": ADA, "name": "A…"}, {"id": CY, "name": "C…"}]


def test_the_api_assigns_a_call_and_remembers_the_number(desk: Site, ledger: Ledger) -> None:
    seen = asked(desk, "GET", PATH, headers=bearer(BO)).json
    assert (seen["state"], seen["candidates"][0]) == ("parked", {"id": ADA, "name": "Ada Example"})

    body = json.dumps({"customer_id": ADA.upper()}).encode()
    answer = asked(desk, "POST", f"{PATH}/assign", body, {**bearer(BO), **JSON})

    assert answer.status == 202
    assert answer.json == {"status": "queued", "call": KEY, "customer_id": ADA}
    assert asked(desk, "GET", PATH, headers=bearer(BO)).json["assigned"] == ADA
    remembered = ledger.memory.customer_of(ENDED["external_number"])
    assert remembered is not None and (remembered.id, remembered.chosen) == (ADA, True)


@pytest.mark.parametrize(
    ("who", "path", "body", "status"),
    [
        (AMY, PATH, {"customer_id": ADA}, 403),
        (BO, PATH, {"customer_id": "Ada"}, 400),
        (BO, PATH, {}, 400),
        (BO, PATH, {"customer_id": ADA, "note": "x"}, 400),
        (BO, "/api/calls/id:99", {"customer_id": ADA}, 404),
    ],
)
def test_what_is_no_assignment_is_refused(
    desk: Site, ledger: Ledger, who: str, path: str, body: dict[str, str], status: int
) -> None:
    answer = asked(desk, "POST", f"{path}/assign", json.dumps(body).encode(), {**bearer(who), **JSON})

    assert answer.status == status
    assert ledger.redis.hlen(keys.ASSIGNED) == 0
