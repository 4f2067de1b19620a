"""Tokens: made as Membrane's own SDK makes them, in time, and with other clocks in mind."""

from __future__ import annotations

import base64
import email.utils
import json

import httpx2
import pytest

from bridge.clients.membrane.tokens import Ready, mint
from bridge.errors import Unauthorized, WrongUse
from tests.clients.membrane.given import Far, jwt, minted, says

NOW = 1_767_603_600.123
# The SDK's, with its clock fixed at NOW.
VECTOR = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJpZCI6InRlbmFudC1kZW1vIiwiaXNzIjoid3MtZGVtbyIsImV4cCI6MTc2NzYwNzIwMH0"
    ".O7shNE6vv2B-e6gbLKvyJW2CXBmtI9qVWY7YoHVCQi4"
)


def end_of(token: str) -> int:
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    end: int = claims["exp"]
    return end


def refusal(date_s: float | None = None) -> httpx2.Response:
    headers = {} if date_s is None else {"date": email.utils.formatdate(date_s, usegmt=True)}
    body = {"type": "bad_request", "key": "not_authenticated", "message": "Authentication token is invalid"}
    return httpx2.Response(401, json=body, headers=headers)


def test_a_token_is_that_of_the_sdk_byte_for_byte() -> None:
    token = mint(workspace_key="ws-demo", secret="not-a-real-secret", tenant_key="tenant-demo", now_s=NOW)

    assert token == VECTOR


def test_a_token_is_used_again_until_a_minute_is_left() -> None:
    clock = [NOW]
    tokens = minted(lambda: clock[0])
    first = tokens.bearer()

    clock[0] = int(NOW) + 3600 - 61
    assert tokens.bearer() == first
    clock[0] += 1
    assert end_of(tokens.bearer()) == int(clock[0]) + 3600


def test_a_token_that_is_not_taken_any_more_is_made_anew_once() -> None:
    clock = [NOW]
    far = Far(refusal(), httpx2.Response(200, json={"user": {}}), tokens=minted(lambda: clock[0]))
    far.membrane.api.tokens.bearer()
    clock[0] += 30

    far.membrane.whoami()

    assert end_of(far.bearers[1]) == end_of(far.bearers[0]) + 30


def test_a_second_refusal_says_what_to_do() -> None:
    far = Far(refusal(), tokens=minted(lambda: NOW))

    with pytest.raises(Unauthorized, match=r"MEMBRANE_WORKSPACE_SECRET \(was it rotated\?\)"):
        far.membrane.whoami()

    assert len(far.requests) == 2


def test_a_clock_that_is_hours_behind_is_set_by_theirs() -> None:
    behind_s = 5 * 3600
    far = Far(
        refusal(int(NOW) + behind_s),
        httpx2.Response(200, json={"user": {}}),
        tokens=minted(lambda: int(NOW)),
    )

    far.membrane.whoami()
    far.membrane.whoami()

    assert end_of(far.bearers[1]) == int(NOW) + behind_s + 3600
    assert far.bearers[2] == far.bearers[1]


def test_a_ready_token_is_not_tried_twice() -> None:
    far = Far(refusal())

    with pytest.raises(Unauthorized, match="MEMBRANE_TOKEN"):
        far.membrane.whoami()

    assert len(far.requests) == 1


def test_a_token_that_is_forbidden_something_is_not_made_anew() -> None:
    far = Far(says(403, key="access_denied"), tokens=minted(lambda: NOW))

    with pytest.raises(Unauthorized, match="may not do this"):
        far.membrane.whoami()

    assert len(far.requests) == 1


def test_a_ready_token_that_has_run_out_is_not_sent() -> None:
    far = Far(tokens=Ready(jwt(exp=NOW - 3600), now=lambda: NOW))

    with pytest.raises(Unauthorized, match="has expired"):
        far.membrane.whoami()

    assert far.requests == []


@pytest.mark.parametrize("token", [jwt(exp=NOW - 60), jwt(exp=NOW + 60), jwt(), "pat-opaque"])
def test_a_ready_token_is_passed_on_where_only_clocks_may_differ(token: str) -> None:
    assert Ready(token, now=lambda: NOW).bearer() == token


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.b.c", "..", "é.é.é", "W10.W10.W10"])
def test_what_is_no_token_is_named_before_anything_is_sent(token: str) -> None:
    with pytest.raises(WrongUse, match="neither a JWT nor"):
        Ready(token)
