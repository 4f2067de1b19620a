"""What CloudTalk is asked for and sent by actions, typed."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Literal

from pydantic import Field, field_serializer

from bridge.clients.cloudtalk.core import LARGEST_PAGE
from bridge.clients.shapes import PAGE, NumberId, RequestModel, When, page_field

AgentId = Annotated[NumberId, Field(description="CloudTalk's number of the agent")]
CallId = Annotated[NumberId, Field(description="CloudTalk's number of the call; its uuid finds nothing")]
ContactId = Annotated[NumberId, Field(description="CloudTalk's number of the contact")]
_NUMBER = r"^\+?[0-9]{3,15}$"
_SMS_NUMBER = r"^(whatsapp:)?\+[0-9]{3,15}$"


class ContactNumber(RequestModel):
    number: str = Field(
        alias="public_number", pattern=r"^\+?[0-9]{3,15}$", description="E.164, with its plus"
    )


class ContactEmail(RequestModel):
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")


class ContactTag(RequestModel):
    name: str = Field(min_length=1, max_length=255)


class ContactUrl(RequestModel):
    name: str = Field(min_length=1, description="name of the other service, shown as the link's text")
    url: str = Field(pattern=r"^https?://\S+$")


class ContactAttribute(RequestModel):
    attribute_id: NumberId = Field(description="from GET /contacts/attributes.json")
    value: str = Field(max_length=255)


class ContactFields(RequestModel):
    """A list that is sent replaces the whole list; one that is left out stays. An empty text clears."""

    title: str | None = Field(default=None, max_length=255)
    company: str | None = Field(default=None, max_length=100, description="the company's name")
    industry: str | None = Field(default=None, max_length=100)
    website: str | None = Field(default=None, max_length=100)
    address: str | None = Field(default=None, max_length=255)
    city: str | None = Field(default=None, max_length=255)
    zip: str | None = Field(default=None, max_length=15, description="postal code")
    state: str | None = Field(default=None, max_length=255)
    country_id: NumberId | None = Field(default=None, description="CloudTalk's number of the country")
    favorite_agent_id: NumberId | None = Field(
        default=None, alias="favorite_agent", description="the agent whom this contact's calls go to"
    )
    numbers: list[ContactNumber] | None = Field(
        default=None, alias="ContactNumber", description="phone numbers"
    )
    emails: list[ContactEmail] | None = Field(default=None, alias="ContactEmail")
    tags: list[ContactTag] | None = Field(default=None, alias="ContactsTag")
    urls: list[ContactUrl] | None = Field(
        default=None, alias="ExternalUrl", max_length=3, description="links to other services, at most 3"
    )
    attributes: list[ContactAttribute] | None = Field(
        default=None, alias="ContactAttribute", description="custom attributes of the account"
    )


class CreateContact(ContactFields):
    name: str = Field(min_length=1, max_length=150)


class UpdateContact(ContactFields):
    contact_id: ContactId
    name: str | None = Field(default=None, min_length=1, max_length=150)


class ListContacts(RequestModel):
    """There is no filter by phone: `keyword` takes the number's digits, and may find others too."""

    keyword: str | None = Field(default=None, description="in names, numbers and e-mail addresses")
    country_id: NumberId | None = None
    tag_id: NumberId | None = None
    industry: str | None = None
    page: int = PAGE
    limit: int = page_field(LARGEST_PAGE, 100)


class OneContact(RequestModel):
    contact_id: ContactId


class AddTags(RequestModel):
    contact_id: ContactId
    tags: list[Annotated[str, Field(min_length=1, max_length=255)]] = Field(
        min_length=1, description="names; an unknown one is made"
    )


class ListCalls(RequestModel):
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


class OneCall(RequestModel):
    call_id: CallId


class ListAgents(RequestModel):
    agent_id: AgentId | None = Field(default=None, alias="id")
    associated_number: str | None = Field(
        default=None, pattern=r"^\+?[0-9]{3,15}$", description="agents who have this number, E.164"
    )
    page: int = PAGE
    limit: int = page_field(LARGEST_PAGE, 100)


class OneAgent(RequestModel):
    agent_id: AgentId


class SendSms(RequestModel):
    recipient: str = Field(pattern=_SMS_NUMBER, description="E.164 with its plus; whatsapp:+… for WhatsApp")
    sender: str = Field(pattern=_SMS_NUMBER, description="a number of yours, E.164; whatsapp:+… for WhatsApp")
    message: str = Field(description="the text; empty where a WhatsApp file is sent")
    country_code: str | None = Field(default=None, description="of the recipient's number")
    images_by_url: list[Annotated[str, Field(pattern=r"^https?://\S+$")]] | None = Field(
        default=None, max_length=5, description="MMS: at most 5 addresses of at most 5 MB each"
    )
    file_by_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="WhatsApp only: at most 16 MB; message empty"
    )
