"""The first page: what came, what was written, and who may see whose call it was."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
import redis

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.ledger.ledger import Ledger
from bridge.ledger.traffic import read_traffic
from bridge.reports.now import total
from tests.web.people import AMY, BO, PEOPLE, bearer
from tests.web.serving import ENDED, UUID, Site

KEY = f"uuid:{UUID}"
EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"


@pytest.fixture
def desk(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE)


def counts(ledger: Ledger) -> dict[str, tuple[int, int]]:
    """In the last hour, and in the last day."""
    found = read_traffic(ledger)
    return {
        what: (total(found.minutes, what), total(found.hours, what))
        for what in ("calls", "written", "parked")
    }


def test_what_comes_and_what_becomes_of_it_is_counted_by_the_minute(site: Site, ledger: Ledger) -> None:
    site.post({"call_uuid": UUID, "call_id": "1000000110"}, "call-started")
    site.post(ENDED)
    site.post(ENDED)  # a duplicate
    assert counts(ledger) == {"calls": (1, 1), "written": (0, 0), "parked": (0, 0)}

    for _ in range(2):
        claim = ledger.claim("sync", KEY)
        assert claim is not None
        ledger.complete(claim, again_in_ms=0, fields={"state": "synced", "synced_at": "now"})
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.park(claim, cause="refused", error="422")

    assert counts(ledger) == {"calls": (1, 1), "written": (1, 1), "parked": (1, 1)}


def test_counting_is_bounded(site: Site, store: redis.Redis) -> None:
    site.post(ENDED)

    (name,) = store.keys("{callbridge}:traffic:*")

    assert 86_400 < store.ttl(name) <= 90_000


def test_a_readiness_check_is_no_traffic(site: Site, ledger: Ledger, store: redis.Redis) -> None:
    site.get("/readyz")

    assert set(counts(ledger).values()) == {(0, 0)}
    assert store.keys("{callbridge}:traffic:*") == []


def test_names_are_for_those_who_may_see_them(desk: Site) -> None:
    desk.post(ENDED)

    whole, masked = (desk.ask("GET", "/", headers=bearer(token)).text for token in (BO, AMY))

    assert "Ada Example" in whole and "Bo Sample" in whole
    assert "Ada" not in masked and "Bo Sample" not in masked and "A…" in masked
    assert "…304" in whole and "…304" in masked
    assert "960304" not in whole + masked


def test_an_empty_bridge_says_what_to_do_next(site: Site) -> None:
    text = site.get("/").text

    assert "No calls yet" in text and "No worker runs" in text and "callbridge worker" in text


def test_without_a_key_a_page_says_which_one_and_status_that_a_person_has_to_act(
    serve: Callable[..., Site], store: redis.Redis
) -> None:
    one, two = new_key(), new_key()
    serve(encryption_keys=[one]).post(ENDED)
    # As the first sync does.
    Ledger(store, keyring=Keyring([one])).texts.names()
    id_of_one = Keyring([one]).ids[0]

    site = serve(encryption_keys=[two])
    pages, status = [site.get(path) for path in ("/", f"/calls/{KEY}")], site.get("/api/status").json

    for page in pages:
        assert page.status == 503 and page.headers["content-type"].startswith("text/html")
        assert f"encrypted with key {id_of_one}" in page.text and "An encryption key is missing" in page.text
    said = f"ENCRYPTION_KEYS does not hold key {id_of_one}, so what it encrypted waits unread"
    assert not status["ok"] and any(line.startswith(said) for line in status["says"])


class Tags(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("field", ["contact_name", "agent_first_name", "internal_number", "call_status"])
def test_what_a_caller_or_an_agent_says_is_text(site: Site, field: str) -> None:
    site.post({**ENDED, field: EVIL})

    for place in ("/",):
        tags = Tags(site.get(place).text).found
        assert not [one for tag, one in tags if "onerror" in one or (tag == "img" and one["src"] == "x")]
        assert all(str(one.get("src")).startswith("/static/") for tag, one in tags if tag == "script")
