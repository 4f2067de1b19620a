"""What `/api` takes: parameters and bodies, with the bounds of each field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bridge.ledger.queue.kinds import KINDS
from bridge.reports.call_list import DIRECTIONS, LONGEST_PAGE, OUTCOMES
from bridge.reports.call_state import STATES

# Short enough that all of them fit into the longest address that the server takes, however they are escaped.
Text = Annotated[str, Field(max_length=100)]
CallName = Annotated[str, Field(max_length=60, description="Key, call id or uuid of a call.")]
CustomerId = Annotated[
    str, Field(pattern="^[0-9a-fA-F]{24}$", description="Of a Kustomer customer: 24 hex digits.")
]
Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why, for the trail.")]
# The patterns are for programs; what does not fit is refused by whoever reads it, who says what would.
_TIME = "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?(Z|[+-]([01][0-9]):[0-5][0-9])?)?"
_DAY = "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
Cursor = Annotated[
    str,
    Field(
        max_length=120,
        description="The `next` of the answer before; empty for the first page.",
        json_schema_extra={"pattern": "^([0-9]{1,14}~.+)?$"},
    ),
]
Moment = Annotated[
    str,
    Field(
        max_length=40,
        description="ISO 8601, or how long ago: `90m`, `24h`, `7d`. Local in TIME_ZONE.",
        json_schema_extra={"pattern": f"^([1-9][0-9]{{0,2}}[mhdw]|{_DAY}{_TIME})?$"},
    ),
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


class AccountsQuery(Query):
    q: Text = Field("", description="Part of the name.")
    state: Literal["", "running", "paused", "wrong"] = ""
    cursor: Text = Field("", description="The `next` of the answer before; empty for the first page.")
    limit: int = Field(200, ge=1, le=200, description="The most entries of one page.")


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
    call: CallName = ""


class HeldQuery(Paging):
    trigger: Text = Field("", description="Only events of this trigger.")
    other: bool = Field(
        False, description="List messages and contact changes instead; they belong to no call."
    )


class HoursQuery(Query):
    hours: int = Field(24, ge=1, le=168, description="How many hours back.")


class TrailQuery(Paging):
    cursor: Annotated[Cursor, Field(json_schema_extra={"pattern": "^([0-9]{1,14}~[0-9]{1,5})?$"})] = ""
    who: Annotated[str, Field(max_length=60)] = Field("", description="Only of this person.")
    call: CallName = ""
    since: Moment = ""
    until: Moment = ""


class Nothing(Body):
    """No fields."""


class ReplayChoice(Body):
    """Which parked jobs: those that fit all that is given; all of them, if nothing is."""

    kind: Kind | None = None
    cause: Text | None = None
    call: CallName | None = None

    @property
    def wanted(self) -> dict[str, str]:
        given = {"kind": self.kind, "cause": self.cause, "call": self.call}
        return {name: text for name, text in given.items() if text is not None}


class ParkedChoice(ReplayChoice):
    dry_run: bool = Field(False, description="Say what would be done, and do nothing.")


class ParkedDrop(ParkedChoice):
    reason: Reason


class HeldAssign(Body):
    call: Annotated[CallName, Field(min_length=1)]


class CustomerAssign(Body):
    customer_id: CustomerId


class WithReason(Body):
    reason: Reason


def _confirmed(value: bool) -> bool:
    if not value:
        raise ValueError("has to be true: this cannot be undone")
    return value


class Confirmed(Body):
    confirm: Annotated[bool, AfterValidator(_confirmed)] = Field(
        description="That it cannot be undone.", json_schema_extra={"const": True}
    )


class ReceivedQuery(Query):
    after: Annotated[str, Field(max_length=60)] = Field("", description="Only what came after this `mark`.")
    limit: int = Field(1, ge=1, le=20, description="The most deliveries.")


class AuditAsk(Body):
    since: Annotated[Moment, Field(min_length=1)]
    until: Annotated[Moment, Field(description="Now, if it is left out.")] | None = None
    repair: bool = Field(False, description="Queue what is missing; nothing is deleted.")
