"""The newest deliveries: the scripts list their names, and each is read where it is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.calls.held import LISTS
from bridge.ledger.calls.opening import opened_events
from bridge.ledger.calls.record import moment
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.ledger import Ledger
from bridge.ledger.stored import StoredTexts, held_place

# In the list for a held event that was put to a call: no delivery, it tells where one is stored now.
_ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One delivery: what was answered, and the body as it is stored.

    Args:
        mark: tells it from the others; not secret, and says nothing of its call.
        answer: accepted, duplicate or held.
        call: the key of its call; None while it is held.
        reason: why it is held.
        times: how often this body came.
    """

    mark: str
    at: datetime
    answer: str
    fingerprint: str
    trigger: str
    body: Mapping[str, Any]
    call: str | None
    reason: str | None
    signed: bool
    times: int


@dataclass(frozen=True, slots=True)
class _Name:
    at_ms: int
    fingerprint: str
    part: str
    answer: str

    @property
    def mark(self) -> str:
        return f"{self.at_ms}-{self.fingerprint[:12]}"


def received(ledger: Ledger, *, after: str | None = None, most: int = 1) -> list[Received]:
    """The deliveries that came last and are still stored, newest first.

    Args:
        after: only those that came later than the one with this mark; all where it is unknown by now.
    """
    names, part_of = _names(ledger)
    marks = [name.mark for name in names]
    if after in marks:
        names = names[: marks.index(after)]
    found: list[Received] = []
    # Of most that are asked for, the first answer has all.
    for start in range(0, len(names), 2 * most):
        found += _read(ledger, names[start : start + 2 * most], part_of)
        if len(found) >= most:
            break
    return found[:most]


def newest_mark(ledger: Ledger) -> str | None:
    """The mark of the delivery that came last, whether or not it is still stored."""
    names, _ = _names(ledger)
    return names[0].mark if names else None


@boundary("received.names")
def _names(ledger: Ledger) -> tuple[list[_Name], dict[str, str]]:
    """Deliveries, newest first, and under which part of a record each event is."""
    names: list[_Name] = []
    part_of: dict[str, str] = {}
    for text in cast(list[str], ledger.redis.lrange(keys.RECEIVED, 0, -1)):
        at_ms, fingerprint, part, answer = json.loads(text)
        part_of.setdefault(fingerprint, part)
        if answer != _ASSIGNED:
            names.append(_Name(int(at_ms), fingerprint, part, answer))
    return names, part_of


@boundary("received.read")
def _read(ledger: Ledger, names: Sequence[_Name], part_of: Mapping[str, str]) -> list[Received]:
    pipe = ledger.redis.pipeline(transaction=False)
    for name in names:
        part = part_of[name.fingerprint]
        # As many replies for each.
        if part:
            pipe.hmget(keys.events(part), [name.fingerprint, Field.PACKED])
            pipe.exists(keys.events(part))
        else:
            for held, _ in LISTS:
                pipe.hget(held, name.fingerprint)
    replies = pipe.execute()
    found = []
    for name, first, second in zip(names, replies[::2], replies[1::2], strict=True):
        part, texts = part_of[name.fingerprint], ledger.texts
        if isinstance(first, list):
            text = _event_of(texts, part, name, first)
        else:
            text = first or second
            text = text and texts.opened_value(held_place(name.fingerprint), text)
        if text is not None:
            found.append(_received(name, part, json.loads(text)))
    return found


def _event_of(texts: StoredTexts, part: str, name: _Name, answer: Sequence[str | None]) -> str | None:
    kept = dict(zip((name.fingerprint, Field.PACKED), answer, strict=True))
    there = {field: text for field, text in kept.items() if text is not None}
    return opened_events(texts, part, there).get(name.fingerprint)


def _received(name: _Name, part: str, kept: Mapping[str, Any]) -> Received:
    return Received(
        mark=name.mark,
        at=cast(datetime, moment(name.at_ms)),
        answer=name.answer,
        fingerprint=name.fingerprint,
        trigger=kept["trigger"],
        body=json.loads(kept["body"]),
        call=part or None,
        reason=kept.get("reason"),
        signed=bool(kept.get("signed")),
        times=int(kept.get("times") or 1),
    )
