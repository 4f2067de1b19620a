"""The pages for operating in a real browser: replay in phases, assign a held event, follow the listener."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from tests.web.browser import NEEDS_CHROMIUM, Tab
from tests.web.people import AMY, BO, PEOPLE
from tests.web.serving import ENDED, UUID, Site
from tests.web.test_parked import done, park

pytestmark = [
    pytest.mark.slow,
    NEEDS_CHROMIUM,
]
TEXT = "document.body.innerText"


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE, app={"sign_in_takes_s": 0.0})


@pytest.fixture
def open_as(tabs: Callable[[], Tab], site: Site) -> Callable[[str, str], Tab]:
    """A page as this person sees it after signing in."""

    def opened(token: str, place: str) -> Tab:
        tab = tabs()
        tab.open(f"http://127.0.0.1:{site.port}{place}")
        tab.until("location.pathname === '/login' && document.activeElement.id === 'token'")
        tab.type(token)
        tab.look("document.querySelector('form').requestSubmit()")
        tab.until(f"location.pathname === '{place.partition('?')[0]}' && document.readyState === 'complete'")
        return tab

    return opened


@contextlib.contextmanager
def working(ledger: Ledger) -> Iterator[None]:
    """A worker that does all that is due, as it comes."""
    ends = threading.Event()

    def work() -> None:
        while not ends.wait(0.05):
            done(ledger)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ends.set()
    thread.join()


def click(tab: Tab, words: str) -> None:
    """A link or button by its words."""
    all_of_them = "[...document.querySelectorAll('a, button, summary')]"
    found = f"{all_of_them}.find(one => one.innerText.trim() === {words!r})"
    tab.until(f"!!{found}")
    tab.look(f"{found}.click()")


def test_parked_jobs_are_replayed_in_phases_while_the_page_follows(
    ledger: Ledger, open_as: Callable[[str, str], Tab]
) -> None:
    park(ledger, *range(1, 14))
    tab = open_as(BO, "/parked")

    click(tab, "What would a replay do?")
    tab.until(f"{TEXT}.includes('First 1 job, then 10 jobs, then 2 jobs')")
    click(tab, "Start with the first job")
    tab.until("location.pathname.startsWith('/parked/runs/')")
    place = tab.look("location.pathname")

    with working(ledger):
        tab.until(f"{TEXT}.includes('Done: 13 jobs ended well.')")
    assert tab.look("location.pathname") == place
    assert ledger.parked_count() == 0
    assert {line["who"] for line in trail.read(ledger)} == {"Bo"}
    assert tab.complaints == []


def test_some_jobs_are_ticked_by_keyboard_and_dropped_with_a_reason(
    ledger: Ledger, open_as: Callable[[str, str], Tab]
) -> None:
    park(ledger, 1, 2, 3)
    tab = open_as(BO, "/parked?cause=Rejected")

    tab.look("document.querySelector('input[value=\"sync|id:2\"]').focus()")
    tab.press(" ")
    click(tab, "Drop ticked…")
    tab.look("document.getElementById('r-ticked').focus()")
    tab.type("made up for a test")
    tab.look("document.querySelector('.sheet-in button.danger').click()")

    tab.until(f"{TEXT}.includes('1 job dropped.')")
    assert sorted(ledger.parked()) == ["sync|id:1", "sync|id:3"]
    assert tab.complaints == []


def test_a_held_event_is_assigned_to_the_call_that_fits(
    site: Site, ledger: Ledger, open_as: Callable[[str, str], Tab]
) -> None:
    now = datetime.now(UTC)
    times = {"started_at": now.isoformat(), "ended_at": (now + timedelta(minutes=1)).isoformat()}
    site.post({**ENDED, **times})
    site.post({"event": "call_answered", "external_number": ENDED["external_number"], **times})
    tab = open_as(BO, "/held")

    tab.look("document.querySelector('main table a').click()")
    tab.until(f"{TEXT}.includes('Which call is it of?')")
    click(tab, "Assign")

    tab.until(f"{TEXT}.includes('Assigned.')")
    assert ledger.held_count() == 0
    record = ledger.find(UUID)
    assert record is not None
    assert {event.trigger for event in record.events} == {"call-ended", "call-answered"}
    assert tab.complaints == []


def test_the_listener_shows_the_next_webhook_as_it_comes(
    site: Site, open_as: Callable[[str, str], Tab]
) -> None:
    tab = open_as(BO, "/setup")
    tab.until(f"{TEXT}.includes('No webhook so far')")

    site.post({**ENDED, "externl_number": "made-up"})
    tab.until(f"{TEXT}.includes('did you mean external_number?')")
    site.post({**ENDED, "call_id": "1000000111", "call_uuid": ""})

    tab.until(f"{TEXT}.includes('1000000111') && !{TEXT}.includes('did you mean')")
    assert tab.complaints == []


def test_a_reader_has_no_buttons_and_a_phone_needs_no_sideways_scrolling(
    site: Site, ledger: Ledger, open_as: Callable[[str, str], Tab]
) -> None:
    park(ledger, 1)
    site.post({"event": "call_ended", "contact_name": "Ada Example"})
    tab = open_as(AMY, "/parked")
    tab.do("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)

    for place in ("/parked", "/held", "/refused", "/setup", "/audit", "/trail", "/rules"):
        tab.open(f"http://127.0.0.1:{site.port}{place}")
        tab.until(f"location.pathname === '{place}' && document.readyState === 'complete'")
        assert tab.look("document.querySelectorAll('main form[method=post]').length") == 0, place
        assert tab.look("document.documentElement.scrollWidth <= 390"), place
    assert tab.complaints == []
