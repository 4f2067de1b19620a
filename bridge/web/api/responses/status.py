"""Answers about the bridge as a whole: queue, budgets, processes, rules in force."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bridge.web.api.responses.base import Answer


class LaneState(Answer):
    due: int = Field(description="Their time has come, and nobody holds them.")
    overdue: int = Field(description="Due for more than 5 s; part of due.")
    waiting: int = Field(description="Planned for later.")
    running: int = Field(description="Held by a live lease.")
    oldest_due_s: float


class Waiting(Answer):
    jobs: int
    requests: int
    drain_s: float


class Budget(Answer):
    per_window: int
    window_s: float
    left: int
    in_flight: int
    closed_for_s: float
    others_spend: bool
    waiting: dict[str, Waiting]
    drain_s: float = Field(description="Until the last of those who wait now has its slot.")


class Connection(Answer):
    connection: str
    state: str
    since: str | None
    link: str | None
    text: str
    jobs_waiting: int


class QueueNumbers(LaneState):
    parked: int
    held: int
    lanes: dict[str, LaneState]
    connections: dict[str, Connection]
    slow: dict[str, str] = Field(description="Service and the operation that timed out lately.")
    calls_missing: int | None


class Queue(QueueNumbers):
    budgets: dict[str, Budget]


class Process(Answer):
    kind: str
    host: str
    pid: int
    version: str
    started_at: str
    seen_at: str
    busy: int
    threads: int


class Processes(Answer):
    processes: list[Process]
    next: str | None


class ProcessOfStatus(Process):
    rules: str = Field(description="Version of the rules that it works by; empty where it did not say.")


class Status(Answer):
    ok: bool = Field(description="No person has to act.")
    says: list[str] = Field(description="What is wrong, the worst first.")
    processes: list[ProcessOfStatus]
    queue: QueueNumbers
    budgets: dict[str, Budget]


class Rule(Answer):
    name: str
    value: Any
    origin: str = Field(description="`default`, the name of a setting, or the path of the rules file.")
    says: str | None = Field(None, description="Of a [[rule]]: what it does, as a sentence.")


class Rules(Answer):
    version: str = Field(description="Of the rules in force; `default` without a file.")
    wrong: str = Field(
        description="`FILE:LINE:COLUMN: what; remedy` where the file has a mistake: it is not in force then."
    )
    rules: list[Rule]
    next: str | None
