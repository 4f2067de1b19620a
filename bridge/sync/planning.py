"""Plans the jobs that ask CloudTalk about a call, as a sync decided."""

from __future__ import annotations

from datetime import datetime

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim
from bridge.sync.asking import usual_wait_ms
from bridge.sync.decide import Decision


def plan_questions(
    claim: Claim, deps: Deps, record: Record, call: Call, decision: Decision, now: datetime
) -> None:
    """Plan the questions to CloudTalk that the decision names; withdraw the one that is answered."""
    ledger = deps.ledger
    if decision.withdrawn:
        ledger.cancel(decision.withdrawn, record.key, under=claim)
        ledger.keep_soon(claim, {Field.ASKING: None})
    if decision.question:
        job, at = decision.question
        ledger.keep_soon(claim, {Field.ASKING: job})
        ledger.schedule(job, record.key, in_ms=_ms_until(at, now), lane=record.lane(Lane.LIVE), under=claim)
    if decision.fetch_recording:
        ledger.schedule(
            "recording",
            record.key,
            in_ms=usual_wait_ms(record, call, ledger.memory.usual_delay_s(), now),
            lane=record.lane(Lane.RECORDING),
            told_at=record.recording_announced_at,
            under=claim,
        )
    if decision.ask_insights:
        ledger.schedule(
            "insights",
            record.key,
            in_ms=_ms_until(decision.ask_insights, now),
            lane=record.lane(Lane.INSIGHTS),
            told_at=max(record.insights_announced.values(), default=None),
            under=claim,
        )


def _ms_until(at: datetime, now: datetime) -> int:
    return max(0, int((at - now).total_seconds() * 1000))
