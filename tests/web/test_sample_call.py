"""`/try`: a made-up call is placed in the sandbox and seen to arrive in its Kustomer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from bridge.web.pages.sample_call import KINDS
from tests.support import Bridge
from tests.web.people import AMY, BO, PEOPLE, bearer
from tests.web.serving import Site


@pytest.fixture
def desk(serve: Callable[..., Site], sandbox: RunningSandbox) -> Site:
    return serve(**PEOPLE, **sandbox.environ())


def place(site: Site, kind: str, token: str = BO) -> tuple[int, str]:
    """The status, and where the answer leads."""
    headers = {**bearer(token), "Content-Type": "application/x-www-form-urlencoded"}
    answer = site.ask("POST", "/try", f"kind={kind}".encode(), headers)
    return answer.status, answer.headers.get("location", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_call_of_each_kind_travels_to_the_sandbox(
    desk: Site, ledger: Ledger, sandbox: RunningSandbox, kind: str
) -> None:
    status, leads_to = place(desk, kind)
    before = desk.ask("GET", leads_to, headers=bearer(BO)).text

    bridge = Bridge(ledger.redis, sandbox)
    bridge.run_jobs_for(30)

    after = desk.ask("GET", leads_to, headers=bearer(BO)).text
    (key,) = parse_qs(urlsplit(leads_to).query)["call"]
    assert status == 303
    assert "call-ended" in before and "Nothing yet" in before
    assert "synced" in after and "note created" in after and "conversation created" in after
    (note,) = sandbox.kustomer.notes
    assert note["attributes"]["body"].splitlines()[0] in after
    assert ("1 attachment" in after) == ("recording-uploaded" in KINDS[kind][1])
    assert f'href="/calls/{key}"' in after


def test_a_call_without_its_note_yet_shows_what_kustomer_has_of_it(
    desk: Site, ledger: Ledger, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(422, path="/notes", times=50)
    _, leads_to = place(desk, "missed")

    Bridge(ledger.redis, sandbox).run_jobs_for(30)

    answer = desk.ask("GET", leads_to, headers=bearer(BO))
    assert answer.status == 200
    assert "Missed call from" in answer.text and "No note yet." in answer.text


def test_who_may_only_read_places_no_call(desk: Site) -> None:
    assert place(desk, "answered", AMY)[0] == 403
    seen = desk.ask("GET", "/try", headers=bearer(AMY)).text
    assert '<form method="post" action="/try"' not in seen
    assert "Placing one needs the role operate." in seen


def test_an_unknown_kind_is_refused_with_those_that_there_are(desk: Site) -> None:
    headers = {**bearer(BO), "Content-Type": "application/x-www-form-urlencoded"}
    answer = desk.ask("POST", "/try", b"kind=prank", headers)

    assert answer.status == 400 and "voicemail" in answer.text


def test_the_empty_pages_of_a_sandbox_lead_to_it(desk: Site) -> None:
    for page in ("/", "/calls"):
        _, main = desk.ask("GET", page, headers=bearer(AMY)).text.split("<main", 1)
        assert 'href="/try">Try it</a>' in main


def test_without_a_sandbox_there_is_no_such_page(site: Site) -> None:
    assert site.get("/try").status == 404
    assert 'href="/try"' not in site.get("/").text


@pytest.mark.slow
def test_a_web_process_loads_none_of_its_code_without_a_sandbox() -> None:
    names = "('httpx2', 'bridge.sandbox.samples')"
    look = f"import sys, bridge.web.app; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
