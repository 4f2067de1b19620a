"""Choices of `[messages]`: what becomes of text messages."""

from __future__ import annotations

from bridge.domain.rules.choice import BOOL, Choice
from bridge.domain.rules.values import OwnNumber

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="messages", name="write", field="write_messages", kind=bool, right=BOOL,
        bare="messages_write",
        says="write text messages (SMS, MMS, WhatsApp) to Kustomer, in one conversation a number; false: "
        "they are kept and explained, not written",
        costs="1 of Kustomer for each message; 3 to 4 more for the first of a number",
    ),
    Choice(
        section="messages", name="send", field="send_messages", kind=bool, right=BOOL, bare="messages_send",
        says="send the text messages that a Kustomer workflow asks for at /webhooks/kustomer",
        costs="1 of CloudTalk for each, and what CloudTalk charges",
    ),
    Choice(
        section="messages", name="from", field="messages_from", kind=OwnNumber,
        right='one of your CloudTalk numbers, such as "+15550100101"', bare="messages_from",
        example='"+15550100101"', says="the number to send from, where the workflow names none",
    ),
)  # fmt: skip
