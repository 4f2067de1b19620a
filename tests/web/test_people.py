"""People with names and roles: how they sign in, what each role may do, what ends their sessions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from tests.web.people import AMY, BO, HOME, OPS, PEOPLE, bearer, session, sign_in
from tests.web.serving import ENDED, UUID, Site

AT_ONCE = {"sign_in_takes_s": 0.0}
KEY = f"uuid:{UUID}"


@pytest.fixture
def desk(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE, app=AT_ONCE)


@pytest.mark.parametrize("token", [OPS, AMY, BO])
def test_every_named_token_signs_in(desk: Site, token: str) -> None:
    assert sign_in(desk, token).status == 303
    assert desk.ask("GET", "/", headers=session(desk, token)).status == 200
    assert desk.ask("GET", "/api/queue", headers=bearer(token)).status == 200


def test_a_page_names_whoever_is_signed_in(desk: Site) -> None:
    assert '"who">Amy' in desk.ask("GET", "/", headers=session(desk, AMY)).text
    assert '"who">ops' in desk.ask("GET", "/", headers=session(desk, OPS)).text


@pytest.mark.parametrize("by", [bearer, lambda token: {}])
def test_whoever_may_only_look_changes_nothing(
    desk: Site, ledger: Ledger, by: Callable[[str], dict[str, str]]
) -> None:
    desk.post(ENDED)
    headers = by(AMY) or session(desk, AMY)

    for path in (f"/api/calls/{KEY}/sync", "/api/parked/replay", "/api/nothing", "/api/queue"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = desk.ask(method, path, b"{", headers)
            assert answer.status == 403, (method, path)
            assert "read" in answer.json["error"] and answer.json["hint"]
    assert trail.read(ledger) == []


def test_a_change_is_checked_for_sign_in_then_role_then_body(desk: Site) -> None:
    def tried(headers: dict[str, str]) -> int:
        return desk.ask("POST", "/api/parked/drop", b'{"wrong": ', headers).status

    assert tried({}) == tried(bearer("wrong-token")) == 401
    assert tried(bearer(AMY)) == tried(session(desk, AMY)) == 403
    assert tried(bearer(BO)) == tried(session(desk, BO)) == 400


def test_the_trail_names_the_person(desk: Site, ledger: Ledger) -> None:
    desk.post(ENDED)

    for headers in (bearer(BO), session(desk, BO), bearer(OPS)):
        assert desk.ask("POST", f"/api/calls/{KEY}/sync", headers=headers).status == 202

    assert [line["who"] for line in trail.read(ledger)] == ["ops", "Bo", "Bo"]


def test_a_bearer_counts_more_than_a_session(desk: Site) -> None:
    answer = desk.ask("POST", "/api/parked/replay", headers={**session(desk, BO), **bearer(AMY)})

    assert answer.status == 403


def test_a_token_that_is_removed_ends_its_sessions_and_no_others(
    desk: Site, serve: Callable[..., Site]
) -> None:
    of_amy, of_bo, of_ops = (session(desk, token) for token in (AMY, BO, OPS))

    later = serve(ops_token=OPS, ops_tokens=f"Bo:operate:{BO}", app=AT_ONCE)

    # Nor in a process that still has the old settings.
    for site in (later, desk):
        assert site.ask("GET", "/api/queue", headers=of_amy).status == 401
        assert site.ask("GET", "/", headers=of_amy).status == 303
        assert site.ask("GET", "/api/queue", headers=of_bo).status == 200
        assert site.ask("GET", "/api/queue", headers=of_ops).status == 200
    assert later.ask("GET", "/api/queue", headers=bearer(AMY)).status == 401
    assert sign_in(later, AMY).status == 401


def test_another_role_counts_at_once_for_sessions_that_go_on(desk: Site, serve: Callable[..., Site]) -> None:
    of_bo = session(desk, BO)

    later = serve(ops_token=OPS, ops_tokens=f"Bo:read:{BO}", app=AT_ONCE)

    assert later.ask("POST", "/api/parked/replay", headers=of_bo).status == 403
    assert later.ask("GET", "/api/queue", headers=of_bo).status == 200


def test_no_other_page_changes_anything_with_somebodys_session(desk: Site, ledger: Ledger) -> None:
    desk.post(ENDED)
    cookie = {"Cookie": session(desk, BO)["Cookie"]}
    path = f"/api/calls/{KEY}/sync"

    for more in ({}, {"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert desk.ask("POST", path, headers={**cookie, **more}).status == 403
    assert trail.read(ledger) == []
    assert desk.ask("POST", path, headers={**cookie, **HOME}).status == 202


def test_people_alone_open_the_sandbox_to_nobody_else(serve: Callable[..., Site]) -> None:
    site = serve(ops_tokens=f"Amy:read:{AMY}")

    assert site.get("/api/queue").status == 401
    assert site.ask("GET", "/api/queue", headers=bearer(AMY)).status == 200
