"""When a cue card is of use: while an incoming call rings or was just answered, until one was shown.

What became of it is a field of the call's record (`Field.CUE_CARD`), and goes with the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.outcome import Direction, Stage
from bridge.domain.phone import Kind
from bridge.domain.webhook.events import STAGE_OF
from bridge.ledger.calls.record import KeptEvent, Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.kinds import CUE_CARD

# From the newest webhook that the call rings or was answered: later, whoever talks knows who calls.
OF_USE_FOR = timedelta(seconds=30)
_RINGING = (Stage.STARTED, Stage.RINGING, Stage.ANSWERED)


class CardState(StrEnum):
    TRYING = "trying"  # not shown so far: CloudTalk knows no such active call yet, or a service failed
    SENDING = "sending"  # begun; as the state of an earlier run: its reply was lost
    INACTIVE = "inactive"  # CloudTalk never knew the call as active; another agent's phone may ring later
    SHOWN = "shown"
    UNSURE = "unsure"  # may have been shown, so it is not sent again
    NONE = "none"  # none is to be shown


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCard:
    """What is on record of a call's card.

    Args:
        tries: how often it was tried in vain.
        ring: fingerprint of the newest webhook that it rings, at the last try.
        card: the texts, while they are tried: they cost requests. Emptied with the end of the tries.
    """

    state: CardState
    tries: int = 0
    ring: str = ""
    card: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        return json.dumps(asdict(self))


def card_of(record: Record) -> KeptCard:
    text = record.fields.get(Field.CUE_CARD)
    if text is None:
        return KeptCard(state=CardState.TRYING)
    kept = json.loads(text)
    return KeptCard(**{**kept, "state": CardState(kept["state"])})


def newest_ring(record: Record) -> KeptEvent | None:
    """The newest webhook that says that it rings, or was answered."""
    ringing = (event for event in record.events if STAGE_OF.get(event.trigger) in _RINGING)
    return max(ringing, key=lambda event: event.at, default=None)


def is_of_use(record: Record, call: Call, now: datetime) -> bool:
    """Whether somebody who is about to pick up would see a card."""
    ring = newest_ring(record)
    return ring is not None and not call.ended and now - ring.at <= OF_USE_FOR


def plan_cue_card(claim: Claim, deps: Deps, record: Record, call: Call, now: datetime) -> None:
    """Have the card shown by a job of its own: whatever becomes of it does not touch the sync."""
    if call.ended or not deps.rules.may_show_cue_card(call) or not _can_be_shown(call):
        return
    kept, ring = card_of(record), newest_ring(record)
    if ring is None or not is_of_use(record, call, now):
        return
    is_open = kept.state in (CardState.TRYING, CardState.SENDING)
    if is_open or (kept.state is CardState.INACTIVE and kept.ring != ring.fingerprint):
        deps.ledger.schedule(CUE_CARD.name, record.key, in_ms=0, lane=Lane.LIVE, under=claim)


def _can_be_shown(call: Call) -> bool:
    """Cards go to a call by its uuid, and are about a caller with a number."""
    is_incoming = call.direction not in (Direction.OUTGOING, Direction.INTERNAL)
    return (
        is_incoming
        and call.uuid is not None
        and call.external is not None
        and call.external.kind is Kind.E164
    )
