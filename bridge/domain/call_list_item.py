"""One item of CloudTalk's call list becomes a `ListedCall`. It has no uuid, and no status. Pure.

Source: OpenAPI 1.7, `GET /calls/index.json`; ids and seconds come as number or text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.domain.call import Call, fold
from bridge.domain.outcome import Direction, Stage
from bridge.domain.phone import Phone, read_phone
from bridge.domain.webhook.events import Event
from bridge.domain.webhook.values import read_call_id, read_direction, read_flag, read_seconds, read_time

# What is kept of an item on the record of a call without a webhook.
_KEPT = (
    "id", "type", "public_external", "public_internal", "user_id", "started_at", "answered_at", "ended_at",
    "talking_time", "waiting_time", "wrapup_time", "is_voicemail", "recorded",
    "transferred_from",
)  # fmt: skip
# Webhooks of a call come within seconds of its wrap-up, and are sent again by some gateways for minutes.
SETTLED_AFTER = timedelta(minutes=5)
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
# An item without an end may be a call that goes on; after this it is worth asking.
LONGEST_CALL = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCall:
    """What the list says of one call; None means that it does not say."""

    call_id: int
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    direction: Direction | None = None
    external: Phone | None = None
    internal: Phone | None = None
    agent_id: int | None = None
    talk_seconds: int | None = None
    wait_seconds: int | None = None
    wrapup_seconds: int | None = None
    is_voicemail: bool | None = None
    recorded: bool | None = None
    # The fields as they came, for the record.
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def as_event(self, at: datetime) -> Event:
        """The same as an event, for a call without a webhook."""
        return Event(
            trigger="listed",
            fingerprint="obs:listed",
            received_at=at,
            stage=Stage.KNOWN if self.ended_at is None else Stage.ENDED,
            **{name: getattr(self, name) for name in _SAME},
        )

    def settled(self, now: datetime) -> bool:
        """Whether it has ended long enough ago for its webhooks to have come."""
        if self.ended_at is None:
            return self.started_at is not None and self.started_at + LONGEST_CALL < now
        return self.ended_at + timedelta(seconds=self.wrapup_seconds or 0) + SETTLED_AFTER < now

    def as_call(self) -> Call:
        """As if everything were known: who called, and in which direction, is known from the list."""
        call = fold([self.as_event(_ANY_TIME)])
        return replace(call, stage=Stage.ENDED, recorded=self.recorded)


_SAME = (
    "call_id", "started_at", "answered_at", "ended_at", "direction", "external", "internal", "agent_id",
    "talk_seconds", "wait_seconds", "wrapup_seconds", "is_voicemail",
)  # fmt: skip


def read_listed(cdr: Mapping[str, Any], *, region: str | None = None) -> ListedCall | None:
    """The `Cdr` of one item; None without a number to know it by."""
    call_id = read_call_id(cdr.get("id"))
    if call_id is None:
        return None
    direction = read_direction(cdr.get("type"))
    return ListedCall(
        call_id=call_id,
        started_at=read_time(cdr.get("started_at")),
        answered_at=read_time(cdr.get("answered_at")),
        ended_at=read_time(cdr.get("ended_at")),
        direction=direction,
        external=read_phone(cdr.get("public_external"), region=region, direction=direction),
        internal=read_phone(cdr.get("public_internal"), region=region, direction=direction),
        agent_id=read_call_id(cdr.get("user_id")),
        talk_seconds=read_seconds(cdr.get("talking_time")),
        wait_seconds=read_seconds(cdr.get("waiting_time")),
        wrapup_seconds=read_seconds(cdr.get("wrapup_time")),
        is_voicemail=read_flag(cdr.get("is_voicemail")),
        recorded=read_flag(cdr.get("recorded")),
        body={name: cdr[name] for name in _KEPT if name in cdr},
    )
