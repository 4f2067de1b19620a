"""Now, Calls and Call in a real browser: live, by keyboard, on a phone, without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from tests.web.browser import NEEDS_CHROMIUM, Tab
from tests.web.people import AMY, BO, PEOPLE
from tests.web.serving import ENDED, Site
from tests.web.test_call_pages import CORPUS, FIELDS, PAGE, park

pytestmark = [
    pytest.mark.slow,  # a browser takes a second to start
    NEEDS_CHROMIUM,
]

ROW = f"!!document.querySelector('a[href=\"{PAGE}\"]')"


@pytest.fixture
def desk(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE, app={"sign_in_takes_s": 0.0})


@pytest.fixture
def enter(tabs: Callable[[], Tab], desk: Site) -> Callable[[str], Tab]:
    """Signs a person in, who sees the first page then."""

    def sign_in(token: str) -> Tab:
        tab = tabs()
        tab.open(f"http://127.0.0.1:{desk.port}/login")
        tab.until("document.activeElement.id === 'token'")
        tab.type(token)
        tab.look("document.querySelector('form').requestSubmit()")
        tab.until("location.pathname === '/' && document.readyState === 'complete'")
        return tab

    return sign_in


Enter = Callable[[str], Tab]


def go(tab: Tab, desk: Site, path: str) -> None:
    tab.open(f"http://127.0.0.1:{desk.port}{path}")
    tab.until(f"location.href.endsWith({path!r}) && document.readyState === 'complete'")


def click(tab: Tab, words: str) -> None:
    all_of = "[...document.querySelectorAll('button, summary, a')]"
    find = f"{all_of}.find(one => one.textContent.trim() === {words!r})"
    tab.until(f"!!{find}")
    tab.look(f"{find}.click()")


@pytest.mark.parametrize("token", [AMY, BO])
def test_a_call_appears_on_the_first_page_as_its_webhook_comes(desk: Site, enter: Enter, token: str) -> None:
    tab = enter(token)
    tab.until("document.getElementById('live-state').textContent === 'Live'")
    tab.look("window.stays = true")

    desk.post(ENDED)

    tab.until(ROW)
    assert tab.look("window.stays") is True, "the page was loaded anew"
    assert tab.complaints == []


def test_a_person_finds_a_call_reads_why_it_is_not_there_and_mends_it(
    desk: Site, enter: Enter, ledger: Ledger
) -> None:
    desk.post(ENDED)
    park(ledger, "422 no such field")
    tab = enter(BO)

    click(tab, "Calls")
    tab.until("location.pathname === '/calls' && !!document.getElementById('f-q')")
    tab.look("document.getElementById('f-q').focus()")
    tab.type("960304")
    tab.look("document.querySelector('form[role=search]').requestSubmit()")
    tab.until(f"location.search.includes('q=960304') && {ROW}")
    tab.look(f"document.querySelector('a[href=\"{PAGE}\"]').click()")
    tab.until("location.pathname.startsWith('/calls/') && !!document.querySelector('.notice')")
    assert "its sync was given up. 422 no such field." in tab.look(
        "document.querySelector('.notice').innerText"
    )
    click(tab, "Sync now")

    tab.until("location.search === '?done=sync'")
    assert ledger.parked_count() == 0
    assert [(one["who"], one["what"]) for one in trail.read(ledger)] == [("Bo", "run again: sync")]
    assert tab.complaints == []


def test_a_reason_is_typed_into_a_form_that_opens_and_closes_by_keyboard(
    desk: Site, enter: Enter, ledger: Ledger
) -> None:
    desk.post(ENDED)
    tab = enter(BO)
    go(tab, desk, PAGE)

    click(tab, "Park…")
    tab.look("document.getElementById('why-park').focus()")
    tab.look("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert tab.look("document.querySelector('details.confirm[open]')") is None
    assert tab.look("document.activeElement.textContent") == "Park…"
    click(tab, "Park…")
    tab.look("document.getElementById('why-park').focus()")
    tab.type("merging the customer")
    tab.look("document.getElementById('why-park').form.requestSubmit()")

    tab.until("location.search === '?done=park'")
    assert ledger.parked_count() == 1


@pytest.mark.parametrize("place", ["/", "/calls", PAGE])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_a_small_phone(desk: Site, enter: Enter, place: str, dark: bool) -> None:
    desk.post({**ENDED, "contact_name": "Anneliese-Katharina von Mustermann-Beispielhausen"})
    tab = enter(BO)
    tab.do("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    tab.do("Emulation.setEmulatedMedia", features=[scheme])
    go(tab, desk, place)

    assert tab.look("document.documentElement.scrollWidth") <= 360
    shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    assert (tab.look(shade) < 60) is dark


def test_the_colours_that_were_chosen_stay(desk: Site, enter: Enter) -> None:
    tab = enter(AMY)

    click(tab, "Dark")
    tab.until("document.documentElement.dataset.theme === 'dark'")
    tab.until("!!document.querySelector('button[value=dark][aria-pressed=true]')")
    tab.until("performance.getEntriesByType('resource').some(one => one.name.endsWith('/theme'))")
    go(tab, desk, "/calls")

    assert tab.look("document.documentElement.dataset.theme") == "dark"
    assert tab.look("getComputedStyle(document.body).backgroundColor") == "rgb(13, 18, 17)"


@pytest.mark.parametrize("place", ["/", "/calls", PAGE])
def test_pages_can_be_read_without_scripts(desk: Site, enter: Enter, place: str) -> None:
    desk.post(ENDED)
    tab = enter(BO)
    tab.do("Emulation.setScriptExecutionDisabled", value=True)
    go(tab, desk, place)

    assert "Ada Example" in tab.look("document.body.innerText")
    assert tab.look("[...document.querySelectorAll('.copy')].every(one => !one.offsetParent)")


def test_what_callers_and_agents_say_never_runs(desk: Site, enter: Enter, ledger: Ledger) -> None:
    for number, evil in enumerate(CORPUS, 1):
        desk.post({**ENDED, **dict.fromkeys(FIELDS, evil), "call_id": str(number), "call_uuid": None})
        claim = ledger.claim("sync", f"id:{number}")
        assert claim is not None
        ledger.park(claim, cause="x", error=evil)
    tab = enter(BO)
    tab.do("Page.addScriptToEvaluateOnNewDocument", source="window.alert = () => { window.hit = true }")

    for place in ("/", "/calls", *(f"/calls/id:{number}" for number in range(1, len(CORPUS) + 1))):
        go(tab, desk, place)
        assert tab.look("window.hit") is None, place
        assert (
            tab.look("document.querySelectorAll('main script, main img:not([src^=\"/static/\"])').length")
            == 0
        )
    assert tab.complaints == []
