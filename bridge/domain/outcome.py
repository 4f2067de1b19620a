"""How a call went, and how its conversation stands."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Literal

Status = Literal["open", "done", "snoozed"]


class Direction(StrEnum):
    INCOMING = "incoming"
    OUTGOING = "outgoing"
    INTERNAL = "internal"


class Outcome(StrEnum):
    """Derived, as CloudTalk's list has no status: talk time above 0 answered, else voicemail, else missed."""

    ANSWERED = "answered"
    MISSED = "missed"
    VOICEMAIL = "voicemail"
    INTERNAL = "internal"
    UNKNOWN = "unknown"


class Stage(IntEnum):
    """How far a call has come. Ordered, so that a late RINGING cannot undo ENDED."""

    KNOWN = 0
    STARTED = 1
    RINGING = 2
    ANSWERED = 3
    ENDED = 4
