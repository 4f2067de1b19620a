"""What actions show of CloudTalk's answers, typed; `of` reads an item or a body as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from bridge.clients.shapes import (
    Decimal,
    Escaped,
    Flag,
    Moment,
    PhoneText,
    ResponseModel,
    SureWhole,
    Text,
    Whole,
)
from bridge.domain.webhook.values import read_whole


class Contact(ResponseModel):
    """A list tells id, name, company, one number and one e-mail address only; null: not given."""

    id: SureWhole = Field(description="CloudTalk's number of the contact")
    name: Escaped = None
    title: Escaped = None
    company: Escaped = None
    industry: Escaped = None
    website: Text = None
    address: Escaped = None
    city: Escaped = None
    zip: Text = None
    state: Escaped = None
    country_id: Whole = None
    favorite_agent_id: Whole = Field(default=None, alias="favorite_agent")
    kind: Text = Field(default=None, alias="type", description="contact or lead")
    created_at: Moment = Field(default=None, alias="created")
    modified_at: Moment = Field(default=None, alias="modified")
    numbers: list[PhoneText] = Field(default_factory=list, description="with a plus where they are E.164")
    emails: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    urls: list[dict[str, Any]] = Field(default_factory=list, description="links to other services: name, url")
    attributes: list[dict[str, Any]] = Field(
        default_factory=list, description="custom attributes: attribute_id, title, value"
    )

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """From a list or from one contact: what is a list there is an object here, or null.

        Tags are documented as `ContactsTag` and were seen as `Tag`.
        """
        sections = {
            "Contact",
            "ContactNumber",
            "ContactEmail",
            "ContactsTag",
            "Tag",
            "ExternalUrl",
            "ContactAttribute",
        }
        numbers = [one.get("public_number") for one in _objects(data.get("ContactNumber"))]
        return cls.read(
            _object(data.get("Contact")),
            numbers=[one for one in numbers if one not in (None, "")],
            emails=[str(one["email"]) for one in _objects(data.get("ContactEmail")) if one.get("email")],
            tags=[
                str(one["name"])
                for one in _objects(data.get("ContactsTag")) + _objects(data.get("Tag"))
                if one.get("name")
            ],
            urls=_objects(data.get("ExternalUrl")),
            attributes=[_attribute(one) for one in _objects(data.get("ContactAttribute"))],
            extra={name: value for name, value in data.items() if name not in sections},
        )


class CreatedContact(ResponseModel):
    id: SureWhole = Field(description="CloudTalk's number of the new contact")


class ChangedContact(ResponseModel):
    id: int = Field(description="CloudTalk's number of the contact")


class DeletedContact(ResponseModel):
    id: int = Field(description="CloudTalk's number of the contact")
    deleted: bool = Field(description="false: there was none (any more)")


class Tag(ResponseModel):
    id: Whole = None
    name: Escaped = None


class TaggedContact(ResponseModel):
    id: int = Field(description="CloudTalk's number of the contact")
    tags: list[Tag] = Field(default_factory=list, description="as the service tells them after adding")

    @classmethod
    def of(cls, contact_id: int, data: Mapping[str, Any]) -> Self:
        return cls(id=contact_id, tags=[Tag.read(one) for one in _objects(data.get("tags"))])


class Call(ResponseModel):
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

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        cdr, contact, agent = (_object(data.get(name)) for name in ("Cdr", "Contact", "Agent"))
        notes = [one.get("note", one.get("name")) for one in _listed(data.get("Notes"))]
        ratings = [one.get("rating") for one in _listed(data.get("Ratings"))]
        # "(unknown)" is how it names nobody.
        agent_name = agent.get("fullname") if agent.get("id") else None
        return cls.read(
            cdr,
            contact_id=contact.get("id"),
            contact_name=contact.get("name"),
            agent_name=agent_name,
            tags=[Tag.read(one) for one in _listed(data.get("Tags"))],
            notes=[one for one in notes if isinstance(one, str)],
            rating=ratings[0] if ratings else None,
            extra={
                name: value for name, value in data.items() if name not in ("Cdr", "Notes", "Tags", "Ratings")
            },
        )


class CallTimes(ResponseModel):
    """All in seconds; null inside steps that were missed."""

    total_seconds: Whole = Field(default=None, alias="total_time")
    talking_seconds: Whole = Field(default=None, alias="talking_time")
    wrapup_seconds: Whole = Field(default=None, alias="wrap_up_time")
    ringing_seconds: Whole = Field(default=None, alias="ringing_time")
    waiting_seconds: Whole = Field(default=None, alias="waiting_time")
    holding_seconds: Whole = Field(default=None, alias="holding_time")


class CallDetail(ResponseModel):
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

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        contact, line = _object(data.get("contact")), _object(data.get("internal_number"))
        tags = [
            {"id": one.get("id"), "name": one.get("label", one.get("name"))}
            for one in _listed(data.get("call_tags"))
        ]
        notes = data.get("notes")
        taken = ("contact", "internal_number", "call_tags", "call_times", "notes")
        return cls.read(
            {name: value for name, value in data.items() if name not in taken},
            contact_id=contact.get("id"),
            contact_name=contact.get("name"),
            external_number=contact.get("number"),
            internal_number=line.get("number"),
            times=CallTimes.read(_object(data.get("call_times"))),
            tags=[Tag.read(one) for one in tags],
            notes=[one for one in notes if isinstance(one, str)] if isinstance(notes, list) else [],
            extra={"contact": contact, "internal_number": line},
        )


class Agent(ResponseModel):
    id: SureWhole = Field(description="CloudTalk's number of the agent")
    name: Escaped = None
    firstname: Escaped = None
    lastname: Escaped = None
    email: Text = None
    availability: Text = Field(
        default=None, alias="availability_status", description="online, offline, paused or calling"
    )
    extension: Text = Field(default=None, description="four digits")
    default_number: PhoneText = Field(default=None, description="calls go out under this number, E.164")
    default_number_id: Whole = Field(default=None, alias="call_number_id")
    associated_numbers: list[PhoneText] = Field(default_factory=list)
    may_call_out: Flag = Field(default=None, alias="status_outbound")
    is_daily_limit_ok: Flag = Field(default=None, description="false: cannot make calls until tomorrow")
    daily_price_limit_eur: Decimal = Field(default=None, alias="daily_price_limit")

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        # The schema has a password, which nobody here needs to see.
        return cls.read({name: value for name, value in _object(data.get("Agent")).items() if name != "pass"})


class SentSms(ResponseModel):
    """What was handed over. CloudTalk gives no id of it."""

    recipient: Text = None
    sender: Text = None
    message: Text = None
    country_code: Text = None


def _attribute(data: dict[str, Any]) -> dict[str, Any]:
    number = read_whole(data.get("attribute_id"))
    return data if number is None else data | {"attribute_id": number}


def _object(data: Any) -> dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _listed(data: Any) -> list[dict[str, Any]]:
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _objects(data: Any) -> list[dict[str, Any]]:
    """Of a list, or of one that stands for it."""
    return _listed([data] if isinstance(data, dict) else data)
