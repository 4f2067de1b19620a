"""What `/api` answers. OpenAPI is made from these, and tests hold every answer against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from bridge.domain.outcome import Direction, Outcome
from bridge.reports.call_state import State


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """What is wrong, and what to do about it."""

    error: str
    hint: str


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
    contradictions: list[str] = []
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


class MessageLine(Answer):
    key: str
    state: Literal["waiting", "synced", "skipped", "dropped", "parked"]
    reason: str | None
    direction: str = Field(description="`in` or `out`.")
    channel: str = Field(description="sms, mms or whatsapp.")
    number_tail: str = Field(description="At most the last three digits of the customer's number.")
    received_at: str = Field(description="When its first webhook came.")
    synced_at: str | None
    conversation_id: str | None
    message_id: str | None = Field(description="Of the message in Kustomer.")


class Messages(Answer):
    messages: list[MessageLine]
    next: str | None


class MessageEvent(Answer):
    trigger: str
    received_at: str
    times: int
    fingerprint: str
    signed: bool
    body: dict[str, Any] | None


class MessageOutput(Answer):
    id: str
    created: bool = Field(description="Whether the bridge made it.")


class Message(MessageLine):
    text: str | None = Field(description="For the role operate, while its webhooks are kept.")
    media: int = Field(description="How many files it has.")
    number: str | None
    line: str | None = Field(description="Our number.")
    sent_at: str | None
    is_incoming: bool | None
    events: list[MessageEvent]
    outputs: dict[str, MessageOutput]
    timeline: list[Step]


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
