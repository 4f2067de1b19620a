"""Journeys of missed calls, and of calls that share a conversation: several calls of one number."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.chaos.crash.hand import Hand
from tests.chaos.crash.one_call import CALL_ID, ENDED, NUMBER, UUID


def _call(number: int, minutes_ago: int, *, talked: int = 0, **more: Any) -> dict[str, Any]:
    """Number 0 is the call of all other journeys."""
    started_at = datetime.fromisoformat(ENDED["ended_at"]) - timedelta(minutes=minutes_ago)
    told = {
        **ENDED,
        "call_id": str(CALL_ID + number),
        "call_uuid": f"{UUID[:-1]}{number}",
        "started_at": started_at.isoformat(),
        "ended_at": (started_at + timedelta(seconds=20 + talked)).isoformat(),
        "answered_at": started_at.isoformat() if talked else None,
        "talking_time": str(talked),
        "external_number": NUMBER,
        **more,
    }
    return {name: value for name, value in told.items() if value is not None}


def called_back(hand: Hand) -> None:
    """Missed, closed by a call, and named by another that began earlier and is heard of later."""
    for body in (_call(0, 40), _call(1, 10, talked=50), _call(2, 20, talked=50)):
        hand.tell("call-ended", body)
        hand.run_all()


def missed_again(hand: Hand) -> None:
    """The second missed call is heard of first; a person ends the item; a voicemail joins the next one."""
    for body in (_call(1, 30), _call(0, 40), _call(2, 20, talked=50)):
        hand.tell("call-ended", body)
        hand.run_all()
    with hand.watch.aside():
        written = hand.ledger.read(f"uuid:{UUID}").outputs.get("conversation")
        if written is not None and hand.ledger.find(f"{UUID[:-1]}3") is None:
            hand.deps.kustomer.conversations.update(written.id, {"ended": True})
    for body in (_call(3, 9), _call(4, 8, is_voicemail="true")):
        hand.tell("call-ended", body)
        hand.run_all()


def shared(hand: Hand) -> None:
    """Three calls in one conversation, which the last one opens again."""
    for body in (_call(0, 40, talked=50), _call(1, 30, talked=50), _call(2, 20)):
        hand.tell("call-ended", body)
        hand.run_all()
