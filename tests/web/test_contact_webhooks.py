"""Webhooks of contacts, with `[contacts] to_kustomer`: answered as those of calls, with the contact's key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from bridge.domain.rules.model import Rules
from bridge.ledger import keys
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
