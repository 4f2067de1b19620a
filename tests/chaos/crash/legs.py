"""A journey of a transferred call that CloudTalk lists as two calls, the later of which is heard of first."""

from __future__ import annotations

from typing import Any

from bridge.sandbox.running import RunningSandbox
from tests.chaos.crash.hand import Hand
from tests.chaos.crash.one_call import CALL_ID, ENDED, NUMBER, UUID, call_times

_NEXT_ID, _NEXT_UUID = CALL_ID + 1, f"{UUID[:-1]}1"


def two_legs(hand: Hand) -> None:
    for number, uuid in ((_NEXT_ID, _NEXT_UUID), (CALL_ID, UUID)):
        hand.tell("call-ended", {**ENDED, "call_id": str(number), "call_uuid": uuid})
        hand.run_all()


def as_two_calls(sandbox: RunningSandbox) -> None:
    both: dict[str, Any] = {"external_number": NUMBER, "talking_time": 97, **call_times()}
    sandbox.cloudtalk.add_call(id=CALL_ID, uuid=UUID, next_leg=_NEXT_ID, **both)
    sandbox.cloudtalk.add_call(id=_NEXT_ID, uuid=_NEXT_UUID, first_leg=CALL_ID, **both)
