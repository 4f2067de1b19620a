"""Answers about what happened: webhooks received and refused, and who did what."""

from __future__ import annotations

from pydantic import Field

from bridge.web.api.responses.base import Answer


class RefusedEntry(Answer):
    cause: str
    trigger: str
    status: int | None = Field(description="Of the last one; null if it came before this was kept.")
    count: int
    last_at: str | None


class Refused(Answer):
    refused: list[RefusedEntry]
    next: str | None


class RefusedHour(Answer):
    hour: str
    cause: str
    trigger: str
    count: int


class RefusedHours(Answer):
    hours: list[RefusedHour]
    next: str | None


class TrailLine(Answer):
    at: str
    who: str
    what: str
    call: str | None


class Trail(Answer):
    trail: list[TrailLine]
    next: str | None


class ReceivedVariable(Answer):
    name: str
    value: str
    state: str
    field: str
    means: str
    says: str


class ReceivedLack(Answer):
    name: str
    needed: bool
    says: str


class Delivery(Answer):
    mark: str
    received_at: str
    trigger: str
    answer: str
    reason: str | None
    call: str | None
    signed: bool
    times: int
    fingerprint: str
    variables: list[ReceivedVariable]
    missing: list[ReceivedLack]


class Received(Answer):
    received: list[Delivery]
    next: str | None
