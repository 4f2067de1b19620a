"""What a template knows of a call: its fields, with their types, and the values of one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import spoken, who
from bridge.domain.kustomer_texts.texts import ENGLISH, Texts
from bridge.domain.phone import Kind
from bridge.domain.webhook.values import without_markup

FieldType = Literal["text", "lines", "number", "number or empty", "list of texts"]


@dataclass(frozen=True, slots=True)
class TemplateField:
    """Args: kind: `text` is one line, `lines` may be several."""

    kind: FieldType
    says: str


FIELDS: Mapping[str, TemplateField] = {
    "title": TemplateField("text", "the built-in name, such as Missed call from Ada Example"),
    "outcome": TemplateField("text", "answered, missed, voicemail, internal or unknown"),
    "direction": TemplateField("text", "incoming, outgoing or internal; empty if not known"),
    "caller": TemplateField("text", "the contact's name, else the number"),
    "number": TemplateField("text", "the customer's number, such as +442079460018; empty if withheld"),
    "line": TemplateField("text", "the name of our line, else its number"),
    "agent": TemplateField("text", "who dealt with the call"),
    "started_at": TemplateField("text", "such as 2026-03-02 09:23, in TIME_ZONE"),
    "ended_at": TemplateField("text", "the same, of its end"),
    "wait_s": TemplateField("number", "seconds until somebody answered; 0 if not known"),
    "talk_s": TemplateField("number", "seconds of talk; 0 if nobody spoke"),
    "tags": TemplateField("list of texts", "CloudTalk's tags of the call, at most 100"),
    "rating": TemplateField("number or empty", "1 to 5"),
    "notes": TemplateField("lines", "what the agent wrote"),
    "summary": TemplateField("lines", "CloudTalk's summary"),
    "sentiment": TemplateField("text", "CloudTalk's sentiment"),
    "recording": TemplateField(
        "text", "what the built-in note says of the recording, such as attached (1 min 37 s)"
    ),
    "call_id": TemplateField("text", "CloudTalk's number of the call"),
    "uuid": TemplateField("text", "CloudTalk's uuid of the call"),
}
# Made by us alone: nothing in them is from outside.
OURS = frozenset(
    {"outcome", "direction", "started_at", "ended_at", "wait_s", "talk_s", "rating", "call_id", "uuid"}
)
OF_LINES = frozenset(name for name, one in FIELDS.items() if one.kind == "lines")
_MOST_TAGS = 100


def values_of(
    call: Call, *, title: str, zone: str, recording: str = "", texts: Texts = ENGLISH
) -> dict[str, Any]:
    """The fields for one call. Text from outside carries no markup."""
    number = call.external.text if call.external and call.external.kind is not Kind.WITHHELD else ""
    said = {
        "title": title,
        "outcome": call.outcome.value,
        "direction": call.direction.value if call.direction else "",
        "caller": who(call, texts),
        "number": number,
        "line": call.line_name or (spoken(call.internal, texts) if call.internal else ""),
        "agent": call.agent_name or "",
        "started_at": _moment(call.started_at, zone),
        "ended_at": _moment(call.ended_at, zone),
        "notes": call.notes or "",
        "summary": call.summary or "",
        "sentiment": call.insights.sentiment or "",
        "recording": recording,
        "call_id": "" if call.call_id is None else str(call.call_id),
        "uuid": "" if call.uuid is None else str(call.uuid),
    }
    return {
        **{name: without_markup(text) for name, text in said.items()},
        "wait_s": call.wait_seconds or 0,
        "talk_s": call.talk_seconds or 0,
        "rating": "" if call.rating is None else call.rating,
        "tags": [without_markup(tag) for tag in call.tags[:_MOST_TAGS]],
    }


def _moment(moment: datetime | None, zone: str) -> str:
    return "" if moment is None else f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


# A made-up call that has everything.
SAMPLE: Mapping[str, Any] = {
    "title": "Call from Ada Example",
    "outcome": "answered",
    "direction": "incoming",
    "caller": "Ada Example",
    "number": "+441632960304",
    "line": "Support",
    "agent": "Bo Example",
    "started_at": "2026-03-02 09:23",
    "ended_at": "2026-03-02 09:24",
    "wait_s": 14,
    "talk_s": 97,
    "tags": ["Billing", "VIP"],
    "rating": 5,
    "notes": "Wants a copy of the invoice.",
    "summary": "Ada asks for a copy of an invoice.",
    "sentiment": "positive",
    "recording": "attached (1 min 37 s)",
    "call_id": "1000000110",
    "uuid": "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11",
}
# One that has next to nothing.
EMPTY: Mapping[str, Any] = {**dict.fromkeys(FIELDS, ""), "wait_s": 0, "talk_s": 0, "tags": []}
# And one about which much was written.
LONG: Mapping[str, Any] = {
    **SAMPLE,
    "notes": "The customer wants a copy of the invoice.\n" * 100,
    "summary": "The customer asks for a copy of an invoice. " * 100,
    "tags": [f"A tag of a call, number {number}" for number in range(20)],
}
