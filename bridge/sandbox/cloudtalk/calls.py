"""A call as the sandbox keeps it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from bridge.sandbox.cloudtalk.insights import InsightFields
from bridge.sandbox.sounds import LONGEST_S
from bridge.sandbox.store import Document
from bridge.sandbox.world import World, iso

FIRST_FREE_CALL_ID = 1000000200


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]


class CallFields(BaseModel):
    """What may be said of a call; the rest follows from it (`_complete`)."""

    model_config = ConfigDict(extra="forbid")

    id: int | None = None
    uuid: str | None = None
    external_number: str | None = "+441632960304"  # None: withheld
    internal_number: str = "+15550100101"
    direction: Literal["incoming", "outgoing", "internal"] = "incoming"
    agent_id: int | None = None
    contact_id: int | None = None
    contact_name: str | None = None
    started_at: Moment | None = None
    answered_at: Moment | None = None
    ended_at: Moment | None = None
    talking_time: int = Field(default=60, ge=0)  # seconds, like all of them
    waiting_time: int = Field(default=10, ge=0)
    ringing_time: int | None = None
    wrapup_time: int = Field(default=10, ge=0)
    holding_time: int = Field(default=0, ge=0)
    is_voicemail: bool = False
    transferred_from: int | None = None  # the agent who answered, and after a while handed the call on
    voice_agent: str | None = None  # the AI voice agent that answered in place of a person
    menu: str | None = None  # the key that the caller pressed
    queue: str = "Queue10"  # the queue that an incoming call was in
    rang: list[int] = []  # agents who rang in vain, before whoever answered
    out_of_office: bool = False
    type: str | None = None  # callback, redirected, …; None: as the rest says
    resolved_by: int | None = None  # id of the later call that settled this missed one
    # Of a transfer that CloudTalk lists as a call of its own: the id of the first part.
    first_leg: int | None = None
    next_leg: int | None = None  # and of the part that it was handed on to
    recorded: bool | None = None
    recording_wav: str | None = None  # base64
    recording_seconds: int | None = Field(default=None, ge=0, le=LONGEST_S)  # None: talking_time
    recording_ready_after: int = Field(default=0, ge=0)  # so many requests for it are answered 404 first
    recording_expired: bool = False
    recording_deleted: bool = False
    tags: list[str] = []
    notes: list[str] = []
    rating: int | None = Field(default=None, ge=1, le=5)
    ready_after: int = Field(default=0, ge=0)  # so many requests for the detail are answered 404 first
    insights: InsightFields | None = None  # what CloudTalk's AI says of it; None: nothing (404)
    in_progress: bool = False  # not in the list, and no detail

    @field_validator("recording_wav", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def add_call(world: World, fields: Document) -> Document:
    """Add a call, or replace the one of the same id, which keeps its uuid.

    Raises:
        ValidationError: a field is unknown or does not fit.
    """
    call = CallFields.model_validate(fields)
    with world.lock:
        if call.id is None:
            known = [int(one["id"]) for one in world.store.all("call")]
            call.id = max([FIRST_FREE_CALL_ID - 1, *known]) + 1
        document = _complete(call, world)
        world.store.put("call", str(call.id), document)
        world.details_asked.pop(str(call.id), None)
        world.recordings_asked.pop(str(call.id), None)
        world.forget_insights_asked(str(call.id))
    return document


def _complete(call: CallFields, world: World) -> Document:
    answered = call.talking_time > 0
    rang_s = timedelta(seconds=call.waiting_time)
    if call.started_at is None:
        length = rang_s + timedelta(seconds=call.talking_time + call.holding_time)
        call.started_at = datetime.fromtimestamp(world.now(), tz=UTC).replace(microsecond=0) - length
    if call.answered_at is None and answered:
        call.answered_at = call.started_at + rang_s
    if call.ended_at is None and not call.in_progress:
        since = call.answered_at or call.started_at + rang_s
        call.ended_at = since + timedelta(seconds=call.talking_time + call.holding_time)
    if (
        call.agent_id is None
        and answered
        and "agent_id" not in call.model_fields_set
        and not call.voice_agent
    ):
        agents = world.store.all("agent")
        call.agent_id = agents[0]["id"] if agents else None
    if call.contact_id is not None and call.contact_name is None:
        contact = world.store.get("contact", str(call.contact_id)) or {}
        call.contact_name = contact.get("name")
    document = call.model_dump()
    before = world.store.get("call", str(call.id)) or {}
    document["uuid"] = call.uuid or before.get("uuid") or str(uuid4())
    document["ringing_time"] = call.waiting_time if call.ringing_time is None else call.ringing_time
    if call.recorded is None:
        document["recorded"] = call.recording_wav is not None or call.recording_seconds is not None
    for name in ("started_at", "answered_at", "ended_at"):
        document[name] = None if document[name] is None else iso(document[name])
    return document
