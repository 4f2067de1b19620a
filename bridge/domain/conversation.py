"""What the rules choose for a call's conversation: its state, and the fields that sort it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bridge.domain.call import Call
from bridge.domain.fields import field_values
from bridge.domain.missed import Item, due_at, due_text
from bridge.domain.opening import open_moment
from bridge.domain.outcome import Status
from bridge.domain.rules.model import Rules


def conversation_choices(
    call: Call, rules: Rules, item: Item | None, *, first_of_day: bool | None = None
) -> dict[str, Any]:
    """Fields of the draft, by name.

    Args:
        item: of a missed call, the calls that followed: one with talk time closes the conversation.
        first_of_day: see `domain/fields.py`.
    """
    status: Status = rules.status[call.outcome]
    if item is not None and item.closed_by is not None:
        status = "done"
    return {
        "status": status,
        "snooze_until": snooze_until(call, rules) if status == "snoozed" else None,
        "sub_status": rules.sub_status,
        "priority": rules.priority,
        "brand": rules.brand,
        "queue": rules.queue,
        "custom": _custom(call, rules, first_of_day),
    }


def snooze_until(call: Call, rules: Rules) -> datetime | None:
    """So many hours after the call, or at the next opening after that; None where its time is not known."""
    since = call.ended_at or call.started_at
    if since is None:
        return None
    after = since + timedelta(hours=rules.snooze_hours)
    return open_moment(after, rules.open_hours, zone=rules.zone, holidays=rules.holidays)


def _custom(call: Call, rules: Rules, first_of_day: bool | None) -> dict[str, Any]:
    """What the rules name themselves counts before the values of `[fields]`."""
    found: dict[str, Any] = {}
    if rules.fields_as == "conversation":
        found |= field_values(call, rules.field_names, zone=rules.zone, first_of_day=first_of_day)
    found |= rules.custom
    due = due_at(call, rules)
    if rules.due_custom and due is not None:
        found[rules.due_custom] = due if rules.due_custom.endswith("At") else due_text(call, rules)
    return {name: _as_kustomer_takes_it(value) for name, value in found.items()}


def _as_kustomer_takes_it(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value
