"""Numbers and names are on no page and in no answer for people who may not see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from uuid import UUID as Uuid

import pytest

from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.app import create_app
from tests.web.people import AMY, BO, PEOPLE, bearer, session
from tests.web.roles import routes
from tests.web.serving import ENDED, UUID, Site

KEY = f"uuid:{UUID}"
SECRETS = ("960304", "1632", "Ada", "Example Ltd", "Sample", "made-up wish")
# Streams have no end, and name calls only.
_ENDLESS = ("/api/events",)


@pytest.fixture
def desk(serve: Callable[..., Site], ledger: Ledger, tmp_path: Path) -> Site:
    """A parked call with a recording, a note and an error that quotes the caller; and a held event."""
    site = serve(**PEOPLE, recordings_url=f"file:{tmp_path}", app={"sign_in_takes_s": 0.0})
    site.post({**ENDED, "notes": "made-up wish", "contact_company": "Example Ltd"})
    held = {"event": "call_ended", "external_number": "+441632960304", "contact_name": "Ada Example"}
    site.post({**held, "notes": "made-up wish"})
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    outputs = {
        name: {"id": name, "sent": {"body": "Ada Example, +44 1632 960304"}} for name in ("note", "customer")
    }
    ledger.keep(claim, {f"out:{name}": one for name, one in outputs.items()}, note="Ada Example written")
    (tmp_path / "call.mp3").write_bytes(b"ID3 ")
    file = {"name": "call.mp3", "size": 4, "sha256": "0" * 64, "content_type": "audio/mpeg"}
    body = {"original": file, "speech": file, "seconds": 3, "peaks": [1], "kind": "MP3"}
    ledger.record_observation("recording", body, uuid=Uuid(UUID), call_id=1000000110, asked_at_ms=5)
    ledger.park(claim, cause="Rejected", error="no +441632960304 of Ada Example, told by Bo Sample")
    trail.leave(ledger, who="Bo", what="parked: sync", call=KEY, more="Ada Example, see +44 1632 960304")
    return site


def _paths(settings: Settings, site: Site) -> list[str]:
    event = site.ask("GET", "/api/held", headers=bearer(BO)).json["held"][0]["fingerprint"]
    filled = {"{key}": quote(KEY, safe=":"), "{fingerprint}": event}
    found = []
    for method, path in routes(create_app(settings)):
        for name, value in filled.items():
            path = path.replace(name, value)
        if method == "GET" and "{" not in path and path not in _ENDLESS:
            found.append(path)
    return found


def test_no_page_and_no_answer_shows_them(desk: Site, settings: Settings) -> None:
    cookie = session(desk, AMY)
    for path in _paths(settings, desk):
        answer = desk.ask("GET", path, headers=cookie)
        assert answer.status < 500, path
        if not answer.headers.get("content-type", "").startswith("audio/"):
            assert [secret for secret in SECRETS if secret in answer.text] == [], path


def test_those_who_may_see_them_do(desk: Site) -> None:
    call = desk.ask("GET", f"/calls/{KEY}", headers=session(desk, BO)).text

    assert "Ada Example" in call and "960304" in call
    assert "Ada Example" in desk.ask("GET", f"/recordings/{KEY}", headers=session(desk, BO)).text
