"""Which call a webhook speaks of, and nothing more: all that is needed to keep it.

What it says of the call is read when the call is written, from the body that was kept. Reading that here
too would cost a web process more than all its other work for a webhook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from bridge.domain.webhook import voice_agent
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.envelopes import holds_more, is_native
from bridge.domain.webhook.events import (
    OTHER_TRIGGERS,
    STAGE_OF,
    TOLD_BY_CONTENT,
    Event,
    Held,
    call_id_in_link,
    fingerprint_of,
    kept_json,
    trigger_named,
    trigger_of,
)
from bridge.domain.webhook.fields import in_order
from bridge.domain.webhook.keys import DEFAULT_KEYS, ReadingRules, canonical_key
from bridge.domain.webhook.messages import Message, read_delivery
from bridge.domain.webhook.values import has_value, read_call_id, read_uuid

# Of an AI voice agent's body only the ids mean what they mean elsewhere.
_PLAIN = STAGE_OF.keys() - {voice_agent.TRIGGER}
# What a text that holds JSON begins with.
_OPENING = frozenset('{["\ufeff \t\r\n')
# A body with more values than a template has, or longer names, is read in full.
_MOST_NAMES, _LONGEST_NAME = 64, 64


@dataclass(slots=True)
class Identity:
    """What `read_event` says of the same body, as far as it goes.

    Not frozen: that takes three times as long to make, and each webhook makes one.

    Args:
        text: the body as it is kept (`kept_json`).
        signed: CloudTalk signed it.
    """

    trigger: str
    fingerprint: str
    uuid: UUID | None
    call_id: int | None
    text: str
    signed: bool = False


def identify(
    trigger: str | None,
    body: Mapping[str, Any],
    rules: ReadingRules,
    *,
    received_at: Callable[[], datetime] | None = None,
) -> Identity | Message | Held:
    """The identity of one webhook body, with the same arguments as `read_delivery`, and the same answer.

    A message is read in full: its record is found by what it says.

    Args:
        received_at: tells when it came; most webhooks do not need it.
    """

    def in_full() -> Identity | Message | Held:
        event = read_delivery(trigger, body, rules, received_at=received_at and received_at())
        if not isinstance(event, Event):
            return event
        return Identity(
            event.trigger, event.fingerprint, event.uuid, event.call_id, kept_json(event.trigger, body)
        )

    told = trigger
    if is_native(body):
        named, data = trigger_of(body), body["data"]
        given: tuple[Any, Any, Any] = data.get("call_uuid"), data.get("call_id"), data.get("recording_url")
    else:
        names = _names_of(body, rules)
        if names is None:
            return in_full()
        named, given = _trigger_in(names.event, body), names.ids(body)
    if named in STAGE_OF or named in OTHER_TRIGGERS or told is None:
        told = named
    if told is None or told not in _PLAIN or (named is None and told in TOLD_BY_CONTENT):
        return in_full()
    uuid = None if given[0] is None else read_uuid(given[0])
    call_id = None if given[1] is None else read_call_id(given[1])
    if call_id is None and given[2] is not None:
        call_id = call_id_in_link(given[2])
    if uuid is None and call_id is None:
        return in_full()
    text = canonical_json(body)
    return Identity(told, fingerprint_of(told, body, text=text), uuid, call_id, text)


@dataclass(frozen=True, slots=True)
class _Names:
    """Under which names a body may have each value, those that count first."""

    event: tuple[str, ...]
    uuid: tuple[str, ...]
    call_id: tuple[str, ...]
    link: tuple[str, ...]

    def ids(self, body: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """What is said of the call's uuid, its number and its recording's link."""
        return _first(self.uuid, body), _first(self.call_id, body), _first(self.link, body)


def _first(names: tuple[str, ...], body: Mapping[str, Any]) -> Any:
    for name in names:
        value = body[name]
        if has_value(value):
            return value
    return None


def _names_of(body: Mapping[str, Any], rules: ReadingRules) -> _Names | None:
    """None: a body of a form that only `read_event` knows."""
    if len(body) > _MOST_NAMES:
        return None
    for value in body.values():
        kind = value.__class__
        if kind is str:
            if value[:1] in _OPENING and holds_more(value):
                return None
        elif kind is dict or kind is list:
            return None
    own = rules.webhook_keys
    return _known_names(tuple(body), tuple(own.items()) if own else ())


@lru_cache(maxsize=256)
def _known_names(names: tuple[str, ...], own: tuple[tuple[str, str], ...]) -> _Names | None:
    """A sender's bodies all have the same names in the same order."""
    if any(len(name) > _LONGEST_NAME for name in names):
        return None
    keys = {**DEFAULT_KEYS, **dict(own)}
    ordered = [(name, canonical_key(name, keys)) for name in in_order(names, keys)]

    def those(field: str) -> tuple[str, ...]:
        return tuple(name for name, means in ordered if means == field)

    return _Names(*map(those, ("event", "call_uuid", "call_id", "recording_url")))


def _trigger_in(names: tuple[str, ...], body: Mapping[str, Any]) -> str | None:
    for name in names:
        value = body[name]
        if isinstance(value, str) and has_value(value):
            return _named_shortly(value) if len(value) <= _LONGEST_NAME else trigger_named(value)
    return None


_named_shortly = lru_cache(maxsize=256)(trigger_named)
