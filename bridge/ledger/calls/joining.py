"""Joins the two records of one call, once somebody tells the uuid of its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from bridge.ledger.calls.learning import ASKED, TOLD
from bridge.ledger.calls.record import Record
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim

# Observations that are CloudTalk's own answer about a number.
_CLOUDTALK_SAYS = ("detail", "identity")


def learn_uuid(
    ledger: Ledger,
    claim: Claim,
    record: Record,
    uuid: UUID | None,
    call_id: int,
    name: str,
    body: Mapping[str, Any],
) -> None:
    """Keep what was learnt of a call known by its number; it joins the number with the uuid it tells.

    Args:
        name: of the observation: its source.
    """
    if uuid != record.uuid and ledger.read(f"uuid:{uuid}").forgotten:
        # Forgotten on request while only its uuid was known: what the list says of it goes as well.
        ledger.forget(replace(record, uuid=uuid))
        return
    ledger.record_observation(
        name,
        body,
        uuid=uuid,
        call_id=call_id,
        asked_at_ms=claim.now_ms,
        lane=record.lane(Lane.LIVE),
        sure=ASKED if name in _CLOUDTALK_SAYS and body.get("uuid") else TOLD,
    )
