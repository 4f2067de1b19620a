"""Hostile texts of callers, agents and senders are words on every page, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import escape
from urllib.parse import quote, urlencode

import pytest
from starlette.applications import Starlette

from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.app import create_app
from tests.web import corpus
from tests.web.people import AMY, BO, PEOPLE, bearer, session
from tests.web.roles import routes
from tests.web.serving import Answer, Site

# Of these a page that never ends is none, and files are no pages.
_NO_PAGES = ("/api", "/static", "/metrics", "/healthz", "/readyz", "/webhooks", "/logout")


@pytest.fixture
def hostile(serve: Callable[..., Site], ledger: Ledger) -> Site:
    """A bridge full of hostile texts: calls, held and refused ones, parked jobs, the trail, notes."""
    site = serve(**PEOPLE, app={"sign_in_takes_s": 0.0})
    for number, key in enumerate(corpus.send_all(site)):
        claim = ledger.claim("sync", key)
        assert claim is not None
        text = corpus.HOSTILE[number % len(corpus.HOSTILE)]
        outputs = {
            "out:note": {"id": text, "sent": {"body": text}},
            "out:conversation": {"id": text, "sent": {}},
        }
        ledger.keep(claim, {**outputs, "state": "skipped", "reason": text}, note=text)
        ledger.park(claim, cause=text, error=text)
        trail.leave(ledger, who=text, what=text, call=key, more=text)
    return site


@pytest.fixture
def pages(hostile: Site) -> Iterator[Callable[[str], Answer]]:
    cookie = session(hostile, BO)
    yield lambda path: hostile.ask("GET", path, headers=cookie)


def _paths(app: Starlette, key: str) -> list[str]:
    found = []
    for method, path in routes(app):
        if method == "GET" and not path.startswith(_NO_PAGES) and not path.endswith(("/audio", "/original")):
            found.append(path.replace("{key}", quote(key, safe=":")))
    return [path for path in found if "{" not in path]


@pytest.mark.parametrize("text", corpus.HARMFUL_AS_IS)
def test_a_hostile_text_that_is_not_escaped_is_seen(text: str) -> None:
    raw = [f"<p>{text}</p>", f'<input value="{text}">', f"<b title='{text}'></b>", f'<a href="{text}">x</a>']

    assert any(map(corpus.faults_of, raw))
    assert not corpus.faults_of(f'<p title="{escape(text)}">{escape(text)}</p>')


@pytest.mark.slow
def test_every_page_shows_hostile_texts_as_words(
    pages: Callable[[str], Answer], ledger: Ledger, settings: Settings
) -> None:
    app = create_app(settings)
    keys = [key for key, _ in ledger.recent(count=4)]
    shown = 0
    for key in keys:
        for path in _paths(app, key):
            answer = pages(path)
            assert answer.status < 500, path
            if answer.headers.get("content-type", "").startswith("text/html"):
                corpus.assert_harmless(answer)
                shown += corpus.shows(answer)

    assert shown


@pytest.mark.slow
def test_what_stands_in_an_address_is_shown_as_words(hostile: Site) -> None:
    cookie = session(hostile, BO)
    for text in corpus.HOSTILE:
        query = urlencode(dict.fromkeys(("q", "state", "agent", "cursor", "cause", "next", "reason"), text))
        for path in ("/", "/calls", "/parked", "/held", "/trail", "/login", f"/calls/{quote(text, safe='')}"):
            answer = hostile.ask("GET", f"{path}?{query}", headers={} if path == "/login" else cookie)
            assert answer.status < 500
            if answer.headers.get("content-type", "").startswith("text/html"):
                corpus.assert_harmless(answer)
            else:
                assert answer.status in (303, 404)


@pytest.mark.slow
def test_answers_of_the_api_are_taken_for_pages_by_no_browser(hostile: Site) -> None:
    for path in ("calls", "parked", "held", "trail", "received?limit=20"):
        answer = hostile.ask("GET", f"/api/{path}", headers=bearer(BO))
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        json.loads(answer.text)
        assert hostile.ask("GET", f"/api/{path}", headers=bearer(AMY)).status == 200
    csv = hostile.ask("GET", "/api/calls.csv", headers=bearer(BO))
    assert csv.headers["content-disposition"].startswith("attachment")
