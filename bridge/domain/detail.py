"""CloudTalk's call detail becomes a `Detail`: what the analytics host says of one call.

Source: OpenAPI 1.7, `GET /calls/{callId}`. Its types vary and its enums grow, so all is read leniently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bridge.domain.outcome import Direction, Outcome
from bridge.domain.path import NO_PATH, Path, read_path
from bridge.domain.phone import Kind, Phone, read_phone
from bridge.domain.webhook.values import (
    has_value,
    read_call_id,
    read_direction,
    read_name,
    read_person,
    read_seconds,
    read_tags,
    read_text,
    read_time,
    read_uuid,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One answer of call detail. None means that it does not say."""

    asked_at: datetime
    uuid: UUID | None = None
    call_id: int | None = None
    # ANSWERED or MISSED; anything else is a call that has not ended, or a status we do not know.
    status: Outcome | None = None
    direction: Direction | None = None
    external: Phone | None = None
    internal: Phone | None = None
    line_name: str | None = None
    contact_id: int | None = None
    contact_name: str | None = None
    agent_id: int | None = None
    agent_name: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int | None = None
    wait_seconds: int | None = None
    ring_seconds: int | None = None
    hold_seconds: int | None = None
    wrapup_seconds: int | None = None
    recorded: bool | None = None
    tags: tuple[str, ...] | None = None
    rating: int | None = None
    notes: str | None = None
    path: Path = NO_PATH


def read_detail(body: Mapping[str, Any], *, asked_at: datetime, region: str | None = None) -> Detail:
    """The answer as domain values.

    Args:
        asked_at: when the question was sent; a change made after it is not in this answer.
    """
    times = _table(body.get("call_times"))
    contact, line = _table(body.get("contact")), _table(body.get("internal_number"))
    direction = read_direction(body.get("direction"))
    status = _STATUS.get(str(body.get("status") or "").casefold())
    talk = read_seconds(times.get("talking_time"))
    wrapup = read_seconds(times.get("wrap_up_time"))
    rating = read_seconds(body.get("call_rating"))
    started_at = read_time(body.get("date"))
    notes, recorded = body.get("notes"), body.get("recorded")
    path = read_path(body)
    talker = path.talker
    return Detail(
        asked_at=asked_at,
        uuid=read_uuid(body.get("uuid")),
        call_id=read_call_id(body.get("cdr_id")),
        status=status,
        direction=direction,
        external=_number(contact.get("number"), region, direction),
        internal=_number(line.get("number"), region, direction),
        line_name=read_name(line.get("name")),
        contact_id=read_call_id(contact.get("id")),
        contact_name=read_person(contact),
        agent_id=talker.id if talker else None,
        agent_name=talker.name if talker else None,
        started_at=started_at,
        ended_at=_end(started_at, read_seconds(times.get("total_time")), wrapup),
        # Times inside missed calls are null.
        talk_seconds=0 if talk is None and status is Outcome.MISSED else talk,
        wait_seconds=read_seconds(times.get("waiting_time")),
        ring_seconds=read_seconds(times.get("ringing_time")),
        hold_seconds=read_seconds(times.get("holding_time")),
        wrapup_seconds=wrapup,
        recorded=recorded if isinstance(recorded, bool) else None,
        tags=read_tags(body.get("call_tags")),
        rating=rating if rating is not None and 1 <= rating <= 5 else None,
        notes=(read_text(notes) or "") if isinstance(notes, list) else None,
        path=path,
    )


_STATUS = {"answered": Outcome.ANSWERED, "missed": Outcome.MISSED}


def _number(value: object, region: str | None, direction: Direction | None) -> Phone | None:
    # An empty number says nothing here; the webhook says that the caller withheld it.
    phone = read_phone(value, region=region, direction=direction) if has_value(value) else None
    return None if phone is None or phone.kind is Kind.WITHHELD else phone


def _end(started_at: datetime | None, total: int | None, wrapup: int | None) -> datetime | None:
    """When people hung up: `total_time` counts the wrap-up too (80 = 10 + 60 + 10 in the example)."""
    if started_at is None or total is None:
        return None
    return started_at + timedelta(seconds=max(0, total - (wrapup or 0)))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
