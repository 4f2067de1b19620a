"""What `/api` takes and answers. OpenAPI is made from these, and tests hold every answer against them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from bridge.domain.outcome import Direction, Outcome
from bridge.ledger.queue.kinds import KINDS
from bridge.reports.call_list import DIRECTIONS, LONGEST_PAGE, OUTCOMES
from bridge.reports.call_state import STATES, State

# -- what is taken

Text = Annotated[str, Field(max_length=500)]
Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why, for the trail.")]
Cursor = Annotated[
    str, Field(max_length=300, description="The `next` of the answer before; empty for the first page.")
]
Moment = Annotated[
    str,
    Field(max_length=40, description="ISO 8601, or how long ago: `90m`, `24h`, `7d`. Local in TIME_ZONE."),
]
Limit = Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="The most entries of one page.")]
Kind = Annotated[str, Field(max_length=40, description=f"Of the job: one of {', '.join(KINDS)}.")]


class Query(BaseModel):
    """Parameters in the address. A name that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """A JSON object. Strict: `1` is not `true`, and a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_strip_whitespace=True)


class Paging(Query):
    cursor: Cursor = ""
    limit: Limit = 50


class CallsQuery(Query):
    """Filters of the list of calls; all that are given apply."""

    q: Text = Field(
        "",
        description="Part of a number, name or reason; id of a call or conversation; a day (2026-11-20).",
    )
    # Texts, as `Search.read` checks them and says what is allowed.
    state: str = Field("", json_schema_extra={"enum": [*STATES]})
    outcome: str = Field("", json_schema_extra={"enum": [*OUTCOMES]})
    direction: str = Field("", json_schema_extra={"enum": [*DIRECTIONS]})
    agent: Text = Field("", description="Part of the agent's name, or the agent's CloudTalk id.")
    since: Moment = ""
    until: Moment = ""
    cursor: Cursor = ""
    limit: Limit = 50


class ParkedQuery(Paging):
    kind: Kind = ""
    cause: Text = Field("", description="Such as Rejected, Unauthorized or crashed.")
    call: Text = Field("", description="Key, call id or uuid of a call.")


class HeldQuery(Paging):
    trigger: Text = Field("", description="Only events of this trigger.")
    other: bool = Field(
        False, description="List messages and contact changes instead; they belong to no call."
    )


class HoursQuery(Query):
    hours: int = Field(24, ge=1, le=168, description="How many hours back.")


class TrailQuery(Paging):
    who: Text = Field("", description="Only of this person.")
    call: Text = Field("", description="Key, call id or uuid of a call.")
    since: Moment = ""
    until: Moment = ""


class Nothing(Body):
    """No fields."""


class ParkedChoice(Body):
    """Which parked jobs: those that fit all that is given; all of them, if nothing is."""

    kind: Kind | None = None
    cause: Text | None = None
    call: Annotated[Text, Field(description="Key, call id or uuid of a call.")] | None = None
    dry_run: bool = Field(False, description="Say what would be done, and do nothing.")

    @property
    def wanted(self) -> dict[str, str]:
        given = {"kind": self.kind, "cause": self.cause, "call": self.call}
        return {name: text for name, text in given.items() if text is not None}


class ParkedDrop(ParkedChoice):
    reason: Reason


class HeldAssign(Body):
    call: Annotated[Text, Field(min_length=1, description="Key, call id or uuid of the event's call.")]


class WithReason(Body):
    reason: Reason


# -- what is answered


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


class Queue(LaneState):
    parked: int
    held: int
    lanes: dict[str, LaneState]
    budgets: dict[str, Budget]
    connections: dict[str, Connection]
    slow: dict[str, str] = Field(description="Service and the operation that timed out lately.")
    calls_missing: int | None


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


class Call(CallLine):
    events: list[Event]
    observations: dict[str, Observation]
    outputs: dict[str, Output]
    jobs: list[Job]
    timeline: list[Step]
    left_out: dict[str, int] = Field({}, description="Events beyond those kept, by trigger.")
    contradictions: list[str] = []
    candidates: list[Candidate] = Field([], description="Customers that share the caller's number.")


class Queued(Answer):
    status: Literal["queued"]
    call: str


class LookedFor(Queued):
    jobs: list[str]


class GivenUp(Answer):
    status: Literal["parked", "dropped"]
    call: str
    jobs: list[str]


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


class Rule(Answer):
    name: str
    value: Any
    origin: str = Field(description="`default`, the name of a setting, or the path of the rules file.")


class Rules(Answer):
    rules: list[Rule]
    next: str | None
