"""Answers about audits."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from bridge.web.api.responses.base import Answer


class AuditDay(Answer):
    day: str
    calls: int
    missing: int
    duplicated: int
    unknown: int
    recordings_missing: int


class AuditLine(Answer):
    id: str
    who: str
    since: str
    until: str
    repair: bool
    state: Literal["queued", "going", "done", "failed"]
    asked_at: str
    ended_at: str | None
    says: str = Field(description="What it does now, or why it failed.")
    requests: int
    calls: int
    days: list[AuditDay]
    counts: dict[str, int] = Field(description="How many differences of each kind there are.")


class Audit(AuditLine):
    missing: list[dict[str, Any]] = Field(description="Calls without conversation or note; at most 200.")
    duplicated: list[dict[str, Any]]
    unknown: list[dict[str, Any]] = Field(description="Conversations without a call.")
    recordings_missing: list[dict[str, Any]]
    repaired: list[str] = Field(description="What was queued, a line for each call.")


class Audits(Answer):
    audits: list[AuditLine]
    next: str | None
