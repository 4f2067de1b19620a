"""A text message and the rules become what Kustomer should hold: customer, conversation, message. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.domain.call import Call
from bridge.domain.external_ids import object_id
from bridge.domain.kustomer_texts.note import cut
from bridge.domain.outcome import Direction, Status
from bridge.domain.phone import Kind, Phone
from bridge.domain.policy import CustomerDraft, Skip, customer_of
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.messages import Message

# In every message that the bridge makes: one stable value, as Kustomer asks.
APP = "cloudtalk-callbridge"
# Kustomer: the visible text of a message, documented.
LONGEST_PREVIEW = 10_240
_LONGEST_NAME = 256
_KEY, _CONVERSATION_KEY = "cloudtalk:message:", "cloudtalk:messages:"
# Kustomer has no channel for MMS.
_CHANNEL = {"sms": "sms", "mms": "sms", "whatsapp": "whatsapp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadDraft:
    """The conversation of a number's messages, as it is made; later it is people's, and Kustomer's rules'."""

    external_id: str
    name: str
    direction: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDraft:
    """The message wanted; `id` is 24 hex digits made from the external id, so that a repeat shows."""

    external_id: str
    id: str
    channel: str
    direction: str
    status: str
    text: str
    sent_at: datetime
    meta: Mapping[str, Any] = field(default_factory=dict)

    def body(
        self, *, attachments: Sequence[Mapping[str, Any]] = (), lacking: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The fields to send.

        Args:
            attachments: how it refers to its files.
            lacking: a line for each file that could not be attached.
        """
        lines = [f"[{line}]" for line in lacking]
        room = LONGEST_PREVIEW - sum(len(line) + 1 for line in lines)
        preview = "\n".join([*([cut(self.text, room)] if self.text else []), *lines])
        return {
            "externalId": self.external_id,
            "channel": self.channel,
            "app": APP,
            "direction": self.direction,
            "status": self.status,
            "preview": preview or "[no text]",
            "sentAt": _wire(self.sent_at),
            "meta": dict(self.meta),
            **({"attachments": list(attachments)} if attachments else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePlan:
    customer: CustomerDraft
    thread: ThreadDraft
    message: MessageDraft


def plan_message(message: Message, name: str, rules: Rules, *, heard_at: datetime) -> MessagePlan | Skip:
    """What Kustomer should hold for this message, or why nothing.

    Args:
        name: of its record, by which it is known in Kustomer.
        rules: of the file: blocks of `[[rule]]` are about calls.
        heard_at: when its first webhook came; its time, where no webhook tells one.
    """
    if not rules.write_messages:
        return Skip(reason="the rules say not to write messages (messages.write is off)")
    phone = message.external
    if phone is None:
        return Skip(reason="the webhook contained no customer number")
    if phone.kind is not Kind.E164:
        return Skip(reason=f"{_kind(phone)}: nobody can be answered there")
    customer = customer_of(as_call(message), rules)
    assert isinstance(customer, CustomerDraft)  # noqa: S101  # of a number there always is one
    incoming = message.direction is Direction.INCOMING
    direction = "in" if incoming else "out"
    external_id = message_key(name)
    return MessagePlan(
        customer=customer,
        thread=ThreadDraft(
            external_id=thread_key(phone.text),
            name=cut(f"Text messages with {message.contact_name or phone.spoken}", _LONGEST_NAME),
            direction=direction,
            # Of one that somebody here wrote first nobody has to do anything; an answer reopens it.
            status="open" if incoming else "done",
        ),
        message=MessageDraft(
            external_id=external_id,
            id=object_id(external_id),
            channel=_CHANNEL[message.channel],
            direction=direction,
            status="received" if incoming else "sent",
            text=message.text,
            sent_at=message.sent_at or heard_at,
            meta=_meta(message, incoming=incoming),
        ),
    )


def message_key(name: str) -> str:
    """The external id of a message. Args: name: CloudTalk's id, or what stands in for it."""
    return f"{_KEY}{name}"


def thread_key(number: str) -> str:
    """The external id of the conversation with the messages of a number."""
    return f"{_CONVERSATION_KEY}{number}"


def as_call(message: Message) -> Call:
    """What is known of its customer, in the form in which customers are looked up."""
    return Call(
        external=message.external,
        internal=message.internal,
        direction=message.direction,
        contact_id=message.contact_id,
        contact_name=message.contact_name,
        contact_email=message.contact_email,
        started_at=message.sent_at or message.received_at,
        ended_at=message.sent_at or message.received_at,
    )


def _meta(message: Message, *, incoming: bool) -> dict[str, Any]:
    ours = message.internal.text if message.internal else None
    ends = (message.number, ours) if incoming else (ours, message.number)
    told = {"from": ends[0], "to": ends[1], "type": message.channel, "cloudtalkMessageId": message.id}
    return {name: value for name, value in told.items() if value}


def _kind(phone: Phone) -> str:
    if phone.kind is Kind.SHORT:
        return f"a short number ({phone.masked})"
    return "a sender's name or something else that is no phone number"


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
