"""Answers about calls: the list, one call with all that is known of it, and what can be done with it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from bridge.domain.outcome import Direction, Outcome
from bridge.reports.call_state import State
from bridge.web.api.responses.base import Answer


class CallLine(Answer):
    key: str
    call_id: int | None
    uuid: str | None
    state: State
    reason: str | None
    direction: Direction | None
    outcome: Outcome
    number_tail: str | None = Field(description="At most the last three digits of the customer's number.")
    started_at: str | None
    synced_at: str | None
    conversation_id: str | None


class Calls(Answer):
    calls: list[CallLine]
    next: str | None


class Event(Answer):
    trigger: str
    received_at: str | None
    times: int
    fingerprint: str
    body: dict[str, Any] | None = Field(description="As it came; null for the role read.")
    signed: bool = False


class Observation(Answer):
    asked_at: str | None
    at: str | None
    body: dict[str, Any] | None = Field(description="CloudTalk's answer; null for the role read.")


class Output(Answer):
    id: str
    sent: dict[str, Any] | None = Field(description="What was written; null where numbers are masked.")
    created: bool


class Job(Answer):
    kind: str
    state: Literal["due", "running", "waiting", "parked"]
    lane: str
    at: str | None
    attempts: int
    deliveries: int
    cause: str | None
    error: str | None


class Step(Answer):
    at: str | None
    what: str
    detail: str | None


class Candidate(Answer):
    id: str
    name: str | None


class Chosen(Answer):
    name: str
    value: Any
    origin: str = Field(description="The rule that sets it, else the section of the file.")


class Explained(Answer):
    rules: list[str] = Field(description="`rule N (line L): fits`, or why it does not.")
    choices: list[Chosen] = Field(description="Those that are not defaults.")


class PathStep(Answer):
    kind: Literal["menu", "queue", "agent", "ai_agent", "transfer", "other"]
    at: str | None
    says: str
    name: str | None
    answered: bool | None = Field(description="Null for what nobody answers, such as a menu.")
    reason: str | None = Field(description="Why it was not answered, as CloudTalk spells it.")
    waited_s: int | None
    talked_s: int | None
    in_queue: bool = Field(description="An agent who rang in the queue before it.")


class PathFacts(Answer):
    type: str | None
    out_of_hours: bool | None
    transferred: bool | None
    groups: list[str]
    resolved_by: int | None = Field(description="CloudTalk's number of the later call that settled this one.")


class ExtractedField(Answer):
    name: str
    value: str | int | float | bool


class VoiceAgent(Answer):
    name: str | None
    fields: list[ExtractedField] = Field(description="What it asked out of the caller; values masked if so.")


class Owner(Answer):
    says: str = Field(description="Who owns the conversation and why, or why nobody.")
    users: list[str] = Field(description="Ids in Kustomer.")
    teams: list[str] = Field(description="Ids in Kustomer.")


class Call(CallLine):
    rules: str | None = Field(description="Version of the rules by which it was written or kept out.")
    explained: Explained | None = Field(
        None, description="How the rules in force judge it; left out where all have their defaults."
    )
    events: list[Event]
    observations: dict[str, Observation]
    outputs: dict[str, Output]
    jobs: list[Job]
    timeline: list[Step]
    left_out: dict[str, int] = Field({}, description="Events beyond those kept, by trigger.")
    contradictions: list[str] = Field([])
    candidates: list[Candidate] = Field([], description="Customers that share the caller's number.")
    caller: Literal["known", "unknown"] | None = Field(
        None, description="Whether Kustomer had the customer before this call; null: not looked up yet."
    )
    customer_why: str = Field("", description="Why this customer, where not only one has the number.")
    assigned: str | None = Field(None, description="The customer that a person chose.")
    path: list[PathStep] = Field([], description="Menus, queues, who rang, transfers; from call detail.")
    path_facts: PathFacts | None = None
    voice_agent: VoiceAgent | None = None
    owner: Owner | None = Field(
        None, description="To whom the conversation was given; left out where the rules give it to nobody."
    )


class Queued(Answer):
    status: Literal["queued"]
    call: str


class CustomerAssigned(Queued):
    customer_id: str


class LookedFor(Queued):
    jobs: list[str]


class GivenUp(Answer):
    status: Literal["parked", "dropped"]
    call: str
    jobs: list[str]


class Removed(Answer):
    where: str
    what: str
    count: int


class There(Answer):
    service: str
    what: str
    id: str
    place: str
    state: str


class Receipt(Answer):
    asked: str
    calls: list[str]
    removed: list[Removed]
    elsewhere: list[There] = Field(description="What CloudTalk and Kustomer still hold.")
    disk_rewritten: bool
    notes: list[str]
    unfinished: bool = Field(description="Something could not be done; the notes say what.")
