"""The names under which values arrive.

Workflow Automation bodies are put together by the customer, who types the keys by hand: any case,
stray blanks, camelCase, an attribute's title. `folded` makes one spelling of them, the table below
says what each means, and `[webhook_keys]` in the rules adds names of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol


class ReadingRules(Protocol):
    """What reading a webhook needs of the operator's rules."""

    @property
    def webhook_keys(self) -> Mapping[str, str]:
        """Folded key -> canonical key, beside the built-in table."""

    @property
    def region(self) -> str | None:
        """The country of numbers without a country code."""


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[\W_]+")

_ALIASES: dict[str, tuple[str, ...]] = {
    "event": ("event_name", "event_type", "trigger"),
    "call_uuid": ("uuid", "calluuid", "call_uid"),
    "call_id": ("callid", "cdr_id", "call_cdr_id", "cdrid"),
    "external_number": (
        "external", "external_phone", "external_phone_number", "externalnumber", "public_external",
        "caller_number", "customer_number", "customer_phone", "contact_number",
    ),
    "internal_number": (
        "internal", "internal_phone", "internal_phone_number", "internalnumber", "public_internal",
        "our_number", "line", "cloudtalk_number",
    ),
    "caller_id_status": (),
    "direction": ("call_direction", "call_type"),
    "agent_id": ("agentid", "user_id"),
    "agent_first_name": ("agent_firstname", "agentfirstname", "agent_first", "agent_name_first"),
    "agent_last_name": ("agent_lastname", "agentlastname", "agent_last", "agent_name_last"),
    "agent_name": ("agent", "agent_full_name", "agent_fullname"),
    "agent_email": ("agent_e_mail", "agent_mail", "agentemail"),
    "contact_id": ("contactid", "contacts_0_id"),
    "contact_name": ("contact", "contactname", "contacts_0_name", "contact_full_name"),
    "contact_first_name": (
        "contact_firstname", "contactfirstname", "contacts_0_first_name", "contact_first",
        "contact_name_first",
    ),
    "contact_last_name": (
        "contact_lastname", "contactlastname", "contacts_0_last_name", "contact_last", "contact_name_last",
    ),
    "contact_email": ("contact_e_mail", "contact_mail", "contactemail", "contacts_0_email"),
    "talking_time": ("talk_time", "talkingtime", "talk_seconds"),
    "waiting_time": ("wait_time", "waitingtime", "ringing_time", "ring_time"),
    "wrapup_time": ("wrap_up_time", "wrapuptime"),
    "started_at": ("start_time", "call_started_at", "startedat"),
    "answered_at": ("answer_time", "call_answered_at", "answeredat"),
    "ended_at": ("end_time", "call_ended_at", "endedat"),
    "is_voicemail": ("voicemail", "isvoicemail"),
    "voicemail_email": ("voicemail_mail", "voicemail_e_mail", "voicemail_recipient", "voicemailemail"),
    "recording_url": ("recording_link", "recordingurl", "recording"),
    "tags": ("call_tags", "tag"),
    "notes": ("note", "call_notes", "call_note"),
    "disposition": ("call_disposition",),
    "transcript": ("transcription", "transcript_text"),
    "summary": ("call_summary",),
}  # fmt: skip

# A person's name in an object: as a whole, or in parts, in the order in which they are written.
FULL_NAME = ("name", "full_name", "fullname", "display_name", "displayname", "full", "formatted")
FIRST_NAME = ("first_name", "firstname", "given_name", "givenname", "first", "given", "forename")
MIDDLE_NAME = ("middle_name", "middlename", "middle")
LAST_NAME = ("last_name", "lastname", "family_name", "familyname", "surname", "last", "family")

# Of text messages alone, where these words mean something else than in a call.
_MESSAGE_ALIASES: dict[str, tuple[str, ...]] = {
    # Not a bare `id`: in a body made by hand it may be the contact's, and all messages would be one.
    "message_id": ("messageid", "message_uuid", "sms_id", "msg_id"),
    "text": ("body", "message", "message_text", "message_body", "content", "sms_text", "sms_body"),
    "sender": ("from", "from_number", "sender_number", "message_sender"),
    "recipient": ("to", "to_number", "recipient_number", "message_recipient"),
    "channel": ("message_channel", "message_type"),
    "sent_at": (
        "occurred_at", "message_sent_at", "received_at", "created_at", "timestamp", "message_date",
    ),
    "media_urls": (
        "media", "media_url", "mms_urls", "images", "image_urls", "images_by_url", "attachments", "files",
        "file_by_url", "file_url",
    ),
}  # fmt: skip

CANONICAL_KEYS = frozenset((*_ALIASES, *_MESSAGE_ALIASES))

DEFAULT_KEYS: Mapping[str, str] = MappingProxyType(
    {alias: canonical for canonical, aliases in _ALIASES.items() for alias in (canonical, *aliases)}
)

MESSAGE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        **DEFAULT_KEYS,
        **{
            alias: canonical
            for canonical, aliases in _MESSAGE_ALIASES.items()
            for alias in (canonical, *aliases)
        },
    }
)


# What no-code tools call the whole of what they pass on.
ENVELOPES = frozenset(
    {
        "body", "data", "payload", "json", "event", "events", "record", "records", "message", "content",
        "call", "calls", "params", "properties", "attributes", "input", "output", "result", "results",
        "request", "webhook", "fields", "item", "items", "bundle", "value", "raw", "detail", "object",
        "resource",
        # Of an AI voice agent: what it asked out of the caller.
        "extract_data", "extracted_data", "extracted", "extraction",
    }
)  # fmt: skip


def canonical_key(key: str, keys: Mapping[str, str]) -> str | None:
    """What a key says, also where a tool flattened what it passes on: `data__call_id`, `body[data][call_id]`.

    Args:
        keys: folded key -> canonical key.
    """
    name = key if key in keys else folded(key)
    while name not in keys:
        head, _, name = name.partition("_")
        if not name or not (head in ENVELOPES or head.isdigit()):
            return None
    return keys[name]


def folded(key: str) -> str:
    """One spelling for a key typed by hand: `" Call ID"`, `callId`, `call-id` -> `call_id`.

    A variable pasted whole (`event.properties.call_uuid`) is read as its last part.
    """
    # The same few keys come all the time; what is too long to be one of them is not kept.
    return _folded(key) if len(key) <= 64 else _folded.__wrapped__(key)


@lru_cache(maxsize=2048)
def _folded(key: str) -> str:
    key = key.strip().strip("{}").strip()
    for prefix in ("event.properties.", "call.", "properties."):
        # Without its "call" this one could be anybody's.
        key = key if key == "call.id" else key.removeprefix(prefix)
    return spelled(key)


def spelled(text: str) -> str:
    """Words in lower case, joined by `_`: `"Call Ended"`, `CallEnded`, `call.ended` -> `call_ended`."""
    # The same few names come all the time; what is too long to be one of them is not kept.
    return _spelled(text) if len(text) <= 64 else _spelled.__wrapped__(text)


@lru_cache(maxsize=2048)
def _spelled(text: str) -> str:
    return _OTHER.sub("_", _CAMEL.sub("_", text)).strip("_").lower()
