"""The voice message of a call: what Kustomer counts as a contact, beside or instead of the note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from bridge.domain.call import Call
from bridge.domain.outcome import Direction
from bridge.domain.phone import Kind, Phone

CHANNEL = "voice"
# Names us in Kustomer's reports and workflows; what is written under it is found again by it, so it stays.
APP = "cloudtalk-callbridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDraft:
    """The message wanted; `id` is 24 hex digits made from the external id, so that a repeat shows.

    Args:
        direction: an inbound one reopens its conversation.
        sent_at: the call's start.
        preview: the text that people read, at most 10,240 characters.
        meta: the facts of the call, at most 100 keys, values as JSON has them.
        auto: left out of Kustomer's reporting; cannot be changed later.
    """

    external_id: str
    id: str
    direction: Literal["in", "out"]
    sent_at: datetime | None
    preview: str
    meta: Mapping[str, Any]
    auto: bool = False

    @property
    def text(self) -> str:
        return self.preview

    @property
    def fields(self) -> dict[str, Any]:
        """As Kustomer takes them, without files."""
        sent_at = {"sentAt": iso(self.sent_at)} if self.sent_at is not None else {}
        return {
            "externalId": self.external_id,
            "channel": CHANNEL,
            "app": APP,
            "direction": self.direction,
            "status": "received" if self.direction == "in" else "sent",
            **sent_at,
            "preview": self.preview,
            "meta": dict(self.meta),
            **({"auto": True} if self.auto else {}),
        }


def direction_of(call: Call) -> Literal["in", "out"]:
    """Kustomer knows two: a call between colleagues is nobody's contact, so that it reopens nothing."""
    return "in" if call.direction in (Direction.INCOMING, None) else "out"


def meta_of(call: Call) -> dict[str, Any]:
    """The first six are always there, None where nobody knows; seconds and ids only where they are known."""
    customer, ours = _number(call.external), _number(call.internal)
    is_in = direction_of(call) == "in"
    known = {
        "waitSeconds": call.wait_seconds,
        "talkSeconds": call.talk_seconds,
        "ringSeconds": call.ring_seconds,
        "holdSeconds": call.hold_seconds,
        "agent": call.agent_name,
        "agentId": None if call.agent_id is None else str(call.agent_id),
        "line": call.line_name,
        "callId": None if call.call_id is None else str(call.call_id),
        "callUuid": None if call.uuid is None else str(call.uuid),
    }
    return {
        "from": customer if is_in else ours,
        "to": ours if is_in else customer,
        "placedAt": iso(call.started_at),
        "answeredAt": iso(call.answered_at),
        "endedAt": iso(call.ended_at),
        "status": call.outcome.value,
        **{name: value for name, value in known.items() if value is not None},
    }


def _number(phone: Phone | None) -> str | None:
    return None if phone is None or phone.kind is Kind.WITHHELD else phone.text


def iso(at: datetime | None) -> str | None:
    """As Kustomer writes a time."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
