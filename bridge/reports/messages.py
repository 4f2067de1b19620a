"""Text messages for people and programs: a line of a list, and everything kept about one."""

from __future__ import annotations

from typing import Any

from bridge.domain.outcome import Direction
from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.record import Record
from bridge.ledger.ledger import Ledger
from bridge.ledger.messages.records import MessageRow, message_of, row_of
from bridge.reports.masking import scrubbed
from bridge.reports.views import timeline_of


def line_of(row: MessageRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "state": row.state,
        "reason": row.reason and scrubbed(row.reason),
        "direction": row.direction,
        "channel": row.channel,
        "number_tail": row.number_tail,
        "received_at": row.at.isoformat(),
        "synced_at": row.synced_at.isoformat() if row.synced_at else None,
        "conversation_id": row.conversation_id,
        "message_id": row.message_id,
    }


def find_message(ledger: Ledger, key: str) -> Record | None:
    """The record of a message by its key, with or without `message:` in front."""
    name = key if keys.is_message(key) else keys.message_key(key)
    record = ledger.read(name)
    return record if record.exists and not record.forgotten else None


def message_view(
    ledger: Ledger, rules: Rules, record: Record, *, raw: bool = True, masked: bool = False
) -> dict[str, Any]:
    """Everything kept about one message.

    Args:
        raw: with its text, and the bodies that CloudTalk sent.
        masked: without numbers and names; the text may hold either.
    """
    row = row_of(ledger, record.key)
    message = message_of(record, rules)
    shows = raw and not masked
    external = message.external if message is not None else None
    internal = message.internal if message is not None else None
    sent_at = message.sent_at if message is not None else None
    return {
        **line_of(row),
        "reason": scrubbed(row.reason) if masked and row.reason else row.reason,
        "text": message.text if message is not None and shows else None,
        "media": len(message.media) if message is not None else 0,
        "number": external.text if external is not None and shows else external.masked if external else None,
        "line": internal.text if internal is not None else None,
        "sent_at": sent_at.isoformat() if sent_at else None,
        "is_incoming": message.direction is Direction.INCOMING if message is not None else None,
        "events": [
            {
                "trigger": event.trigger,
                "received_at": event.at.isoformat(),
                "times": event.times,
                "fingerprint": event.fingerprint,
                "signed": event.signed,
                "body": dict(event.body) if shows else None,
            }
            for event in record.events
        ],
        "outputs": {
            name: {"id": one.id, "created": one.created} for name, one in sorted(record.outputs.items())
        },
        "timeline": [_scrubbed(step) if masked else step for step in timeline_of(record)],
    }


def _scrubbed(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "detail": scrubbed(step["detail"]) if step["detail"] else None}
