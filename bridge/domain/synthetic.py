"""The synthetic call: made up by the bridge itself to see that calls arrive, and taken away again.

Its uuid tells it from real calls: version 8 ("custom"), where CloudTalk's are of version 4.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

# Also in front of the scripts (`bridge.ledger.scripts`), which leave these calls out of the numbers.
PREFIX = "ca11b21d-6e5f-8000-8000-"
NAME = "Synthetic call of callbridge"
_TALK = timedelta(seconds=5)


def is_synthetic(uuid: UUID | str | None) -> bool:
    return uuid is not None and str(uuid).startswith(PREFIX)


def synthetic_uuid(token: str) -> str:
    """Args: token: 12 hexadecimal digits, random."""
    return PREFIX + token


def synthetic_body(uuid: str, *, number: str, ended_at: datetime) -> dict[str, str]:
    """Its `call-ended` webhook. It leaves nothing open: CloudTalk, which does not know it, is not asked."""
    answered_at = ended_at - _TALK
    return {
        "call_uuid": uuid,
        "external_number": number,
        "direction": "incoming",
        "contact_name": NAME,
        "talking_time": str(int(_TALK.total_seconds())),
        "waiting_time": "0",
        "started_at": answered_at.isoformat(),
        "answered_at": answered_at.isoformat(),
        "ended_at": ended_at.isoformat(),
        "is_voicemail": "false",
        "notes": "Made up by callbridge to see that calls arrive; removed at once.",
    }
