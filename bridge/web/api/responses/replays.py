"""Answers about replays of many parked jobs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bridge.web.api.responses.base import Answer


class ReplayRun(Answer):
    id: str
    who: str
    about: str
    state: Literal["going", "stopped", "done", "cancelled"]
    started_at: str
    ended_at: str | None
    total: int
    phase: int = Field(description="How many phases were begun.")
    done: int
    failed: int
    gone: int = Field(description="Not parked any more.")
    open: int = Field(description="Queued in this phase, and not ended.")
    left: int = Field(description="Not queued so far.")
    failed_jobs: list[str]


class ReplayRuns(Answer):
    runs: list[ReplayRun]
    next: str | None
