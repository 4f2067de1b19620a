"""What the bridge understood of a webhook, variable by variable, and what its template lacks. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bridge.domain.moments import shown_time
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook import voice_agent
from bridge.domain.webhook.envelopes import is_native, unwrap
from bridge.domain.webhook.events import Event, read_values
from bridge.domain.webhook.fields import fields_of
from bridge.domain.webhook.keys import (
    CANONICAL_KEYS,
    DEFAULT_KEYS,
    MESSAGE_KEYS,
    canonical_key,
    folded,
)
from bridge.domain.webhook.messages import DIRECTION_OF, Message, read_message
from bridge.domain.webhook.templates import TEMPLATES
from bridge.domain.webhook.values import has_value

# read: understood; empty: sent without a value; unused: known, and not needed; stored: kept as it came.
State = Literal["read", "empty", "unused", "stored", "unreadable", "unknown"]

_MOST, _LONGEST = 200, 2000
# Canonical name -> what it is called, and where the event has it; None: the bridge does not use it.
_FIELDS: Mapping[str, tuple[str, str | None]] = {
    "event": ("event", "event"),
    "call_id": ("call id", "call_id"),
    "call_uuid": ("call uuid", "uuid"),
    "external_number": ("customer's number", "external"),
    "internal_number": ("our number", "internal"),
    "caller_id_status": ("caller id", "external"),
    "direction": ("direction", "direction"),
    "agent_id": ("agent's id", "agent_id"),
    "agent_first_name": ("agent's name", "agent_name"),
    "agent_last_name": ("agent's name", "agent_name"),
    "agent_name": ("agent's name", "agent_name"),
    "agent_email": ("agent's e-mail", "agent_email"),
    "contact_id": ("contact's id", "contact_id"),
    "contact_name": ("customer's name", "contact_name"),
    "contact_first_name": ("customer's name", "contact_name"),
    "contact_last_name": ("customer's name", "contact_name"),
    "contact_email": ("contact's e-mail", "contact_email"),
    "talking_time": ("talk time", "talk_seconds"),
    "waiting_time": ("waiting time", "wait_seconds"),
    "wrapup_time": ("wrap-up time", "wrapup_seconds"),
    "started_at": ("start", "started_at"),
    "answered_at": ("answer", "answered_at"),
    "ended_at": ("end", "ended_at"),
    "is_voicemail": ("voicemail", "is_voicemail"),
    "voicemail_email": ("voicemail's e-mail", "voicemail_email"),
    "recording_url": ("recording link", None),
    "tags": ("tags", "tags"),
    "notes": ("notes", "notes"),
    "disposition": ("disposition", None),
    "transcript": ("transcript", "transcript"),
    "summary": ("summary", "summary"),
}
# What people without the right to see callers may see as it came.
IMPERSONAL = frozenset(
    {
        "event", "call_id", "call_uuid", "internal_number", "direction", "agent_id", "contact_id",
        "talking_time", "waiting_time", "wrapup_time", "started_at", "answered_at", "ended_at",
        "is_voicemail", "message_id", "channel", "sent_at",
    }
)  # fmt: skip
_WHY_NEEDED = "without it the bridge has to ask CloudTalk, and the note comes later"
_WHY_NEEDED_IN_MESSAGE = "without it the message cannot be written, or is told apart less well"
_DEEPEST = 4
_UNUSED = {
    "recording_url": "not used: the bridge fetches recordings by the call's id; leave the link out",
    "disposition": "not used in notes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One name and value of a body.

    Args:
        field: what the bridge takes it for; empty where it does not know the name.
        canonical: the bridge's own name for that.
        means: the value as it was understood.
        says: what is wrong with it, or what to do.
    """

    name: str
    value: str
    canonical: str
    field: str
    means: str
    state: State
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """A key of the recommended template that did not come. Needed: the bridge has to ask CloudTalk for it."""

    name: str
    needed: bool
    says: str


def explain(trigger: str, body: Mapping[str, Any], rules: Rules) -> tuple[list[Variable], list[Lack]]:
    """The variables of a webhook, in the order of its template, and what is missing in it."""
    if trigger in DIRECTION_OF:
        return explain_message(trigger, body, rules)
    keys = {**DEFAULT_KEYS, **rules.webhook_keys}
    fields, event = read_values(body, rules)
    order = {key.name: place for place, key in enumerate(_template_keys(trigger))}
    lines = [
        _variable(name, value, canonical, fields, event, trigger, rules.zone)
        for name, value, canonical in _pairs(body, keys)
    ]
    lines.sort(key=lambda line: (order.get(line.canonical or line.name, len(order)), line.name))
    # Nobody chooses what is in a native one.
    return lines[:_MOST], [] if is_native(body) else _lacks(trigger, lines, event)


# Canonical name of a message's value -> what it is called, and where `Message` has it.
_MESSAGE_FIELDS: Mapping[str, tuple[str, str]] = {
    "external_number": ("customer's number", "external"),
    "internal_number": ("our number", "internal"),
    "sender": ("sender", ""),
    "recipient": ("recipient", ""),
    "text": ("text", "text"),
    "message_id": ("message's id", "id"),
    "channel": ("channel", "channel"),
    "sent_at": ("time", "sent_at"),
    "media_urls": ("files", "media"),
    "contact_id": ("contact's id", "contact_id"),
    "contact_name": ("customer's name", "contact_name"),
    "contact_email": ("contact's e-mail", "contact_email"),
}


def explain_message(trigger: str, body: Mapping[str, Any], rules: Rules) -> tuple[list[Variable], list[Lack]]:
    """The same of a text message."""
    read = read_message(trigger, body, rules)
    message = read if isinstance(read, Message) else None
    keys = {**MESSAGE_KEYS, **rules.webhook_keys}
    found = [
        _message_variable(name, value, canonical, message, trigger, rules.zone)
        for name, value, canonical in _flat(body, keys, "")
    ]
    if is_native(body):
        return found[:_MOST], []
    sent = {line.canonical for line in found if line.state in ("read", "unused")}
    # One of the two pairs of names is enough.
    sent |= {"external_number", "internal_number"} if {"sender", "recipient"} <= sent else set()
    lacks = [
        Lack(name=key.name, needed=key.needed, says=key.note or _WHY_NEEDED_IN_MESSAGE)
        for key in _template_keys(trigger)
        if key.fixed is None and key.name not in sent
    ]
    return found[:_MOST], sorted(lacks, key=lambda lack: not lack.needed)


def _flat(body: Mapping[str, Any], keys: Mapping[str, str], path: str) -> Iterator[tuple[str, Any, str]]:
    """Path, value and canonical name of every value; in an object of a number, the number's name."""
    for key, value in body.items():
        name = f"{path}{key}"
        canonical = canonical_key(key, keys) or ""
        if isinstance(value, dict):
            inner = {f"{path}{key}.{part}": item for part, item in value.items()}
            if canonical in ("external_number", "internal_number"):
                yield from ((one, item, canonical) for one, item in inner.items())
            elif path.count(".") < _DEEPEST:
                yield from _flat(value, keys, f"{name}.")
        else:
            yield name, value, "message_id" if name == "data.id" else canonical


def _message_variable(
    name: str, value: Any, canonical: str, message: Message | None, trigger: str, zone: str
) -> Variable:
    field, attribute = _MESSAGE_FIELDS.get(canonical, ("", ""))
    means = _meaning(getattr(message, attribute), zone) if message is not None and attribute else ""
    state: State = "read"
    says = ""
    if canonical == "event" or name == "type":
        canonical, field, means = "event", "event", trigger
    elif not field:
        state, says = ("read", "") if folded(name) == "template" else ("unused", "not used in messages")
    elif not has_value(value) and canonical != "text":
        means, state, says = "", "empty", _why_empty(value)
    elif attribute and not means:
        state, says = "unreadable", f"could not be read as {_kind(canonical)}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Variable(
        name=name,
        value=text[:_LONGEST],
        canonical=canonical,
        field=field,
        means=means[:_LONGEST],
        state=state,
        says=says,
    )


def _template_keys(trigger: str) -> tuple[Any, ...]:
    template = TEMPLATES.get(trigger)
    return template.keys if template else ()


# What a key and its value are taken for: a canonical name, nothing, or None where nobody looks.
_Names = Callable[[str, Any], str | None]


def _pairs(body: Mapping[str, Any], keys: Mapping[str, str]) -> Iterator[tuple[str, Any, str | None]]:
    """Path, value and canonical name of every value, of those that the bridge reads and of others."""
    found = unwrap(body, keys)
    native = is_native(found.body)
    read = [found.body["data"]] if native else [found.body, *found.others]
    in_text = not _holds(body, read[0])

    def of_read(key: str, item: Any) -> str | None:
        return canonical_key(key, keys) or ""

    def outside(key: str, item: Any) -> str | None:
        return "event" if native and key == "type" else None

    def inside(key: str) -> _Names:
        def name(inner: str, item: Any) -> str | None:
            return next(iter(fields_of({key: {inner: item}}, keys=keys)), "")

        return name

    def walk(value: Mapping[str, Any], path: str, names: _Names) -> Iterator[tuple[str, Any, str | None]]:
        for key, item in value.items():
            name = f"{path}{key}"
            if isinstance(item, list) and item and isinstance(item[0], dict):
                name, item = f"{name}[0]", item[0]
            if isinstance(item, dict):
                is_read = item in read
                inner = of_read if is_read else inside(key) if names is of_read else outside
                yield from walk(item, f"{name}.", inner)
            elif not (in_text and isinstance(item, str) and item.lstrip()[:1] in ("{", "[", '"')):
                yield name, item, names(key, item)

    yield from walk(body, "", of_read if body in read else outside)
    if in_text:
        # As JSON in a text.
        yield from walk(read[0], "", of_read)


def _holds(value: Any, wanted: Mapping[str, Any]) -> bool:
    if value == wanted:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(one, wanted) for one in inner)


def _variable(
    name: str,
    value: Any,
    canonical: str | None,
    fields: Mapping[str, Any],
    event: Event,
    trigger: str,
    zone: str,
) -> Variable:
    if trigger == voice_agent.TRIGGER and canonical not in ("event", "call_id", "call_uuid", None):
        # What a caller said has names of the customer's own.
        canonical = ""
    field, attribute = _FIELDS.get(canonical or "", ("", None))
    means = trigger if canonical == "event" else ""
    state: State
    if attribute and canonical != "event":
        means = _meaning(getattr(event, attribute), zone)
    if canonical is None:
        state, says = "unused", "not part of the call's values"
    elif not canonical:
        field, state, says = _by_template(name, trigger)
    elif not has_value(value) and not (means and value == "" and canonical == "external_number"):
        means, state, says = "", "empty", _why_empty(value)
    elif attribute is None:
        state, says = "unused", _UNUSED.get(canonical, "not used")
    elif canonical != "event" and fields.get(canonical) != value:
        means, state, says = "", "unused", "another key already gave this value"
    elif not means:
        state, says = "unreadable", f"could not be read as {_kind(canonical)}"
    else:
        state, says = "read", _remark(canonical, event)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Variable(
        name=name,
        value=text[:_LONGEST],
        canonical=canonical or "",
        field=field,
        means=means,
        state=state,
        says=says,
    )


def _by_template(name: str, trigger: str) -> tuple[str, State, str]:
    """Of a key that means nothing for a call."""
    last = folded(name.rpartition(".")[2])
    if last == "template":
        return "version of the template", "read", ""
    if any(key.name == last for key in _template_keys(trigger)):
        return last.replace("_", " "), "stored", "stored as it came"
    if trigger == voice_agent.TRIGGER:
        return "field of the voice agent", "stored", "shown in the note and on the call's page"
    near = difflib.get_close_matches(last, sorted(CANONICAL_KEYS), n=1)
    hint = f"did you mean {near[0]}?" if near else "rename it, or add it to [webhook_keys] in the rules"
    return "", "unknown", f"the bridge does not know this name; {hint}"


def _why_empty(value: object) -> str:
    if isinstance(value, str) and value.strip().startswith("{{"):
        return "CloudTalk sent the variable's name, not its value; pick the variable from the editor's list"
    return "sent without a value"


def _meaning(value: Any, zone: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Phone):
        return value.spoken if value.kind is Kind.WITHHELD else value.text
    if isinstance(value, datetime):
        return shown_time(value, zone, to="seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return str(value)[:_LONGEST]


def _kind(canonical: str) -> str:
    if canonical.endswith("_number"):
        return "a phone number"
    if canonical.endswith("_at"):
        return "a time (send it as 2026-11-20T08:00:00Z)"
    if canonical.endswith("_time"):
        return "a number of seconds"
    return {
        "call_uuid": "a uuid",
        "direction": "incoming, outgoing or internal",
        "is_voicemail": "true or false",
        "agent_email": "an e-mail address",
        "contact_email": "an e-mail address",
        "voicemail_email": "an e-mail address",
    }.get(canonical, "a number" if canonical.endswith("_id") else "a text")


def _remark(canonical: str, event: Event) -> str:
    phone = event.external if canonical == "external_number" else None
    if phone is not None and phone.kind is Kind.OTHER:
        return "not a number that can be called from abroad; add the country code, or set PHONE_REGION"
    return ""


def _lacks(trigger: str, lines: list[Variable], event: Event) -> list[Lack]:
    """Keys that did not come at all, and needed ones that came without a value."""
    sent = {line.canonical: line for line in lines if line.canonical}
    sent |= {folded(line.name): line for line in lines if not line.canonical}
    filled = {name for name, line in sent.items() if line.state in ("read", "stored", "unused")}
    if event.agent_name:
        filled |= {"agent_first_name", "agent_last_name"}
    if event.contact_name:
        filled.add("contact_name")
    lacks = []
    for key in _template_keys(trigger):
        # The address names the event too, and nothing depends on the template's version.
        if key.name in ("event", "template") or key.name in filled:
            continue
        if key.name not in sent:
            says = key.note or (_WHY_NEEDED if key.needed else "recommended")
            lacks.append(Lack(name=key.name, needed=key.needed, says=says))
        elif key.needed:
            lacks.append(Lack(name=key.name, needed=True, says=sent[key.name].says))
    return sorted(lacks, key=lambda lack: not lack.needed)
