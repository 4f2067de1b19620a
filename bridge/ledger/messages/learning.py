"""The arguments of learn_message.lua. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bridge import tracing
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.messages import Message, describe
from bridge.domain.webhook.outgoing import TRIGGER, Outgoing
from bridge.ledger import keys
from bridge.ledger.calls.learning import Retention, Seals
from bridge.ledger.keys import QUEUE_KEYS, Lane
from bridge.ledger.queue.kinds import MESSAGE, SMS
from bridge.ledger.stored import message_place

# Within this the same body without an id is a repeat, and a message that the other kind of webhook tells is
# the same one. Native webhooks are tried again after 5 s and 5 minutes.
SAME_WITHIN_MS = 10 * 60_000


def sealed_message(texts: Seals, arguments: Sequence[Any]) -> list[Any]:
    """The arguments of learn_message.lua with body, number and digest as they are stored.

    Only the script decides under which key the record is, so the body belongs to its fingerprint.
    """
    sealed = list(arguments)
    sealed[1] = texts.value(message_place(arguments[0]), arguments[1])
    sealed[6], sealed[7] = texts.number(arguments[6]), texts.name("text", arguments[7])
    return sealed


def learn_outgoing(wanted: Outgoing, body: Mapping[str, Any], keep: Retention) -> tuple[list[str], list[Any]]:
    """Keys and arguments for a message that Kustomer asked for."""
    value = {"trigger": TRIGGER, "body": canonical_json(body)}
    return (
        [*QUEUE_KEYS, keys.COUNTS, keys.RECEIVED, keys.META, keys.FORGOTTEN, keys.MESSAGES],
        [
            wanted.fingerprint, json.dumps(value), "bridge", "1" if wanted.has_id else "0", "", "",
            wanted.recipient.text, wanted.same_text, wanted.fingerprint, describe(wanted.message),
            int(Lane.LIVE), keep.events_s, keep.outputs_s, "", SAME_WITHIN_MS, SMS.name,
        ],
    )  # fmt: skip


def learn_message(
    message: Message, body: Mapping[str, Any], keep: Retention, *, came_at_ms: int | None = None
) -> tuple[list[str], list[Any]]:
    """Keys and arguments for a message that a webhook told.

    Args:
        came_at_ms: when it came, ms since 1970, where that was not just now.
    """
    value: dict[str, Any] = {"trigger": message.trigger, "body": canonical_json(body)}
    if message.signed:
        value["signed"] = True
    if trace := tracing.traceparent():
        value["trace"] = trace
    at = message.sent_at
    return (
        [*QUEUE_KEYS, keys.COUNTS, keys.RECEIVED, keys.META, keys.FORGOTTEN, keys.MESSAGES],
        [
            message.fingerprint, json.dumps(value), message.source, "1" if message.id else "0",
            "" if came_at_ms is None else came_at_ms, "" if at is None else round(at.timestamp() * 1000),
            message.number, message.same_text, message.name, describe(message), int(Lane.LIVE),
            keep.events_s, keep.outputs_s, f"webhook:{message.trigger}:", SAME_WITHIN_MS, MESSAGE.name,
        ],
    )  # fmt: skip
