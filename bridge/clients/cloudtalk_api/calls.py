"""CloudTalk's calls: the core host's list, the analytics host's detail, and the recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer

from bridge.clients.careful import every
from bridge.clients.cloudtalk_api.contacts import Tag
from bridge.clients.cloudtalk_api.core import LARGEST_PAGE, Core
from bridge.clients.download import Download
from bridge.clients.http import Service
from bridge.clients.shapes import (
    PAGE,
    Decimal,
    Escaped,
    Flag,
    Moment,
    NumberId,
    Page,
    PhoneText,
    Shown,
    SureWhole,
    Text,
    Wanted,
    When,
    Whole,
    page_field,
)
from bridge.errors import Unavailable

CallId = Annotated[NumberId, Field(description="CloudTalk's number of the call; its uuid finds nothing")]
_NUMBER = r"^\+?[0-9]{3,15}$"


class ListCalls(Wanted):
    """Items have neither uuid nor status. The zone of the time filters is not documented; sent as UTC."""

    external_number: str | None = Field(
        default=None, alias="public_external", pattern=_NUMBER, description="the customer's number, E.164"
    )
    internal_number: str | None = Field(
        default=None, alias="public_internal", pattern=_NUMBER, description="our number, E.164"
    )
    since: When | None = Field(
        default=None,
        alias="date_from",
        description="started at or after; give a day more, as the zone is unclear",
    )
    until: When | None = Field(default=None, alias="date_to", description="started at or before, as since")
    contact_id: NumberId | None = None
    agent_id: NumberId | None = Field(default=None, alias="user_id")
    agent_extension: int | None = Field(default=None, ge=1000, le=9999)
    direction: Literal["incoming", "outgoing", "internal"] | None = Field(default=None, alias="type")
    status: Literal["missed", "answered"] | None = None
    tag_id: NumberId | None = None
    call_id: NumberId | None = None
    page: int = PAGE
    limit: int = page_field(LARGEST_PAGE, 100)

    @field_serializer("since", "until")
    def _as_they_take_it(self, moment: When | None) -> str | None:
        return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


class OneCall(Wanted):
    call_id: CallId


class Call(Shown):
    """One call of the list; what belongs to contact, agent, line and price in full is in `extra`."""

    id: SureWhole = Field(description="CloudTalk's number of the call")
    direction: Text = Field(default=None, alias="type", description="incoming, outgoing or internal")
    external_number: PhoneText = Field(
        default=None, alias="public_external", description="the customer's number, E.164; null: withheld"
    )
    internal_number: PhoneText = Field(default=None, alias="public_internal", description="our number, E.164")
    started_at: Moment = None
    answered_at: Moment = Field(default=None, description="null: nobody answered")
    ended_at: Moment = None
    talking_seconds: Whole = Field(default=None, alias="talking_time")
    waiting_seconds: Whole = Field(default=None, alias="waiting_time")
    wrapup_seconds: Whole = Field(default=None, alias="wrapup_time")
    billed_seconds: Whole = Field(default=None, alias="billsec")
    recorded: Flag = None
    is_voicemail: Flag = None
    agent_id: Whole = Field(default=None, alias="user_id", description="null: no agent had it")
    recording_page: Text = Field(
        default=None, alias="recording_link", description="a page for people who can log in to CloudTalk"
    )
    contact_id: Whole = None
    contact_name: Escaped = None
    agent_name: Escaped = None
    tags: list[Tag] = Field(default_factory=list)
    notes: list[Escaped] = Field(default_factory=list)
    rating: Whole = Field(default=None, description="the first one given, 1 to 5")


class CallTimes(Shown):
    """All in seconds; null inside steps that were missed."""

    total_seconds: Whole = Field(default=None, alias="total_time")
    talking_seconds: Whole = Field(default=None, alias="talking_time")
    wrapup_seconds: Whole = Field(default=None, alias="wrap_up_time")
    ringing_seconds: Whole = Field(default=None, alias="ringing_time")
    waiting_seconds: Whole = Field(default=None, alias="waiting_time")
    holding_seconds: Whole = Field(default=None, alias="holding_time")


class CallDetail(Shown):
    """One call in full, with both of its ids."""

    id: SureWhole = Field(alias="cdr_id", description="CloudTalk's number of the call")
    uuid: Text = None
    company_id: Whole = None
    started_at: Moment = Field(default=None, alias="date")
    direction: Text = Field(default=None, description="incoming, outgoing or internal")
    kind: Text = Field(
        default=None,
        alias="type",
        description="power_dialer, predictive_dialer, callback, redirected, transferred or regular",
    )
    status: Text = Field(default=None, description="answered or missed")
    recorded: Flag = None
    out_of_office: Flag = None
    rating: Decimal = Field(default=None, alias="call_rating")
    contact_id: Whole = None
    contact_name: Escaped = None
    external_number: PhoneText = Field(default=None, description="the customer's number, E.164")
    internal_number: PhoneText = Field(default=None, description="our number, E.164")
    times: CallTimes = Field(default_factory=CallTimes)
    tags: list[Tag] = Field(default_factory=list)
    notes: list[Escaped] = Field(default_factory=list)
    steps: list[dict[str, Any]] = Field(
        default_factory=list,
        alias="call_steps",
        description="queues, agents, menus as CloudTalk tells them, by type",
    )


class Calls(Core):
    def __init__(
        self,
        service: Service,
        core: str,
        analytics: str,
        recording: Callable[[int], AbstractContextManager[Download]],
    ) -> None:
        super().__init__(service, core)
        self._analytics, self._recording = analytics, recording

    def list(self, wanted: ListCalls) -> Page[Call]:
        """One page, newest first. Pages shift while calls arrive, so an item may come twice."""
        return self._page("list_calls", "/calls/index.json", wanted.query(), _call)

    def every(self, wanted: ListCalls, *, most_pages: int = 100) -> Iterator[Call]:
        return every(lambda page: self.list(wanted.model_copy(update={"page": page})), most_pages)

    def get(self, wanted: OneCall) -> CallDetail:
        """One call, from the analytics host. Raises Rejected with status 404: not there, or not there yet."""
        reply = self._service.request("get_call", "GET", f"{self._analytics}/calls/{wanted.call_id}")
        if not isinstance(reply.body, dict):
            raise Unavailable("cloudtalk answered get_call with something that is not an object")
        return _detail(reply.body)

    def recording(self, wanted: OneCall) -> AbstractContextManager[Download]:
        """The audio as a stream (WAV, about 16 kB a second).

        Raises:
            NotThereYet: status 404: not recorded, or not there yet.
            Rejected: status 410: expired or deleted, final.
        """
        return self._recording(wanted.call_id)


def _call(told: Mapping[str, Any]) -> Call:
    cdr, contact, agent = (_object(told.get(name)) for name in ("Cdr", "Contact", "Agent"))
    notes = [one.get("note", one.get("name")) for one in _objects(told.get("Notes"))]
    ratings = [one.get("rating") for one in _objects(told.get("Ratings"))]
    # "(unknown)" is how it names nobody.
    agent_name = agent.get("fullname") if agent.get("id") else None
    return Call.read(
        cdr,
        contact_id=contact.get("id"),
        contact_name=contact.get("name"),
        agent_name=agent_name,
        tags=[Tag.read(one) for one in _objects(told.get("Tags"))],
        notes=[one for one in notes if isinstance(one, str)],
        rating=ratings[0] if ratings else None,
        extra={
            name: value for name, value in told.items() if name not in ("Cdr", "Notes", "Tags", "Ratings")
        },
    )


def _detail(told: Mapping[str, Any]) -> CallDetail:
    contact, line = _object(told.get("contact")), _object(told.get("internal_number"))
    tags = [
        {"id": one.get("id"), "name": one.get("label", one.get("name"))}
        for one in _objects(told.get("call_tags"))
    ]
    notes = told.get("notes")
    taken = ("contact", "internal_number", "call_tags", "call_times", "notes")
    return CallDetail.read(
        {name: value for name, value in told.items() if name not in taken},
        contact_id=contact.get("id"),
        contact_name=contact.get("name"),
        external_number=contact.get("number"),
        internal_number=line.get("number"),
        times=CallTimes.read(_object(told.get("call_times"))),
        tags=[Tag.read(one) for one in tags],
        notes=[one for one in notes if isinstance(one, str)] if isinstance(notes, list) else [],
        extra={"contact": contact, "internal_number": line},
    )


def _object(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else {}


def _objects(told: Any) -> list[dict[str, Any]]:
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
