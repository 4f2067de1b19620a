"""Two people of two companies, and one of the deployment, each in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.web.accounts import KEY, OPS, Deployment, deployment, people_of, table
from tests.web.browser import NEEDS_CHROMIUM, Tab
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED

pytestmark = [
    pytest.mark.slow,  # a browser takes a second to start
    NEEDS_CHROMIUM,
]
TEXT = "document.body.innerText"
LIVE = "document.getElementById('live-state')?.textContent === 'Live'"


@pytest.fixture
def two(redis_server: RedisServer, tmp_path: Path) -> Iterator[Deployment]:
    accounts = {"acme": table("acme"), "bolt": table("bolt", paused=True)}
    with deployment(redis_server.url, tmp_path, accounts) as running:
        yield running


def enter(tab: Tab, two: Deployment, place: str, token: str) -> Tab:
    """Open a page, and sign in on the way."""
    tab.open(f"http://127.0.0.1:{two.site.port}{place}")
    tab.until("location.pathname.endsWith('/login') && document.activeElement.id === 'token'")
    tab.type(token)
    tab.look("document.querySelector('form').requestSubmit()")
    tab.until(f"location.pathname === '{place}' && document.readyState === 'complete'")
    return tab


def test_a_call_appears_live_to_its_own_company_and_never_to_another(
    tabs: Callable[[], Tab], two: Deployment
) -> None:
    acme = enter(tabs(), two, "/accounts/acme/", people_of("acme")[1])
    bolt = enter(tabs(), two, "/accounts/bolt/", people_of("bolt")[1])
    acme.until(LIVE)
    bolt.until(LIVE)

    two.post("acme")
    two.post("bolt", {**ENDED, "call_id": "1000000777", "call_uuid": "0b8f6a52-3c1d-4a7e-8e55-9d1c2f3a4b5c"})

    acme.until(f"!!document.querySelector('a[href=\"/accounts/acme/calls/{KEY}\"]')")
    bolt.until(f"{TEXT}.includes('1000000777')")
    assert "1000000777" not in acme.look("document.documentElement.outerHTML")
    assert str(ENDED["call_id"]) not in bolt.look("document.documentElement.outerHTML")
    assert "This account is paused." in bolt.look(TEXT) and "paused" not in acme.look(TEXT)
    assert acme.complaints == bolt.complaints == []


def test_one_browser_may_hold_sessions_of_two_companies(tabs: Callable[[], Tab], two: Deployment) -> None:
    tab = enter(tabs(), two, "/accounts/acme/calls", people_of("acme")[0])
    enter(tab, two, "/accounts/bolt/calls", people_of("bolt")[1])

    for name, role in (("acme", "read"), ("bolt", "operate")):
        tab.open(f"http://127.0.0.1:{two.site.port}/accounts/{name}/calls")
        tab.until(f"location.pathname === '/accounts/{name}/calls' && document.readyState === 'complete'")
        assert tab.look("document.querySelector('.account strong').textContent") == name
        assert tab.look("document.querySelector('.who .quiet').textContent") == role


def test_somebody_of_the_deployment_goes_from_the_list_into_an_account_and_back(
    tabs: Callable[[], Tab], two: Deployment
) -> None:
    two.post("acme")
    tab = enter(tabs(), two, "/", OPS)
    assert "2 accounts" in tab.look(TEXT)

    tab.look("document.querySelector('a[href=\"/accounts/acme/\"]').click()")
    tab.until("location.pathname === '/accounts/acme/' && document.readyState === 'complete'")
    tab.until(LIVE)
    assert tab.look("document.querySelector('.account strong').textContent") == "acme"
    tab.look("[...document.querySelectorAll('nav a')].find(one => one.textContent === 'Accounts').click()")
    tab.until("location.pathname === '/accounts' && document.readyState === 'complete'")

    tab.look("[...document.querySelectorAll('button')].find(one => one.textContent === 'Sign out').click()")
    tab.until("location.pathname === '/login'")
    assert tab.complaints == []


def test_the_colours_chosen_in_an_account_are_those_of_all(tabs: Callable[[], Tab], two: Deployment) -> None:
    tab = enter(tabs(), two, "/accounts/acme/calls", OPS)

    tab.look("document.querySelector('button[value=dark]').click()")
    tab.until("document.documentElement.dataset.theme === 'dark'")
    tab.until("performance.getEntriesByType('resource').some(one => one.name.endsWith('/theme'))")
    for place in ("/accounts/bolt/calls", "/accounts", "/accounts/acme/"):
        tab.open(f"http://127.0.0.1:{two.site.port}{place}")
        tab.until(f"location.pathname === '{place}' && document.readyState === 'complete'")
        tab.until("document.documentElement.dataset.theme === 'dark'")
