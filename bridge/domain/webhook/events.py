"""A webhook body becomes an `Event`: which call it speaks of, and what it says. All oddities end here.

Two kinds of body come: flat ones put together by the customer in CloudTalk's Workflow Automation
(keys typed by hand, values as text, integer, empty, or a null spelled in words), and the signed
envelope of CloudTalk's native webhooks. What cannot be tied to a call is `Held`, with the reason.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from bridge.domain.outcome import Direction, Stage
from bridge.domain.phone import WITHHELD, Kind, Phone, read_phone
from bridge.domain.webhook import voice_agent
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.envelopes import Found, is_native, unwrap
from bridge.domain.webhook.fields import fields_of, in_order
from bridge.domain.webhook.keys import DEFAULT_KEYS, ReadingRules, canonical_key, spelled
from bridge.domain.webhook.values import (
    has_value,
    read_call_id,
    read_direction,
    read_email,
    read_flag,
    read_person,
    read_seconds,
    read_tags,
    read_text,
    read_time,
    read_uuid,
    read_whole,
)

# The triggers of the contract that speak of a call, and how far each says the call has come.
# A modified call may still be going on.
STAGE_OF: Mapping[str, Stage] = {
    "call-started": Stage.STARTED,
    "call-ringing": Stage.RINGING,
    "call-answered": Stage.ANSWERED,
    "call-ended": Stage.ENDED,
    "call-modified": Stage.KNOWN,
    "recording-uploaded": Stage.ENDED,
    # Made from the recording, so the call is over, though these can come before `call-ended` does.
    "transcription-created": Stage.ENDED,
    # Native only ("cidata.ready").
    "insights-ready": Stage.ENDED,
    # What an AI voice agent asked out of the caller, sent after the call.
    voice_agent.TRIGGER: Stage.ENDED,
}
OTHER_TRIGGERS = frozenset(
    {"message-received", "message-sent", "contact-created", "contact-updated", "contact-deleted"}
)
NATIVE_TRIGGERS: Mapping[str, str] = {
    "call.started": "call-started",
    "call.ringing": "call-ringing",
    "call.answered": "call-answered",
    "call.ended": "call-ended",
    "call.modified": "call-modified",
    "call.recording_ready": "recording-uploaded",
    "transcript.ready": "transcription-created",
    "cidata.ready": "insights-ready",
}
_LONGEST_LINK = 2048
# As long as a body may be: all of it may go into a file.
_LONGEST_TRANSCRIPT = 65_536
# A repeat of this one is news: what it points at has changed again.
ALWAYS_NEWS = frozenset({"call-modified"})
# Where the body does not name its trigger, it may be a recording's, from two workflows mixed up.
TOLD_BY_CONTENT = frozenset({"call-modified", "transcription-created"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one delivery says of one call. None means not given; zero and False are facts."""

    trigger: str
    fingerprint: str
    call_id: int | None = None
    uuid: UUID | None = None
    stage: Stage = Stage.KNOWN
    external: Phone | None = None
    internal: Phone | None = None
    direction: Direction | None = None
    agent_id: int | None = None
    agent_name: str | None = None
    agent_email: str | None = None
    contact_id: int | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    talk_seconds: int | None = None
    wait_seconds: int | None = None
    wrapup_seconds: int | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    is_voicemail: bool | None = None
    # To whom CloudTalk sends the voicemail.
    voicemail_email: str | None = None
    tags: tuple[str, ...] | None = None
    notes: str | None = None
    transcript: str | None = None
    summary: str | None = None
    # Of an AI voice agent's webhook: its name, and what it asked out of the caller.
    voice_agent_name: str | None = None
    extracted: voice_agent.Fields = ()
    # CloudTalk signed it: nobody else can have sent it.
    signed: bool = False
    received_at: datetime | None = None

    @property
    def has_recording(self) -> bool:
        """The recording was announced. A link in another event says nothing: it is made in advance."""
        return self.trigger == "recording-uploaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A delivery that cannot be tied to a call; kept under its fingerprint and shown, never dropped."""

    trigger: str
    fingerprint: str
    reason: str
    # Of what a job reads because of it, such as `contact:1400000104`; empty: nothing follows from it.
    key: str = ""


def trigger_of(body: Mapping[str, Any], keys: Mapping[str, str] = DEFAULT_KEYS) -> str | None:
    """The trigger that a body names itself: `type` of a native envelope, or an `event` key, any spelling.

    Args:
        keys: folded key -> canonical key.
    """
    if is_native(body):
        kind = str(body["type"])
        return NATIVE_TRIGGERS.get(kind, kind.replace(".", "-").replace("_", "-"))
    for key in in_order([key for key in body if canonical_key(key, keys) == "event"], keys):
        value = body[key]
        if isinstance(value, str) and has_value(value):
            return trigger_named(value)
    return None


def trigger_named(word: str) -> str:
    """A trigger however it is spelled, in an address or a body: `Call Ended`, `call_ended`, `callEnded`."""
    # `spelled`, not `folded`: that would make "ended" of "call.ended".
    name = spelled(word).replace("_", "-")
    return _TRIGGER_WORDS.get(name, name)


_TRIGGER_WORDS = {
    "call-ringing-on-agent": "call-ringing",
    "ringing-on-agent": "call-ringing",
    "call-recording-uploaded": "recording-uploaded",
    "call-recording-ready": "recording-uploaded",
    "call-transcription-created": "transcription-created",
}


_AS_SENT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def kept_json(trigger: str, body: Mapping[str, Any]) -> str:
    """A body as records keep it: in its one spelling, but a voice agent's in the order sent."""
    return _AS_SENT.encode(body) if trigger == voice_agent.TRIGGER else canonical_json(body)


def fingerprint_of(trigger: str, body: Mapping[str, Any], *, text: str | None = None) -> str:
    """What makes a repeat recognisable.

    The trigger and the canonical JSON; of a native envelope the type and the call's uuid, as a
    redelivery may carry new event and delivery ids.

    Args:
        text: the body's canonical JSON, where that is known.
    """
    key: object = None
    if is_native(body):
        data = body["data"]
        named = data.get("call_uuid") or data.get("call_id") or data.get("id") or body.get("event_id")
        if named:
            key = ["native", body["type"], str(named).lower()]
    if key is None:
        # As `canonical_json([trigger, body])`, whose longer part is made for other ends as well.
        whole = f"[{canonical_json(trigger)},{canonical_json(body) if text is None else text}]"
    else:
        whole = canonical_json(key)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_event(
    trigger: str | None,
    body: Mapping[str, Any],
    rules: ReadingRules,
    *,
    received_at: datetime | None = None,
) -> Event | Held:
    """One webhook body as an event.

    Args:
        trigger: what the address says; where the body names one that is known, the body is right,
            as two workflows are easily mixed up.
        body: the parsed JSON object, Workflow Automation or native envelope.
        received_at: when it came; kept for the time line only, never for what is written.
    """
    keys = {**DEFAULT_KEYS, **rules.webhook_keys} if rules.webhook_keys else DEFAULT_KEYS
    found = unwrap(body, keys)
    bodies = (found.body, *found.others, body)
    named = next((name for one in bodies if (name := trigger_of(one, keys))), None)
    if named in STAGE_OF or named in OTHER_TRIGGERS or trigger is None:
        trigger = named
    if trigger is None:
        held = fingerprint_of("", found.body)
        return Held(
            trigger="",
            fingerprint=held,
            reason="names no event (add the key `event`, or use the trigger's own URL)",
        )
    fingerprint = fingerprint_of(trigger, found.body)
    if trigger == voice_agent.TRIGGER:
        ids = _ids(found, keys)
        event = _event_of(trigger, fingerprint, ids, rules, received_at, trouble=found.trouble)
        return _voice_agent(event, body, found.body, keys)
    if is_native(found.body):
        fields = _native_fields(found.body["data"])
    else:
        fields = fields_of(found.body, *found.others, keys=keys)
        trigger = trigger if named is not None else _by_content(trigger, fields)
    if trigger not in STAGE_OF:
        reason = "belongs to no call" if trigger in OTHER_TRIGGERS else "unknown trigger"
        return Held(trigger=trigger, fingerprint=fingerprint, reason=reason)
    return _event_of(trigger, fingerprint, fields, rules, received_at, trouble=found.trouble)


def _ids(found: Found, keys: Mapping[str, str]) -> dict[str, Any]:
    fields = fields_of(found.body, *found.others, keys=keys)
    return {name: fields[name] for name in ("call_id", "call_uuid") if name in fields}


def _voice_agent(
    event: Event | Held, body: Mapping[str, Any], inner: Mapping[str, Any], keys: Mapping[str, str]
) -> Event | Held:
    """The body is free-form: of the names that CloudTalk uses for calls, only the ids mean the same here."""
    if isinstance(event, Held):
        return event
    return replace(
        event,
        voice_agent_name=voice_agent.read_agent(inner) or voice_agent.read_agent(body),
        extracted=voice_agent.read_extracted(body, keys),
    )


def read_values(body: Mapping[str, Any], rules: ReadingRules) -> tuple[Mapping[str, Any], Event]:
    """The values of a body by their canonical names, and what they mean, whether or not it names a call.

    For showing what was understood. The event's trigger and fingerprint mean nothing.
    """
    keys = {**DEFAULT_KEYS, **rules.webhook_keys} if rules.webhook_keys else DEFAULT_KEYS
    found = unwrap(body, keys)
    if is_native(found.body):
        fields: Mapping[str, Any] = _native_fields(found.body["data"])
    else:
        fields = fields_of(found.body, *found.others, keys=keys)
    # An event needs an id; this one stands in for it and reaches nothing.
    told_id = read_call_id(fields.get("call_id")) or call_id_in_link(fields.get("recording_url"))
    event = _event_of("", "", {**fields, "call_id": told_id or 1}, rules, None, trouble="")
    assert isinstance(event, Event)  # noqa: S101  # it has an id
    return fields, replace(event, call_id=told_id)


def _event_of(
    trigger: str,
    fingerprint: str,
    fields: Mapping[str, Any],
    rules: ReadingRules,
    received_at: datetime | None,
    *,
    trouble: str,
) -> Event | Held:
    call_id = read_call_id(fields.get("call_id")) or call_id_in_link(fields.get("recording_url"))
    uuid = read_uuid(fields.get("call_uuid"))
    if call_id is None and uuid is None:
        return Held(
            trigger=trigger,
            fingerprint=fingerprint,
            reason=trouble or "has no usable call_id or call_uuid (add both to the workflow's body)",
        )
    direction = read_direction(fields.get("direction"))
    withheld = str(fields.get("caller_id_status", "")).lower() == "withheld"
    return Event(
        trigger=trigger,
        fingerprint=fingerprint,
        call_id=call_id,
        uuid=uuid,
        stage=STAGE_OF.get(trigger, Stage.KNOWN),
        external=WITHHELD if withheld else _phone(fields.get("external_number"), rules.region, direction),
        internal=_our_phone(fields.get("internal_number"), rules.region, direction),
        direction=direction,
        agent_id=read_whole(fields.get("agent_id")),
        agent_name=_agent_name(fields),
        agent_email=read_email(fields.get("agent_email")),
        contact_id=read_whole(fields.get("contact_id")),
        contact_name=_contact_name(fields),
        contact_email=read_email(fields.get("contact_email")),
        talk_seconds=read_seconds(fields.get("talking_time")),
        wait_seconds=read_seconds(fields.get("waiting_time")),
        wrapup_seconds=read_seconds(fields.get("wrapup_time")),
        started_at=read_time(fields.get("started_at")),
        answered_at=read_time(fields.get("answered_at")),
        ended_at=read_time(fields.get("ended_at")),
        is_voicemail=read_flag(fields.get("is_voicemail")),
        voicemail_email=read_email(fields.get("voicemail_email")),
        tags=read_tags(fields.get("tags")),
        notes=read_text(fields.get("notes")),
        transcript=read_text(fields.get("transcript"), _LONGEST_TRANSCRIPT),
        summary=read_text(fields.get("summary")),
        received_at=received_at,
    )


def _native_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in data.items() if not isinstance(value, dict)}
    line = data.get("internal_number")
    if isinstance(line, dict):
        fields["internal_number"] = line.get("number_e164")
    summary = data.get("summary")
    if isinstance(summary, dict):
        fields["summary"] = summary.get("summary")
    return fields


def _by_content(trigger: str, fields: Mapping[str, Any]) -> str:
    """Mends two workflows mixed up: a link and ids, and nothing that another event would say."""
    said = {name for name, value in fields.items() if has_value(value)}
    telling = said - {"call_id", "call_uuid", "external_number", "internal_number", "template"}
    if trigger in TOLD_BY_CONTENT and telling == {"recording_url"}:
        if trigger == "transcription-created" and "transcript" in fields:
            return trigger
        return "recording-uploaded"
    return trigger


def _agent_name(fields: Mapping[str, Any]) -> str | None:
    parts = fields.get("agent_first_name"), fields.get("agent_last_name")
    return read_person(*parts) or read_person(fields.get("agent_name"))


def _contact_name(fields: Mapping[str, Any]) -> str | None:
    parts = fields.get("contact_first_name"), fields.get("contact_last_name")
    return read_person(fields.get("contact_name")) or read_person(*parts)


def _phone(value: object, region: str | None, direction: Direction | None) -> Phone | None:
    # An empty text is a withheld number; a null, in JSON or in words, is no number.
    if isinstance(value, str) and value.strip() and not has_value(value):
        return None
    return read_phone(value, region=region, direction=direction)


def _our_phone(value: object, region: str | None, direction: Direction | None) -> Phone | None:
    phone = _phone(value, region, direction)
    # Our own line is never withheld: an empty text means that the template had nothing to say.
    return None if phone is None or phone.kind is Kind.WITHHELD else phone


def call_id_in_link(value: object) -> int | None:
    """The call id in a recording link: its path is `/pub/r/{base64 of the id}/{token}.wav` (seen)."""
    # Nothing longer is an address; `urlsplit` keeps the last that it was given.
    if not isinstance(value, str) or "/r/" not in value or len(value) > _LONGEST_LINK:
        return None
    try:
        parts = [part for part in urlsplit(value).path.split("/") if part]
        if len(parts) < 4 or parts[:2] != ["pub", "r"]:
            return None
        return read_call_id(base64.b64decode(unquote(parts[2]), validate=True).decode("ascii"))
    except ValueError:
        # No address at all (`http://[/r/`), or no base64 of text in it.
        return None
