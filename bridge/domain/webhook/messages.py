"""A webhook about a text message (SMS, MMS, WhatsApp) becomes a `Message`. All oddities end here.

CloudTalk's native webhooks give a message an id. Its Workflow Automation is not known to offer one: such a
message is recognised by its body, and only for a while, as people do write the same twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from bridge.domain.outcome import Direction
from bridge.domain.phone import Kind, Phone, read_phone
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.envelopes import is_native
from bridge.domain.webhook.events import Event, Held, fingerprint_of, read_event
from bridge.domain.webhook.fields import fields_of
from bridge.domain.webhook.keys import ENVELOPES, MESSAGE_KEYS, ReadingRules, canonical_key, folded
from bridge.domain.webhook.values import (
    harmless,
    has_value,
    read_email,
    read_person,
    read_text,
    read_time,
    read_whole,
)

Channel = Literal["sms", "mms", "whatsapp"]
# Who told of it: CloudTalk's native webhooks, or a workflow of the customer's; or the bridge sent it itself.
Source = Literal["native", "workflow", "bridge"]

DIRECTION_OF: Mapping[str, Direction] = {
    "message-received": Direction.INCOMING,
    "message-sent": Direction.OUTGOING,
}
_CHANNELS: Mapping[str, Channel] = {"sms": "sms", "text": "sms", "mms": "mms", "whatsapp": "whatsapp"}
_WHATSAPP = re.compile(r"\s*whatsapp\s*:\s*", re.IGNORECASE)
# What an id may look like for it to become part of a key in Kustomer.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/=@-]{0,159}")
# A person may well answer "None" or "n/a"; these are what programs send for no text.
_NO_TEXT = frozenset({"", "null", "undefined", "[object object]"})
_LONGEST_LINK = 2048
_MOST_MEDIA = 10
_DEEPEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one delivery says of one text message. None means not given.

    Args:
        id: CloudTalk's, where it gave one.
        external: the customer's number; also a name, where a company sends under one.
        text: without markup, whole.
        media: addresses of its pictures and files, as they came.
        sent_at: when CloudTalk says that it was sent or received.
        signed: CloudTalk signed it: nobody else can have sent it.
    """

    trigger: str
    fingerprint: str
    source: Source
    id: str | None = None
    channel: Channel = "sms"
    external: Phone | None = None
    internal: Phone | None = None
    text: str = ""
    media: tuple[str, ...] = ()
    contact_id: int | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    sent_at: datetime | None = None
    received_at: datetime | None = None
    signed: bool = False

    @property
    def direction(self) -> Direction:
        return DIRECTION_OF[self.trigger]

    @property
    def number(self) -> str:
        """The customer's in E.164; empty where it is none."""
        return self.external.text if self.external and self.external.kind is Kind.E164 else ""

    @property
    def name(self) -> str:
        """By what its record and its key in Kustomer are named, should this delivery be the first of it."""
        return self.id or self.fingerprint

    @property
    def same_text(self) -> str:
        """A digest by which the same message is known that came by another kind of webhook; '' is none.

        The other kind may write a number, a blank or an entity otherwise.
        """
        return same_text_of(self.trigger, self.number, self.text, self.media)


def same_text_of(trigger: str, number: str, text: str, media: tuple[str, ...]) -> str:
    """See `Message.same_text`."""
    if not number or not (text or media):
        return ""
    words = " ".join(text.split())
    told = [trigger, number, words] if words else [trigger, number, *media]
    return hashlib.sha256(canonical_json(told).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_delivery(
    trigger: str | None, body: Mapping[str, Any], rules: ReadingRules, *, received_at: datetime | None = None
) -> Event | Message | Held:
    """One webhook body as an event of a call, or as a message; see `read_event`."""
    event = read_event(trigger, body, rules, received_at=received_at)
    if isinstance(event, Held) and event.trigger in DIRECTION_OF:
        return read_message(event.trigger, body, rules, received_at=received_at)
    return event


def read_message(
    trigger: str, body: Mapping[str, Any], rules: ReadingRules, *, received_at: datetime | None = None
) -> Message | Held:
    """One webhook body as a message.

    Args:
        trigger: one of `DIRECTION_OF`.
        received_at: when it came; the time of a message that tells none.
    """
    native = is_native(body)
    keys = {**MESSAGE_KEYS, **rules.webhook_keys} if rules.webhook_keys else MESSAGE_KEYS
    fields = _native_fields(body) if native else fields_of(_innermost(body, keys), body, keys=keys)
    id_ = _id_of(fields.get("message_id"))
    fingerprint = _fingerprint(trigger, body, id_)
    direction = DIRECTION_OF[trigger]
    ends = ("sender", "recipient") if direction is Direction.INCOMING else ("recipient", "sender")
    external, by_whatsapp = _number(fields, "external_number", ends[0], rules)
    internal, ours_by_whatsapp = _number(fields, "internal_number", ends[1], rules)
    text, media = _text(fields.get("text")), tuple(_links(fields.get("media_urls")))[:_MOST_MEDIA]
    if external is None and not text and not media:
        # Nothing to keep a record of.
        reason = "names neither a number nor a text (see the template of the set-up page)"
        return Held(trigger=trigger, fingerprint=fingerprint_of(trigger, body), reason=reason)
    channel = _CHANNELS.get(str(fields.get("channel", "")).strip().casefold())
    if channel is None:
        channel = "whatsapp" if by_whatsapp or ours_by_whatsapp else "mms" if media else "sms"
    return Message(
        trigger=trigger,
        fingerprint=fingerprint,
        source="native" if native else "workflow",
        id=id_,
        channel=channel,
        external=external,
        internal=internal,
        text=text,
        media=media,
        contact_id=read_whole(fields.get("contact_id")),
        contact_name=read_person(fields.get("contact_name"))
        or read_person(fields.get("contact_first_name"), fields.get("contact_last_name")),
        contact_email=read_email(fields.get("contact_email")),
        sent_at=read_time(fields.get("sent_at")),
        received_at=received_at,
    )


def _native_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Only the documented names: `occurred_at` is the envelope's."""
    data = body["data"]
    fields = fields_of(data, keys=MESSAGE_KEYS)
    fields.pop("sent_at", None)
    return {**fields, "sent_at": body.get("occurred_at"), "message_id": data.get("id")}


def _innermost(body: Mapping[str, Any], keys: Mapping[str, str]) -> Mapping[str, Any]:
    """The object that says something of a message, where a tool wrapped it into others."""
    for _ in range(_DEEPEST):
        if any(
            canonical_key(key, keys) in ("text", "external_number", "sender") and not isinstance(value, dict)
            for key, value in body.items()
        ):
            break
        inner = [value for key, value in body.items() if isinstance(value, dict) and folded(key) in ENVELOPES]
        if len(inner) != 1:
            break
        body = inner[0]
    return body


def _fingerprint(trigger: str, body: Mapping[str, Any], id_: str | None) -> str:
    """Of one with an id: of its type and the id, whichever kind of webhook tells it."""
    if id_ is None:
        return fingerprint_of(trigger, body)
    key = ["native", trigger.replace("-", "."), id_]
    return hashlib.sha256(canonical_json(key).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _id_of(value: object) -> str | None:
    """An id that tells messages apart; not what a template has in place of one."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not has_value(value):
        return None
    text = str(value).strip()
    return text if _ID.fullmatch(text) else None


def _number(fields: Mapping[str, Any], name: str, end: str, rules: ReadingRules) -> tuple[Phone | None, bool]:
    """A number by its own name, or as sender or recipient; and whether it came as one of WhatsApp."""
    for key in (name, end):
        value = fields.get(key)
        if not has_value(value):
            continue
        found = _WHATSAPP.match(value) if isinstance(value, str) else None
        phone = read_phone(cast(str, value)[found.end() :] if found else value, region=rules.region)
        if phone is not None and phone.kind is not Kind.WITHHELD:
            return phone, found is not None
    return None, False


def _text(value: object) -> str:
    if not isinstance(value, str):
        return read_text(value) or ""
    word = value.strip().casefold()
    if word in _NO_TEXT or (word.startswith("{{") and not has_value(value)):
        return ""
    return harmless(value) or ""


def _links(value: object, depth: int = 0) -> Iterator[str]:
    """Addresses in whatever form: one, several with commas between, a list, a list of objects."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("[") and depth == 0:
            try:
                yield from _links(json.loads(text), 1)
            except ValueError:
                return
        else:
            yield from (one for part in re.split(r"[\s,]+", text) if (one := _link(part)))
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value[: 2 * _MOST_MEDIA]:
            yield from _links(item, depth + 1)
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for key in ("url", "link", "href", "media_url", "file_url"):
            if isinstance(value.get(key), str):
                yield from _links(value[key], depth + 1)
                return


def _link(text: str) -> str | None:
    if not text or len(text) > _LONGEST_LINK:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in ("http", "https") and parts.hostname else None


def fold_messages(messages: list[Message]) -> Message | None:
    """One message of all that was told of it, in any order: native before the rest, gaps filled."""
    if not messages:
        return None
    ordered = sorted(messages, key=lambda one: (one.source != "native", not one.signed, one.fingerprint))
    first = ordered[0]
    for other in ordered[1:]:
        first = replace(
            first,
            external=first.external or other.external,
            internal=first.internal or other.internal,
            text=first.text or other.text,
            media=first.media or other.media,
            contact_id=first.contact_id if first.contact_id is not None else other.contact_id,
            contact_name=first.contact_name or other.contact_name,
            contact_email=first.contact_email or other.contact_email,
            sent_at=first.sent_at or other.sent_at,
        )
    came = [one.received_at for one in messages if one.received_at is not None]
    return replace(first, received_at=min(came, default=None))


def describe(message: Message) -> str:
    """For the record: what lists show of a message, also when its webhooks are gone; nothing of its text."""
    phone = message.external
    shown = {
        "direction": "in" if message.direction is Direction.INCOMING else "out",
        "channel": message.channel,
        "number_tail": phone.tail if phone else "",
    }
    return json.dumps(shown)
