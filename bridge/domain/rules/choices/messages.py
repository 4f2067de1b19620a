"""Choices of `[messages]`: what becomes of text messages."""

from __future__ import annotations

from bridge.domain.rules.choice import BOOL, Choice

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="messages", name="write", field="write_messages", kind=bool, right=BOOL,
        bare="messages_write",
        says="write text messages (SMS, MMS, WhatsApp) to Kustomer, in one conversation a number; false: "
        "they are kept and explained, not written",
        costs="1 of Kustomer for each message; 3 to 4 more for the first of a number",
    ),
)  # fmt: skip
