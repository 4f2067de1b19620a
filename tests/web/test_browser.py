"""The pages in a real browser: signing in, listening by keyboard alone, nothing that the policy forbids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.ledger.ledger import Ledger
from tests.web.browser import ELSEWHERE, NEEDS_CHROMIUM, Tab
from tests.web.listening import KEY, Shelf, made_up_sound
from tests.web.serving import Site

pytestmark = [
    pytest.mark.slow,  # a browser takes much of a processor
    NEEDS_CHROMIUM,
]

OPS = "made-up-ops-token"
NOW = "document.getElementById('sound').currentTime"
PAUSED = "document.getElementById('sound').paused"
READY = "document.activeElement.id === 'token'"
SAID = "document.getElementById('position').getAttribute('aria-valuetext')"


@pytest.fixture
def shelf(ledger: Ledger, tmp_path: Path) -> Shelf:
    shelf = Shelf(ledger, tmp_path / "recordings", made_up_sound(97))
    shelf.call()
    shelf.keep()
    return shelf


@pytest.fixture
def site(serve: Callable[..., Site], shelf: Shelf) -> Site:
    return serve(ops_token=OPS, recordings_url=shelf.url, app={"sign_in_takes_s": 0.0})


@pytest.fixture
def tab(tabs: Callable[[], Tab], site: Site, shelf: Shelf) -> Tab:
    """The player, by a signed link."""
    tab = tabs()
    tab.open(f"http://127.0.0.1:{site.port}/recordings/{KEY}?sig={shelf.signature()}")
    tab.until("document.getElementById('sound').readyState >= 1")
    return tab


def test_a_person_signs_in_listens_and_signs_out(tabs: Callable[[], Tab], site: Site) -> None:
    tab = tabs()
    place = f"/recordings/{KEY}"

    tab.open(f"http://127.0.0.1:{site.port}{place}")
    tab.until(f"location.pathname === '/login' && {READY}")
    tab.type("not the token")
    tab.look("document.querySelector('form').requestSubmit()")
    tab.until(f"!!document.getElementById('wrong') && {READY}")
    tab.complaints.clear()  # it tells of the 401
    tab.type(OPS)
    tab.look("document.querySelector('form').requestSubmit()")

    tab.until(f"location.pathname === '{place}' && !document.getElementById('player').hidden")
    tab.until("document.getElementById('sound').readyState >= 1")
    assert tab.look("document.cookie") == ""
    tab.look("document.querySelector('form[action=\"/logout\"]').requestSubmit()")
    tab.until("location.pathname === '/login'")
    assert tab.complaints == []


def test_a_form_is_known_for_ours_also_where_browsers_do_not_say_whose_page_it_is(
    tabs: Callable[[], Tab], site: Site
) -> None:
    tab = tabs()
    # There is no Sec-Fetch-Site over plain http: the form's Origin has to tell.
    tab.open(f"http://{ELSEWHERE}:{site.port}/login")
    tab.until(READY)

    tab.type(OPS)
    tab.look("document.querySelector('form').requestSubmit()")

    tab.until("location.pathname === '/'")


def test_the_player_is_used_by_keyboard_alone(tab: Tab) -> None:
    assert tab.look(SAID) == "0 seconds of 1 minute 37 seconds"

    tab.press("ArrowRight")
    tab.press("ArrowRight")
    assert tab.look(NOW) == 10
    assert tab.look(SAID) == "10 seconds of 1 minute 37 seconds"
    tab.press("ArrowLeft")
    assert tab.look(NOW) == 5
    tab.press("5")
    assert tab.look(NOW) == pytest.approx(48.5)
    tab.press("Home")
    tab.press("ArrowLeft")
    assert tab.look(NOW) == 0
    tab.press("End")
    tab.press("ArrowRight")
    assert tab.look(NOW) == pytest.approx(97)
    tab.press("Home")
    tab.until("!document.getElementById('sound').seeking && document.getElementById('sound').readyState > 2")
    tab.press(" ")
    tab.until(f"!{PAUSED} && {NOW} > 0")
    # Its name follows the news that it plays.
    tab.until("document.getElementById('play').getAttribute('aria-label') === 'Pause'")
    tab.press(" ")
    tab.until(PAUSED)
    assert tab.complaints == []


def test_tab_leads_through_all_of_the_player_with_the_focus_in_sight(tab: Tab) -> None:
    seen = []
    for _ in range(5):
        tab.press("Tab")
        seen.append(tab.look("document.activeElement.id || document.activeElement.name"))
        shown = "getComputedStyle(document.activeElement.matches('input') ? "
        shown += "document.activeElement.nextElementSibling : document.activeElement).outlineStyle"
        assert tab.look(shown) == "solid"
    assert seen == ["position", "play", "back", "on", "speed"]

    # The arrows choose among speeds here, and do not move in the recording.
    tab.press("ArrowRight")
    assert tab.look("document.getElementById('sound').playbackRate") == 1.25
    assert tab.look(NOW) == 0
    tab.press(" ")
    tab.until(f"!{PAUSED}")


def test_clicking_and_dragging_seek(tab: Tab) -> None:
    x, y, width = tab.look(
        "(() => { const b = document.getElementById('position').getBoundingClientRect();"
        " return [b.left, b.top + b.height / 2, b.width]; })()"
    )

    tab.mouse("Pressed", x + width / 4, y)
    tab.mouse("Released", x + width / 4, y)
    assert tab.look(NOW) == pytest.approx(97 / 4, abs=0.2)
    tab.mouse("Pressed", x + width / 4, y)
    tab.mouse("Moved", x + width / 2, y)
    # Shown while dragging; heard when let go, even outside.
    assert tab.look("document.getElementById('now').textContent") == "0:48"
    assert tab.look(NOW) == pytest.approx(97 / 4, abs=0.2)
    tab.mouse("Moved", x + width * 2, y)
    tab.mouse("Released", x + width * 2, y)
    assert tab.look(NOW) == pytest.approx(97)


def test_without_script_the_browsers_own_controls_are_there(
    tabs: Callable[[], Tab], site: Site, shelf: Shelf
) -> None:
    tab = tabs()
    tab.do("Emulation.setScriptExecutionDisabled", value=True)

    tab.open(f"http://127.0.0.1:{site.port}/recordings/{KEY}?sig={shelf.signature()}")

    tab.until("document.getElementById('sound').controls")
    assert tab.look("document.getElementById('player').hidden")
    assert tab.look("document.getElementById('sound').getBoundingClientRect().height") > 20


def test_a_sound_that_cannot_be_had_is_told(tab: Tab) -> None:
    tab.look("document.getElementById('sound').src = '/recordings/id:7/audio'")

    tab.until("document.getElementById('trouble').textContent.includes('cannot be loaded')")


def test_all_of_it_fits_a_narrow_screen(tab: Tab, tmp_path: Path) -> None:
    tab.screenshot(tmp_path / "narrow.png", width=320, height=640)

    assert tab.look("document.documentElement.scrollWidth") <= 320
