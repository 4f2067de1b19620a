"""What happens to a call once and is counted in the metrics: its customer, its note, its recording.

They are counted by the script that records the output's id, so that a run that is killed or repeated counts
nothing twice. Times run from the call's own end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.domain.outputs import TEXTS
from bridge.domain.synthetic import is_synthetic
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.calls.record_fields import Family
from bridge.ledger.measures import Milestone


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """Of one run; `ended_at_ms` is None where nothing says when the call ended: then no time is counted."""

    record: Record
    ended_at_ms: int | None

    def reached(self, name: str, sent: Mapping[str, Any], *, done: str, created: bool) -> list[Milestone]:
        """What the record of this output counts; see `WriteLog.keep`."""
        if is_synthetic(self.record.uuid):
            return []
        known = self.record.outputs.get(name)
        found: list[Milestone] = []
        if name == "customer" and known is None and done != "updated":
            how = "created" if created else "phone" if sent.get("phone") else "external_id"
            found = [Milestone("customer", f"customer:{how}")]
        if name in TEXTS and self.ended_at_ms is not None:
            # The first of note and voice message counts.
            found = _of_text(known, sent, self.ended_at_ms, done=done, created=created)
        return [one for one in found if Family.COUNTED.field(one.mark) not in self.record.fields]


def _of_text(
    known: Written | None, sent: Mapping[str, Any], ended_at_ms: int, *, done: str, created: bool
) -> list[Milestone]:
    found = [Milestone("note", "end_to_note", ended_at_ms)] if created and known is None else []
    # One that was found, and is not of this ledger, may have had it all along.
    is_ours = created or done == "updated"
    if is_ours and sent.get("attachments") and not (known and known.sent.get("attachments")):
        found.append(Milestone("recording", "end_to_recording", ended_at_ms))
    return found
