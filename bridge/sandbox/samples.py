"""Made-up calls that fill in the recommended webhook templates."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from bridge.domain.webhook.templates import TEMPLATES

# Numbers reserved for fiction, so that no sample rings at anybody's.
KNOWN_CALLER = "+441632960304"
KNOWN_CALLER_ID = 1400000104
KNOWN_CALLER_NAME = "Ada Example"
OUR_NUMBER = "+15550100101"
AGENT_ID = 400101
AGENT_NAME = ("Bo", "Sample")
VOICE_AGENT_NAME = "Nova"
# What it asked out of the caller.
EXTRACTED = {"order_number": "1234", "reason": "Parcel is late"}
# The colleague whom an internal call rings at, or who took a call and handed it on.
OTHER_AGENT_ID = 400102
OTHER_NUMBER = "+441632960201"


# A call of which nothing else was told goes on.
_WHILE_IT_LASTS = frozenset({"call-started", "call-ringing", "call-answered"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCall:
    """A made-up call that ends now."""

    id: int
    uuid: str
    external_number: str
    contact_id: int | None
    contact_name: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    direction: str = "incoming"
    agent_id: int | None = AGENT_ID
    talking_time: int = 97
    waiting_time: int = 14
    wrapup_time: int = 20
    is_voicemail: bool = False
    recorded: bool = True
    # None: as long as the talk.
    recording_seconds: int | None = None
    # The agent who took it first.
    transferred_from: int | None = None
    # Its way before anybody answered: the key pressed in the menu, and the agents who rang in vain.
    menu: str | None = None
    rang: tuple[int, ...] = ()
    # The AI voice agent that answered in place of a person.
    voice_agent: str | None = None
    tags: tuple[str, ...] = ("Billing", "VIP")
    notes: str = "Wants the March invoice again."
    # Triggers that were sent of it.
    sent: tuple[str, ...] = field(default=())

    @classmethod
    def ending(
        cls,
        now: datetime,
        *,
        id: int | None = None,
        uuid: str | None = None,
        number: str | None = None,
        outcome: str = "answered",
    ) -> SampleCall:
        """A fresh call; its id above 2**31 like the real ids to come, so that a 32-bit column shows."""
        special = OUTCOMES[outcome]
        number = number or special.get("external_number", KNOWN_CALLER)
        known = number == KNOWN_CALLER
        ended_at = now - timedelta(seconds=20)
        last = timedelta(seconds=special.get("recording_seconds") or special.get("talking_time", 97))
        rang = timedelta(seconds=special.get("waiting_time", 14))
        return cls(
            id=3_000_000_000 + secrets.randbelow(1_000_000_000) if id is None else id,
            uuid=str(uuid4()) if uuid is None else uuid,
            contact_id=KNOWN_CALLER_ID if known else None,
            contact_name=KNOWN_CALLER_NAME if known else "",
            started_at=ended_at - last - rang,
            answered_at=ended_at - last if special.get("talking_time", 97) else None,
            ended_at=ended_at,
            **{**special, "external_number": number},
        )

    def having_sent(self, trigger: str) -> SampleCall:
        return replace(self, sent=(*self.sent, trigger))

    def values(self) -> dict[str, str]:
        """Every variable of a template, as text: that is how the editor's text format sends them."""
        return {
            "call_id": str(self.id),
            "call_uuid": self.uuid,
            "external_number": self.external_number,
            "internal_number": OUR_NUMBER,
            "direction": self.direction,
            "agent_id": "" if self.agent_id is None else str(self.agent_id),
            "agent_first_name": "" if self.agent_id is None else AGENT_NAME[0],
            "agent_last_name": "" if self.agent_id is None else AGENT_NAME[1],
            "contact_id": "" if self.contact_id is None else str(self.contact_id),
            "contact_name": self.contact_name,
            "talking_time": str(self.talking_time),
            "waiting_time": str(self.waiting_time),
            "wrapup_time": str(self.wrapup_time),
            "started_at": _wire(self.started_at),
            "answered_at": "" if self.answered_at is None else _wire(self.answered_at),
            "ended_at": _wire(self.ended_at),
            "is_voicemail": str(self.is_voicemail).lower(),
            "tags": ",".join(self.tags),
            "notes": self.notes,
            "disposition": "",
            "text": "Could you call me back?",
            # Each time another message.
            "message_id": f"sample-{secrets.token_hex(6)}",
            "sent_at": _wire(self.ended_at),
            "voice_agent_name": VOICE_AGENT_NAME,
        }

    def body(self, trigger: str) -> dict[str, str]:
        """The webhook of this call for one trigger."""
        values = self.values()
        body = {
            key.name: values[key.name] if key.fixed is None else key.fixed for key in TEMPLATES[trigger].keys
        }
        return {**body, **EXTRACTED} if trigger == "voice-agent" else body

    def as_cloudtalk_knows_it(self) -> dict[str, Any]:
        """For the try-out CloudTalk, so that its detail and its recording are of the same call."""
        return {
            "id": self.id,
            "uuid": self.uuid,
            "external_number": self.external_number,
            "internal_number": OUR_NUMBER,
            "direction": self.direction,
            "agent_id": self.agent_id,
            "contact_id": self.contact_id,
            "contact_name": self.contact_name or None,
            "started_at": _wire(self.started_at),
            "answered_at": None if self.answered_at is None else _wire(self.answered_at),
            "ended_at": _wire(self.ended_at),
            "talking_time": self.talking_time,
            "waiting_time": self.waiting_time,
            "wrapup_time": self.wrapup_time,
            "is_voicemail": self.is_voicemail,
            "recorded": self.recorded,
            "recording_seconds": self.recording_seconds,
            "transferred_from": self.transferred_from,
            "voice_agent": self.voice_agent,
            "menu": self.menu,
            "rang": list(self.rang),
            "tags": list(self.tags),
            "notes": [self.notes] if self.notes else [],
            "in_progress": bool(self.sent) and set(self.sent) <= _WHILE_IT_LASTS,
        }


_NOBODY: Mapping[str, Any] = {"agent_id": None, "talking_time": 0, "wrapup_time": 0, "tags": (), "notes": ""}

# What a sample call of this outcome has in place of what an answered one has.
OUTCOMES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "answered": {},
        "missed": {
            **_NOBODY,
            "waiting_time": 32,
            "recorded": False,
            "menu": "2",
            "rang": (AGENT_ID, OTHER_AGENT_ID),
        },
        "voicemail": {**_NOBODY, "waiting_time": 25, "is_voicemail": True, "recording_seconds": 18},
        "outgoing": {"direction": "outgoing", "waiting_time": 9, "notes": "Told her where the invoice is."},
        "transferred": {"transferred_from": OTHER_AGENT_ID, "talking_time": 143},
        "ai_agent": {
            "agent_id": None,
            "voice_agent": VOICE_AGENT_NAME,
            "wrapup_time": 0,
            "tags": (),
            "notes": "",
        },
        "internal": {
            "direction": "internal",
            "external_number": OTHER_NUMBER,
            "talking_time": 41,
            "recorded": False,
            "tags": (),
            "notes": "",
        },
    }
)


def _wire(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
