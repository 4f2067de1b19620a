"""Webhooks of contacts, with `[contacts] to_kustomer`: answered as those of calls, with the contact's key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.ledger import Ledger
from tests.commands.terminal import Terminal
from tests.web.conftest import RedisServer
from tests.web.serving import Site

KEY = "contact:1400000104"
NEWS = {"event": "contact_updated", "contact_id": "1400000104"}


def test_news_of_a_contact_is_accepted_and_a_repeat_is_news_again(
    serve: Callable[..., Site], store: redis.Redis
) -> None:
    site = serve(rules=Rules(contacts_to_kustomer=True))
    created = {**NEWS, "event": "contact_created"}
    answers: list[tuple[int, Any]] = []

    for trigger, body in (
        ("contact-created", created),
        ("contact-created", created),
        ("contact-updated", NEWS),
        ("contact-updated", NEWS),
        ("contact-deleted", {**NEWS, "event": "contact_deleted"}),
    ):
        answer = site.post(body, trigger)
        answers.append((answer.status, answer.json))

    named = {"call": KEY, "contact": KEY}
    accepted, duplicate = (202, {"status": "accepted", **named}), (200, {"status": "duplicate", **named})
    assert answers == [accepted, duplicate, accepted, accepted, accepted]
    assert store.hkeys(keys.JOBS) == [f"contact|{KEY}"]


def test_one_that_names_no_contact_is_held_with_the_reason(serve: Callable[..., Site]) -> None:
    site = serve(rules=Rules(contacts_to_kustomer=True))

    answer = site.post({"event": "contact_updated", "name": "Ada"}, "contact-updated")

    assert (answer.status, answer.json["status"]) == (202, "held")
    assert "contact_id" in answer.json["reason"]


def test_the_page_says_what_is_left_to_people_and_reads_a_contact_again(
    serve: Callable[..., Site], store: redis.Redis, ledger: Ledger
) -> None:
    site = serve(rules=Rules(contacts_to_kustomer=True))
    assert "No contact yet" in site.get("/contacts").text
    site.post(NEWS, "contact-updated")
    left = "Kustomer: name: Kustomer has another, which the bridge did not write; a person decides"
    store.hset(keys.record(KEY), Field.LEFT_TO_PEOPLE, json.dumps([left]))

    assert left in site.get("/contacts?left=1").text
    assert "contact-updated" in site.get("/setup").text
    assert "read for the contact" in site.get("/held?other=1").text
    page = site.get("/contacts/1400000104").text
    assert left in page
    assert "contact-updated" in page
    assert site.get("/contacts/5").status == 404

    assert (
        site.ask("POST", "/contacts/1400000104/sync", headers={"sec-fetch-site": "same-origin"}).status == 303
    )
    assert ledger.read(KEY).verify_requested


def test_a_parked_job_of_a_contact_leads_to_its_page(serve: Callable[..., Site], ledger: Ledger) -> None:
    site = serve(rules=Rules(contacts_to_kustomer=True))
    site.post(NEWS, "contact-updated")
    ledger.give_up("contact", KEY, why="a test", line="{}")

    assert 'href="/contacts/1400000104"' in site.get("/parked?kind=contact").text


def test_the_commands_list_show_and_read_a_contact_again(
    serve: Callable[..., Site],
    ledger: Ledger,
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    terminal = Terminal(monkeypatch)
    serve(rules=Rules(contacts_to_kustomer=True)).post(NEWS, "contact-updated")
    ledger.redis.hset(keys.record(KEY), Field.LEFT_TO_PEOPLE, json.dumps(["Kustomer: name: a test"]))

    listed = json.loads(terminal.types("contacts", "ls", "--left", "--json").out)["contacts"]
    table = [line.split("  ") for line in terminal.types("contacts", "ls").out.splitlines()]
    shown = terminal.types("contacts", "show", "1400000104").out

    assert [(one["key"], one["left"]) for one in listed] == [(KEY, ["Kustomer: name: a test"])]
    assert [cells[0].strip() for cells in table][:1] == ["when"] and "1400000104" in table[1]
    assert "left to people: Kustomer: name: a test" in shown
    assert "contact-updated" in shown
    assert terminal.types("contacts", "sync", "5").code == 1
    assert terminal.types("contacts", "sync", KEY).code == 0
    assert ledger.read(KEY).verify_requested
