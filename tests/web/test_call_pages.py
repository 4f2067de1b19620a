"""`/calls` and `/calls/{key}`: finding a call, reading it, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest

from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from tests.web.people import AMY, BO, HOME, PEOPLE, bearer, session
from tests.web.serving import ENDED, UUID, Answer, Site

KEY = f"uuid:{UUID}"
PAGE = f"/calls/{KEY}"
OTHER = "0d9cb125-caf3-4b37-bdc1-a3cfa3029733"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# Everything that a caller or an agent controls, and what browsers have been tricked with.
CORPUS = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "' onmouseover='alert(3)",
    "javascript:alert(4)",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea></pre><svg/onload=alert(5)>",
    "\u202egpj.exe\u0000<b>",
]
FIELDS = ("contact_name", "agent_first_name", "agent_last_name", "internal_number", "event_note", "call_tags")


@pytest.fixture
def desk(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE, app={"sign_in_takes_s": 0.0})


def get(site: Site, path: str, token: str = BO) -> Answer:
    return site.ask("GET", path, headers=bearer(token))


def press(site: Site, action: str, token: str = BO, **fields: str) -> Answer:
    headers = {**session(site, token), **FORM}
    return site.ask("POST", f"{PAGE}/{action}", urlencode(fields).encode(), headers)


def park(ledger: Ledger, error: str = "422 no such field") -> None:
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.park(claim, cause="Rejected", error=error)


def test_calls_are_found_by_what_a_person_knows(desk: Site) -> None:
    desk.post(ENDED)
    desk.post({**ENDED, "call_id": "5", "call_uuid": OTHER, "external_number": "+15550100107",
               "contact_name": "Cy Example"})  # fmt: skip

    for query in ("q=960304", "q=1000000110", f"q={UUID}", "q=ada", "q=01632+960304"):
        text = get(desk, f"/calls?{query}").text
        assert f'href="{PAGE}"' in text and OTHER not in text, query
    both = get(desk, "/calls?agent=bo&outcome=answered&state=behind").text
    assert UUID in both and OTHER in both
    assert "No call passes these filters" in get(desk, "/calls?q=nobody").text


def test_a_filter_that_cannot_be_read_is_said_beside_what_was_typed(desk: Site) -> None:
    answer = get(desk, "/calls?since=yesterday%22%3E&q=ada")

    assert answer.status == 400
    assert "is neither a time nor a duration" in answer.text and 'value="ada"' in answer.text
    assert 'value="yesterday&#34;&gt;"' in answer.text


def test_a_list_goes_on_and_its_export_has_the_same_filters(desk: Site) -> None:
    for number in range(1, 8):
        desk.post({**ENDED, "call_id": str(number), "call_uuid": None})

    first = get(desk, "/calls?agent=bo&limit=5").text
    following = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]

    assert 'href="/api/calls.csv?agent=bo"' in first
    second = get(desk, following.replace("&amp;", "&")).text
    assert "← Newest" in second and 'href="/calls?agent=bo"' in second


def test_a_page_of_a_call_answers_in_a_sentence_and_shows_how_it_came(desk: Site, ledger: Ledger) -> None:
    desk.post(ENDED)
    assert "This call is about to be written." in get(desk, PAGE).text
    park(ledger)

    text = get(desk, PAGE).text

    assert "This call is not in Kustomer: its sync was given up. 422 no such field." in text
    assert "Webhook call-ended" in text and "Waits for a person: sync" in text
    assert "+441632960304" in text and "Ada Example" in text
    assert get(desk, "/calls/1000000110").text.count("<h1>") == 1
    assert get(desk, "/calls/id:99").status == get(desk, "/calls/..%2Fx").status == 404


def test_whoever_may_only_look_sees_no_numbers_names_bodies_or_buttons(desk: Site, ledger: Ledger) -> None:
    desk.post(ENDED)
    park(ledger, "Ada Example +441632960304 is no customer")

    text = get(desk, PAGE, AMY).text

    assert "Ada" not in text and "960304" not in text and "talking_time" not in text
    assert "A…" in text and 'method="post" action="/calls' not in text
    assert "talking_time" in get(desk, PAGE).text


def test_buttons_do_what_they_say_and_the_trail_names_who_pressed_them(desk: Site, ledger: Ledger) -> None:
    desk.post(ENDED)

    answer = press(desk, "park", reason="the customer is being merged")
    assert (answer.status, answer.headers["location"]) == (303, f"{PAGE}?done=park")
    assert ledger.parked_count() == 1
    assert press(desk, "sync").status == press(desk, "look").status == 303
    assert ledger.parked_count() == 0
    assert press(desk, "drop", reason="not wanted").status == 303

    result = [(line["who"], line["what"]) for line in reversed(trail.read(ledger))]
    assert result[0] == ("Bo", "parked: sync")
    assert ("Bo", "run again: sync") in result and result[-1][1].startswith("dropped: ")
    assert "Nothing more is done for this call" in get(desk, f"{PAGE}?done=drop").text
    assert press(desk, "drop", reason="not wanted").status == 409


def test_a_reason_is_asked_for(desk: Site, ledger: Ledger) -> None:
    desk.post(ENDED)

    assert press(desk, "park").status == press(desk, "drop", reason="  ").status == 400
    assert trail.read(ledger) == []


def test_forgetting_erases_all_that_is_kept(desk: Site, ledger: Ledger) -> None:
    desk.post(ENDED)

    answer = press(desk, "forget")

    assert answer.status == 200 and "The call is forgotten" in answer.text
    assert not ledger.read(KEY).events
    assert "forgotten on request" in get(desk, PAGE).text
    assert "Ada" not in get(desk, PAGE).text
    assert [line["who"] for line in trail.read(ledger)][:1] == ["Bo"]


@pytest.mark.parametrize("action", ["sync", "look", "park", "drop", "forget"])
def test_nobody_else_can_press_a_button(desk: Site, ledger: Ledger, action: str) -> None:
    desk.post(ENDED)
    body = urlencode({"reason": "because"}).encode()
    foreign = {**session(desk, BO), **FORM, "Sec-Fetch-Site": "cross-site"}

    assert desk.ask("POST", f"{PAGE}/{action}", body, {**FORM, **HOME}).status == 401
    assert press(desk, action, AMY, reason="because").status == 403
    assert desk.ask("POST", f"{PAGE}/{action}", body, foreign).status == 403
    assert desk.ask("GET", f"{PAGE}/{action}", headers=bearer(BO)).status == 405
    assert trail.read(ledger) == []
    assert ledger.read(KEY).events


def test_links_lead_to_the_services_where_their_addresses_are_known(
    serve: Callable[..., Site], ledger: Ledger
) -> None:
    site = serve(**PEOPLE, kustomer_app_url="https://acme.kustomerapp.com")
    site.post(ENDED)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.keep(claim, {"out:conversation": {"id": "c1/<", "sent": {}, "created": True}})

    text = get(site, PAGE).text

    assert 'href="https://acme.kustomerapp.com/app/conversations/c1%2F%3C"' in text
    assert 'href="https://analytics.cloudtalk.io/call-details/1000000110"' in text


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("evil", CORPUS)
def test_what_callers_and_agents_say_is_text_on_every_page(desk: Site, ledger: Ledger, evil: str) -> None:
    desk.post({**ENDED, **dict.fromkeys(FIELDS, evil)})
    park(ledger, evil)

    for path in (
        "/",
        "/calls",
        f"/calls?{urlencode({'q': evil, 'agent': evil})}",
        PAGE,
        f"{PAGE}?done={quote(evil)}",
    ):
        answer = get(desk, path)
        assert answer.status == 200, path
        for tag, given in Tags(answer.text).found:
            assert not [name for name in given if name.startswith("on")], (path, tag, given)
            assert tag not in ("iframe", "object", "embed", "b", "base"), path
            assert tag != "script" or str(given.get("src")).startswith("/static/"), path
            assert not str(given.get("href", "")).lower().startswith("javascript"), path
