"""What the tests of the domain start from: events as bodies, read without Redis, network or clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bridge.domain.call import Call
from bridge.domain.outcome import Direction, Stage
from bridge.domain.phone import Kind, Phone
from bridge.domain.policy import NoteDraft, Plan
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, Held, read_event

UUID_TEXT = "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11"
CALL_ID = 1000000110
ADA = Phone(Kind.E164, "+441632960304")
OUR_LINE = Phone(Kind.E164, "+15550100101")
IDS: dict[str, Any] = {"call_id": str(CALL_ID), "call_uuid": UUID_TEXT}
STARTED_AT = datetime(2026, 3, 2, 9, 23, tzinfo=UTC)


def read(
    trigger: str | None,
    body: dict[str, Any],
    rules: Rules | None = None,
    received_at: datetime | None = None,
) -> Event:
    """The event in a body that speaks of a call."""
    event = read_event(trigger, body, rules or Rules(), received_at=received_at)
    assert isinstance(event, Event), event
    return event


def held(trigger: str | None, body: dict[str, Any]) -> Held:
    event = read_event(trigger, body, Rules())
    assert isinstance(event, Held), event
    return event


def said(**fields: Any) -> Event:
    """What `call-ended` reads of these values, beside the ids."""
    return read("call-ended", {**IDS, **fields})


def call(**fields: Any) -> Call:
    """An answered, incoming call that has ended and of which all is known."""
    has_value: dict[str, Any] = {
        "uuid": UUID(UUID_TEXT),
        "call_id": CALL_ID,
        "stage": Stage.ENDED,
        "external": ADA,
        "internal": OUR_LINE,
        "direction": Direction.INCOMING,
        "agent_id": 400101,
        "agent_name": "Bo Sample",
        "contact_id": 1400000104,
        "contact_name": "Ada Example",
        "started_at": STARTED_AT,
        "answered_at": datetime(2026, 3, 2, 9, 23, 14, tzinfo=UTC),
        "ended_at": datetime(2026, 3, 2, 9, 24, 51, tzinfo=UTC),
        "talk_seconds": 97,
        "wait_seconds": 14,
    }
    return Call(**{**has_value, **fields})


def note_of(want: Plan) -> NoteDraft:
    """The note of a plan that has one."""
    assert want.note is not None
    return want.note
