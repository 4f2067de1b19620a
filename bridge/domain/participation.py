"""What the participants of a call mean for its owner and its note."""

from __future__ import annotations

from dataclasses import replace

from bridge.domain.call import Call
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.path import Participant


def is_missed(call: Call) -> bool:
    """A customer called and reached nobody."""
    missed = call.outcome in (Outcome.MISSED, Outcome.VOICEMAIL)
    return missed and call.direction is not Direction.OUTGOING


def who_answered(call: Call) -> list[Participant]:
    """One for each agent, in the order in which they came; of several parts the talk time of all."""
    found: dict[tuple[int | None, str | None], Participant] = {}
    for one in call.participants:
        who = (one.agent_id, None if one.agent_id is not None else one.name)
        before = found.get(who)
        if one.answered:
            found[who] = (
                replace(before, talk_seconds=before.talk_seconds + one.talk_seconds) if before else one
            )
    return list(found.values())
