"""Answers about what waits for a person: parked jobs, and webhooks held because no call is known for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RootModel

from bridge.web.api.responses.base import Answer


class ParkedJob(Answer):
    key: str
    call_id: int | None
    uuid: str | None
    kind: str
    cause: str | None
    error: str | None
    parked_at: str | None


class Parked(Answer):
    parked: list[ParkedJob]
    next: str | None


class WouldReplay(Answer):
    would_replay: int
    calls: list[str] = Field(description="The first hundred of them.")


class Replayed(Answer):
    replayed: int
    calls: list[str]
    gone: int = Field(description="Not parked any more.")
    left: int = Field(description="Did not fit into one request: ask again.")


class WouldDrop(Answer):
    would_drop: int
    calls: list[str]


class Dropped(Answer):
    dropped: int
    calls: list[str]
    left: int = Field(description="Did not fit into one request: ask again.")


class DroppedOrWould(RootModel[Dropped | WouldDrop]):
    """With `dry_run`, what would be dropped."""


class HeldEntry(Answer):
    fingerprint: str
    trigger: str
    reason: str
    number_tail: str | None
    received_at: str


class Held(Answer):
    held: list[HeldEntry]
    next: str | None


class Assigned(Answer):
    status: Literal["accepted", "duplicate"]
    call: str
    fingerprint: str


class HeldDropped(Answer):
    dropped: int
