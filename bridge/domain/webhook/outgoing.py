"""What a Kustomer workflow asks to be sent as a text message. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.domain.phone import Kind, Phone, read_phone
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.keys import ReadingRules, folded
from bridge.domain.webhook.messages import Message, same_text_of
from bridge.domain.webhook.values import harmless

# Of its record's event.
TRIGGER = "sms-requested"
# CloudTalk documents no limit; ten parts of an SMS.
LONGEST = 1600
_ALIASES = {
    "to": ("to", "recipient", "number", "phone", "external_number"),
    "from": ("from", "sender", "line", "internal_number"),
    "text": ("text", "body", "preview", "message_text"),
    "id": ("message_id", "message", "id"),
}


class Unusable(ValueError):
    """The body asks for nothing that can be sent; the text says what is wrong, to people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One text message to be sent.

    Args:
        fingerprint: of Kustomer's message, by its id; without one of numbers and text.
        text: as it is sent, unchanged.
    """

    fingerprint: str
    recipient: Phone
    sender: Phone
    text: str
    has_id: bool

    @property
    def same_text(self) -> str:
        """As CloudTalk's webhook of it has it, so that it is not written as another message."""
        return same_text_of("message-sent", self.recipient.text, harmless(self.text) or "", ())

    @property
    def message(self) -> Message:
        """For lists and pages."""
        return Message(
            trigger="message-sent",
            fingerprint=self.fingerprint,
            source="bridge",
            external=self.recipient,
            internal=self.sender,
            text=harmless(self.text) or "",
        )


def read_outgoing(body: Mapping[str, Any], rules: ReadingRules, *, sender: str = "") -> Outgoing:
    """What to send.

    Args:
        sender: our number, where the body names none.

    Raises:
        Unusable: no number, no text, or no line to send from.
    """
    given = {folded(key): value for key, value in body.items() if isinstance(value, str | int)}
    found = {
        name: next((value for key in keys if (value := str(given.get(key, "")).strip())), "")
        for name, keys in _ALIASES.items()
    }
    recipient, line = _number(found["to"], rules), _number(found["from"] or sender, rules)
    if recipient is None:
        raise Unusable("to: must be a phone number with its country code")
    if line is None:
        raise Unusable("from: must be one of your CloudTalk numbers; or set [messages] from in the rules")
    text = found["text"]
    if not text or len(text) > LONGEST:
        raise Unusable(f"text: must have 1 to {LONGEST} characters")
    named = ["kustomer", found["id"]] if found["id"] else ["kustomer", recipient.text, line.text, text]
    digest = hashlib.sha256(canonical_json([TRIGGER, *named]).encode("utf-8", "surrogatepass"))
    return Outgoing(
        fingerprint=digest.hexdigest()[:32],
        recipient=recipient,
        sender=line,
        text=text,
        has_id=bool(found["id"]),
    )


def _number(text: str, rules: ReadingRules) -> Phone | None:
    phone = read_phone(text, region=rules.region) if text else None
    return phone if phone is not None and phone.kind is Kind.E164 else None
