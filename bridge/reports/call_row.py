"""One call as a row of a list: what it holds, what `/api` returns of it, and what is masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bridge.domain.phone import masked as masked_number
from bridge.ledger.calls.summary import CallEntry
from bridge.reports.call_state import Job, State, reason_of, state_of
from bridge.reports.masking import initial, scrubbed


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """What a list shows of a call, numbers and names in full; see `masked`."""

    key: str
    call_id: int | None
    uuid: str | None
    state: State
    reason: str | None
    direction: str | None
    outcome: str
    # The customer's number as it came, E.164 where possible; None if withheld or not known.
    number: str | None
    customer_name: str | None
    agent_id: int | None
    agent_name: str | None
    # None until a webhook or an answer gave it.
    started_at: datetime | None
    # Its start; else its end; else when the bridge first heard of it. `since` and `until` filter by this.
    when: datetime | None
    synced_at: datetime | None
    conversation_id: str | None
    ended_at: datetime | None = None

    @property
    def number_tail(self) -> str | None:
        """The last three digits."""
        return "".join(c for c in self.number or "" if c.isdigit())[-3:] or None


def row_of(entry: CallEntry, jobs: Sequence[Job]) -> CallRow:
    facts = entry.summary
    state = state_of(stored=entry.state, ended=facts.ended, jobs=jobs)
    return CallRow(
        key=entry.place.key,
        call_id=facts.call_id,
        uuid=facts.uuid,
        state=state,
        reason=reason_of(state, entry.reason, jobs),
        direction=facts.direction,
        outcome=facts.outcome,
        number=facts.number,
        customer_name=facts.customer_name,
        agent_id=facts.agent_id,
        agent_name=facts.agent_name,
        started_at=facts.started_at,
        ended_at=facts.ended_at,
        when=facts.when,
        synced_at=entry.synced_at,
        conversation_id=entry.conversation_id,
    )


def masked(row: CallRow) -> CallRow:
    """The same row for people who may see neither numbers nor names."""
    return replace(
        row,
        number=masked_number(row.number) if row.number else None,
        customer_name=initial(row.customer_name),
        agent_name=initial(row.agent_name),
        reason=row.reason
        and scrubbed(row.reason, names=[row.customer_name, row.agent_name], numbers=[row.number]),
    )


def line_of(row: CallRow) -> dict[str, Any]:
    """A row as `/api/calls` and `calls ls --json` return it: nothing in it says who called."""
    return {
        "key": row.key,
        "call_id": row.call_id,
        "uuid": row.uuid,
        "state": row.state,
        "reason": row.reason and scrubbed(row.reason, numbers=[row.number]),
        "direction": row.direction,
        "outcome": row.outcome,
        "number_tail": row.number_tail,
        "started_at": _iso(row.started_at),
        "synced_at": _iso(row.synced_at),
        "conversation_id": row.conversation_id,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
