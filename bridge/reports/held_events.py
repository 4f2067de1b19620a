"""Held events for people: grouped by reason with what to do, and the calls that one may belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.domain.phone import Kind
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import OTHER_TRIGGERS, STAGE_OF
from bridge.domain.webhook.matching import fits
from bridge.ledger.calls.held import HeldEvent
from bridge.ledger.ledger import Ledger
from bridge.reports.call_list import Search, find_calls
from bridge.reports.call_row import CallRow

_BEFORE, _AFTER = timedelta(days=2), timedelta(hours=2)
_MOST = 5
# How a reason begins or what it holds -> what to do.
_ADVICE: Mapping[str, str] = {
    "names no event": "Add the key event to the workflow's body, or use the trigger's own address.",
    "unknown trigger": "Correct the address in CloudTalk: the set-up page has the right one.",
    "calls match": "Open each one and choose the call it belongs to.",
    "no known call matches": "The call may not have come yet. Wait, or assign it by hand.",
    "call_id": "Add call_id and call_uuid to the workflow's body: the set-up page has the template.",
    "contains several calls": "Send one webhook for each call.",
    "belongs to no call": "It is stored, and needs nothing.",
    "read for the contact": "Nothing: the page Contacts says what became of it.",
    "deleted in CloudTalk": "Decide in Kustomer what becomes of the customer; the bridge changes nothing.",
    "neither a number nor a text": "Add external_number and text: the set-up page has the template.",
    "names no contact": "Add the key contact_id to the workflow's body: the set-up page has the template.",
}
_OTHER = "Open it to see what came, and assign it to its call or drop it."


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldGroup:
    """All held events of one reason."""

    reason: str
    do: str
    events: Sequence[HeldEvent]

    @property
    def triggers(self) -> str:
        return ", ".join(sorted({event.trigger or "no event named" for event in self.events}))


def grouped(events: Sequence[HeldEvent]) -> list[HeldGroup]:
    """By reason, the largest group first."""
    by_reason: dict[str, list[HeldEvent]] = {}
    for event in events:
        by_reason.setdefault(event.reason, []).append(event)
    groups = [
        HeldGroup(reason=reason, do=_advice(reason), events=found) for reason, found in by_reason.items()
    ]
    return sorted(groups, key=lambda group: (-len(group.events), group.reason))


def _advice(reason: str) -> str:
    return next((do for words, do in _ADVICE.items() if words in reason), _OTHER)


def can_be_assigned(event: HeldEvent) -> bool:
    """Whether it speaks of a call at all."""
    return event.trigger in STAGE_OF and event.trigger not in OTHER_TRIGGERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A call that a held event may belong to.

    Args:
        fits: number, agent and time agree, as the clock wants it before it assigns by itself.
        apart_s: how far the call's start is from the event's.
    """

    row: CallRow
    fits: bool
    apart_s: float | None


def suggestions(ledger: Ledger, rules: Rules, event: HeldEvent) -> list[Suggestion]:
    """Calls of the same number around that time, the most likely first; none without a number."""
    as_event = event.as_event_of(rules, {})
    if as_event is None or as_event.external is None or as_event.external.kind is not Kind.E164:
        return []
    around = as_event.started_at or event.at
    search = Search(q=as_event.external.text, since=around - _BEFORE, until=around + _AFTER, limit=20)
    found = []
    for row in find_calls(ledger, rules, search).rows:
        call = ledger.read(row.key).call(rules)
        apart = abs((row.started_at - around).total_seconds()) if row.started_at else None
        found.append(Suggestion(row=row, fits=fits(as_event, event.at, call), apart_s=apart))
    long_ago = (datetime.now(UTC) - datetime.min.replace(tzinfo=UTC)).total_seconds()
    found.sort(key=lambda one: (not one.fits, one.apart_s if one.apart_s is not None else long_ago))
    return found[:_MOST]
