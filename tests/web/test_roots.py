"""Behind a path prefix, as PUBLIC_URL has it, every address that pages and `/api` give begins with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest

from bridge.web.pages.rendering import NAVIGATION, TEMPLATES
from bridge.web.roots import below_root, place_of, placed, root_in, root_of
from tests.web.browser import NEEDS_CHROMIUM, browsing
from tests.web.people import BO, HOME, PEOPLE, session, sign_in
from tests.web.serving import BEARER, ENDED, UUID, Site

ROOT = "/to-crm"
KEY = f"uuid:{UUID}"
PAGES = [
    *(place for group in NAVIGATION for _, place in group if place != "/try"),
    *(f"/calls/{KEY}", f"/recordings/{KEY}", "/rules/try", "/held?other=1", "/parked?cause=Rejected"),
    *("/calls?q=nobody", "/audit/none", "/refused?span=week", "/contacts?left=1", "/messages/none"),
]
_ADDRESS = re.compile(r"""\b(?:href|src|action|formaction)\s*=\s*["']([^"']*)["']""")
_GOOD = re.compile(
    r"""(?x) ["'](?: \#[\w{} .-]* | \{\{\ root\ \}\}/.* | \{\{\ [\w.\[\]]+\ \|\ at\ \}\}.*
    | \{\{\ all_accounts\ \}\} | \{\{\ asset\('[\w.-]+'\)\ \}\} )["']"""
)


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE, public_url=f"https://bridge.example{ROOT}", app={"sign_in_takes_s": 0.0})


def addresses(text: str) -> Iterator[str]:
    for found in _ADDRESS.findall(text):
        address = unescape(found)
        if not address.startswith(("#", "http://", "https://")):
            yield address


def test_no_template_writes_an_address_without_the_root() -> None:
    bare = [
        (path.name, found[0])
        for path in TEMPLATES.glob("*.html")
        for found in re.finditer(
            r"""\b(?:href|src|action|formaction)\s*=\s*("[^"]*"|'[^']*')""", path.read_text()
        )
        if not _GOOD.fullmatch(found[1])
    ]

    assert bare == []


def test_no_script_writes_an_address_without_the_root() -> None:
    for path in (TEMPLATES.parent / "static").glob("*.js"):
        assert re.findall(r"""["'`]/[a-z][^"'`]*["'`]""", path.read_text()) == [], path.name


@pytest.mark.parametrize(
    "asked", [ROOT, ""], ids=["prefix left in the path", "prefix taken off by the proxy"]
)
def test_every_address_on_every_page_begins_with_the_root_and_leads_somewhere(site: Site, asked: str) -> None:
    site.post(ENDED)
    site.post({"event": "call_ended", "note": "of nobody"})
    site.post(ENDED, headers={})
    signed_in = session(site, BO)
    found: set[str] = set()

    for page in PAGES:
        answer = site.ask("GET", f"{asked}{page}", headers=signed_in)
        assert answer.status in (200, 404), page
        given = set(addresses(answer.text))
        assert given and all(one.startswith(f"{ROOT}/") for one in given), page
        found |= given

    assert f"{ROOT}/calls/{KEY}" in found and f"{ROOT}/api/openapi.json" in found
    for address in found:
        answer = site.ask("GET", address, headers=signed_in)
        assert b'"error":"not found"' not in answer.raw, address


def test_the_way_to_sign_in_and_back_stays_below_the_root(site: Site) -> None:
    away = site.get(f"{ROOT}/calls?q=1")
    assert (away.status, away.headers["location"]) == (303, f"{ROOT}/login?next=/calls%3Fq%3D1")

    answer = sign_in(site, BO, onward="/calls?q=1", **HOME)

    assert (answer.status, answer.headers["location"]) == (303, f"{ROOT}/calls?q=1")
    assert f"Path={ROOT};" in answer.headers["set-cookie"]
    out = site.ask("POST", f"{ROOT}/logout", headers=session(site, BO))
    assert (out.headers["location"], f"Path={ROOT};" in out.headers["set-cookie"]) == (f"{ROOT}/login", True)


@pytest.mark.slow  # a browser takes a second to start
@NEEDS_CHROMIUM
def test_in_a_browser_behind_a_prefix_pages_are_styled_signed_in_to_and_live(site: Site) -> None:
    with browsing() as open_tab:
        tab = open_tab()
        tab.open(f"http://127.0.0.1:{site.port}{ROOT}/")
        tab.until("document.activeElement.id === 'token'")
        tab.type(BO)
        tab.look("document.querySelector('form').requestSubmit()")
        tab.until(f"location.pathname === '{ROOT}/' && document.readyState === 'complete'")
        tab.until("document.getElementById('live-state').textContent === 'Live'")

        site.post(ENDED)

        tab.until(f"!!document.querySelector('a[href=\"{ROOT}/calls/{KEY}\"]')")
        assert tab.look("document.styleSheets.length") >= 2
        assert tab.complaints == []


def test_what_is_no_page_of_ours_is_not_gone_to_after_signing_in(site: Site) -> None:
    for onward in ("//elsewhere.example/", "https://elsewhere.example/", "/\\elsewhere.example"):
        assert sign_in(site, BO, onward=onward, **HOME).headers["location"] == f"{ROOT}/"


def test_a_form_leads_back_below_the_root(site: Site) -> None:
    form = {**session(site, BO), "Content-Type": "application/x-www-form-urlencoded"}

    chosen = site.ask("POST", f"{ROOT}/theme", b"theme=dark&next=/calls", form)

    assert (chosen.status, chosen.headers["location"]) == (303, f"{ROOT}/calls")
    assert f"Path={ROOT};" in chosen.headers["set-cookie"]


def test_webhooks_and_the_api_are_below_the_root_too(site: Site) -> None:
    headers = session(site, BO)

    taken = site.ask(
        "POST", f"{ROOT}/webhooks/cloudtalk/call-ended", b'{"call_uuid": "%s"}' % UUID.encode(), BEARER
    )

    assert taken.status == 202
    assert site.ask("GET", f"{ROOT}/api/calls", headers=headers).json["calls"][0]["key"] == KEY
    assert site.ask("GET", "/api/openapi.json", headers=headers).json["servers"] == [{"url": ROOT}]
    assert site.get(f"{ROOT}/healthz").status == 200
    assert (
        f"https://bridge.example{ROOT}/webhooks/cloudtalk/" in site.ask("GET", "/setup", headers=headers).text
    )


def test_without_a_prefix_addresses_begin_with_a_slash(serve: Callable[..., Site]) -> None:
    site = serve(**PEOPLE)

    text = site.ask("GET", "/calls", headers=session(site, BO)).text

    assert 'data-root=""' in text and 'href="/parked"' in text


def test_the_root_is_the_path_of_the_address_for_people() -> None:
    assert root_in("https://bridge.example/to-crm/") == "/to-crm"
    assert root_in("https://bridge.example") == root_in(None) == ""


def test_a_server_that_sets_the_root_itself_is_right() -> None:
    scope = placed({"root_path": "/theirs", "path": "/theirs/calls"}, "/ours")

    assert (root_of(scope), place_of(scope)) == ("/theirs", "/calls")
    assert below_root(scope, "/calls") == "/theirs/calls"
    assert below_root(scope, "//elsewhere.example") == "//elsewhere.example"


def test_a_path_that_only_begins_like_the_root_is_not_below_it() -> None:
    scope = placed({"root_path": "", "path": "/to-crm-notes"}, "/to-crm")

    assert place_of(scope) == "/to-crm-notes"
    assert place_of(placed({"path": "/to-crm"}, "/to-crm")) == "/"
