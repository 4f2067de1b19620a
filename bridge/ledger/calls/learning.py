"""The arguments of the learn script: which parts of which record an event or observation goes to. Pure.

Several events can go to Redis in one run of the script (`together`). What they have in common is said once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

from bridge import tracing
from bridge.domain.synthetic import is_synthetic
from bridge.domain.webhook.canonical import canonical_json
from bridge.domain.webhook.events import (
    ALWAYS_NEWS,
    OTHER_TRIGGERS,
    STAGE_OF,
    Event,
    Held,
    kept_json,
)
from bridge.domain.webhook.identity import Identity
from bridge.encryption.texts import Place
from bridge.ledger import keys
from bridge.ledger.keys import Lane
from bridge.ledger.stored import event_place, held_place


class Seals(Protocol):
    """See `bridge.ledger.stored.StoredTexts`."""

    def value(self, place: Place, value: str) -> str: ...

    def number(self, number: str) -> str: ...

    def name(self, kind: str, name: str) -> str: ...


# What may be learnt by asking and says otherwise: a repeat of the event after that is news.
_SAYS_OTHERWISE = {
    "recording-uploaded": "obs:recording_gone",
    "insights-ready": "obs:insights_gone",
    "transcription-created": "obs:insights_gone",
}

# A bulk edit or an import sends a webhook for each change of a contact: it is looked at once for all of them.
CONTACT_WAIT_MS = 10_000

# How sure it is that two ids are one call's: from a token holder, signed by CloudTalk, or answered by it.
TOLD, SIGNED, ASKED = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept, in seconds, counted from the last time that something was learnt."""

    events_s: int = 30 * 86_400
    outputs_s: int = 400 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What became of a delivery, and the key of its call.

    `forgotten`: the call was, on request, and the delivery was not kept.
    """

    status: Literal["accepted", "duplicate", "forgotten"]
    key: str


def counted(trigger: str) -> str:
    """The name a trigger is counted under; what a sender makes up does not become a counter."""
    return trigger if trigger in STAGE_OF or trigger in OTHER_TRIGGERS else "other"


# Arguments of the script that are the same for many: mode, lane, both retentions, trigger, how sure the ids
# are, how a delivery is listed, which observation says otherwise, when it came, `traceparent`.
Common: TypeAlias = tuple[str | int, ...]
# Those of one: uuid, number, field and value.
Own: TypeAlias = tuple[str, str, str, str]


def event_parts(
    event: Event | Identity,
    body: Mapping[str, Any],
    keep: Retention,
    *,
    came_at_ms: int | None = None,
    assigned: bool = False,
) -> tuple[str, Common, Own]:
    """The call's key, and the arguments for an event that came by webhook; see `learn_event`."""
    text = event.text if isinstance(event, Identity) else kept_json(event.trigger, body)
    # As `json.dumps` of all at once would, which takes twice as long.
    signed = ', "signed": true' if event.signed else ""
    value = f'{{"trigger": {quoted(event.trigger)}, "body": {quoted(text)}{signed}}}'
    key, own = _own(event.uuid, event.call_id, event.fingerprint, value)
    received = "" if is_synthetic(event.uuid) else "assigned" if assigned else "webhook"
    common = _common_of_events(event.trigger, event.signed, received, keep)
    trace = tracing.traceparent() or ""
    if came_at_ms is not None or trace:
        common = (*common[:-2], "" if came_at_ms is None else came_at_ms, trace)
    return key, common, own


@lru_cache(maxsize=256)
def _common_of_events(trigger: str, signed: bool, received: str, keep: Retention) -> Common:
    """A storm's events all have the same."""
    return _common(
        "news" if trigger in ALWAYS_NEWS else "once",
        Lane.LIVE,
        keep,
        trigger=trigger,
        sure=SIGNED if signed else TOLD,
        received=received,
        otherwise=_SAYS_OTHERWISE.get(trigger, ""),
    )


def learn_event(
    event: Event | Identity,
    body: Mapping[str, Any],
    keep: Retention,
    *,
    came_at_ms: int | None = None,
    assigned: bool = False,
) -> tuple[list[str], list[Any]]:
    """Keys and arguments for an event that came by webhook.

    Args:
        came_at_ms: when it came, ms since 1970, where that was not just now.
        assigned: it is a held one, and no delivery.
    """
    key, common, own = event_parts(event, body, keep, came_at_ms=came_at_ms, assigned=assigned)
    return [keys.record(key)], [1, *common, *own]


def together(groups: Iterable[tuple[Common, Sequence[str]]]) -> list[Any]:
    """The script's arguments for several: for each group what they have in common, then those of each."""
    arguments: list[Any] = []
    for common, own in groups:
        arguments += (len(own) // 4, *common, *own)
    return arguments


def learn_observation(
    *,
    uuid: UUID | None,
    call_id: int | None,
    name: str,
    body: Mapping[str, Any],
    asked_at_ms: int,
    lane: Lane,
    keep: Retention,
    sure: int = 0,
) -> tuple[list[str], list[Any]]:
    """Keys and arguments for something learnt by asking.

    Args:
        sure: `ASKED` where CloudTalk's answer says itself that the two ids are one call's.
    """
    value = f'{{"body": {quoted(canonical_json(body))}, "asked_at": {asked_at_ms}}}'
    return learn_arguments(uuid, call_id, f"obs:{name}", value, "observe", lane, keep, sure=sure)


def learn_arguments(
    uuid: UUID | None,
    call_id: int | None,
    name: str,
    value: str,
    mode: str,
    lane: Lane,
    keep: Retention,
    *,
    trigger: str = "",
    sure: int = 0,
    received: str = "",
) -> tuple[list[str], list[Any]]:
    """Keys and arguments of learn.lua; `value` is the text of a JSON object."""
    key, own = _own(uuid, call_id, name, value)
    common = _common(mode, lane, keep, trigger=trigger, sure=sure, received=received)
    return [keys.record(key)], [1, *common, *own]


def _own(uuid: UUID | None, call_id: int | None, name: str, value: str) -> tuple[str, Own]:
    u = "" if uuid is None else str(uuid)
    number = "" if call_id is None else str(call_id)
    if not u and not number:
        raise ValueError("a call needs an id: one is never invented")
    return f"uuid:{u}" if u else f"id:{number}", (u, number, name, value)


def _common(
    mode: str, lane: Lane, keep: Retention, *, trigger: str, sure: int, received: str, otherwise: str = ""
) -> Common:
    return mode, int(lane), keep.events_s, keep.outputs_s, trigger, sure, received, otherwise, "", ""


def status_and_key(answer: Any, key: str) -> tuple[Literal["accepted", "duplicate", "forgotten"], str]:
    """What the script answers about one: its status and the key of its call.

    Args:
        key: of its own ids.
    """
    return ("accepted", key) if answer == 1 else answer


def sealed_own(texts: Seals, own: Own) -> Own:
    """The arguments of one event with its text as it is stored."""
    uuid, number, name, value = own
    part = f"uuid:{uuid}" if uuid else f"id:{number}"
    return uuid, number, name, texts.value(event_place(part, name), value)


def sealed_learn(texts: Seals, arguments: Sequence[Any]) -> list[Any]:
    """The arguments of learn.lua for one event, the same."""
    uuid, number, name, value = arguments[-4:]
    return [*arguments[:-4], *sealed_own(texts, (uuid, number, name, value))]


def sealed_hold(texts: Seals, arguments: Sequence[Any]) -> list[Any]:
    """The same of hold.lua and hold_contact.lua."""
    fingerprint, value, *rest = arguments
    return [fingerprint, texts.value(held_place(fingerprint), value), *rest]


def script_of(held: Held) -> Literal["hold", "hold_contact"]:
    """What keeps a delivery that cannot be tied to a call."""
    return "hold_contact" if held.key else "hold"


def hold_delivery(
    held: Held, body: Mapping[str, Any], keep: Retention, *, came_at_ms: int | None = None
) -> tuple[list[str], list[Any]]:
    """Keys and arguments for a delivery that cannot be tied to a call; some speak of none by nature."""
    apart = held.trigger in OTHER_TRIGGERS
    value = {"trigger": held.trigger, "reason": held.reason, "body": canonical_json(body)}
    if held.key:
        return _hold_contact(held, value, keep, came_at_ms)
    return (
        [*((keys.OTHER, keys.OTHER_AT) if apart else (keys.HELD, keys.HELD_AT)), keys.COUNTS, keys.RECEIVED],
        [
            held.fingerprint, json.dumps(value), keep.events_s * 1000,
            f"webhook:{counted(held.trigger)}:held", "" if came_at_ms is None else came_at_ms,
            keys.MOST_OTHER if apart else 0,
        ],
    )  # fmt: skip


def _hold_contact(
    held: Held, value: Mapping[str, Any], keep: Retention, came_at_ms: int | None
) -> tuple[list[str], list[Any]]:
    """The same for the news of a contact, which a job looks at."""
    is_news = held.trigger == "contact-updated"
    return (
        [
            *keys.QUEUE_KEYS, keys.OTHER, keys.OTHER_AT, keys.COUNTS, keys.RECEIVED, keys.record(held.key),
            keys.log(held.key), keys.CONTACTS, keys.META, keys.FORGOTTEN,
        ],
        [
            held.fingerprint, json.dumps(value), keep.events_s * 1000, f"webhook:{counted(held.trigger)}:",
            "" if came_at_ms is None else came_at_ms, keys.MOST_OTHER, held.key,
            keys.job("contact", held.key), int(Lane.BACKFILL), CONTACT_WAIT_MS,
            "1" if is_news else "", keep.outputs_s, held.trigger,
            "" if held.trigger == "contact-deleted" else "1",
        ],
    )  # fmt: skip
