"""Webhooks of text messages over the wire, and where people and programs find what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bridge.domain.rules.model import Rules
from bridge.ledger.ledger import Ledger
from tests.support import payload
from tests.web.contract import asked
from tests.web.people import AMY, BO, PEOPLE, bearer
from tests.web.serving import TOKEN, Site

FLAT: dict[str, Any] = {"external_number": "+441632960304", "internal_number": "+15550100101"}


def test_a_message_is_accepted_once_and_answered_with_its_key(site: Site, ledger: Ledger) -> None:
    (native,) = payload("made_up__native_message_received__plain")
    first, again = site.post(native.body, ""), site.post({**native.body, "event_id": "evt_other"}, "")
    key = first.json["call"]

    assert (first.status, first.json) == (202, {"status": "accepted", "call": key, "message": key})
    assert (again.status, again.json["status"]) == (200, "duplicate")
    assert again.json["message"] == key and key.startswith("message:")
    assert (ledger.held_count(), ledger.other_count()) == (0, 0)
    assert ledger.claim("message", key) is not None


def test_a_message_without_number_and_text_is_kept_apart(site: Site, ledger: Ledger) -> None:
    answer = site.post({"contact_id": "5"}, "message-received")

    assert (answer.status, answer.json["status"]) == (202, "held")
    assert ledger.other_count() == 1


def test_people_and_programs_find_messages(serve: Callable[..., Site]) -> None:
    site = serve(**PEOPLE, app={"sign_in_takes_s": 0.0})
    key = site.post({**FLAT, "text": "Secret words"}, "message-received").json["message"]
    site.post({**FLAT, "text": "An answer"}, "message-sent")

    listed = asked(site, "GET", "/api/messages?limit=1", headers=bearer(BO))
    second = asked(site, "GET", f"/api/messages?cursor={listed.json['next']}", headers=bearer(BO))
    one = asked(site, "GET", f"/api/messages/{key}", headers=bearer(BO))
    masked = asked(site, "GET", f"/api/messages/{key}", headers=bearer(AMY))
    pages = [
        site.ask("GET", path, headers=bearer(who)).text
        for path in ("/messages", f"/messages/{key}")
        for who in (BO, AMY)
    ]

    (newest,), (oldest,) = listed.json["messages"], second.json["messages"]
    assert (newest["direction"], oldest["direction"]) == ("out", "in") and oldest["key"] == key
    assert (one.json["text"], one.json["number"]) == ("Secret words", "+441632960304")
    assert "Secret words" not in masked.text and "960304" not in masked.text
    assert ["Secret words" in text for text in pages] == [False, False, True, False]
    assert "960304" not in pages[0] + pages[1] + pages[3]
    assert site.ask("GET", f"/calls/{key}", headers=bearer(BO)).status == 303
    assert asked(site, "GET", "/api/messages/nonsense", headers=bearer(BO)).status == 404


def test_kustomer_may_ask_for_a_message_with_a_token_of_its_own(serve: Callable[..., Site]) -> None:
    rules = Rules(send_messages=True, messages_from="+15550100101")
    site = serve(kustomer_webhook_token="a-token-of-kustomers", rules=rules)
    body = {"to": "+441632960304", "text": "Hello", "message_id": "m-1"}

    def post(content: object, token: str = "", **headers: str) -> Any:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        token = token or "a-token-of-kustomers"
        return site.ask("POST", "/webhooks/kustomer", raw, {**bearer(token), **headers})

    first, again = post(body), post(body)

    assert (first.status, first.json["status"]) == (202, "accepted")
    assert (again.status, again.json) == (200, {**first.json, "status": "duplicate"})
    assert post(body, TOKEN).status == 401 and post(b"x" * 70_000, TOKEN).status == 413
    assert site.ask("GET", "/webhooks/kustomer").status == 405
    assert post(b"<a/>", **{"Content-Type": "text/xml"}).status == 415 and post(b"[1]").status == 400
    assert post({**body, "to": "nobody"}).status == 400
    assert site.post(body, "message-received", {"Authorization": "Bearer a-token-of-kustomers"}).status == 401


def test_nothing_is_sent_without_a_token_or_against_the_rules(serve: Callable[..., Site]) -> None:
    closed, off = serve(), serve(kustomer_webhook_token="a-token-of-kustomers")
    body = json.dumps({"to": "+441632960304", "text": "Hello"}).encode()

    assert closed.ask("POST", "/webhooks/kustomer", body, bearer("")).status == 401
    assert off.ask("POST", "/webhooks/kustomer", body, bearer("a-token-of-kustomers")).status == 403
