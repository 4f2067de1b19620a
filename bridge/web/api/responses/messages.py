"""Answers about text messages."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from bridge.web.api.responses.base import Answer
from bridge.web.api.responses.calls import Step


class MessageLine(Answer):
    key: str
    state: Literal["waiting", "synced", "skipped", "dropped", "parked"]
    reason: str | None
    direction: str = Field(description="`in` or `out`.")
    channel: str = Field(description="sms, mms or whatsapp.")
    number_tail: str = Field(description="At most the last three digits of the customer's number.")
    received_at: str = Field(description="When its first webhook came.")
    synced_at: str | None
    conversation_id: str | None
    message_id: str | None = Field(description="Of the message in Kustomer.")


class Messages(Answer):
    messages: list[MessageLine]
    next: str | None


class MessageEvent(Answer):
    trigger: str
    received_at: str
    times: int
    fingerprint: str
    signed: bool
    body: dict[str, Any] | None


class MessageOutput(Answer):
    id: str
    created: bool = Field(description="Whether the bridge made it.")


class Message(MessageLine):
    text: str | None = Field(description="For the role operate, while its webhooks are kept.")
    media: int = Field(description="How many files it has.")
    number: str | None
    line: str | None = Field(description="Our number.")
    sent_at: str | None
    is_incoming: bool | None
    events: list[MessageEvent]
    outputs: dict[str, MessageOutput]
    timeline: list[Step]
