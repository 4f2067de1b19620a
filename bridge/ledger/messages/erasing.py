"""Text messages of one number: found, and removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from bridge.boundary import boundary
from bridge.domain.mentions import Mentions
from bridge.domain.phone import Phone
from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.record import Record
from bridge.ledger.ledger import Ledger
from bridge.ledger.messages.records import all_messages, conversation_cache, forget_message, message_of


@dataclass(slots=True, kw_only=True)
class MessagesOfNumber:
    """The messages of a number, and those of others in which somebody wrote it down."""

    own: list[Record] = field(default_factory=list)
    mentioned_in: list[str] = field(default_factory=list)


def messages_of(ledger: Ledger, rules: Rules, phone: Phone) -> MessagesOfNumber:
    """Reads through everything that is kept of messages."""
    found, mentions = MessagesOfNumber(), Mentions(numbers=[phone])
    for record in all_messages(ledger):
        message = message_of(record, rules)
        external = message.external if message is not None else None
        fields = json.dumps(dict(record.fields), ensure_ascii=False)
        if (external is not None and mentions.are_in(external.text)) or mentions.are_in(fields):
            found.own.append(record)
        elif mentions.are_in(json.dumps([event.body for event in record.events], ensure_ascii=False)):
            found.mentioned_in.append(record.key)
    return found


def forget_messages(ledger: Ledger, records: list[Record], phone: Phone) -> int:
    """Remove them, and what is remembered of the number; how many entries of that there were."""
    for record in records:
        forget_message(ledger, record, phone.text)
    return _forget_number(ledger, phone)


@boundary("messages.forget_number")
def _forget_number(ledger: Ledger, phone: Phone) -> int:
    return int(ledger.redis.delete(*_names_of(ledger, phone)))


def _names_of(ledger: Ledger, phone: Phone) -> Iterator[str]:
    # Also as it was before ENCRYPTION_KEYS was set.
    for number in {phone.text, ledger.texts.number(phone.text)}:
        yield keys.messages_waiting(number)
        yield keys.messages_lately(number)
        yield keys.cached(f"messages-of:{number}")
    lock = f"messages:{phone.text}"
    yield from {keys.lock(lock), keys.lock(ledger.texts.name("lock", lock))}
    yield keys.cached(conversation_cache(ledger, phone.text))
